// A topic of which no worker has told anything is named, and not taken for one that is well.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeStore } from '../../../test/support/fenced-cluster.ts'
import { linkKey, reportKey, toRecord, topicKey } from '../../model/state-records.ts'
import type { LogReader } from '../../ports/cluster.ts'
import { observeStatus } from './status.ts'

const clock = { now: () => 5_000, monotonic: () => 0, sleep: () => Promise.resolve() }
const nowhere = {
  offsets: (all: readonly unknown[]) =>
    Promise.resolve(all.map(() => ({ code: 0, offset: 0, leaderEpoch: 0 }))),
} as unknown as LogReader

const statusOf = async (store: FakeStore) =>
  await observeStatus({
    settings: { name: 'ew', source: 'east', target: 'west', topics: ['*', '!other'], groups: ['*'] } as never,
    isHome: true,
    stale: [],
    source: nowhere,
    sourceProblem: undefined,
    target: nowhere,
    store,
    clock,
  })

test('topics of the link without a report', async () => {
  const store = new FakeStore()
  await store.put(linkKey('ew'), toRecord('link', { generation: 1 }))
  const report = { at: 0, worker: 'w', generation: 1, targetTopicId: 'id', partitions: [] }
  await store.put(reportKey('ew', 'told', 0, 0), toRecord('report', report))
  for (const topic of ['told', 'untold', 'other'])
    await store.put(topicKey('ew', topic), toRecord('topic', { phase: 'mirroring', applied: {} }))
  assert.deepEqual((await statusOf(store)).unreported, ['untold'])
  await store.put(reportKey('ew', 'untold', 0, 0), toRecord('report', report))
  assert.ok(!('unreported' in (await statusOf(store))))
})
