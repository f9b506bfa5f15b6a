// A plan that gives partitions the replicas they should have, in as many racks as there are, and moves as little as it can: the JSON
// that `kafka-reassign-partitions.sh` takes. Pure.
import type { BrokerView, PartitionView } from '../../ports/cluster.ts'
import { knownBrokers, type SeenCluster, wishFor } from './observation.ts'

export type Move = {
  readonly topic: string
  readonly partition: number
  readonly from: readonly number[]
  readonly to: readonly number[]
}

/** What the command of a finding calls the file of the plan. */
export const planFile = (cluster: string): string => `${cluster}-replicas.json`

export function planMoves(cluster: SeenCluster): Move[] {
  // With a broker away nobody knows whether its replicas come back.
  const alive = new Set(cluster.brokers.map(({ id }) => id))
  if ([...knownBrokers(cluster)].some(id => !alive.has(id))) return []
  const { replicas: wanted } = wishFor(cluster)
  const partitions = [...cluster.topics.values()].flatMap(({ name, partitions: all }) =>
    all.map(partition => ({ ...partition, topic: name })),
  )
  const load = new Map(cluster.brokers.map(({ id }) => [id, 0]))
  for (const { replicas } of partitions) for (const id of replicas) load.set(id, (load.get(id) ?? 0) + 1)
  return partitions.flatMap(({ topic, partition, replicas: from }) => {
    const to = spread({ replicas: from }, { brokers: cluster.brokers, wanted, load })
    if (to.every(id => from.includes(id)) && to.length === from.length) return []
    for (const id of from) load.set(id, (load.get(id) ?? 0) - 1)
    for (const id of to) load.set(id, (load.get(id) ?? 0) + 1)
    return [{ topic, partition, from, to }]
  })
}

export type Room = {
  readonly brokers: readonly BrokerView[]
  /** Replicas at least. */
  readonly wanted: number
  /** Replicas of all partitions, by broker. */
  readonly load: ReadonlyMap<number, number>
}

/**
 * The leader-to-be stays first. The others stay while their rack has no more of this partition than it must have; what is
 * missing goes to the rack that has the fewest of it, there to the broker with the fewest replicas.
 */
export function spread({ replicas }: Pick<PartitionView, 'replicas'>, room: Room): number[] {
  const { brokers, load } = room
  const count = Math.min(Math.max(room.wanted, replicas.length), brokers.length)
  const rackOf = new Map(brokers.map(({ id, rack }) => [id, rack ?? '']))
  const racks = Map.groupBy(brokers, ({ rack }) => rack ?? '')
  const most = mostPerRack(
    [...racks.values()].map(({ length }) => length),
    count,
  )
  const kept: number[] = []
  const inRack = (rack: string): number => kept.filter(id => rackOf.get(id) === rack).length
  // Room must be left for racks that have none of them yet.
  const reach = Math.min(racks.size, count)
  for (const id of replicas) {
    const rack = rackOf.get(id)
    if (rack === undefined || inRack(rack) >= most) continue
    const used = new Set([...kept, id].map(each => rackOf.get(each))).size
    if (kept.length + 1 + reach - used <= count) kept.push(id)
  }
  while (kept.length < count) {
    const free = brokers.filter(({ id }) => !kept.includes(id))
    const [next] = free.toSorted(
      (a, b) =>
        inRack(a.rack ?? '') - inRack(b.rack ?? '') ||
        (load.get(a.id) ?? 0) - (load.get(b.id) ?? 0) ||
        a.id - b.id,
    )
    if (next === undefined) break
    kept.push(next.id)
  }
  return kept
}

/** The least number that lets `count` replicas stand in racks of these sizes, none with more than that. */
export function mostPerRack(sizes: readonly number[], count: number): number {
  for (let most = 1; most <= count; most++)
    if (sizes.reduce((sum, size) => sum + Math.min(size, most), 0) >= count) return most
  return count
}
