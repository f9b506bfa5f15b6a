import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PACE_LIMITS } from './limits.ts'
import { Pace } from './pace.ts'

const { behindBytes, currentBytes } = PACE_LIMITS

/** At the source's end, which is at 1,000. */
function current(): Pace {
  const pace = new Pace()
  pace.saw(1_000, 1_000)
  return pace
}

test('a partition is behind until the source has shown that nothing is left', () => {
  const pace = new Pace()
  assert.equal(pace.isBehind, true)
  pace.saw(1_000, 0)
  assert.equal(pace.isBehind, true)
  pace.saw(1_000, 1_000)
  assert.equal(pace.isBehind, false)
})

test('one that has much, and more to come, is behind until little is left', () => {
  const pace = current()
  pace.saw(2_000, 1_000)
  pace.hold(behindBytes - 1, 1_300)
  assert.equal(pace.isBehind, false)
  pace.hold(1, 1_400)
  assert.equal(pace.isBehind, true)
  pace.hold(currentBytes - behindBytes, 1_900)
  assert.equal(pace.isBehind, true, 'the source has more')
  pace.hold(1, 2_000)
  assert.equal(pace.isBehind, true, 'it holds more than a little')
  pace.hold(-1, 2_000)
  assert.equal(pace.isBehind, false)
})

test('a burst that was fetched whole is not behind, however large', () => {
  const pace = current()
  pace.saw(2_000, 1_000)
  pace.hold(4 * behindBytes, 2_000)
  assert.equal(pace.isBehind, false)
})
