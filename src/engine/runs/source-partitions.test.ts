import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { forgottenKey, topicKey, toRecord } from '../../model/state-records.ts'
import { FakeStore } from '../../../test/support/fenced-cluster.ts'
import type { Returned, RunContext } from './context.ts'
import { sourcePartitions } from './source-partitions.ts'

const RECORD = { link: 'l' } as RunContext['record']

/** `orders` is mirrored; `late` was made again since, `new` was never mirrored, `own` was let go of, and `secret` is none of the link's. */
async function partitionsFor(returned?: Returned): Promise<string[]> {
  const store = new FakeStore()
  for (const topic of ['orders', 'late'])
    await store.put(topicKey('l', topic), toRecord('topic', { sourceTopicId: `id-${topic}` }))
  await store.put(forgottenKey('l', 'own'), toRecord('forgotten', { targetTopicId: 'other' }))
  const ids = {
    orders: 'id-orders',
    late: 'another',
    new: 'id-new',
    own: 'id-own',
    secret: 'id-secret',
    '_kdr.state': 'id-state',
  }
  const topics = Object.entries(ids).map(([name, id]) => ({
    name,
    id,
    isInternal: false,
    partitions: [{ partition: 0, leader: 1, leaderEpoch: 0, replicas: [1], isr: [1] }],
  }))
  const describeIt = async () =>
    await Promise.resolve({
      clusterId: 'c',
      brokers: [],
      topics: new Map(topics.map(each => [each.name, each])),
    })
  const { partitions } = await sourcePartitions({ record: RECORD, store, returned }, { describe: describeIt })
  return partitions.map(({ topic }) => topic)
}

describe('the partitions at an old active that are fenced and watched', () => {
  test('those that are mirrored', async () => {
    assert.deepEqual(await partitionsFor(), ['orders'])
  })

  test('at one that has come back, all that the link takes: any of them may be deleted', async () => {
    const settings = { topics: ['*', '!secret'] } as unknown as Returned['settings']
    const returned = { settings } as Returned
    assert.deepEqual(await partitionsFor(returned), ['orders', 'late', 'new'])
  })
})
