// How partitions stand at this moment: leaders, replicas in sync, brokers that are away. What follows from a broker that is away is
// said once, with the broker, unless writes stop. Pure.
import { type Finding, type FindingId, finding } from '../../../model/findings.ts'
import type { PartitionView, TopicView } from '../../../ports/cluster.ts'
import { clusterAt, counted, knownBrokers, listed, type SeenCluster, topicAt } from '../observation.ts'
import { minInSync } from './topics.ts'

export function partitionFindings(cluster: SeenCluster): Finding[] {
  const alive = new Set(cluster.brokers.map(({ id }) => id))
  return [
    ...missingBrokers(cluster, alive),
    ...[...cluster.topics.values()].flatMap(topic => standing(cluster, topic, alive)),
    ...leaders(cluster),
  ]
}

function missingBrokers(cluster: SeenCluster, alive: ReadonlySet<number>): Finding[] {
  const missing = [...knownBrokers(cluster)].filter(id => !alive.has(id)).toSorted((a, b) => a - b)
  return missing.map(id => {
    const hit = [...cluster.topics.values()].flatMap(({ name, partitions }) =>
      partitions.filter(({ replicas }) => replicas.includes(id)).map(() => name),
    )
    return finding('C004', {
      where: `${clusterAt(cluster)} broker:${id}`,
      message: `broker ${id} of "${cluster.name}" is not there`,
      evidence: [
        `${counted(hit.length, 'partition')} of ${counted(new Set(hit).size, 'topic')} with a replica there`,
      ],
    })
  })
}

function standing(cluster: SeenCluster, topic: TopicView, alive: ReadonlySet<number>): Finding[] {
  const least = minInSync(cluster.topicConfigs.get(topic.name)) ?? 1
  const by = Map.groupBy(topic.partitions, partition => standingOf(partition, least, alive))
  const found: Finding[] = []
  const tell = (id: FindingId, message: string): void => {
    const partitions = by.get(id) ?? []
    if (partitions.length === 0) return
    found.push(
      finding(id, {
        where: topicAt(cluster, topic.name),
        message: `${counted(partitions.length, 'partition')} of "${topic.name}" ${message}`,
        evidence: evidenceOf(partitions, least),
        values: { at: cluster.at },
      }),
    )
  }
  tell('C010', 'without a leader: nobody can read or write there')
  tell('C011', `with fewer than ${least} in sync: writes with acks=all are refused`)
  tell('C016', 'with replicas that do not keep up')
  return found
}

/** Where more must be in sync than there are replicas, that is the finding (C015), whoever is in sync. */
function standingOf(
  { leader, replicas, isr }: PartitionView,
  least: number,
  alive: ReadonlySet<number>,
): FindingId | 'well' {
  if (leader < 0) return 'C010'
  if (isr.length < Math.min(least, replicas.length)) return 'C011'
  return replicas.some(id => alive.has(id) && !isr.includes(id)) ? 'C016' : 'well'
}

const LINES = 5

function evidenceOf(partitions: readonly PartitionView[], least: number): string[] {
  const lines = partitions
    .slice(0, LINES)
    .map(
      ({ partition, replicas, isr }) =>
        `partition ${partition}: in sync ${isr.length === 0 ? 'none' : isr.join(', ')} of ${replicas.join(', ')}; ${least} needed`,
    )
  const rest = partitions.slice(LINES).map(({ partition }) => partition)
  return rest.length === 0 ? lines : [...lines, `and partitions ${listed(rest)}`]
}

/** A replica that could lead and does not; who is away cannot. */
function leaders(cluster: SeenCluster): Finding[] {
  const all = [...cluster.topics.values()].flatMap(({ name, partitions }) =>
    partitions.map(partition => ({ ...partition, topic: name, name: `${name}/${partition.partition}` })),
  )
  const moved = all.filter(({ leader, replicas: [first = -1], isr }) => {
    return leader >= 0 && leader !== first && isr.includes(first)
  })
  if (moved.length === 0) return []
  return [
    finding('C018', {
      where: clusterAt(cluster),
      message: `${moved.length} of ${counted(all.length, 'partition')} of "${cluster.name}" are not led by their first replica`,
      evidence: [listed(moved.map(({ name }) => name))],
      values: { at: cluster.at },
      fix: {
        kind: 'preferred-leaders',
        cluster: cluster.name,
        partitions: moved.map(({ topic, partition }) => ({ topic, partition })),
      },
    }),
  ]
}
