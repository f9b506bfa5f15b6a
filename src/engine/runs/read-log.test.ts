import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recordCodec } from '../../kafka/records.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { FetchLane } from '../../ports/cluster.ts'
import { readLog } from './read-log.ts'

const AT = { topic: 't', partition: 0, topicId: 'id', leader: 1 }
const BATCH = recordCodec.encode({
  codec: 'none',
  baseOffset: 0,
  records: [{ offset: 0, timestamp: 0, key: null, value: null, headers: [] }],
  producer: { producerId: -1n, producerEpoch: -1 },
  baseSequence: -1,
})

/** How many batches are read of a log that ends at 1, and of which consumers may read nothing for so many answers. */
async function batchesOf({ behind, records }: { behind: number; records: Buffer }): Promise<number> {
  let answers = 0
  const lane: FetchLane = {
    broker: 1,
    firstByteMs: undefined,
    receivedBytes: 0,
    close: async () => await Promise.resolve(),
    fetch: async () => {
      const isReadable = ++answers > behind
      const highWatermark = isReadable ? 1 : 0
      const none = { code: KafkaCode.NONE, lastStable: 0, logStart: 0, aborted: [] }
      const given = isReadable ? Buffer.from(records) : Buffer.alloc(0)
      return await Promise.resolve([{ topic: 't', partition: 0, ...none, highWatermark, records: given }])
    },
  }
  let batches = 0
  await readLog(
    { openFetchLane: async () => await Promise.resolve(lane) },
    AT,
    { from: 0, to: 1 },
    async some => {
      batches += some.length
      return await Promise.resolve(true)
    },
  )
  return batches
}

describe('a log that is read as it stands', () => {
  test('is waited for while followers do not hold it yet', async () => {
    assert.equal(await batchesOf({ behind: 20, records: BATCH }), 1)
  })

  test('ends where the cleaner has taken the rest', async () => {
    assert.equal(await batchesOf({ behind: 0, records: Buffer.alloc(0) }), 0)
  })

  test('is not taken for read when followers never hold it', async () => {
    await assert.rejects(batchesOf({ behind: Infinity, records: BATCH }), /followers hold up to 0/)
  })
})
