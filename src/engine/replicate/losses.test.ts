// How an accepted loss is filled, and what the offsets of a mirror are counted as.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AcceptedLoss } from '../../model/ledger.ts'
import type { LinkSettings } from '../../model/link-settings.ts'
import type { PlannedBatch, PlannedGap } from '../log/plan-append.ts'
import type { SlotIdentity } from './context.ts'
import { OffsetCounter } from './counter.ts'
import { planLoss } from './losses.ts'
import type { PartitionCopy } from './partition.ts'

const loss = (length: number, more: Partial<AcceptedLoss> = {}): AcceptedLoss => ({
  from: 100,
  to: 100 + length,
  cause: 'retention',
  by: 'ann@host',
  at: 1,
  ...more,
})

function plan(
  range: AcceptedLoss,
  at: {
    mode?: SlotIdentity['mode']
    largeGap?: LinkSettings['largeGap']
    tombstones?: boolean
    from?: number
  } = {},
) {
  const { mode = 'markers', largeGap = 'stop', tombstones = false, from = range.from } = at
  const context = { settings: { largeGap } as LinkSettings }
  const where = { link: 'l', topic: 't', partition: 0, name: 't/0' }
  const identity = { mode } as SlotIdentity
  const copy = { ...where, identity, fillsWithTombstones: tombstones } as PartitionCopy
  return planLoss(context, copy, { from, loss: range })
}

describe('an accepted loss', () => {
  test('is filled as a gap where that takes less than ten minutes, counted from where the mirror ends', () => {
    assert.equal(plan(loss(24_000_000)), 'gap')
    assert.equal(plan(loss(30_000_000), { from: 10_000_000 }), 'gap')
    assert.equal(plan(loss(150_000), { mode: 'transactions' }), 'gap')
  })

  test('of more offsets stops, with ways out; the policies for large gaps hold for it too', () => {
    const stopped = plan(loss(30_000_000))
    assert.ok(typeof stopped === 'object')
    assert.equal(stopped.reason, 'gap-too-large')
    assert.match(
      stopped.sentence,
      /"t\/0": offsets 100 to 30000099 \(30,000,000\).*about 13 minutes.*kdr link accept-loss l --topic t --partition 0 --accept-log-start/,
    )
    assert.deepEqual(stopped.loss, { from: 100, to: 30_000_100, cause: 'retention' })
    assert.equal(typeof plan(loss(200_000), { mode: 'transactions' }), 'object')
    assert.equal(plan(loss(30_000_000), { largeGap: 'markers' }), 'gap')
    assert.equal(plan(loss(30_000_000), { largeGap: 'tombstones', tombstones: true }), 'gap')
    assert.equal(typeof plan(loss(30_000_000), { largeGap: 'tombstones' }), 'object')
  })

  test('is seeded over only when the older records may go, and never behind a batch that the source still has', () => {
    assert.equal(plan(loss(30_000_000, { acceptLogStart: true })), 'seed')
    assert.equal(plan(loss(10, { acceptLogStart: true })), 'seed')
    assert.equal(plan(loss(10, { acceptLogStart: true, cause: 'corrupt' })), 'gap')
  })
})

describe('what offsets are', () => {
  const batch = (base: number, next: number, fills?: PlannedBatch['fills']): PlannedBatch => ({
    kind: 'batch',
    base,
    next,
    bytes: Buffer.alloc(0),
    maxTimestamp: 0,
    leaderEpoch: 0,
    ...(fills === undefined ? {} : { fills }),
  })
  const gap = (base: number, next: number, counts: PlannedGap['counts']): PlannedGap => ({
    kind: 'gap',
    base,
    next,
    counts,
  })

  test('adds up to the cursor, over workers; what nobody counted is told', () => {
    const first = new OffsetCounter()
    first.seeded(10)
    first.batch(batch(10, 30))
    first.gap(gap(30, 34, { markers: 1, aborted: 2, missing: 1 }))
    const reported = first.counts(34, { ranges: [] })
    assert.deepEqual(reported, {
      records: 20,
      markers: 1,
      aborted: 2,
      compacted: 1,
      seeded: 10,
      lost: 0,
      uncounted: 0,
    })

    const second = new OffsetCounter()
    second.continue({
      partition: 0,
      state: 'mirroring',
      cursor: 34,
      isAnchored: true,
      logStart: 0,
      sourceEnd: 60,
      lagRecords: 0,
      lagMs: 0,
      offsets: reported,
    })
    // Copied by the first, which ended before it could say so: 34 to 40. Then a loss, tombstones, a record.
    second.batch(batch(50, 55, { markers: 0, aborted: 0, missing: 5 }))
    second.batch(batch(55, 56))
    assert.deepEqual(second.counts(56, { ranges: [{ ...loss(0), from: 40, to: 50 }] }), {
      records: 21,
      markers: 1,
      aborted: 2,
      compacted: 6,
      seeded: 10,
      lost: 10,
      uncounted: 6,
    })
  })

  test('a gap that is planned anew is not counted twice', () => {
    const counter = new OffsetCounter()
    const counts = { markers: 0, aborted: 0, missing: 5 }
    counter.gap(gap(0, 5, counts))
    assert.deepEqual(counter.uncounted(gap(0, 5, counts)), { markers: 0, aborted: 0, missing: 0 })
    assert.deepEqual(counter.uncounted(gap(5, 10, counts)), counts)
  })
})
