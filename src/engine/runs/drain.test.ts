// When equal ends are believed: where coordinators fill gaps, a marker too many may stand where the source has a record.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeStore } from '../../../test/support/fenced-cluster.ts'
import { reportKey, toRecord } from '../../model/state-records.ts'
import type { RunContext } from './context.ts'
import { Surplus } from './drain.ts'
import type { Mirror } from './mirrors.ts'

const MIRRORS = [{ topic: 't', partition: 0 }] as unknown as readonly Mirror[]

function surplusWith(mayWriteMarkers: boolean) {
  const store = new FakeStore()
  let now = 1_000
  const context = {
    store,
    record: { link: 'l' },
    target: { mayWriteMarkers: async () => await Promise.resolve(mayWriteMarkers) },
    clock: { monotonic: () => now },
  } as unknown as RunContext
  const surplus = new Surplus(context)
  return {
    surplus,
    after: async (ms: number, end: number) => {
      now += ms
      return await surplus.isRuledOut(MIRRORS, [end])
    },
    tell: async (reason?: string) => {
      const partition = { partition: 0, state: 'waiting', cursor: 10, ...(reason && { reason }) }
      const report = { at: 0, worker: 'w', generation: 1, targetTopicId: 'id', partitions: [partition] }
      await store.put(reportKey('l', 't', 0, 0), toRecord('report', report))
    },
  }
}

test('with markers of its own, equal ends are believed at once', async () => {
  const { after } = surplusWith(true)
  assert.equal(await after(0, 10), true)
})

test('without, they must have stood for as long as a worker takes to tell; a new end begins anew', async () => {
  const { after } = surplusWith(false)
  assert.equal(await after(0, 10), false)
  assert.equal(await after(4_000, 10), false)
  assert.equal(await after(500, 11), false)
  assert.equal(await after(4_900, 11), false)
  assert.equal(await after(100, 11), true)
})

test('of a mirror that is longer than its source nothing is believed until that is over', async () => {
  const { surplus, after, tell } = surplusWith(true)
  await tell('overfilled')
  assert.equal(await after(60_000, 10), false)
  assert.deepEqual(surplus.seen, MIRRORS)
  await tell()
  assert.equal(await after(0, 10), true)
})
