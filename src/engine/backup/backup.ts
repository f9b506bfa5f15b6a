// One commit of a set, in this order: groups and transactions, then the ends of all partitions, then records up to these ends, then the commit. Incremental:
// what the commit before has is not read again. A partition that cannot be read holds up nobody; the commit says so.
import type { RawBatch } from '../../model/batch.ts'
import { KdrError } from '../../model/errors.ts'
import type {
  Note,
  PartitionDelta,
  PartitionState,
  SetState,
  TopicConfig,
  TopicDelta,
} from '../../model/vault.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Cluster, TopicView } from '../../ports/cluster.ts'
import type { SetWriter } from '../../ports/vault.ts'
import { captureConfigs, captureRights } from './capture.ts'
import { READERS, RENEWS_BEYOND_BYTES } from './limits.ts'
import { type CommittedLog, lookAround, lookUpTo } from './look.ts'
import { type PartitionPlan, planPartition, planWithoutRenewal } from './plan.ts'
import { PartitionReader, type Reading, type ReadPartition } from './read-partition.ts'
import { Rate } from './rate.ts'
import { nameOf, sameTopic, survey, type Surveyed } from './survey.ts'

export type BackupProgress = {
  readonly partitions: number
  readonly partitionsDone: number
  /** Offsets to read in all, and how many of them are behind. */
  readonly offsets: number
  readonly offsetsDone: number
  readonly bytes: number
}

export type BackupInput = {
  readonly cluster: Cluster
  readonly writer: SetWriter
  readonly isWanted: (topic: string) => boolean
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Of what is read; undefined: as fast as it goes. */
  readonly maxBytesPerSecond?: number | undefined
  /** Whether a batch's bytes match its checksum. */
  readonly isIntact: (batch: RawBatch) => boolean
  readonly onProgress?: (progress: BackupProgress) => void
  /** For a world where all is small. */
  readonly segmentBytes?: number
  readonly renewsBeyondBytes?: number
}

export type BackupResult = {
  readonly commit: number
  readonly topics: number
  readonly partitions: number
  readonly records: number
  /** Of batches, as read. */
  readonly bytes: number
  readonly segments: number
  readonly groups: number
  /** What this commit wrote into the vault. */
  readonly objects: number
  readonly storedBytes: number
  readonly notes: readonly Note[]
  /** What kdr may not see of the cluster, and so is in no commit: a sentence each. */
  readonly notSeen: readonly string[]
}

const HIDDEN_TRANSACTIONS =
  'which transactions were open is not in the commit, for `restore --consistent` (kdr needs DESCRIBE on all transactional ids)'

/** Throws KdrError: unreachable, wrong-cluster, other-writer, store-unreachable; and the reason of `signal`. */
export async function backUp(input: BackupInput): Promise<BackupResult> {
  const { cluster, writer, isWanted, clock, signal } = input
  const before = writer.state
  assertSameCluster((await cluster.describe()).clusterId, input)
  const { captured, groupsAt, ...look } = await lookAround({ cluster, clock, isWanted, before, signal })
  const seen = await survey({ cluster, writer, clock, isWanted, before, signal })
  assertSameCluster(seen.view.clusterId, input)
  const [{ configs, notes: configNotes }, { rights, notSeen }] = await Promise.all([
    captureConfigs(
      cluster,
      seen.topics.map(({ name }) => name),
    ),
    captureRights(cluster),
  ])
  const plans = new Map<string, PartitionPlan>(
    [...seen.sights].map(([name, sight]) => {
      const isCompacted = configs.get(sight.topic)?.['cleanup.policy']?.value?.includes('compact') === true
      const renewsBeyondBytes = isCompacted ? (input.renewsBeyondBytes ?? RENEWS_BEYOND_BYTES) : undefined
      return [name, planPartition(partitionOf(name), { ...sight, renewsBeyondBytes })] as const
    }),
  )
  const read = await readAll(input, seen, plans)
  const unrenewed = plansWithoutRenewal(seen, plans, read)
  for (const [name, plan] of unrenewed) {
    plans.set(name, plan)
    read.delete(name)
  }
  for (const [name, each] of await readAll(input, seen, unrenewed)) read.set(name, each)
  const topics = seen.topics.map(topic => topicDelta(topic, input, { seen, plans, read, configs }))
  const notes = [
    ...captured.notes,
    ...seen.notes,
    ...recreated(input, seen),
    ...unreadNotes(seen),
    ...configNotes,
    ...[...plans.values()].flatMap(each => each.notes),
    ...[...read.values()].flatMap(each => each.notes),
  ]
  const looked = lookUpTo(look, committedLogs(before, seen, { plans, read }))
  signal.throwIfAborted()
  const committed = await writer.commit({
    groupsAt: new Date(groupsAt).toISOString(),
    endsAt: new Date(seen.endsAt).toISOString(),
    cluster: { name: cluster.name, id: seen.view.clusterId },
    topics: topics.filter(delta => delta !== undefined),
    topicsGone: seen.topicsGone,
    groups: [...captured.groups.values()].filter(group => !isSame(group, before?.groups.get(group.group))),
    groupsGone: [...(before?.groups.keys() ?? [])].filter(group => !captured.groups.has(group)),
    rights: isSame(rights, before?.rights) ? null : rights,
    ...(looked !== undefined && { transactions: looked }),
    notes,
  })
  const segments = [...read.values()].flatMap(each => each.segments)
  return {
    commit: committed.number,
    topics: seen.topics.length,
    partitions: seen.sights.size + seen.unread.size,
    records: segments.reduce((sum, segment) => sum + segment.records, 0),
    bytes: segments.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
    segments: segments.length,
    groups: captured.groups.size,
    objects: committed.objects,
    storedBytes: committed.bytes,
    notes,
    notSeen: [...notSeen, ...(looked?.isComplete === false ? [HIDDEN_TRANSACTIONS] : [])],
  }
}

function assertSameCluster(id: string, { cluster, writer }: BackupInput): void {
  const known = writer.state?.cluster
  if (known === undefined || known.id === id) return
  throw new KdrError(
    'wrong-cluster',
    `cluster "${cluster.name}" is "${id}"; the set holds backups of "${known.id}" (named "${known.name}" then)`,
    { hint: 'Give another cluster a set of its own; or correct `bootstrap` of the cluster.' },
  )
}

const partitionOf = (name: string): number => Number(name.slice(name.lastIndexOf('/') + 1))

/** Several partitions at once, the largest first. */
async function readAll(
  input: BackupInput,
  seen: Surveyed,
  plans: ReadonlyMap<string, PartitionPlan>,
): Promise<Map<string, ReadPartition>> {
  const { cluster, writer, clock, segmentBytes, isIntact, onProgress } = input
  const readings = readingsOf(seen, plans)
  const offsets = readings.reduce((sum, { from, end }) => sum + end - from, 0)
  let bytes = 0
  let offsetsDone = 0
  const read = new Map<string, ReadPartition>()
  const tell = (): void =>
    onProgress?.({ partitions: readings.length, partitionsDone: read.size, offsets, offsetsDone, bytes })
  // One that fails ends the others: nothing of this run will count.
  const failing = new AbortController()
  const signal = AbortSignal.any([input.signal, failing.signal])
  const world = {
    cluster,
    writer,
    clock,
    signal,
    rate: new Rate(input.maxBytesPerSecond, clock),
    segmentBytes,
    isIntact,
    onRead: (
      batches: readonly {
        readonly bytes: Buffer
        readonly header: { lastOffset: number; baseOffset: number }
      }[],
    ) => {
      for (const batch of batches) {
        bytes += batch.bytes.length
        offsetsDone += batch.header.lastOffset - batch.header.baseOffset + 1
      }
      tell()
    },
  }
  const left = readings.values()
  const work = async (): Promise<void> => {
    const reader = new PartitionReader(world, seen.view)
    const ends: Promise<void>[] = []
    try {
      for (const reading of left) {
        const { written } = await reader.read(reading)
        const end = written.then(done => {
          read.set(nameOf(reading), done)
          tell()
        })
        // Also while the next one is read.
        end.catch((error: unknown) => failing.abort(error))
        ends.push(end)
      }
      await Promise.all(ends)
    } catch (error) {
      failing.abort(error)
      throw error
    } finally {
      await reader.close()
    }
  }
  const ended = await Promise.allSettled(Array.from({ length: READERS }, work))
  if (failing.signal.aborted) throw failing.signal.reason
  for (const each of ended) if (each.status === 'rejected') throw each.reason
  return read
}

function readingsOf({ topics }: Surveyed, plans: ReadonlyMap<string, PartitionPlan>): Reading[] {
  const readings = topics.flatMap(({ name: topic, id: topicId, partitions }) =>
    partitions.flatMap(({ partition }) => {
      const plan = plans.get(nameOf({ topic, partition }))
      return plan === undefined || plan.from >= plan.end ? [] : [{ topic, topicId, partition, ...plan }]
    }),
  )
  return readings.sort((a, b) => b.end - b.from - (a.end - a.from))
}

/** Of those that were to be read anew, and could not be to their end. */
function plansWithoutRenewal(
  { sights }: Surveyed,
  plans: ReadonlyMap<string, PartitionPlan>,
  read: ReadonlyMap<string, ReadPartition>,
): Map<string, PartitionPlan> {
  const found = new Map<string, PartitionPlan>()
  for (const [name, { clip, isWhole, end }] of plans) {
    const [done, sight] = [read.get(name), sights.get(name)]
    if (!isWhole || clip === undefined || done === undefined || sight === undefined || done.end >= end)
      continue
    const why = done.notes.find(({ kind }) => kind === 'unread')?.what ?? 'it ends elsewhere now'
    found.set(name, planWithoutRenewal(partitionOf(name), sight, why))
  }
  return found
}

/** Those that are not shown any more stay as they were. */
function committedLogs(
  before: SetState | undefined,
  { topics, topicsGone }: Surveyed,
  { plans, read }: Pick<Seen, 'plans' | 'read'>,
): CommittedLog[] {
  const shown = new Set([...topics.map(({ name }) => name), ...topicsGone])
  const kept = [...(before?.topics.values() ?? [])].filter(({ name }) => !shown.has(name))
  return [...topics, ...kept].flatMap(topic =>
    topic.partitions.map(({ partition }) => {
      const of = { topic: topic.name, topicId: topic.id, partition }
      const known = sameTopic(before, topic)?.partitions[partition]
      const end = read.get(nameOf(of))?.end ?? plans.get(nameOf(of))?.end ?? known?.end ?? 0
      return { ...of, end }
    }),
  )
}

type Seen = {
  readonly seen: Surveyed
  readonly plans: ReadonlyMap<string, PartitionPlan>
  readonly read: ReadonlyMap<string, ReadPartition>
  readonly configs: ReadonlyMap<string, Readonly<Record<string, TopicConfig>>>
}

/** Undefined: nothing has changed. */
function topicDelta(topic: TopicView, { writer }: BackupInput, found: Seen): TopicDelta | undefined {
  const known = sameTopic(writer.state, topic)
  const partitions = topic.partitions.flatMap(({ partition }) => {
    const name = nameOf({ topic: topic.name, partition })
    const delta = partitionDelta(partition, found.plans.get(name), found.read.get(name))
    return delta === undefined || isUnchanged(known?.partitions[partition], delta) ? [] : [delta]
  })
  const delta: TopicDelta = {
    name: topic.name,
    id: topic.id,
    replicationFactor: topic.partitions[0]?.replicas.length ?? 1,
    configs: found.configs.get(topic.name) ?? known?.configs ?? {},
    count: topic.partitions.length,
    partitions,
  }
  const isSameTopic =
    known !== undefined &&
    known.partitions.length === delta.count &&
    known.replicationFactor === delta.replicationFactor &&
    isSame(known.configs, delta.configs)
  return isSameTopic && partitions.length === 0 ? undefined : delta
}

/** Undefined: nothing is known of it, and it stays as it is. */
function partitionDelta(
  partition: number,
  plan: PartitionPlan | undefined,
  read: ReadPartition | undefined,
): PartitionDelta | undefined {
  if (plan === undefined) return undefined
  const { start, clip, isWhole, triedBytes } = plan
  const segments = read?.segments ?? []
  const end = read?.end ?? plan.end
  return {
    partition,
    start,
    end,
    ...(clip !== undefined && { clip }),
    ...(isWhole && { wholeBytes: segments.reduce((sum, { rawBytes }) => sum + rawBytes, 0) }),
    // Where nothing can be read, that it was tried tells nothing.
    ...(triedBytes !== undefined && end >= plan.end && { triedBytes }),
    segments,
  }
}

function isUnchanged(
  known: PartitionState | undefined,
  { start, end, clip, segments, triedBytes = known?.triedBytes }: PartitionDelta,
): boolean {
  const isSameLog = known?.start === start && known.end === end && clip === undefined
  return isSameLog && segments.length === 0 && known.triedBytes === triedBytes
}

function recreated({ writer }: BackupInput, { topics }: Surveyed): Note[] {
  return topics.flatMap(({ name, id }) => {
    const known = writer.state?.topics.get(name)
    if (known === undefined || known.id === id) return []
    const what = `"${name}" was deleted and created again at the source (id ${known.id}, now ${id}); what the old one had is in earlier commits only`
    return [{ kind: 'recreated', topic: name, what } as const]
  })
}

function unreadNotes({ unread }: Surveyed): Note[] {
  return [...unread].map(([name, why]) => {
    const partition = partitionOf(name)
    const topic = name.slice(0, name.lastIndexOf('/'))
    return { kind: 'unread', topic, partition, what: `nothing new was read of it: ${why}` }
  })
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
