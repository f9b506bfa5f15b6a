import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EndHistory } from './end-history.ts'

const history = (...samples: (readonly [end: number, at: number])[]): EndHistory => {
  const ends = new EndHistory()
  for (const [end, at] of samples) ends.observe(end, at)
  return ends
}

test('what waits behind an offset has waited since an end beyond it was seen first', () => {
  const ends = history([10, 0], [20, 1_000], [20, 2_000], [30, 3_000])
  assert.equal(ends.lagMs(0, 5_000), 5_000)
  assert.equal(ends.lagMs(9, 5_000), 5_000)
  assert.equal(ends.lagMs(10, 5_000), 4_000)
  assert.equal(ends.lagMs(19, 5_000), 4_000)
  assert.equal(ends.lagMs(20, 5_000), 2_000)
  assert.equal(ends.lagMs(30, 5_000), 0)
  assert.equal(ends.lagMs(99, 5_000), 0)
  assert.equal(new EndHistory().lagMs(0, 5_000), 0)
})

test('what waited at the first look may have waited for longer', () => {
  const ends = history([10, 0], [20, 1_000])
  assert.equal(ends.isAtLeast(9), true)
  assert.equal(ends.isAtLeast(10), false)
})

test('an end that goes back is that of another log', () => {
  const ends = history([10, 0], [20, 1_000], [5, 4_000])
  assert.equal(ends.lagMs(0, 5_000), 1_000)
  assert.equal(ends.isAtLeast(4), true)
  assert.equal(ends.isAtLeast(5), false)
})

test('what is forgotten is what nobody is behind: the rest is exact', () => {
  const ends = history([10, 0], [20, 1_000], [30, 2_000])
  ends.forget(20)
  assert.equal(ends.lagMs(20, 5_000), 3_000)
  assert.equal(ends.lagMs(25, 5_000), 3_000)
  ends.forget(99)
  assert.equal(ends.lagMs(29, 5_000), 3_000, 'the newest stays')
  const long = new EndHistory()
  for (let i = 1; i <= 1_000; i++) {
    long.observe(i, i)
    long.forget(i - 50)
  }
  for (let offset = 950; offset < 1_000; offset++) assert.equal(long.lagMs(offset, 1_000), 999 - offset)
})

test('of however many samples it keeps a few; its answer is never too small, and at most a quarter too large', () => {
  const ends = new EndHistory()
  // A look every ten seconds for three weeks.
  const last = 200_000
  for (let i = 1; i <= last; i++) ends.observe(i, i)
  for (const offset of [0, 1, 777, 5_000, 90_000, 199_000, 199_990, 199_999]) {
    const exact = last - (offset + 1)
    const lag = ends.lagMs(offset, last)
    assert.ok(lag >= exact && lag <= exact * 1.25 + 1, `${offset}: ${lag} of ${exact}`)
  }
})
