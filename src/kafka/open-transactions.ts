// Transactions by producer id, as their coordinators have them. Every broker lists those that it coordinates, and leaves
// out silently what the principal may not DESCRIBE; whether it may see all is asked with a transactional id nobody has.
import { describeTransactionsV0, listTransactionsV0 } from '@platformatic/kafka'
import { KafkaCode } from '../model/kafka-codes.ts'
import { KdrError } from '../model/errors.ts'
import type { SeenTransactions, TransactionView } from '../ports/cluster.ts'
import { allDone, type ClusterContext } from './context.ts'
import type { Coordinators } from './coordinators.ts'

/** Only later versions send it. */
const ANY_DURATION = -1n
const UNDER_WAY = ['Ongoing', 'PrepareCommit', 'PrepareAbort', 'PrepareEpochFence'] as const
const NOBODYS_ID = '_kdr.asks-for-its-rights'

export async function readTransactions(
  context: ClusterContext,
  coordinators: Coordinators,
  producerIds: readonly bigint[] | 'under way',
): Promise<SeenTransactions> {
  if (producerIds.length === 0) return { isComplete: true, transactions: [] }
  const brokers = context.view().brokers.map(({ id }) => id)
  const lists = await allDone(brokers.map(async broker => await list(context, broker, producerIds)))
  const ids = new Set(lists.flat())
  const found = await allDone([...ids].map(async id => await describe(coordinators, id)))
  const nobody = await describe(coordinators, NOBODYS_ID)
  return {
    isComplete: nobody.code === KafkaCode.TRANSACTIONAL_ID_NOT_FOUND,
    transactions: found.flatMap(({ view }) => (view === undefined ? [] : [view])),
  }
}

async function list(
  context: ClusterContext,
  broker: number,
  producerIds: readonly bigint[] | 'under way',
): Promise<string[]> {
  const connection = await context.pool.control(broker)
  connection.versions.need('ListTransactions')
  const isAll = producerIds === 'under way'
  const [states, ids] = [isAll ? [...UNDER_WAY] : [], isAll ? [] : [...producerIds]]
  const answer = await connection.call(listTransactionsV0.api, states, ids, ANY_DURATION, '')
  // It loads what it coordinates: what it does not list now may be there all the same.
  if (answer.errorCode !== KafkaCode.NONE)
    throw new KdrError('unreachable', `${connection.what} does not list its transactions yet`, {
      facts: { code: answer.errorCode },
    })
  return answer.transactionStates.map(({ transactionalId }) => transactionalId)
}

type Described = { readonly code: number; readonly view?: TransactionView }

async function describe(coordinators: Coordinators, transactionalId: string): Promise<Described> {
  return coordinators.ask<Described>(
    transactionalId,
    async connection => {
      connection.versions.need('DescribeTransactions')
      const answer = await connection.call(describeTransactionsV0.api, [transactionalId])
      const found = answer.transactionStates[0]
      if (found === undefined) return { code: KafkaCode.UNKNOWN_SERVER_ERROR }
      if (found.errorCode !== KafkaCode.NONE) return { code: found.errorCode }
      return {
        code: KafkaCode.NONE,
        view: {
          transactionalId,
          producerId: found.producerId,
          producerEpoch: found.producerEpoch,
          state: found.transactionState,
          startedAt: Number(found.transactionStartTimeMs),
          timeoutMs: found.transactionTimeoutMs,
          partitions: found.topics.flatMap(({ topic, partitions }) =>
            partitions.map(partition => ({ topic, partition })),
          ),
        },
      }
    },
    answer => answer.code,
    why => ({ code: why.code }),
  )
}
