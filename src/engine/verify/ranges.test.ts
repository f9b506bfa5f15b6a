import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { rangeOf, sampleRanges } from './ranges.ts'

describe('the offsets of a sample', () => {
  test('make up the share, lie in the range, ascend and do not overlap', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 1_000_000_000 }),
        fc.nat({ max: 10_000_000 }),
        fc.double({ min: 0.001, max: 100, noNaN: true }),
        fc.array(fc.double({ min: 0, max: 0.999999, noNaN: true }), { minLength: 1 }),
        (from, length, percent, fractions) => {
          let next = 0
          const ranges = sampleRanges(
            { from, to: from + length },
            percent,
            () => fractions[next++ % fractions.length]!,
          )

          const total = ranges.reduce((sum, range) => sum + range.to - range.from, 0)
          assert.equal(total, Math.min(length, Math.ceil((length * percent) / 100)))
          let end = from
          for (const range of ranges) {
            assert.ok(range.from >= end && range.to > range.from, JSON.stringify(ranges))
            end = range.to
          }
          assert.ok(end <= from + length)
        },
      ),
    )
  })

  test('are spread over the log', () => {
    const ranges = sampleRanges({ from: 0, to: 1_000_000 }, 5, () => 0.5)

    assert.equal(ranges.length, 10)
    assert.ok((ranges[0]?.from ?? 1e9) < 100_000 && (ranges.at(-1)?.to ?? 0) > 900_000)
  })
})

describe('the range of a partition', () => {
  const bounds = { logStart: { source: 5, target: 3 }, logEnd: { source: 90, target: 80 } }

  test('begins at the later log start and ends where the target is', () => {
    assert.deepEqual(rangeOf(bounds), { from: 5, to: 80 })
    assert.deepEqual(rangeOf(bounds, 60), { from: 60, to: 80 })
    assert.deepEqual(rangeOf(bounds, 2), { from: 5, to: 80 })
  })

  test('is empty when there is nothing so late, or the target has not come so far', () => {
    assert.deepEqual(rangeOf(bounds, -1), { from: 80, to: 80 })
    assert.deepEqual(rangeOf(bounds, 85), { from: 85, to: 85 })
  })
})
