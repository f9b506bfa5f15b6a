// What is told before it is too late: how much time retention leaves, and which transactions hang.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { isShort } from '../../model/headroom.ts'
import type { TransactionView } from '../../ports/cluster.ts'
import { judgeTransaction } from '../log/judge-transaction.ts'
import { headroomOf, type HeadroomInput, LogStartMoves } from './headroom.ts'
import { HeldOffset } from './held.ts'

const HOUR_MS = 3_600_000
const NOW = 1_000 * HOUR_MS

describe('headroom', () => {
  const of = (changes: Partial<HeadroomInput>) =>
    headroomOf({
      cursor: 100,
      sourceEnd: 1_000,
      logStart: 0,
      rate: undefined,
      deletion: { afterMs: 10 * HOUR_MS, isBySize: false },
      timestamp: NOW - 4 * HOUR_MS,
      before: undefined,
      now: NOW,
      ...changes,
    })

  test('by age: what is left of the retention of the record at the cursor', () => {
    assert.deepEqual(of({}), {
      ms: 6 * HOUR_MS,
      basis: 'age',
      isAtMost: false,
      limitMs: 2 * HOUR_MS,
      isGrowing: false,
      at: NOW,
    })
    // Old records are deleted as soon as the broker looks.
    assert.equal(of({ timestamp: NOW - 11 * HOUR_MS })?.ms, -HOUR_MS)
  })

  test('by the log start, when that comes sooner', () => {
    const found = of({ rate: 100 / HOUR_MS })
    assert.equal(found?.ms, HOUR_MS)
    assert.equal(found?.basis, 'log-start')
  })

  test('a limit of size that has not been seen at work makes it an upper bound', () => {
    assert.equal(of({ deletion: { afterMs: 10 * HOUR_MS, isBySize: true } })?.isAtMost, true)
    assert.equal(of({ deletion: { afterMs: 10 * HOUR_MS, isBySize: true }, rate: 1e-9 })?.isAtMost, false)
  })

  test('is not known when nothing tells', () => {
    for (const changes of [
      { timestamp: undefined },
      { deletion: undefined },
      { deletion: { afterMs: null, isBySize: true } },
    ]) {
      const found = of(changes)
      assert.equal(found?.ms, null)
      assert.equal(found.basis, 'unknown')
      assert.equal(isShort(found), false)
    }
  })

  test('there is none when nothing is behind, or nothing deletes; a log start that moves all the same counts', () => {
    assert.equal(of({ cursor: 1_000 }), undefined)
    const kept = { afterMs: null, isBySize: false }
    assert.equal(of({ deletion: kept }), undefined)
    assert.equal(of({ deletion: kept, rate: 50 / HOUR_MS })?.ms, 2 * HOUR_MS)
    // Lost already: the anchor says so.
    assert.equal(of({ logStart: 101 }), undefined)
  })

  test('is short below a fifth of the retention, unless the copy gains on it', () => {
    const short = { timestamp: NOW - 9 * HOUR_MS }
    assert.equal(isShort(of(short)!), true)
    assert.equal(isShort(of({ ...short, before: 0.9 * HOUR_MS })!), false)
    assert.equal(isShort(of({ ...short, before: 1.1 * HOUR_MS })!), true)
    assert.equal(isShort(of({})!), false)
  })
})

describe('moves of a log start', () => {
  test('are a rate from the second on; one alone only after five minutes', () => {
    const moves = new LogStartMoves()
    moves.observe(0, 0)
    assert.equal(moves.rate(600_000), undefined)
    moves.observe(60, 60_000)
    assert.equal(moves.rate(120_000), undefined)
    assert.equal(moves.rate(600_000), 60 / 600_000)
    moves.observe(120, 120_000)
    assert.equal(moves.rate(120_000), 1 / 1_000)
  })

  test('are forgotten after an hour', () => {
    const moves = new LogStartMoves()
    for (const [logStart, at] of [
      [0, 0],
      [1_000, 1_000],
      [1_001, 2 * HOUR_MS],
      [1_002, 3 * HOUR_MS],
    ] as const)
      moves.observe(logStart, at)
    // Two in the three hours since it last stood at 1,000.
    const perHour = (moves.rate(3 * HOUR_MS) ?? 0) * HOUR_MS
    assert.ok(perHour > 0.66 && perHour < 0.67, String(perHour))
  })
})

test('a last stable offset is held since records stand behind it, not since it moved', () => {
  const held = new HeldOffset()
  held.observe({ lastStable: 5, highWatermark: 5 }, 0)
  held.observe({ lastStable: 5, highWatermark: 9 }, 1_000)
  assert.equal(held.heldMs(3_000), 2_000)
  held.observe({ highWatermark: 10 }, 3_000)
  held.observe({ lastStable: 7, highWatermark: 10 }, 4_000)
  assert.equal(held.heldMs(5_000), 1_000)
  assert.equal(held.offset, 7)
  held.observe({ lastStable: 10, highWatermark: 10 }, 5_000)
  assert.equal(held.heldMs(9_000), 0)
})

describe('a transaction that holds a partition', () => {
  const at = { topic: 't', partition: 0 }
  const transaction = (changes: Partial<TransactionView>): TransactionView => ({
    transactionalId: 'app',
    producerId: 1n,
    producerEpoch: 0,
    state: 'Ongoing',
    startedAt: 0,
    timeoutMs: 60_000,
    partitions: [at],
    ...changes,
  })
  const judge = (known: TransactionView | undefined, isComplete = true, isOverdue = false) =>
    judgeTransaction(at, { known, isComplete, isOverdue })

  test('is open while its coordinator has it under way on this partition', () => {
    assert.equal(judge(transaction({})), 'open')
    assert.equal(judge(transaction({ state: 'PrepareCommit' })), 'open')
  })

  test('hangs when its coordinator has it not, or not here, or finished', () => {
    assert.equal(judge(undefined), 'hanging')
    assert.equal(judge(transaction({ partitions: [{ topic: 't', partition: 1 }] })), 'hanging')
    assert.equal(judge(transaction({ state: 'CompleteAbort' })), 'hanging')
  })

  test('is not known to hang while kdr may not see all, until no transaction may be open for so long', () => {
    assert.equal(judge(undefined, false), 'unseen')
    assert.equal(judge(undefined, false, true), 'hanging')
  })
})
