import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { FetchedPartition, FetchRequest } from '../../ports/cluster.ts'
import type { ClusterWatch } from './cluster-watch.ts'
import { Peeks } from './peeks.ts'

/** A whole batch, as far as its length says. */
const BATCH = Buffer.alloc(61)

function answerOf(request: FetchRequest, records: (index: number) => Buffer): FetchedPartition[] {
  return request.partitions.map(({ topic, partition }, index) => ({
    topic,
    partition,
    code: 0,
    highWatermark: 10,
    lastStable: 10,
    logStart: 0,
    aborted: [],
    records: records(index),
  }))
}

function peeksOver(requests: FetchRequest[], records: (index: number) => Buffer): Peeks {
  const lane = {
    broker: 1,
    firstByteMs: undefined,
    receivedBytes: 0,
    fetch: (request: FetchRequest) => {
      requests.push(request)
      return Promise.resolve(answerOf(request, records))
    },
    close: () => Promise.resolve(),
  }
  const watch = {
    partition: () => ({ leader: 1, leaderEpoch: 0 }),
    seen: () => undefined,
    cluster: { openFetchLane: () => Promise.resolve(lane) },
  }
  return new Peeks(watch as unknown as ClusterWatch)
}

const at = (partition: number, offset = 0) => ({
  topic: 't',
  topicId: 'id',
  partition,
  offset,
  isolation: 'committed' as const,
})

test('looks of the same moment share a request', async () => {
  const requests: FetchRequest[] = []
  const peeks = peeksOver(requests, () => BATCH)
  await Promise.all(Array.from({ length: 50 }, async (_, partition) => await peeks.fetch(at(partition))))
  assert.deepEqual(
    requests.map(({ partitions }) => partitions.length),
    [50],
  )
})

test('one for which there was no room looks again, as the first', async () => {
  const requests: FetchRequest[] = []
  const peeks = peeksOver(requests, index => (index === 0 ? BATCH : Buffer.alloc(0)))
  const answers = await Promise.all([0, 1, 2].map(async partition => await peeks.fetch(at(partition))))
  assert.deepEqual(
    answers.map(({ partition, records }) => [partition, records.length]),
    [0, 1, 2].map(partition => [partition, BATCH.length]),
  )
  assert.deepEqual(
    requests.map(({ partitions }) => partitions[0]?.partition),
    [0, 1, 2],
  )
})

test('one with nothing at its offset is answered at once, and the same partition is asked for once a request', async () => {
  const requests: FetchRequest[] = []
  const peeks = peeksOver(requests, () => Buffer.alloc(0))
  const answers = await Promise.all([at(0), at(1, 10), at(0)].map(async of => await peeks.fetch(of)))
  assert.equal(answers.length, 3)
  for (const { partitions } of requests)
    assert.equal(new Set(partitions.map(({ partition }) => partition)).size, partitions.length)
})
