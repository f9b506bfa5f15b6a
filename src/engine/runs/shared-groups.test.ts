// Which groups would be at both clusters, and which are none of the link's.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakeStore } from '../../../test/support/fenced-cluster.ts'
import { linkKey, topicKey, toRecord } from '../../model/state-records.ts'
import type { Cluster } from '../../ports/cluster.ts'
import { groupsOfOthers, sharedSentence } from './shared-groups.ts'

const READS: Readonly<Record<string, readonly string[]>> = {
  payers: ['pay-1'],
  audit: ['orders', 'pay-1'],
  stock: ['orders'],
  scratch: ['tmp'],
  home: ['back'],
}

const cluster = {
  listGroups: async () =>
    await Promise.resolve(Object.keys(READS).map(group => ({ group, type: 'classic' }))),
  groupOffsets: async (groups: readonly string[]) =>
    await Promise.resolve(
      groups.map(group => ({
        code: 0,
        pending: [],
        offsets: (READS[group] ?? []).map(topic => ({ topic, partition: 0, offset: 1 })),
      })),
    ),
} as unknown as Cluster

async function found({ groups = ['*'], together = [] }: { groups?: string[]; together?: string[] } = {}) {
  const store = new FakeStore()
  const way = { generation: 1, sourceClusterId: 'E', targetClusterId: 'W', slots: 2 }
  for (const name of ['region', 'pay']) await store.put(linkKey(name), toRecord('link', way))
  // Leads the other way: its groups have parted already.
  await store.put(linkKey('back'), toRecord('link', { ...way, sourceClusterId: 'W', targetClusterId: 'E' }))
  for (const [name, topic] of [
    ['region', 'orders'],
    ['pay', 'pay-1'],
    ['back', 'back'],
  ] as const)
    await store.put(topicKey(name, topic), toRecord('topic', { phase: 'mirroring' }))
  const settings = { name: 'pay', topics: ['pay-*'], groups } as never
  return await groupsOfOthers({ settings, store, source: undefined, target: cluster, together })
}

describe('groups of several links', () => {
  test('that read topics that move and topics that stay are named, with the ways out', async () => {
    const { shared } = await found()
    assert.deepEqual(shared, [{ group: 'audit', link: 'region', topic: 'orders' }])
    const said = sharedSentence(shared, 'pay') ?? ''
    assert.match(
      said,
      /^group "audit" reads topics of link "pay", and "orders" of link "region", which stays\./,
    )
    assert.match(said, /kdr link hand-over region pay\)/)
    assert.equal(sharedSentence([], 'pay'), undefined)
  })

  test('that read no topic that moves are none of the link', async () => {
    assert.deepEqual(
      (await found()).elsewhere.map(({ group }) => group),
      ['stock'],
    )
  })

  test('that the link does not take, or that move along, are in no way', async () => {
    assert.deepEqual((await found({ groups: ['*', '!audit'] })).shared, [])
    assert.deepEqual(await found({ together: ['pay', 'region'] }), { shared: [], elsewhere: [] })
  })
})
