// What a set held at a point. A commit is what it says. *As of T* goes on from the last commit at or before T: each partition up to its
// first record later than T, by what the commit after it has, and back again to before the first record of any transaction that is not
// complete there. The result is always a prefix of a log that existed.
import type { PartitionState, Point, SetState, TopicState } from '../model/vault.ts'
import type { RecordCodec } from '../ports/records.ts'
import type { ObjectStore } from '../ports/store.ts'
import { locate, readCommit, readState } from './chain.ts'
import { firstOpen } from './open-transactions.ts'
import { SegmentReader } from './reader.ts'
import { firstLater } from './times.ts'

export type SetPoint = {
  /** Of its commit; ends and segments of partitions go on beyond that where the point is a time. */
  readonly state: SetState
  /** ms since 1970, where it is a time between two commits. */
  readonly asOf: number | undefined
  /** Records with a later timestamp (ms) do not count: then it is no state that ever was. */
  readonly upTo?: number
}

/** Throws KdrError: usage for a point that the set does not have, damaged, store-unreachable. */
export async function readPoint(
  store: ObjectStore,
  set: string,
  point: Point,
  codec: RecordCodec,
): Promise<SetPoint> {
  const { number, next } = await locate(store, set, point)
  const state = await readState(store, set, number)
  if (point.kind !== 'time' || next === undefined) return { state, asOf: undefined }
  const later = await readState(store, set, next)
  const { notes } = (await readCommit(store, set, next)).commit
  const isRenewed = (topic: string, partition: number): boolean =>
    notes.some(note => note.kind === 'renewed' && note.topic === topic && note.partition === partition)
  const cutter = { reader: new SegmentReader(store, set), codec, time: point.at, isRenewed }
  const topics = new Map<string, TopicState>()
  for (const topic of state.topics.values()) {
    const after = later.topics.get(topic.name)
    topics.set(topic.name, after?.id === topic.id ? await goOn(cutter, topic, after) : topic)
  }
  for (const topic of later.topics.values()) {
    if (topics.has(topic.name)) continue
    const begun = await goOn(cutter, { ...topic, partitions: [] }, topic)
    // One that had no record by then may not have been there.
    if (begun.partitions.some(({ start, end }) => end > start)) topics.set(topic.name, begun)
  }
  const objects = new Map([...state.objects, ...later.objects])
  return { state: { ...state, topics, objects }, asOf: point.at }
}

type Cutter = {
  readonly reader: SegmentReader
  readonly codec: RecordCodec
  readonly time: number
  /** The later commit has read it anew, and no other log. */
  readonly isRenewed: (topic: string, partition: number) => boolean
}

async function goOn(cutter: Cutter, before: TopicState, after: TopicState): Promise<TopicState> {
  const partitions: PartitionState[] = []
  for (const later of after.partitions) {
    const known = before.partitions[later.partition]
    const from = known ?? { partition: later.partition, start: later.start, end: later.start, segments: [] }
    const isRenewed = cutter.isRenewed(before.name, later.partition)
    partitions.push(await goOnIn(cutter, { known: from, later, isRenewed }))
  }
  return { ...before, partitions }
}

type Step = { readonly known: PartitionState; readonly later: PartitionState; readonly isRenewed: boolean }

async function goOnIn(
  { reader, codec, time }: Cutter,
  { known, later, isRenewed }: Step,
): Promise<PartitionState> {
  const more = continuation({ known, later, isRenewed })
  if (more === undefined) return known
  const segments = [...known.segments, ...more]
  const from = known.end
  const at = (await firstLater(reader, segments, { from, end: later.end, time, codec })) ?? later.end
  const end = await firstOpen(reader, segments, { from, at })
  return { ...known, end, segments }
}

/** The segments that follow; undefined where the later log does not go on from the earlier one (retention, truncation). */
function continuation({ known, later, isRenewed }: Step): PartitionState['segments'] | undefined {
  if (later.start > known.end) return undefined
  if (isRenewed) return later.segments.filter(({ to }) => to > known.end)
  const own = new Map(later.segments.map(each => [`${each.object} ${each.position}`, each]))
  for (const { object, position, to } of known.segments)
    if (to > later.start && own.get(`${object} ${position}`)?.to !== to) return undefined
  const before = new Set(known.segments.map(({ object, position }) => `${object} ${position}`))
  return later.segments.filter(({ object, position }) => !before.has(`${object} ${position}`))
}
