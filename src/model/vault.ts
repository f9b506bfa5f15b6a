// What a vault says of a set, as its commits hold it (docs/formats/vault.md). A commit says what changed since the one before it;
// a state is what all commits up to a point say together. Offsets are [from, to): `to` is one behind the last.
import { daysUpTo } from './backup-age.ts'
import { KdrError } from './errors.ts'
import type { NoteKind } from './note-kinds.ts'
import type { ObjectiveDay } from './objective-days.ts'
import { type Renewal, renewalOf } from './renewal.ts'
import type { AclRule } from './rights.ts'

export const VAULT_FORMAT = 'kdr-vault'
/** Every so many commits one holds everything, so that a reader need not go back further. */
export const CHECKPOINT_EVERY = 100

/** `kdr.json`, created once. */
export type VaultRecord = {
  readonly v: 1
  readonly format: typeof VAULT_FORMAT
  readonly vault: string
  readonly createdAt: string
  readonly by: string
}

export type Compression = 'none' | 'zstd'

/** Batches of one partition, one after the other, in an object of their own or in a part of a pack. */
export type Segment = {
  /** The object's name, below the set. */
  readonly object: string
  /** Where it begins in the object, and how long it is there. */
  readonly position: number
  readonly bytes: number
  readonly compression: Compression
  /** The object that holds its index. */
  readonly index: string
  /** Of its first batch; of its last one. What stands at `to` or behind it does not count: the source has taken it back. */
  readonly from: number
  readonly to: number
  /** Of its batches, as fetched. */
  readonly rawBytes: number
  readonly batches: number
  /** Control batches and aborted transactions included. */
  readonly records: number
  readonly maxTimestamp: number
  /** The source's leader epochs: each with its first offset here. */
  readonly epochs: readonly (readonly [epoch: number, from: number])[]
}

/** A run of whole batches that is read, and decompressed, alone. */
export type Frame = {
  /** Of its first batch. */
  readonly from: number
  /** From the beginning of the segment. */
  readonly position: number
  readonly bytes: number
  readonly rawBytes: number
  /** The largest of its batches: the first frame whose own is later than T holds the first record later than T. */
  readonly maxTimestamp: number
}

/** A transaction that was aborted. `to`: its marker; null when that stands behind the segment. */
export type AbortedTransaction = {
  readonly producer: string
  readonly from: number
  readonly to: number | null
}

export type SegmentIndex = {
  readonly topic: string
  readonly partition: number
  /** In the segment's object. */
  readonly position: number
  readonly from: number
  readonly frames: readonly Frame[]
  /** All that have records in the segment, in the order of `from`. */
  readonly aborted: readonly AbortedTransaction[]
}
/** An index object: of one segment, or of all in a pack. */
export type IndexRecord = { readonly v: 1; readonly segments: readonly SegmentIndex[] }

export type OffsetSpan = { readonly from: number; readonly to: number }

/** What became of one partition since the commit before. */
export type PartitionDelta = Renewal & {
  readonly partition: number
  /** The log start at the source. */
  readonly start: number
  /** Up to here the log is in the vault: the last stable offset at the source. */
  readonly end: number
  /** The source's log was truncated: what was taken from here on does not count any more. */
  readonly clip?: number
  readonly segments: readonly Segment[]
}

export type TopicConfig = { readonly value: string | null; readonly isOverride: boolean }

/** `configs` and `replicationFactor` are always whole. */
export type TopicDelta = {
  readonly name: string
  /** Another id than before: another topic of this name, with nothing of the old one. */
  readonly id: string
  readonly replicationFactor: number
  readonly configs: Readonly<Record<string, TopicConfig>>
  /** How many it has; those that have not changed are not in `partitions`. */
  readonly count: number
  readonly partitions: readonly PartitionDelta[]
}

export type VaultOffset = readonly [topic: string, partition: number, offset: number, metadata: string | null]
export type VaultGroup = {
  readonly group: string
  readonly type: string
  readonly offsets: readonly VaultOffset[]
}

export type VaultQuota = {
  readonly entity: readonly { readonly type: string; readonly name: string | null }[]
  readonly values: Readonly<Record<string, number>>
}
/** Null: the cluster has none of it, or kdr may not see it. */
export type VaultRights = {
  readonly acls: readonly AclRule[] | null
  readonly quotas: readonly VaultQuota[] | null
  readonly users: readonly { readonly name: string; readonly mechanisms: readonly string[] }[] | null
}

export type Note = {
  readonly kind: NoteKind
  readonly topic?: string
  readonly partition?: number
  readonly group?: string
  readonly from?: number
  readonly to?: number
  readonly what: string
}

/**
 * Of transactions, around the capture of groups and before that of the ends: what `--consistent` needs, since a log does not tell the
 * other partitions of a transaction. All between two looks at the groups: `stable`, `low`, transactions, `high`.
 */
export type TransactionLook = {
  /** Whether kdr could see every transaction. */
  readonly isComplete: boolean
  /** Under way, with partitions of the set; `startedAt` in ms. Those that were being ended have been waited for. */
  readonly open: readonly {
    readonly id: string
    readonly producer: string
    readonly state: string
    readonly startedAt: number
    readonly partitions: readonly (readonly [topic: string, partition: number])[]
  }[]
  /** Those whose log went on above `stable`: last stable offset, then high watermark, then high watermark again. */
  readonly partitions: readonly LookedPartition[]
  /** Groups that committed between the two looks: what they had at the first is in the commit. */
  readonly moving: readonly string[]
}
export type LookedPartition = readonly [
  topic: string,
  partition: number,
  stable: number,
  low: number,
  high: number,
]

export type VaultObject = { readonly name: string; readonly bytes: number; readonly sha256: string }

/** What a prune says beside what every commit says. It changes nothing of the log: it is the point before it once more. */
export type Prune = {
  /** The commit that reading begins with, and SHA-256 of its object: the chain of what is left hangs on it. */
  readonly base: { readonly number: number; readonly sha256: string }
  /** Names below the set: needed by no commit that counts, nor by one to come. They are deleted once a grace period is over. */
  readonly doomed: readonly string[]
}

export type Commit = {
  readonly v: 1
  readonly kind: 'commit' | 'prune'
  readonly vault: string
  readonly set: string
  /** From 1. */
  readonly number: number
  /** The first commit that counts: what is before it was pruned. */
  readonly first: number
  /** Of the whole object of the commit before; null at the first. */
  readonly previous: string | null
  /** Holds everything: nothing before it is needed. */
  readonly isCheckpoint: boolean
  /** Of one run, so that a writer knows its own commit when the answer was lost. */
  readonly writer: string
  readonly by: string
  /** ISO 8601, by kdr's clock: when groups were captured, then when the ends were, then when all was in the vault. */
  readonly groupsAt: string
  readonly endsAt: string
  readonly at: string
  readonly cluster: { readonly name: string; readonly id: string }
  readonly topics: readonly TopicDelta[]
  readonly topicsGone: readonly string[]
  readonly groups: readonly VaultGroup[]
  readonly groupsGone: readonly string[]
  /** Whole; null: as before. */
  readonly rights: VaultRights | null
  /** Absent where the cluster cannot tell, and in commits of older versions. */
  readonly transactions?: TransactionLook
  /** The place of a later release. */
  readonly schemas: null
  /** ISO 8601: nobody can delete what this commit references before that. Absent in a vault without locks. */
  readonly lockedUntil?: string
  /** ISO 8601: by then there should be another one. Absent where nothing says so, and in commits of older versions. */
  readonly nextBy?: string
  /** In a checkpoint: how old the newest commit was, day by day. Absent in those of older versions. */
  readonly days?: Readonly<Record<string, ObjectiveDay>>
  /** Written for this commit; in a checkpoint, all that its segments need. */
  readonly objects: readonly VaultObject[]
  readonly notes: readonly Note[]
  readonly prune?: Prune
}

/** Left by a full verification that has found nothing wrong with the commits up to `number`. */
export type VerifiedRecord = {
  readonly v: 1
  readonly kind: 'verified'
  readonly vault: string
  readonly set: string
  readonly number: number
  /** Of the commit's object. */
  readonly sha256: string
  /** When it began; by kdr's clock. */
  readonly at: string
  readonly by: string
  readonly objects: number
  readonly bytes: number
}

export type PartitionState = Omit<PartitionDelta, 'clip'>
export type TopicState = Omit<TopicDelta, 'count' | 'partitions'> & {
  readonly partitions: readonly PartitionState[]
}
export type SetState = {
  readonly number: number
  /** The first commit that counts. */
  readonly first: number
  /** Of its commit's object: what the next one names. */
  readonly sha256: string
  readonly cluster: Commit['cluster']
  readonly groupsAt: string
  readonly endsAt: string
  readonly at: string
  /** See Commit. */
  readonly lockedUntil?: string | undefined
  readonly nextBy?: string | undefined
  readonly days: ReadonlyMap<string, ObjectiveDay>
  readonly topics: ReadonlyMap<string, TopicState>
  readonly groups: ReadonlyMap<string, VaultGroup>
  readonly rights: VaultRights
  /** All that the segments of this state need, by name. */
  readonly objects: ReadonlyMap<string, VaultObject>
}

/** Where reading the commit begins: with the last one at or before it that holds everything. */
export const baseOf = (number: number): number => Math.max(1, number - (number % CHECKPOINT_EVERY))

const NO_RIGHTS: VaultRights = { acls: null, quotas: null, users: null }

/** Pure. `before`: undefined for a checkpoint, or for the first commit. `sha256`: of the commit's object. */
export function applyCommit(before: SetState | undefined, commit: Commit, sha256: string): SetState {
  const base = commit.isCheckpoint ? undefined : before
  if (base === undefined && !commit.isCheckpoint && commit.number !== 1)
    throw new KdrError('damaged', `commit ${commit.number} of set "${commit.set}" needs the one before it`)
  const topics = new Map(base?.topics)
  for (const name of commit.topicsGone) topics.delete(name)
  for (const delta of commit.topics) topics.set(delta.name, applyTopic(topics.get(delta.name), delta))
  const groups = new Map(base?.groups)
  for (const group of commit.groupsGone) groups.delete(group)
  for (const group of commit.groups) groups.set(group.group, group)
  return {
    number: commit.number,
    first: commit.first,
    sha256,
    cluster: commit.cluster,
    groupsAt: commit.groupsAt,
    endsAt: commit.endsAt,
    at: commit.at,
    lockedUntil: commit.lockedUntil,
    nextBy: commit.nextBy,
    days: daysUpTo(before, commit),
    topics,
    groups,
    rights: commit.rights ?? base?.rights ?? NO_RIGHTS,
    objects: neededOf(topics, [...(base?.objects.values() ?? []), ...commit.objects]),
  }
}

function applyTopic(before: TopicState | undefined, delta: TopicDelta): TopicState {
  const known = before?.id === delta.id ? before.partitions : []
  const changed = new Map(delta.partitions.map(each => [each.partition, each]))
  const { name, id, replicationFactor, configs } = delta
  const partitions = Array.from({ length: delta.count }, (_none, partition) =>
    applyPartition(known[partition] ?? emptyPartition(partition), changed.get(partition)),
  )
  return { name, id, replicationFactor, configs, partitions }
}

export const emptyPartition = (partition: number): PartitionState => ({
  partition,
  start: 0,
  end: 0,
  segments: [],
})

/** What stands below the source's log start is not part of the log any more. */
export function applyPartition(before: PartitionState, delta: PartitionDelta | undefined): PartitionState {
  if (delta === undefined) return before
  const { partition, start, end, clip, segments } = delta
  const kept = clip === undefined ? before.segments : clipSegments(before.segments, clip)
  const counting = [...kept, ...segments].filter(({ to }) => to > start)
  return { partition, start, end, ...renewalOf(before, delta), segments: counting }
}

export function clipSegments(segments: readonly Segment[], at: number): Segment[] {
  return segments
    .filter(({ from }) => from < at)
    .map(segment => (segment.to <= at ? segment : { ...segment, to: at }))
}

function neededOf(
  topics: ReadonlyMap<string, TopicState>,
  objects: readonly VaultObject[],
): Map<string, VaultObject> {
  const needed = new Set<string>()
  for (const { partitions } of topics.values())
    for (const { segments } of partitions)
      for (const { object, index } of segments) needed.add(object).add(index)
  return new Map(objects.filter(({ name }) => needed.has(name)).map(each => [each.name, each]))
}

/** The same state as one commit that needs none before it. */
export function wholeOf(
  state: SetState,
): Required<Pick<Commit, 'topics' | 'groups' | 'rights' | 'objects' | 'days'>> {
  return {
    days: Object.fromEntries(state.days),
    topics: [...state.topics.values()].map(topic => ({
      ...topic,
      count: topic.partitions.length,
      partitions: topic.partitions,
    })),
    groups: [...state.groups.values()],
    rights: state.rights,
    objects: [...state.objects.values()],
  }
}

/** Source epochs of a partition, each with its first offset. */
export function epochsOf({ segments }: Pick<PartitionState, 'segments'>): (readonly [number, number])[] {
  const epochs: (readonly [number, number])[] = []
  for (const segment of segments)
    for (const [epoch, from] of segment.epochs)
      if (from < segment.to && epochs.at(-1)?.[0] !== epoch) epochs.push([epoch, from])
  return epochs
}

/** Where a set can be restored to. */
export type Point =
  | { readonly kind: 'latest' }
  | { readonly kind: 'commit'; readonly number: number }
  /** ms since 1970. */
  | { readonly kind: 'time'; readonly at: number }

/** `SET`, `SET@latest`, `SET@17`, `SET@2026-01-31T12:00:00Z`. Throws KdrError('usage'). */
export function parseSetPoint(text: string): { readonly set: string; readonly point: Point } {
  const at = text.indexOf('@')
  if (at < 0) return { set: text, point: { kind: 'latest' } }
  const [set, point] = [text.slice(0, at), text.slice(at + 1)]
  if (point === 'latest') return { set, point: { kind: 'latest' } }
  if (/^[1-9]\d{0,11}$/.test(point)) return { set, point: { kind: 'commit', number: Number(point) } }
  const time = parseTime(point)
  if (time !== undefined) return { set, point: { kind: 'time', at: time } }
  throw new KdrError('usage', `"${point}" is no point in time of a set`, {
    hint: `Write a commit's number, \`latest\` or a time: ${set}@17, ${set}@2026-01-31T12:00:00Z.`,
  })
}

/** ISO 8601 with a date and a zone: a time without one would be another on each machine. */
export function parseTime(text: string): number | undefined {
  if (!/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text))
    return undefined
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : at
}

export function spellPoint(point: Point): string {
  switch (point.kind) {
    case 'latest':
      return 'latest'
    case 'commit':
      return String(point.number)
    case 'time':
      return new Date(point.at).toISOString()
  }
}
