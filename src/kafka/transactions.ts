// The writes that ordinary producers do not do: markers through WriteTxnMarkers, and empty transactions for clusters that
// do not allow that. Versions are pinned: with EndTxn v5 the coordinator would raise the producer epoch at each end, and
// with AddPartitionsToTxn v4 a broker would take the request for another broker's.
import { addPartitionsToTxnV3, describeTransactionsV0, endTxnV3, initProducerIdV4 } from '@platformatic/kafka'
import { KafkaCode } from '../model/kafka-codes.ts'
import { KdrError } from '../model/errors.ts'
import type { CodeAndOffset, MarkerFill, Outcome, TopicPartition } from '../ports/cluster.ts'
import { allDone, byTopic, type ClusterContext, outcome, partitionKey } from './context.ts'
import type { Coordinators } from './coordinators.ts'
import { askLogEnds } from './logs.ts'
import { type MarkerProducer, writeTxnMarkersV1 } from './raw/write-txn-markers.ts'

/** How long the coordinator waits for EndTxn before it aborts: an empty transaction takes milliseconds. */
const TRANSACTION_TIMEOUT_MS = 60_000

/** Not a legal topic name, so that nobody has it. */
const NOBODYS_TOPIC = 'kdr/asks-for-its-rights'
const NOBODY: MarkerProducer = { producerId: 0n, producerEpoch: 0, coordinatorEpoch: 0 }

const OPERATION_NOT_ATTEMPTED = 55

/**
 * An empty request is answered with an empty reply whether it is allowed or not; so it asks for a marker in a topic that
 * cannot exist. Authorization is checked first; then the broker says that it does not know the topic.
 */
export async function mayWriteMarkers(context: ClusterContext): Promise<boolean> {
  return context.pool.askAny(async connection => {
    if (!connection.versions.has('WriteTxnMarkers')) return false
    const answer = await connection.call(writeTxnMarkersV1, NOBODY, [
      { topic: NOBODYS_TOPIC, partition: 0, count: 1 },
    ])
    const code = answer[0]?.code
    if (code === KafkaCode.CLUSTER_AUTHORIZATION_FAILED) return false
    if (code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION) return true
    throw new KdrError('unreachable', `${connection.what} did not say whether markers may be written`, {
      facts: { code },
    })
  })
}

/**
 * The ends are asked for right behind, on the same connection: the broker takes them up when the markers are answered.
 * See the port for why.
 */
export async function writeMarkers(
  context: ClusterContext,
  broker: number,
  producer: MarkerProducer,
  fills: readonly MarkerFill[],
): Promise<(TopicPartition & Outcome & { readonly end?: CodeAndOffset })[]> {
  const wanted = fills.filter(fill => fill.count > 0)
  const found = new Map<string, number>()
  let ends: ReadonlyMap<string, CodeAndOffset> = new Map()
  if (wanted.length > 0) {
    const connection = await context.pool.control(broker, 'markers')
    connection.versions.need('WriteTxnMarkers')
    const marking = connection.call(writeTxnMarkersV1, producer, wanted)
    const reading = askLogEnds(context, connection, wanted)
    await allDone<unknown>([marking, reading])
    for (const answer of await marking) found.set(partitionKey(answer), answer.code)
    ends = await reading
  }
  return fills.map(({ topic, partition, count }) => {
    const key = partitionKey({ topic, partition })
    const missing = count > 0 ? KafkaCode.UNKNOWN_SERVER_ERROR : KafkaCode.NONE
    const code = found.get(key) ?? missing
    const end = ends.get(key)
    return { topic, partition, code, ...(code === KafkaCode.NONE && end !== undefined && { end }) }
  })
}

type InitializedProducer = Outcome & { readonly producerId: bigint; readonly producerEpoch: number }

export async function initProducer(
  coordinators: Coordinators,
  transactionalId: string,
): Promise<InitializedProducer> {
  return coordinators.ask<InitializedProducer>(
    transactionalId,
    async connection => {
      connection.versions.need('InitProducerId')
      const answer = await connection.call(initProducerIdV4.api, transactionalId, TRANSACTION_TIMEOUT_MS)
      const { errorCode, producerId, producerEpoch } = answer
      return { ...outcome(errorCode), producerId, producerEpoch }
    },
    answer => answer.code,
    why => ({ ...why, producerId: -1n, producerEpoch: -1 }),
  )
}

type TransactionalProducer = {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
}

export async function emptyTransaction(
  coordinators: Coordinators,
  producer: TransactionalProducer,
  partitions: readonly TopicPartition[],
): Promise<Outcome> {
  const added = await coordinators.ask<Outcome>(
    producer.transactionalId,
    async connection => {
      connection.versions.need('AddPartitionsToTxn')
      const topics = byTopic(partitions).map(({ topic, partitions: mine }) => ({
        name: topic,
        partitions: mine.map(p => p.partition),
      }))
      const answer = await connection.call(addPartitionsToTxnV3.api, [
        { ...producer, verifyOnly: false, topics },
      ])
      const codes = answer.resultsByTransaction
        .flatMap(one => one.topicResults)
        .flatMap(topic => topic.resultsByPartition)
        .map(result => result.partitionErrorCode)
        .filter(code => code !== KafkaCode.NONE)
      // All or none are added: the others say OPERATION_NOT_ATTEMPTED then.
      return outcome(codes.find(code => code !== OPERATION_NOT_ATTEMPTED) ?? codes[0] ?? KafkaCode.NONE)
    },
    answer => answer.code,
    why => why,
  )
  if (added.code !== KafkaCode.NONE) return added
  const ended = await coordinators.ask<Outcome>(
    producer.transactionalId,
    async connection => {
      connection.versions.need('EndTxn')
      const { transactionalId, producerId, producerEpoch } = producer
      const answer = await connection.call(endTxnV3.api, transactionalId, producerId, producerEpoch, true)
      return outcome(answer.errorCode)
    },
    answer => answer.code,
    why => why,
  )
  return ended.code === KafkaCode.NONE ? completed(coordinators, producer.transactionalId) : ended
}

/**
 * EndTxn is answered once the decision is written; the markers follow. Only a completed transaction has all of them in
 * their logs and will not send them again. Until then the answer counts as CONCURRENT_TRANSACTIONS, which is asked again.
 */
async function completed(coordinators: Coordinators, transactionalId: string): Promise<Outcome> {
  return coordinators.ask<Outcome>(
    transactionalId,
    async connection => {
      connection.versions.need('DescribeTransactions')
      const answer = await connection.call(describeTransactionsV0.api, [transactionalId])
      const found = answer.transactionStates[0]
      if (found === undefined || found.errorCode !== KafkaCode.NONE) {
        return outcome(found?.errorCode ?? KafkaCode.UNKNOWN_SERVER_ERROR)
      }
      return outcome(OVER.has(found.transactionState) ? KafkaCode.NONE : KafkaCode.CONCURRENT_TRANSACTIONS)
    },
    answer => answer.code,
    why => why,
  )
}

/** TransactionState.java: states in which nothing is under way. */
const OVER: ReadonlySet<string> = new Set(['Empty', 'CompleteCommit', 'CompleteAbort'])
