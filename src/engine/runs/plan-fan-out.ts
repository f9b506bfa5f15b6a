// Whether a second standby can go on from the one that has become active, without a byte being read: both were mirrors of the same
// topics of the same cluster, at identical offsets, so that what the one holds below the other's cut is its beginning. Pure.
import type { At } from '../../model/runs.ts'
import type { TopicRecord } from '../../model/state-records.ts'

/** `goes-on`: from its end. `differs`: it has what the new source has not, or that cannot be told. `left`: the new source has no such topic. */
export type FanOutTopic = {
  readonly topic: string
  readonly state: 'goes-on' | 'differs' | 'left'
  readonly why: string
  readonly sourceTopicId: string
  /** Of the mirror, by partition. */
  readonly ends: readonly number[]
}

type Topics = ReadonlyMap<string, { readonly id: string; readonly partitions: readonly unknown[] }>

/** What the new source was a mirror of, before a run has made it active. */
export type History = {
  readonly topic: string
  readonly sourceTopicId: string
  readonly targetTopicId: string
  /** By partition: from here on it has what it was told as the active. */
  readonly cuts: ReadonlyMap<number, number>
}

export type FanOutInput = {
  /** Of the link, by topic. */
  readonly mirrors: ReadonlyMap<string, TopicRecord>
  readonly target: {
    readonly name: string
    readonly topics: Topics
    readonly ends: ReadonlyMap<string, number>
  }
  readonly source: {
    readonly name: string
    readonly topics: Topics
    readonly starts: ReadonlyMap<string, number>
  }
  readonly histories: readonly History[]
  /** Partitions of the mirrors that are not sound, and why: stopped, or with records that were given up, at either side. */
  readonly unsound: ReadonlyMap<string, string>
}

export function planFanOut(input: FanOutInput): FanOutTopic[] {
  return [...input.mirrors]
    .filter(([topic, { targetTopicId }]) => input.target.topics.get(topic)?.id === targetTopicId)
    .map(([topic, record]) => planTopic(input, topic, record))
    .toSorted((a, b) => (a.topic < b.topic ? -1 : 1))
}

function planTopic(input: FanOutInput, topic: string, record: TopicRecord): FanOutTopic {
  const { source, target } = input
  const there = source.topics.get(topic)
  const count = target.topics.get(topic)?.partitions.length ?? 0
  const partitions = Array.from({ length: count }, (_none, partition) => ({ topic, partition }))
  const ends = partitions.map(at => target.ends.get(nameOf(at)) ?? -1)
  const of = { topic, sourceTopicId: there?.id ?? '', ends }
  if (there === undefined) return { ...of, state: 'left', why: `"${source.name}" has no such topic` }
  // Whoever was killed in the middle has written it already.
  if (record.sourceTopicId === there.id) return { ...of, state: 'goes-on', why: 'follows it already' }
  const history = input.histories.find(
    each =>
      each.topic === topic && each.sourceTopicId === record.sourceTopicId && each.targetTopicId === there.id,
  )
  if (history === undefined)
    return {
      ...of,
      state: 'differs',
      why: `"${source.name}" was no mirror of what "${target.name}" has copied`,
    }
  if (record.phase !== 'mirroring')
    return { ...of, state: 'differs', why: 'it was not copied to its end yet' }
  if (count > there.partitions.length)
    return {
      ...of,
      state: 'differs',
      why: `"${source.name}" has ${there.partitions.length} partitions of ${count}`,
    }
  const differing = partitions.flatMap(at => whyOther(input, history, at) ?? [])
  return differing.length === 0
    ? { ...of, state: 'goes-on', why: `${count} partition(s)` }
    : { ...of, state: 'differs', why: differing.join('; ') }
}

function whyOther({ source, target, unsound }: FanOutInput, { cuts }: History, at: At): string | undefined {
  const name = nameOf(at)
  const end = target.ends.get(name) ?? -1
  const cut = cuts.get(at.partition)
  const start = source.starts.get(name) ?? -1
  if (unsound.has(name)) return `${name}: ${unsound.get(name) ?? ''}`
  if (end < 0 || start < 0) return `${name}: where it stands cannot be asked`
  if (end > (cut ?? 0))
    return `${name}: "${target.name}" has ${end - (cut ?? 0)} offset(s) that "${source.name}" has not, from ${cut ?? 0} to ${end - 1}`
  if (start > end) return `${name}: "${source.name}" begins at ${start}, "${target.name}" ends at ${end}`
  return undefined
}

const nameOf = ({ topic, partition }: At): string => `${topic}/${partition}`
