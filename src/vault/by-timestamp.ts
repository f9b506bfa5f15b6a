// A filter: of all that the newest commit holds, the records with a timestamp up to T, at their offsets. It is not a state that existed:
// what came late with an old timestamp is there, what a fast clock stamped later is not. Group offsets are those as of T.
import { KdrError } from '../model/errors.ts'
import type { PartitionState, SetState, TopicState, VaultGroup } from '../model/vault.ts'
import type { RecordCodec } from '../ports/records.ts'
import type { ObjectStore } from '../ports/store.ts'
import { locate, readLatest, readState } from './chain.ts'
import type { SetPoint } from './point.ts'
import { SegmentReader } from './reader.ts'
import { lastUpTo } from './times.ts'

/** `time`: ms since 1970. Throws KdrError: usage, damaged, store-unreachable. */
export async function readUpTo(
  store: ObjectStore,
  set: string,
  time: number,
  codec: RecordCodec,
): Promise<SetPoint> {
  const state = await readLatest(store, set)
  if (state === undefined)
    throw new KdrError('usage', `set "${set}" has no commit yet`, { hint: `Make one: kdr backup run ${set}` })
  const { number } = await locate(store, set, { kind: 'time', at: time })
  const then = number === state.number ? state : await readState(store, set, number)
  const reader = new SegmentReader(store, set)
  const topics = new Map<string, TopicState>()
  for (const topic of state.topics.values()) {
    const partitions: PartitionState[] = []
    for (const log of topic.partitions) {
      const range = { from: log.start, end: log.end, time, codec }
      const last = await lastUpTo(reader, log.segments, range)
      // Behind the last of them there is nothing to be filled.
      partitions.push({ ...log, end: last === undefined ? log.start : last + 1 })
    }
    topics.set(topic.name, { ...topic, partitions })
  }
  return { state: { ...state, topics, groups: knownOf(then, topics) }, asOf: time, upTo: time }
}

/** Offsets in topics that have gone since, or were made again, lead nowhere. */
function knownOf(
  then: Pick<SetState, 'groups' | 'topics'>,
  topics: ReadonlyMap<string, TopicState>,
): Map<string, VaultGroup> {
  const isSame = (topic: string): boolean =>
    topics.has(topic) && topics.get(topic)?.id === then.topics.get(topic)?.id
  return new Map(
    [...then.groups].flatMap(([name, group]) => {
      const offsets = group.offsets.filter(([topic]) => isSame(topic))
      return offsets.length === 0 ? [] : [[name, { ...group, offsets }] as const]
    }),
  )
}
