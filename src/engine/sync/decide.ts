// What is to be done with one group, from what both sides say of it: copied as it is, clamped to what the mirrors hold, left
// alone while it has members at the target, deleted some time after it is gone at the source. Pure: groups.ts acts.
import { codeName, isAuthorization, KafkaCode } from '../../model/kafka-codes.ts'
import type { GoneOffset, GroupEntry, GroupStanding } from '../../model/group-records.ts'
import type { GroupOffset, GroupOffsets, ListedGroup, TopicPartition } from '../../ports/cluster.ts'
import type { MirrorPosition, Mirrors } from './mirrors.ts'

/** As it is to stand at the target. A mirror that was made anew has lost what was committed for it: hence its id. */
export type Placed = GroupOffset & { readonly topicId: string }

export type GroupSight = {
  readonly group: string
  /** As the source lists it; undefined when it does not. */
  readonly source: ListedGroup | undefined
  /** Undefined when it was not asked for, as its type is not carried. */
  readonly offsets: GroupOffsets | undefined
  readonly target: ListedGroup | undefined
  /** What this worker has committed for it last. */
  readonly applied: readonly Placed[] | undefined
  readonly entry: GroupEntry | undefined
}

export type Act =
  | { readonly do: 'commit'; readonly offsets: readonly Placed[] }
  | { readonly do: 'delete-offsets'; readonly partitions: readonly GoneOffset[] }
  | { readonly do: 'delete-group' }

/** `standing` holds once `act` has succeeded; undefined: there is nothing to say of the group any more. */
export type Verdict = {
  readonly standing: GroupStanding | undefined
  readonly goneAt?: number | undefined
  readonly gone?: readonly GoneOffset[] | undefined
  readonly act?: Act | undefined
}

export type DecideRules = {
  /** ms since 1970. */
  readonly now: number
  /** After a group, or an offset, was first seen to be gone. */
  readonly deleteAfterMs: number
}

/** Other types keep their positions elsewhere. */
export function isCarried({ type }: ListedGroup): boolean {
  return type !== 'share' && type !== 'streams'
}

/** Whoever is asked for a group that it has given up may still list it. */
export function hasMembers(listed: ListedGroup | undefined): boolean {
  return listed !== undefined && listed.state !== 'Empty' && listed.state !== 'Dead'
}

export function decide(sight: GroupSight, mirrors: Mirrors, rules: DecideRules): Verdict {
  const { group, source, offsets, target, entry } = sight
  if (source !== undefined && !isCarried(source)) return { standing: notCarried(source) }
  if (offsets === undefined) return { standing: undefined }
  if (offsets.code !== KafkaCode.NONE)
    return { standing: unread(group, offsets.code), goneAt: entry?.goneAt, gone: entry?.gone }
  const isGone = source === undefined && offsets.offsets.length === 0 && offsets.pending.length === 0
  if (isGone) return decideGone(sight, rules)
  if (hasMembers(target)) return { standing: inUse(group) }
  const gone = goneOffsets(sight, mirrors, rules.now)
  const placing = place(offsets.offsets, mirrors)
  const pending = offsets.pending.filter(({ topic }) => mirrors.hasTopic(topic))
  const standing = standingOf(sight.group, { ...placing, all: offsets.offsets, pending })
  const { placed } = placing
  if (placed.length > 0 && (target === undefined || !isSame(sight.applied, placed)))
    return { standing, gone, act: { do: 'commit', offsets: placed } }
  const due = gone.filter(
    each =>
      isDue(each.goneAt, rules) && mirrors.isLive(each) && entry?.isOwn === true && target !== undefined,
  )
  return due.length > 0
    ? {
        standing,
        gone: gone.filter(each => !due.includes(each)),
        act: { do: 'delete-offsets', partitions: due },
      }
    : { standing, gone }
}

/** Only what kdr has committed is deleted; what has members by then is nobody's any more but theirs. */
function decideGone({ group, target, entry }: GroupSight, rules: DecideRules): Verdict {
  if (entry?.isOwn !== true || target === undefined) return { standing: undefined }
  if (hasMembers(target)) return { standing: inUse(group) }
  const goneAt = beganAt(entry.goneAt, rules.now)
  const at = new Date(goneAt + rules.deleteAfterMs).toISOString()
  const standing: GroupStanding = {
    state: 'skipped',
    reason: 'deleted-at-source',
    sentence: `group "${group}" is gone at the source; it will be deleted at the target at ${at}`,
  }
  return isDue(goneAt, rules)
    ? { standing: undefined, act: { do: 'delete-group' } }
    : { standing, goneAt, gone: entry.gone }
}

/**
 * Of a group that is gone, what is to be deleted of `offsets`, which the target holds. A topic that is deleted at the source
 * takes the offsets there along; its mirror may be kept, and with it the offsets. `group`: nothing else is left.
 */
export function deletable(
  offsets: readonly GroupOffset[],
  mirrors: Mirrors,
): 'group' | readonly TopicPartition[] {
  const live = offsets.filter(at => mirrors.isLive(at))
  return live.length === offsets.length ? 'group' : live
}

/** What the source had and has no more; where a mirror has stopped, that proves nothing. */
function goneOffsets(
  { offsets, applied = [], entry }: GroupSight,
  mirrors: Mirrors,
  now: number,
): GoneOffset[] {
  const before = entry?.gone ?? []
  const { offsets: all = [], pending = [] } = offsets ?? {}
  if (before.length === 0 && isEachIn(applied, all)) return []
  const there = new Set([...all, ...pending].map(nameOf))
  const known = new Set(before.map(nameOf))
  return [
    ...before.map(each => ({ ...each, goneAt: beganAt(each.goneAt, now) })),
    ...applied
      .filter(each => !known.has(nameOf(each)) && mirrors.isLive(each))
      .map(({ topic, partition }) => ({ topic, partition, goneAt: now })),
  ].filter(each => !there.has(nameOf(each)))
}

/** The usual case, without a name for each of a hundred thousand: the same partitions in the same order. */
function isEachIn(applied: readonly TopicPartition[], all: readonly TopicPartition[]): boolean {
  return applied.every((each, index) => {
    const other = all[index]
    return other !== undefined && each.partition === other.partition && each.topic === other.topic
  })
}

/** A time in the future is that of another clock: the wait starts again. */
function beganAt(at: number | undefined, now: number): number {
  return at === undefined || at > now ? now : at
}

const isDue = (goneAt: number, { now, deleteAfterMs }: DecideRules): boolean => now - goneAt >= deleteAfterMs

type Placing = {
  readonly placed: readonly Placed[]
  /** Of mirrored topics, and not copied yet. */
  readonly waiting: readonly TopicPartition[]
  readonly beyond: readonly TopicPartition[]
  readonly below: readonly TopicPartition[]
}

/** Inside what the mirrors hold. Topics that are not mirrored are left out. */
export function place(offsets: readonly GroupOffset[], mirrors: Mirrors): Placing {
  const placed: Placed[] = []
  const [waiting, beyond, below]: [TopicPartition[], TopicPartition[], TopicPartition[]] = [[], [], []]
  for (const offset of offsets) {
    const at = mirrors.at(offset)
    if (at?.isAnchored === true) {
      const clamped = clamp(offset.offset, at)
      if (clamped < offset.offset) beyond.push(offset)
      if (clamped > offset.offset) below.push(offset)
      // The position's name of the topic: one string for all groups.
      placed.push({ ...offset, topic: at.topic, offset: clamped, topicId: at.topicId })
    } else if (mirrors.hasTopic(offset.topic)) waiting.push(offset)
  }
  return { placed, waiting, beyond, below }
}

function clamp(offset: number, { logStart, cursor }: MirrorPosition): number {
  return Math.max(logStart, Math.min(offset, cursor))
}

function standingOf(
  group: string,
  {
    placed,
    waiting,
    beyond,
    below,
    all,
    pending,
  }: Placing & { readonly all: readonly GroupOffset[]; readonly pending: readonly TopicPartition[] },
): GroupStanding {
  const state = placed.length === 0 ? 'skipped' : 'clamped'
  if (pending.length > 0)
    return {
      state,
      reason: 'pending-transaction',
      sentence: `group "${group}": a transaction has a commit under way at ${namesOf(pending)}`,
    }
  if (waiting.length > 0)
    return { state, reason: 'behind', sentence: `group "${group}": ${namesOf(waiting)} is not copied yet` }
  if (beyond.length > 0)
    return {
      state,
      reason: 'beyond-mirror',
      sentence: `group "${group}" is beyond what the target holds of ${namesOf(beyond)}: committed where that ends`,
    }
  if (below.length > 0)
    return {
      state,
      reason: 'below-log-start',
      sentence: `group "${group}" is below the log start of ${namesOf(below)}: committed where that begins`,
    }
  if (placed.length > 0) return { state: 'synced' }
  return all.length === 0
    ? { state, reason: 'nothing-committed', sentence: `group "${group}" has committed nothing` }
    : { state, reason: 'not-mirrored', sentence: `no topic of group "${group}" is mirrored` }
}

const NAMES_SHOWN = 3

function namesOf(partitions: readonly TopicPartition[]): string {
  const names = partitions.slice(0, NAMES_SHOWN).map(nameOf).join(', ')
  return partitions.length > NAMES_SHOWN ? `${names} and ${partitions.length - NAMES_SHOWN} more` : names
}

export function isSame(a: readonly Placed[] | undefined, b: readonly Placed[]): boolean {
  return (
    a !== undefined &&
    a.length === b.length &&
    a.every((one, index) => {
      const other = b[index]!
      return (
        one.offset === other.offset &&
        one.partition === other.partition &&
        one.topic === other.topic &&
        one.metadata === other.metadata &&
        one.topicId === other.topicId
      )
    })
  )
}

function notCarried({ group, type }: ListedGroup): GroupStanding {
  return type === 'share'
    ? {
        state: 'skipped',
        reason: 'share-group',
        sentence: `group "${group}" is a share group: it acknowledges record by record, which kdr does not carry`,
      }
    : {
        state: 'skipped',
        reason: 'streams-group',
        sentence: `group "${group}" is a streams group: its coordinator knows its topology and tasks, which kdr does not carry`,
      }
}

export function inUse(group: string): GroupStanding {
  return {
    state: 'skipped',
    reason: 'members-at-target',
    sentence: `group "${group}" has members at the target: its offsets are left alone`,
  }
}

function unread(group: string, code: number): GroupStanding {
  return {
    state: 'skipped',
    reason: isAuthorization(code) ? 'no-rights' : 'refused',
    sentence: `offsets of group "${group}" cannot be read at the source: ${codeName(code)}`,
  }
}

const HAS_MEMBERS: readonly number[] = [
  KafkaCode.UNKNOWN_MEMBER_ID,
  KafkaCode.ILLEGAL_GENERATION,
  KafkaCode.REBALANCE_IN_PROGRESS,
  KafkaCode.FENCED_MEMBER_EPOCH,
  KafkaCode.STALE_MEMBER_EPOCH,
  KafkaCode.NON_EMPTY_GROUP,
  KafkaCode.GROUP_SUBSCRIBED_TO_TOPIC,
]

/** Why the target has refused an act. */
export function refused(group: string, act: Act, code: number): GroupStanding {
  if (HAS_MEMBERS.includes(code)) return inUse(group)
  const what =
    act.do === 'commit'
      ? `offsets of group "${group}" cannot be committed`
      : `what is gone of group "${group}" cannot be deleted`
  return {
    state: 'skipped',
    reason: isAuthorization(code) ? 'no-rights' : 'refused',
    sentence: `${what} at the target: ${codeName(code)}`,
  }
}

/** What is committed as soon as the mirrors hold what it implies. */
export function behind(group: string, isKnown: boolean): GroupStanding {
  return {
    state: isKnown ? 'clamped' : 'skipped',
    reason: 'behind',
    sentence: `group "${group}" waits until the mirrors hold what its offsets imply`,
  }
}

export const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`
