// Batches without a producer id, counted among the last of each partition.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { topicOf } from '../../../test/support/sights.ts'
import { KdrError } from '../../model/errors.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { FetchRequest, FetchedPartition, ProducerState } from '../../ports/cluster.ts'
import { observeProducers } from './producers.ts'

/** The smallest batch that says who wrote it (model/batch.ts has the layout). */
function batch(producerId: bigint, { isControl = false } = {}): Buffer {
  const bytes = Buffer.alloc(61)
  bytes.writeInt32BE(49, 8)
  bytes.writeInt8(2, 16)
  bytes.writeInt16BE(isControl ? 0x20 : 0, 21)
  bytes.writeBigInt64BE(producerId, 43)
  bytes.writeInt32BE(1, 57)
  return bytes
}

type Logs = Readonly<
  Record<
    string,
    { readonly end: number; readonly start?: number; readonly bytes?: Buffer; readonly code?: number }
  >
>

function clusterWith(logs: Logs) {
  const asked: FetchRequest[] = []
  const remembering: string[] = []
  const side = {
    producers: (partitions: readonly { topic: string; partition: number }[]) => {
      remembering.push(...partitions.map(({ topic, partition }) => `${topic}/${partition}`))
      const producers = Array.from({ length: 5_000 }, () => ({}) as ProducerState)
      return Promise.resolve(partitions.map(() => ({ code: KafkaCode.NONE, producers })))
    },
    offsets: (partitions: readonly { topic: string; partition: number }[], point: string) =>
      Promise.resolve(
        partitions.map(({ topic }) => {
          const { start = 0, end = 0 } = logs[topic] ?? {}
          return { code: KafkaCode.NONE, offset: point === 'logStart' ? start : end, leaderEpoch: 0 }
        }),
      ),
    openFetchLane: (broker: number) =>
      Promise.resolve({
        broker,
        firstByteMs: undefined,
        receivedBytes: 0,
        fetch: (request: FetchRequest) => {
          asked.push(request)
          return Promise.resolve(
            request.partitions.map(({ topic, partition }): FetchedPartition => {
              const { bytes = Buffer.alloc(0), code = KafkaCode.NONE } = logs[topic] ?? {}
              return {
                topic,
                partition,
                code,
                highWatermark: 0,
                lastStable: 0,
                logStart: 0,
                aborted: [],
                records: bytes,
              }
            }),
          )
        },
        close: () => Promise.resolve(),
      }),
  }
  return { side, asked, remembering }
}

describe('observeProducers', () => {
  test('counts data batches, and those without a producer id', async () => {
    const bytes = Buffer.concat([batch(-1n), batch(7n), batch(-1n), batch(7n, { isControl: true })])
    const { side } = clusterWith({ orders: { end: 4, bytes } })
    assert.deepEqual(await observeProducers(side, [topicOf('orders')]), {
      topics: [{ topic: 'orders', batches: 3, without: 2, crowded: [] }],
      notSeen: [],
    })
  })

  for (const [what, ids, expected] of [
    ['a new one for every second batch', (index: number) => index >> 1, 50],
    ['one for more than that', (index: number) => index % 49, undefined],
    ['few batches', (index: number) => (index < 99 ? index : -1), undefined],
  ] as const)
    test(`producer ids: ${what}`, async () => {
      const bytes = Buffer.concat(Array.from({ length: 100 }, (_, index) => batch(BigInt(ids(index)))))
      const { side, remembering } = clusterWith({ orders: { end: 100, bytes } })
      const { topics } = await observeProducers(side, [topicOf('orders')])
      assert.deepEqual(
        topics[0]?.crowded,
        expected === undefined ? [] : [{ partition: 0, batches: 100, ids: expected, remembered: 5_000 }],
      )
      // A leader tells of all that it remembers: it is not asked without need.
      assert.deepEqual(remembering, expected === undefined ? [] : ['orders/0'])
    })

  test('reads the last 1,000 offsets, never below the log start, and nothing of an empty log', async () => {
    const { side, asked } = clusterWith({
      a: { end: 5_000 },
      b: { start: 4_500, end: 5_000 },
      c: { start: 9, end: 9 },
    })
    await observeProducers(side, [topicOf('a'), topicOf('b'), topicOf('c')])
    const offsets = asked.flatMap(({ partitions }) =>
      partitions.map(({ topic, offset }) => `${topic} ${offset}`),
    )
    assert.deepEqual(offsets, ['a 4000', 'b 4500'])
  })

  test('what a broker refuses is told', async () => {
    const { side } = clusterWith({ orders: { end: 4, code: KafkaCode.TOPIC_AUTHORIZATION_FAILED } })
    const { notSeen, topics } = await observeProducers(side, [topicOf('orders')])
    assert.deepEqual([topics, notSeen.map(({ what }) => what)], [[], ['producers of "orders"']])
  })

  test('and so is a broker that does not answer', async () => {
    const { side } = clusterWith({ orders: { end: 4 } })
    const openFetchLane = () => Promise.reject(new KdrError('unreachable', 'no answer in time'))
    const { notSeen } = await observeProducers({ ...side, openFetchLane }, [topicOf('orders')])
    assert.deepEqual(notSeen, [{ what: 'producers', why: 'no answer in time' }])
  })
})
