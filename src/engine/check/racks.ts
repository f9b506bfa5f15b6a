// What the loss of a rack would mean, computed partition by partition. Pure. It assumes that a rack goes away at once and that its
// brokers know nothing of it before: no leader moves in time.
import type { PartitionView } from '../../ports/cluster.ts'
import type { SeenCluster } from './observation.ts'
import { minInSync } from './rules/topics.ts'
import { votersBehind } from '../../model/quorum.ts'

export type RackLoss = {
  readonly cluster: string
  readonly rack: string
  readonly brokers: readonly number[]
  /** Of all partitions. */
  readonly leaders: number
  readonly replicas: number
  /** `topic/partition`: nobody leads any more, because no replica in sync is elsewhere. */
  readonly withoutLeader: readonly string[]
  /** Writes with `acks=all` would be refused: too few in sync, or nobody leads. */
  readonly refusesAcksAll: readonly string[]
  /** Led from the rack: what its leader acknowledged with `acks=1`, and no other has yet, would be lost. */
  readonly losesAcksOne: readonly string[]
  /** Whether more than half of the controllers are left; null: not known, because they are no brokers. */
  readonly quorumSurvives: boolean | null
}

/** Empty where no racks are known. */
export function rackLosses(cluster: SeenCluster): RackLoss[] {
  const racks = Map.groupBy(
    cluster.brokers.filter(({ rack }) => rack !== undefined),
    ({ rack }) => rack ?? '',
  )
  return [...racks]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([rack, brokers]) => lossOf(cluster, rack, new Set(brokers.map(({ id }) => id))))
}

export function lossOf(cluster: SeenCluster, rack: string, lost: ReadonlySet<number>): RackLoss {
  const all = [...cluster.topics.values()].flatMap(topic => {
    const least = minInSync(cluster.topicConfigs.get(topic.name)) ?? 1
    return topic.partitions.map(partition => ({
      name: `${topic.name}/${partition.partition}`,
      partition,
      after: afterLoss(partition, lost, least),
    }))
  })
  const names = (fits: (each: (typeof all)[number]) => boolean): string[] =>
    all.filter(fits).map(({ name }) => name)
  return {
    cluster: cluster.name,
    rack,
    brokers: [...lost].toSorted((a, b) => a - b),
    leaders: all.filter(({ partition }) => lost.has(partition.leader)).length,
    replicas: all.reduce(
      (sum, { partition }) => sum + partition.replicas.filter(id => lost.has(id)).length,
      0,
    ),
    withoutLeader: names(({ after }) => after.left === 0),
    refusesAcksAll: names(({ after }) => after.refuses),
    losesAcksOne: names(({ partition }) => lost.has(partition.leader)),
    quorumSurvives: quorumSurvives(cluster, lost),
  }
}

/** `left`: replicas in sync elsewhere. A broker that is the last one in sync leaves nobody to lead. */
export function afterLoss(
  { replicas, isr }: PartitionView,
  lost: ReadonlySet<number>,
  least: number,
): { readonly left: number; readonly refuses: boolean } {
  const left = isr.filter(id => !lost.has(id)).length
  // A broker never asks for more than there are replicas.
  return { left, refuses: left === 0 || left < Math.min(least, replicas.length) }
}

function quorumSurvives(cluster: SeenCluster, lost: ReadonlySet<number>): boolean | null {
  const { quorum } = cluster
  if (quorum === undefined || votersAmongBrokers(cluster) === undefined) return null
  const late = new Set(votersBehind(quorum).map(({ id }) => id))
  const left = quorum.voters.filter(({ id }) => !lost.has(id) && !late.has(id)).length
  return left > quorum.voters.length / 2
}

/** Undefined where they are not known, or are no brokers: then nobody says in which racks they stand. */
export function votersAmongBrokers({ quorum, brokers }: SeenCluster): readonly number[] | undefined {
  const known = new Set(brokers.map(({ id }) => id))
  const voters = quorum?.voters.map(({ id }) => id) ?? []
  return voters.length > 0 && voters.every(id => known.has(id)) ? voters : undefined
}
