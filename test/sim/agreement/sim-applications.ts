// Transactional applications of a simulated cluster, for histories that a real one does too.
import type { SimCluster } from '../cluster.ts'
import { addToTransaction, endTransaction, initProducer } from '../coordinator.ts'
import type { Applications } from './play.ts'

export function simApplications(cluster: SimCluster): Applications {
  return {
    init: async transaction => initProducer(cluster, transaction),
    send: async ({ transaction, producer, at, batch }) => {
      const code = addToTransaction(cluster, { transactionalId: transaction, ...producer }, [at])
      if (code !== 0) return { code, baseOffset: -1 }
      const found = cluster.partition(at)!
      const appended = cluster.append(at.topic, found, batch)
      found.log.advance()
      return { code: appended.code, baseOffset: appended.base }
    },
    end: async ({ transaction, producer, isCommit }) =>
      endTransaction(cluster, { transactionalId: transaction, ...producer }, isCommit),
  }
}
