// Transactions that are open for longer than anybody should wait. Pure.
import { type Finding, finding } from '../../../model/findings.ts'
import { clusterAt, counted, listed, type SeenCluster } from '../observation.ts'

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
