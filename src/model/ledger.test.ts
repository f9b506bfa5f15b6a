// The arithmetic of the ledger: exact ranges, whoever accepts what in which order, and what happens at its bound.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  type AcceptedLoss,
  EMPTY_LEDGER,
  type Ledger,
  lossAt,
  lostBelow,
  type LossRange,
  missingFrom,
  withLoss,
} from './ledger.ts'

const loss = (from: number, to: number, more: Partial<AcceptedLoss> = {}): AcceptedLoss => ({
  from,
  to,
  cause: 'retention',
  by: 'ann@host',
  at: 1,
  ...more,
})

function ledgerOf(...losses: AcceptedLoss[]): Ledger {
  return losses.reduce<Ledger>((ledger, each) => {
    const next = withLoss(ledger, each, 0)
    assert.ok(next !== undefined)
    return next
  }, EMPTY_LEDGER)
}

const shape = ({ ranges }: { readonly ranges: readonly LossRange[] }) =>
  ranges.map(({ from, to }) => `${from}-${to}`)

describe('the ledger', () => {
  test('holds exactly the offsets that were accepted, ascending, each once, by whoever accepted it first', () => {
    const drawn = fc.array(fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 12 })), { maxLength: 12 })
    fc.assert(
      fc.property(drawn, lists => {
        const first = new Map<number, string>()
        const losses = lists.map(([from, length], i) => loss(from, from + length, { by: `person-${i % 3}` }))
        for (const { from, to, by } of losses)
          for (let offset = from; offset < to; offset++) if (!first.has(offset)) first.set(offset, by)
        const ledger = ledgerOf(...losses)

        ledger.ranges.reduce((last, { from, to }) => {
          assert.ok(last <= from && from < to)
          return to
        }, 0)
        for (let offset = 0; offset < 80; offset++) {
          assert.equal(lossAt(ledger, offset)?.by, first.get(offset))
          const below = [...first.keys()].filter(each => each < offset).length
          assert.equal(lostBelow(ledger, offset), below)
        }
      }),
    )
  })

  test('tells which parts of a range it does not hold', () => {
    const ledger = ledgerOf(loss(10, 20), loss(30, 40))
    assert.deepEqual(shape({ ranges: missingFrom(ledger, { from: 5, to: 45 }) }), ['5-10', '20-30', '40-45'])
    assert.deepEqual(missingFrom(ledger, { from: 12, to: 18 }), [])
    assert.deepEqual(shape({ ranges: missingFrom(ledger, { from: 15, to: 25 }) }), ['20-25'])
  })

  test('joins neighbours of one person, cause and reason, and no others', () => {
    assert.deepEqual(shape(ledgerOf(loss(10, 20), loss(20, 30, { at: 5 }))), ['10-30'])
    for (const other of [{ by: 'bob@host' }, { cause: 'corrupt' }, { why: 'old' }] as const)
      assert.deepEqual(shape(ledgerOf(loss(10, 20), loss(20, 30, other))), ['10-20', '20-30'])
    assert.equal(ledgerOf(loss(10, 20), loss(20, 30, { at: 5 })).ranges[0]?.at, 5)
  })

  test('what was accepted before may be given up together with the older records later', () => {
    const ledger = ledgerOf(loss(10, 20), loss(10, 20, { acceptLogStart: true, by: 'bob@host' }))
    assert.deepEqual(ledger.ranges, [loss(10, 20, { acceptLogStart: true })])
  })

  test('at its bound it sums up what lies below the log start, and says so; full all the same, it takes no more', () => {
    const why = 'x'.repeat(300)
    let ledger: Ledger = EMPTY_LEDGER
    let count = 0
    for (;;) {
      const next = withLoss(ledger, loss(count * 10, count * 10 + 5, { why }), 0)
      if (next === undefined) break
      ledger = next
      count++
    }
    assert.ok(count > 100, `it holds ${count} ranges`)
    assert.equal(ledger.ranges.length, count)
    assert.ok(JSON.stringify({ v: 1, kind: 'ledger', ...ledger }).length < 64 * 1024)

    const summed = withLoss(ledger, loss(count * 10, count * 10 + 5, { why }), 1_000)
    assert.deepEqual(summed?.summed, { ranges: 100, offsets: 500, upTo: 995 })
    assert.equal(summed.ranges.length, count - 99)
    assert.equal(lostBelow(summed, Infinity), (count + 1) * 5)
  })
})
