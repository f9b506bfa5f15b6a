// When equal ends are believed: where coordinators fill gaps, a marker too many may stand where the source has a record.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeStore } from '../../../test/support/fenced-cluster.ts'
import { linkKey, reportKey, slotKey, toRecord, workerKey } from '../../model/state-records.ts'
import type { RunContext } from './context.ts'
import { Surplus } from './drain.ts'
import type { Mirror } from './mirrors.ts'

const MIRRORS = [{ topic: 't', partition: 0 }] as unknown as readonly Mirror[]

/** A link of one slot, held by `w` in generation 1, which is alive and has told of its partition. */
async function surplusWith(mayWriteMarkers: boolean) {
  const store = new FakeStore()
  let now = 1_000
  const context = {
    store,
    record: { link: 'l' },
    target: { mayWriteMarkers: async () => await Promise.resolve(mayWriteMarkers) },
    clock: { monotonic: () => now, now: () => now },
  } as unknown as RunContext
  const surplus = new Surplus(context)
  const world = {
    surplus,
    /** Its worker beats all the while. */
    after: async (ms: number, end: number) => {
      now += ms
      await world.beat()
      return await surplus.isRuledOut(MIRRORS, [end])
    },
    inSilence: async (ms: number, end: number) => {
      now += ms
      return await surplus.isRuledOut(MIRRORS, [end])
    },
    beat: async () => {
      await store.put(workerKey('l', 'w'), toRecord('worker', { state: 'running', slots: [0], at: now }))
    },
    hold: async (generation: number) => {
      await store.put(slotKey('l', 0), toRecord('slot', { owner: 'w', generation }))
    },
    tell: async (generation: number, reason?: string) => {
      const partition = { partition: 0, state: 'waiting', cursor: 10, ...(reason && { reason }) }
      const report = { at: 0, worker: 'w', generation, targetTopicId: 'id', partitions: [partition] }
      await store.put(reportKey('l', 't', 0, 0), toRecord('report', report))
    },
  }
  await store.put(linkKey('l'), toRecord('link', { generation: 1, slots: 1 }))
  await world.hold(1)
  await world.tell(1)
  return world
}

test('with markers of its own, equal ends are believed at once', async () => {
  const { inSilence } = await surplusWith(true)
  assert.equal(await inSilence(0, 10), true)
})

test('without, they must have stood for as long as a worker takes to tell; a new end begins anew', async () => {
  const { after } = await surplusWith(false)
  assert.equal(await after(0, 10), false)
  assert.equal(await after(4_000, 10), false)
  assert.equal(await after(500, 11), false)
  assert.equal(await after(4_900, 11), false)
  assert.equal(await after(100, 11), true)
})

test('nothing is believed while nobody looks: not of a worker that is silent', async () => {
  const { after, inSilence } = await surplusWith(false)
  assert.equal(await after(0, 10), false)
  assert.equal(await inSilence(60_000, 10), false)
  assert.equal(await after(0, 10), false)
  assert.equal(await after(5_000, 10), true)
})

test('nor of a holder that has not told yet; the time counts from when it has', async () => {
  const { after, hold, tell } = await surplusWith(false)
  assert.equal(await after(0, 10), false)
  await hold(2)
  assert.equal(await after(5_000, 10), false)
  assert.equal(await after(5_000, 10), false)
  await tell(2)
  assert.equal(await after(1_000, 10), false)
  assert.equal(await after(5_000, 10), true)
})

test('of a mirror that is longer than its source nothing is believed until that is over', async () => {
  const { surplus, after, tell } = await surplusWith(true)
  await tell(1, 'overfilled')
  assert.equal(await after(60_000, 10), false)
  assert.deepEqual(surplus.told, MIRRORS)
  await tell(1)
  assert.equal(await after(0, 10), true)
})
