// What of a point is restored, and under which names. A topic keeps its number of partitions, or keys would lead elsewhere: those that
// are not wanted stay empty. Group offsets go with the partitions that are restored, under their new names.
import { type Choice, meets, newName, type UntilOffset } from '../model/choice.ts'
import { KdrError } from '../model/errors.ts'
import type { PartitionState, SetState, TopicState, VaultGroup } from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import { firstOpen } from './open-transactions.ts'
import type { SetPoint } from './point.ts'
import { SegmentReader } from './reader.ts'

/** Pure, but for `--until-offset`. Throws KdrError('usage') for what is not there, or would not have a name of its own. */
export function choose(point: SetPoint, choice: Choice, set: string): SetPoint {
  const { state } = point
  const topics = new Map<string, TopicState>()
  const names = new Map<string, string>()
  for (const topic of chosenTopics(state, choice, set)) {
    const name = newName(topic.name, choice.renames)
    const other = topics.get(name)
    if (other !== undefined)
      throw new KdrError('usage', `two topics would be called "${name}": one of them is "${topic.name}"`)
    names.set(topic.name, name)
    topics.set(name, { ...topic, name, partitions: chosenPartitions(topic, choice) })
  }
  for (const rename of choice.renames)
    if (![...names.keys()].some(name => meets(rename, name)))
      throw new KdrError('usage', `"--rename ${rename.from}=${rename.to}" meets no topic that is restored`)
  const isWanted = isChosen(choice)
  const groups = new Map<string, VaultGroup>()
  for (const group of choice.withGroups ? state.groups.values() : []) {
    const offsets = group.offsets.flatMap(([topic, partition, ...rest]) => {
      const name = names.get(topic)
      return name === undefined || !isWanted(partition) ? [] : [[name, partition, ...rest] as const]
    })
    if (offsets.length > 0) groups.set(group.group, { ...group, offsets })
  }
  return { ...point, state: { ...state, topics, groups } }
}

function chosenTopics(state: SetState, { topics }: Choice, set: string): TopicState[] {
  if (topics.length === 0) return [...state.topics.values()]
  return [...new Set(topics)].map(name => {
    const topic = state.topics.get(name)
    if (topic !== undefined) return topic
    throw new KdrError('usage', `set "${set}" has no topic "${name}" at this point`, {
      hint: `See what it has: kdr backup show ${set}@${state.number}`,
    })
  })
}

const isChosen =
  ({ partitions }: Choice) =>
  (partition: number): boolean =>
    partitions.length === 0 || partitions.includes(partition)

function chosenPartitions({ name, partitions }: TopicState, choice: Choice): PartitionState[] {
  const isWanted = isChosen(choice)
  if (!partitions.some(({ partition }) => isWanted(partition)) && partitions.length > 0)
    throw new KdrError(
      'usage',
      `"${name}" has ${partitions.length} partition(s), and none of those that are to be restored`,
    )
  return partitions.map(log =>
    isWanted(log.partition) ? log : { partition: log.partition, start: 0, end: 0, segments: [] },
  )
}

/**
 * Ends partitions before an offset, and before the first record of any transaction that is not complete there. Names are those of the
 * set: call it before topics are renamed. Reads the headers of what stands below. Throws KdrError: usage, damaged, store-unreachable.
 */
export async function endBefore(
  point: SetPoint,
  untilOffsets: readonly UntilOffset[],
  { store, set }: { readonly store: ObjectStore; readonly set: string },
): Promise<SetPoint> {
  if (untilOffsets.length === 0) return point
  const reader = new SegmentReader(store, set)
  const topics = new Map(point.state.topics)
  for (const { topic: name, partition, offset } of untilOffsets) {
    const topic = topics.get(name)
    const log = topic?.partitions[partition]
    if (topic === undefined || log === undefined)
      throw new KdrError('usage', `set "${set}" has no partition ${partition} of "${name}" at this point`)
    if (offset < log.start || offset > log.end)
      throw new KdrError(
        'usage',
        `"${name}" partition ${partition} has offsets ${log.start} to ${log.end} at this point, and not ${offset}`,
      )
    const end = Math.max(log.start, await firstOpen(reader, log.segments, { from: log.start, at: offset }))
    topics.set(name, { ...topic, partitions: topic.partitions.with(partition, { ...log, end }) })
  }
  return { ...point, state: { ...point.state, topics } }
}
