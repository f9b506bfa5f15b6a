// How many connections a line is worth, from what a line with a window per connection would show.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LINE_LIMITS } from './limits.ts'
import { LineGauge } from './line-gauge.ts'

/** A line whose connections carry `bytesPerMs` each, and no more than `limit` together. */
class Line {
  readonly gauge: LineGauge
  readonly #bytesPerMs: number
  readonly #limit: number
  at = 0
  #received = 0

  constructor(most: number, { roundTripMs, limit = Infinity }: { roundTripMs: number; limit?: number }) {
    this.gauge = new LineGauge(most, LINE_LIMITS)
    this.#bytesPerMs = 100_000 / roundTripMs
    this.#limit = limit
    this.gauge.sample(roundTripMs)
  }

  /** All connections are at work for so long. */
  work(ms: number, isBusy = true): void {
    for (const until = this.at + ms; this.at < until; this.at += 50) {
      this.#received += Math.min(this.gauge.connections * this.#bytesPerMs, this.#limit) * 50
      this.gauge.look({ at: this.at, receivedBytes: this.#received, isBusy })
    }
  }
}

describe('LineGauge', () => {
  test('a short line has three connections, whatever they carry', () => {
    const line = new Line(64, { roundTripMs: 2 })
    line.work(60_000)
    assert.equal(line.gauge.connections, 3)
  })

  test('a long line whose connections are capped gets as many as are allowed', () => {
    const line = new Line(64, { roundTripMs: 50 })
    line.work(3_000)
    assert.equal(line.gauge.connections, 64)
    const few = new Line(5, { roundTripMs: 50 })
    few.work(3_000)
    assert.equal(few.gauge.connections, 5)
  })

  test('no more than bring something, and not for long what half as many bring as well', () => {
    // Twenty connections fill it.
    const line = new Line(64, { roundTripMs: 50, limit: 40_000 })
    line.work(3_000)
    assert.equal(line.gauge.connections, 32)
    line.work(60_000)
    assert.equal(line.gauge.connections, 32)
    const narrow = new Line(64, { roundTripMs: 50, limit: 8_000 })
    narrow.work(80_000)
    assert.equal(narrow.gauge.connections, 16)
  })

  test('without enough to do nothing is learnt', () => {
    const line = new Line(64, { roundTripMs: 50 })
    line.work(10_000, false)
    assert.equal(line.gauge.connections, 16)
  })

  test('one quick answer shows that the line is short; many slow ones in a row that it has become long', () => {
    const line = new Line(64, { roundTripMs: 50 })
    line.work(3_000)
    line.gauge.sample(3)
    assert.deepEqual([line.gauge.isLong, line.gauge.connections], [false, 3])
    for (let i = 0; i < 16; i++) line.gauge.sample(50)
    assert.deepEqual([line.gauge.isLong, line.gauge.connections], [true, 16])
  })

  test('the more connections, the less each is asked for; undefined samples are none', () => {
    const line = new Line(64, { roundTripMs: 50 })
    line.gauge.sample(undefined)
    assert.equal(line.gauge.stripeBytes, LINE_LIMITS.mostStripeBytes)
    line.work(3_000)
    assert.equal(line.gauge.stripeBytes, LINE_LIMITS.leastStripeBytes)
    assert.ok(line.gauge.stripeBytes * line.gauge.connections < LINE_LIMITS.aheadBytes)
  })
})
