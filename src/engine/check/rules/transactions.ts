// Who writes: producers that are not idempotent, transactions that are open for longer than anybody should wait. Pure.
import { type Finding, finding } from '../../../model/findings.ts'
import { clusterAt, counted, listed, type SeenCluster, topicAt } from '../observation.ts'
import type { ProducersSight } from '../producers.ts'
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
  ]
}
