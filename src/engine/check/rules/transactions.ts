// Who writes: producers that are not idempotent, transactions that are open for longer than anybody should wait. Pure.
import { type Finding, finding } from '../../../model/findings.ts'
import { clusterAt, counted, listed, type SeenCluster, topicAt } from '../observation.ts'
import type { ProducersSight, TopicProducers } from '../producers.ts'
import { notSeenFindings } from './seen.ts'

/** `rpoMs`: what a transaction may hold back without a word. */
export function transactionFindings(cluster: SeenCluster, rpoMs: number): Finding[] {
  return cluster.transactions
    .filter(({ startedAt }) => startedAt >= 0 && cluster.now - startedAt > rpoMs)
    .map(({ transactionalId, startedAt, state, timeoutMs, partitions }) => {
      const seconds = Math.round((cluster.now - startedAt) / 1_000)
      return finding('C061', {
        where: `${clusterAt(cluster)} transaction:${transactionalId}`,
        message: `transaction "${transactionalId}" of "${cluster.name}" is open for ${counted(seconds, 'second')}`,
        evidence: [
          `${state}; its coordinator aborts it ${Math.round(timeoutMs / 1_000)} s after it began`,
          listed(partitions.map(({ topic, partition }) => `${topic}/${partition}`)),
        ].filter(line => line !== ''),
      })
    })
}

export function producerFindings(
  cluster: Pick<SeenCluster, 'name'>,
  { topics, notSeen }: ProducersSight,
): Finding[] {
  const weak = topics.filter(({ without }) => without > 0)
  return [
    ...notSeenFindings(clusterAt(cluster), notSeen),
    ...weak.map(({ topic, batches, without }) =>
      finding('C060', {
        where: topicAt(cluster, topic),
        message: `somebody writes to "${topic}" without a producer id`,
        evidence: [
          `${without} of ${batches} batches that were looked at (${Math.ceil((without / batches) * 100)} %)`,
        ],
      }),
    ),
    ...topics.flatMap(({ topic, crowded }) => crowds(cluster, topic, crowded)),
  ]
}

const LINES = 5

function crowds(
  cluster: Pick<SeenCluster, 'name'>,
  topic: string,
  crowded: TopicProducers['crowded'],
): Finding[] {
  if (crowded.length === 0) return []
  const lines = crowded.slice(0, LINES).map(({ partition, batches, ids, remembered }) => {
    const kept = remembered === undefined ? '' : `; its leader remembers ${counted(remembered, 'producer')}`
    return `partition ${partition}: ${ids} producer ids in the last ${batches} batches${kept}`
  })
  const rest = crowded.slice(LINES).map(({ partition }) => partition)
  return [
    finding('C062', {
      where: topicAt(cluster, topic),
      message: `producers of "${topic}" hardly ever write twice`,
      evidence: rest.length === 0 ? lines : [...lines, `and partitions ${listed(rest)}`],
    }),
  ]
}
