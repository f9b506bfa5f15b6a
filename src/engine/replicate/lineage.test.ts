import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { PlannedOp } from '../log/plan-append.ts'
import { LineageKeeper } from './lineage.ts'

const batch = (leaderEpoch: number, base: number, next: number): PlannedOp => ({
  kind: 'batch',
  base,
  next,
  bytes: Buffer.alloc(0),
  maxTimestamp: 0,
  leaderEpoch,
})
const gap = (base: number, next: number): PlannedOp => ({
  kind: 'gap',
  base,
  next,
  counts: { markers: 0, aborted: 0, missing: next - base },
})

describe('the lineage of a copy', () => {
  test('holds where each epoch of the source began, and is saved when one is new', () => {
    const lineage = new LineageKeeper()
    assert.equal(lineage.extend([batch(3, 0, 5), batch(3, 5, 9), gap(9, 10), batch(4, 10, 12)]), true)
    assert.deepEqual(lineage.entries, [
      [3, 0],
      [4, 10],
    ])
    assert.equal(lineage.extend([batch(4, 12, 13)]), false)
  })

  test('an answer without news changes nothing', () => {
    const lineage = new LineageKeeper()
    lineage.extend([batch(3, 0, 5)])
    assert.equal(lineage.extend([]), false)
    assert.deepEqual(lineage.entries, [[3, 0]])
  })

  test('what is planned anew replaces what was planned from there on', () => {
    const lineage = new LineageKeeper()
    lineage.extend([batch(3, 0, 5), batch(4, 5, 9)])
    assert.equal(lineage.extend([batch(5, 5, 7)]), true)
    assert.deepEqual(lineage.entries, [
      [3, 0],
      [5, 5],
    ])
  })

  test('what lies beyond what is planned anew may yet land, and is kept', () => {
    const lineage = new LineageKeeper()
    lineage.extend([batch(3, 0, 5), batch(4, 5, 9)])
    assert.equal(lineage.extend([batch(3, 2, 4)]), false)
    assert.equal(lineage.extend([gap(4, 7)]), false)
    assert.deepEqual(lineage.entries, [
      [3, 0],
      [4, 5],
    ])
    // The source has lost where that epoch began.
    assert.equal(lineage.extend([batch(5, 4, 5)]), true)
    assert.deepEqual(lineage.entries, [
      [3, 0],
      [5, 4],
    ])
    assert.equal(lineage.extend([batch(3, 3, 6)]), true)
    assert.deepEqual(lineage.entries, [[3, 0]])
  })

  test('what could not be saved is saved before anything is sent, however often it is planned', async () => {
    const lineage = new LineageKeeper()
    const plan = [batch(3, 0, 5)]
    lineage.extend(plan)
    await assert.rejects(lineage.saving(Promise.reject(new Error('no rights'))))
    assert.equal(lineage.extend(plan), true)
    await lineage.saving(Promise.resolve())
    assert.equal(lineage.extend(plan), false)
  })
})
