// A transactional application as bytes on the wire, for tests that must know each of its requests: the versions are those
// before KIP-890, with which an epoch stays the same from one transaction to the next.
import {
  type API,
  addPartitionsToTxnV3,
  createAPI,
  describeTransactionsV0,
  endTxnV3,
  initProducerIdV4,
  type Reader,
  Writer,
} from '@platformatic/kafka'
import type { BrokerConnection } from '../../src/kafka/connection.ts'
import type { ClusterContext } from '../../src/kafka/context.ts'
import { Coordinators } from '../../src/kafka/coordinators.ts'
import { readMetadata } from '../../src/kafka/metadata.ts'
import { parseBootstrap } from '../../src/kafka/cluster.ts'
import { BrokerPool } from '../../src/kafka/pool.ts'
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Applications, Appended } from '../sim/agreement/play.ts'

/** Longer than any test: nothing is aborted behind its back. */
const TRANSACTION_TIMEOUT_MS = 900_000
const REQUEST_TIMEOUT_MS = 20_000
const PRODUCE = 0
const BEFORE_KIP_890 = 11
const MOVED: readonly number[] = [KafkaCode.NOT_LEADER_OR_FOLLOWER, KafkaCode.UNKNOWN_TOPIC_OR_PARTITION]

type Sending = Parameters<Applications['send']>[0]
export type Application = Applications & { close(): Promise<void> }

export async function openApplication(bootstrap: string, clock: Clock): Promise<Application> {
  const settings = {
    cluster: 'application',
    clientId: 'application',
    connectTimeoutMs: 5_000,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
  }
  const pool = new BrokerPool(settings, parseBootstrap('application', bootstrap))
  const describe = async () => {
    const { view } = await pool.askAny(readMetadata)
    pool.learn(view)
    return view
  }
  await describe()
  const context: ClusterContext = {
    name: 'application',
    pool,
    clock,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    view: () => {
      throw new Error('an application asks for fresh metadata')
    },
    controller: () => 0,
    describe,
  }
  const coordinators = new Coordinators(context, 'transaction')
  const ask = async <Answer>(
    transaction: string,
    call: (connection: BrokerConnection) => Promise<Answer>,
    codeOf: (answer: Answer) => number,
  ): Promise<Answer> =>
    await coordinators.ask(transaction, call, codeOf, why => {
      throw new Error(`no coordinator of "${transaction}": ${why.code}`)
    })
  const add = async ({ transaction, producer, at }: Sending): Promise<number> => {
    const { producerId, producerEpoch } = producer
    const topics = [{ name: at.topic, partitions: [at.partition] }]
    const added = { transactionalId: transaction, producerId, producerEpoch, verifyOnly: false, topics }
    return await ask(
      transaction,
      async connection => {
        const answer = await connection.call(addPartitionsToTxnV3.api, [added])
        const results = answer.resultsByTransaction.flatMap(each => each.topicResults)
        return results[0]?.resultsByPartition[0]?.partitionErrorCode ?? KafkaCode.UNKNOWN_SERVER_ERROR
      },
      code => code,
    )
  }
  /** Metadata of a cluster with many topics is large: it is asked only when the leader is not known or not right. */
  const leaders = new Map<string, number>()
  const append = async (sending: Sending): Promise<Appended> => {
    const { transaction, at, batch } = sending
    const where = `${at.topic}/${at.partition}`
    const known = leaders.get(where)
    const leader = known ?? (await describe()).topics.get(at.topic)?.partitions[at.partition]?.leader ?? -1
    leaders.set(where, leader)
    const connection = await pool.control(leader)
    const appended = await connection.call(produce, transaction, at.topic, at.partition, batch)
    if (known === undefined || !MOVED.includes(appended.code)) return appended
    leaders.delete(where)
    return await append(sending)
  }
  return {
    init: async transaction => {
      const answer = await ask(
        transaction,
        connection => connection.call(initProducerIdV4.api, transaction, TRANSACTION_TIMEOUT_MS),
        each => each.errorCode,
      )
      const { producerId, producerEpoch } = answer
      return { code: answer.errorCode, producerId, producerEpoch }
    },
    send: async sending => {
      const code = await add(sending)
      return code === KafkaCode.NONE ? await append(sending) : { code, baseOffset: -1 }
    },
    end: async ({ transaction, producer, isCommit }) => {
      const { producerId, producerEpoch } = producer
      const { errorCode } = await ask(
        transaction,
        connection => connection.call(endTxnV3.api, transaction, producerId, producerEpoch, isCommit),
        each => each.errorCode,
      )
      if (errorCode !== 0) return errorCode
      return await ask(
        transaction,
        async connection => {
          const answer = await connection.call(describeTransactionsV0.api, [transaction])
          const found = answer.transactionStates[0]
          const isOver = found?.transactionState.startsWith('Complete') === true
          return isOver ? 0 : KafkaCode.CONCURRENT_TRANSACTIONS
        },
        each => each,
      )
    },
    close: () => pool.close(),
  }
}

const produce: API<[transaction: string, topic: string, partition: number, batch: Buffer], Appended> =
  createAPI(
    PRODUCE,
    BEFORE_KIP_890,
    (transaction: string, topic: string, partition: number, batch: Buffer) =>
      Writer.create()
        .appendString(transaction)
        .appendInt16(-1)
        .appendInt32(REQUEST_TIMEOUT_MS)
        .appendArray([topic], (w, name) => {
          w.appendString(name).appendArray([partition], (inner, index) => {
            inner.appendInt32(index).appendBytes(batch)
          })
        })
        .appendTaggedFields(),
    (_correlation: number, _key: number, _version: number, reader: Reader) => {
      const answers = reader.readArray(topic => {
        topic.readString()
        return topic.readArray(each => {
          each.readInt32()
          const code = each.readInt16()
          const baseOffset = Number(each.readInt64())
          each.readInt64()
          each.readInt64()
          each.readArray(error => [error.readInt32(), error.readNullableString()])
          each.readNullableString()
          return { code, baseOffset: code === 0 ? baseOffset : -1 }
        })
      })
      return answers.flat()[0] ?? { code: KafkaCode.UNKNOWN_SERVER_ERROR, baseOffset: -1 }
    },
  )
