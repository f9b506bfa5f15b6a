// How the partitions of a cluster stand, counted as Kafka's own metrics do (OfflinePartitionsCount, UnderReplicatedPartitions,
// UnderMinIsrPartitionCount, PreferredReplicaImbalanceCount). Pure.
import type { ClusterView, PartitionView } from '../../ports/cluster.ts'

export type PartitionCounts = {
  readonly partitions: number
  /** Without a leader: nobody can read or write there. */
  readonly offline: number
  /** With fewer replicas in sync than there are, those of brokers that are away included. */
  readonly underReplicated: number
  /** With fewer in sync than `min.insync.replicas`: writes with acks=all are refused. Undefined: not known. */
  readonly underMinIsr: number | undefined
  /** Whose first replica is in sync, and does not lead. */
  readonly notPreferred: number
}

export type PartitionHealth = PartitionCounts & {
  readonly topics: number
  /** That hold replicas and are not there. */
  readonly brokersMissing: readonly number[]
  /** Those with partitions that do not stand well, the gravest first; not all when there are many. */
  readonly troubled: readonly (PartitionCounts & { readonly topic: string })[]
}

const TROUBLED = 20

/** `leastOf`: `min.insync.replicas` of a topic; undefined: not known. */
export function partitionHealth(
  { brokers, topics }: ClusterView,
  leastOf: (topic: string) => number | undefined,
): PartitionHealth {
  const alive = new Set(brokers.map(({ id }) => id))
  const missing = new Set<number>()
  const counted = [...topics.values()].map(({ name, partitions }) => {
    for (const { replicas } of partitions) for (const id of replicas) if (!alive.has(id)) missing.add(id)
    return { topic: name, ...countsOf(partitions, leastOf(name)) }
  })
  const sum = (of: (counts: PartitionCounts) => number | undefined): number =>
    counted.reduce((total, counts) => total + (of(counts) ?? 0), 0)
  const isLeastKnown = counted.every(({ underMinIsr }) => underMinIsr !== undefined)
  return {
    topics: counted.length,
    partitions: sum(({ partitions }) => partitions),
    offline: sum(({ offline }) => offline),
    underReplicated: sum(({ underReplicated }) => underReplicated),
    underMinIsr: isLeastKnown ? sum(({ underMinIsr }) => underMinIsr) : undefined,
    notPreferred: sum(({ notPreferred }) => notPreferred),
    brokersMissing: [...missing].toSorted((a, b) => a - b),
    troubled: counted
      .filter(counts => gravity(counts) > 0)
      .toSorted((a, b) => gravity(b) - gravity(a) || a.topic.localeCompare(b.topic))
      .slice(0, TROUBLED),
  }
}

function countsOf(partitions: readonly PartitionView[], least: number | undefined): PartitionCounts {
  const counts = { offline: 0, underReplicated: 0, underMinIsr: 0, notPreferred: 0 }
  for (const { leader, replicas, isr } of partitions) {
    const [first = -1] = replicas
    if (leader < 0) counts.offline++
    else if (leader !== first && isr.includes(first)) counts.notPreferred++
    if (isr.length < replicas.length) counts.underReplicated++
    // Where more are asked for than there are replicas, Kafka counts with what there are.
    if (least !== undefined && isr.length < Math.min(least, replicas.length)) counts.underMinIsr++
  }
  return {
    ...counts,
    partitions: partitions.length,
    underMinIsr: least === undefined ? undefined : counts.underMinIsr,
  }
}

const gravity = ({ offline, underMinIsr = 0, underReplicated }: PartitionCounts): number =>
  (offline * 1e6 + underMinIsr) * 1e6 + underReplicated
