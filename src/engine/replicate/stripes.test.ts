// Which ranges of a partition are fetched, and what may follow what.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { RawBatch } from '../../model/batch.ts'
import { type ReadAnswer, type Stripe, Stripes } from './stripes.ts'

const BATCH_BYTES = 100
/** A log of batches of ten offsets and 100 bytes each: ten bytes an offset. */
const LOG_END = 1_000

/** What a broker answers to a fetch at `from`: whole batches, from the one that holds it, up to `to`. */
function answerOf(from: number, to: number): ReadAnswer {
  const batches: RawBatch[] = []
  for (let base = Math.floor(from / 10) * 10; base + 10 <= to; base += 10) {
    const header = { baseOffset: base, lastOffset: base + 9 }
    batches.push({ header, bytes: Buffer.alloc(BATCH_BYTES) } as unknown as RawBatch)
  }
  const records = Buffer.alloc(batches.length * BATCH_BYTES)
  const marks = { code: 0, highWatermark: LOG_END, lastStable: LOG_END, logStart: 0, aborted: [] }
  return { answer: { topic: 't', partition: 0, ...marks, records }, batches }
}

class Partition {
  ahead = 0
  readonly stripes = new Stripes(bytes => {
    this.ahead += bytes
  })
  planned = 0
  readonly taken: number[] = []

  /** The first round: what makes stripes possible. */
  begin(epoch = 5): this {
    this.stripes.follow(answerOf(0, 20), epoch)
    this.planned = 20
    return this
  }

  ask(roomBytes = Infinity, headEpoch = 5): Stripe | undefined {
    const stripe = this.stripes.next(this.planned, { bytes: 500, roomBytes, headEpoch })
    if (stripe !== undefined) this.stripes.begin(stripe)
    return stripe
  }

  come(stripe: Stripe | undefined, to = stripe!.to): void {
    this.stripes.park(stripe!, answerOf(stripe!.from, to))
    this.stripes.end(stripe!)
    for (let next = this.stripes.join(this.planned); next; next = this.stripes.join(this.planned)) {
      this.taken.push(next.from)
      this.planned = Math.max(this.planned, next.to)
    }
  }
}

const rangeOf = (stripe: Stripe | undefined) =>
  stripe && { from: stripe.from, to: stripe.to, isHead: stripe.isHead }

describe('Stripes', () => {
  test('the first is the head; the others follow it, up to what is stable', () => {
    const partition = new Partition().begin()
    assert.ok(partition.stripes.isBehind(20, 5_000))
    assert.deepEqual(rangeOf(partition.ask()), { from: 20, to: 70, isHead: true })
    assert.deepEqual(rangeOf(partition.ask()), { from: 70, to: 120, isHead: false })
    for (let i = 0; i < 17; i++) partition.ask()
    assert.deepEqual(rangeOf(partition.ask()), { from: 970, to: 1_000, isHead: false })
    assert.equal(partition.ask(), undefined)
  })

  test('what comes early waits, and is taken in order', () => {
    const partition = new Partition().begin()
    const [head, second, third] = [partition.ask(), partition.ask(), partition.ask()]
    partition.come(third)
    partition.come(second)
    assert.deepEqual(partition.taken, [])
    partition.come(head)
    assert.deepEqual(partition.taken, [20, 70, 120])
    assert.equal(partition.planned, 170)
    assert.ok(partition.stripes.isEmpty)
    assert.equal(partition.ahead, 0)
  })

  test('where one came short the rest is asked for, and nothing behind it joins before', () => {
    const partition = new Partition().begin()
    const [head, second, third] = [partition.ask(), partition.ask(), partition.ask()]
    partition.come(third)
    partition.come(second, 100)
    const rest = partition.ask()
    assert.deepEqual(rangeOf(rest), { from: 100, to: 120, isHead: false })
    partition.come(head)
    assert.deepEqual([partition.taken, partition.planned], [[20, 70], 100])
    partition.come(rest)
    assert.deepEqual([partition.taken, partition.planned], [[20, 70, 100, 120], 170])
  })

  test('one that came further than it should overlaps, which is no harm', () => {
    const partition = new Partition().begin()
    const [head, second] = [partition.ask(), partition.ask()]
    partition.come(second)
    partition.come(head, 90)
    assert.deepEqual([partition.taken, partition.planned], [[20, 70], 120])
  })

  test('one that is no longer needed does not hold up those behind it', () => {
    const partition = new Partition().begin()
    const [head, second, third] = [partition.ask(), partition.ask(), partition.ask()]
    partition.come(head, 120)
    partition.come(third)
    assert.deepEqual([partition.taken, partition.planned], [[20, 120], 170])
    partition.come(second)
    assert.deepEqual([partition.planned, partition.ahead], [170, 0])
  })

  test('an answer under another leader epoch than the newest head does not join', () => {
    const partition = new Partition().begin()
    const [head, second] = [partition.ask(), partition.ask()]
    partition.come(second)
    partition.stripes.end(head!)
    const newHead = partition.ask(Infinity, 6)
    assert.deepEqual(rangeOf(newHead), { from: 20, to: 70, isHead: true })
    partition.come(newHead)
    assert.deepEqual([partition.taken, partition.planned], [[20], 70])
    assert.ok(partition.stripes.isEmpty)
    assert.equal(partition.ahead, 0)
  })

  test('after one that failed nothing further is asked for until the head gets there', () => {
    const partition = new Partition().begin()
    const [head, second, third] = [partition.ask(), partition.ask(), partition.ask()]
    partition.come(third)
    partition.stripes.fail(second!)
    partition.stripes.end(second!)
    assert.equal(partition.ask(), undefined)
    partition.come(head)
    assert.equal(partition.planned, 70)
    assert.deepEqual(rangeOf(partition.ask()), { from: 70, to: 120, isHead: true })
  })

  test('answers of what was thrown away are not awaited; memory is given back', () => {
    const partition = new Partition().begin()
    const [head, second] = [partition.ask(), partition.ask()]
    partition.come(second)
    partition.stripes.clear()
    assert.equal(partition.stripes.awaits(head!), false)
    partition.stripes.end(head!)
    assert.equal(partition.ahead, 0)
    assert.deepEqual(rangeOf(partition.ask()), { from: 20, to: 70, isHead: true })
    assert.equal(partition.ask(), undefined)
  })

  test('without room only the head is asked for', () => {
    const partition = new Partition().begin()
    assert.deepEqual(rangeOf(partition.ask(0)), { from: 20, to: 70, isHead: true })
    assert.equal(partition.ask(0), undefined)
  })

  test('what another connection has brought makes what is ahead useless', () => {
    const partition = new Partition().begin()
    partition.ask()
    partition.stripes.follow(answerOf(20, 50), -1)
    assert.ok(partition.stripes.isEmpty)
    assert.equal(partition.stripes.isBehind(50, 100), false)
  })
})
