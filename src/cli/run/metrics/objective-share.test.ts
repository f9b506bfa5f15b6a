import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ObjectiveShare } from './objective-share.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

test('never looked, and looked once', () => {
  const share = new ObjectiveShare()
  assert.equal(share.ratio, undefined)
  share.observe(0, false)
  assert.equal(share.ratio, 0)
})

test('a quarter of an hour beyond it in an hour', () => {
  const share = new ObjectiveShare()
  for (let minute = 0; minute <= 60; minute++) share.observe(minute * MINUTE_MS, minute <= 45)
  assert.equal(share.ratio, 0.75)
})

test('time in which nobody looked, or knew, does not count', () => {
  const share = new ObjectiveShare()
  share.observe(0, true)
  share.observe(MINUTE_MS, true)
  share.observe(HOUR_MS, false)
  assert.equal(share.ratio, 1)
  share.skip()
  share.observe(HOUR_MS + MINUTE_MS, false)
  assert.equal(share.ratio, 1)
  share.observe(HOUR_MS + 2 * MINUTE_MS, false)
  assert.equal(share.ratio, 0.5)
})

test('what is older than a day is forgotten', () => {
  const share = new ObjectiveShare()
  for (let minute = 0; minute <= 30; minute++) share.observe(minute * MINUTE_MS, false)
  for (let hour = 1; hour < 24; hour++) {
    share.observe(hour * HOUR_MS, true)
    share.observe(hour * HOUR_MS + MINUTE_MS, true)
  }
  assert.equal(share.ratio, 23 / 53)
  share.observe(24 * HOUR_MS, true)
  share.observe(24 * HOUR_MS + MINUTE_MS, true)
  assert.equal(share.ratio, 1)
})
