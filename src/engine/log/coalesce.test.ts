import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recordCodec } from '../../kafka/records.ts'
import { type CodecName, splitBatches } from '../../model/batch.ts'
import { COALESCED_BYTES, type Coalesced, coalesce } from './coalesce.ts'
import type { PlannedBatch, PlannedGap, PlannedOp } from './plan-append.ts'

type Of = { readonly codec?: CodecName; readonly leaderEpoch?: number; readonly bytes?: number }

/** What does not compress. */
const noise = (n: number): number => (Math.imul(n * n + 12_345, 2_654_435_761) >>> 13) & 0xff

/** One record at `base`. */
function batch(base: number, { codec = 'none', leaderEpoch = 1, bytes = 20 }: Of = {}): PlannedBatch {
  const value = Buffer.from(Array.from({ length: bytes }, (_none, i) => noise(i + base * 101)))
  const timestamp = 1_000 - base
  const encoded = recordCodec.encode({
    codec,
    records: [{ offset: base, timestamp, key: null, value, headers: [] }],
  })
  return { kind: 'batch', base, next: base + 1, bytes: encoded, maxTimestamp: timestamp, leaderEpoch }
}

const gap = (base: number): PlannedGap => ({
  kind: 'gap',
  base,
  next: base + 1,
  counts: { markers: 1, aborted: 0, missing: 0 },
})
const run = (queue: readonly PlannedOp[], limit = COALESCED_BYTES): Coalesced | undefined =>
  coalesce(queue, recordCodec, limit)
const many = (count: number, of: Of = {}): PlannedBatch[] =>
  Array.from({ length: count }, (_none, i) => batch(i, of))

describe('coalesce', () => {
  test('small batches that wait together become one', () => {
    const queue = many(500)
    const found = run(queue)
    assert.equal(found?.taken, 500)
    const { bytes, ...rest } = found.batch
    assert.deepEqual(rest, { kind: 'batch', base: 0, next: 500, maxTimestamp: 1_000, leaderEpoch: 1 })
    assert.deepEqual(
      splitBatches(bytes).flatMap(raw => recordCodec.decode(raw)),
      queue.flatMap(each => splitBatches(each.bytes).flatMap(raw => recordCodec.decode(raw))),
    )
  })

  test('one alone goes as it is', () => {
    assert.equal(run([batch(0)]), undefined)
    assert.equal(run([batch(0), gap(1), batch(2)]), undefined)
    assert.equal(run([]), undefined)
    assert.equal(run([gap(0), batch(1), batch(2)]), undefined)
  })

  test('it ends before a gap, another epoch, another codec, and a batch that is large enough', () => {
    const others: readonly PlannedOp[] = [
      gap(2),
      batch(2, { leaderEpoch: 2 }),
      batch(2, { codec: 'lz4' }),
      batch(2, { bytes: 20_000 }),
    ]
    for (const other of others) assert.equal(run([...many(2), other, batch(3)])?.taken, 2)
  })

  test('compressed ones are left alone sooner, and always where decompressing costs more than it saves', () => {
    assert.equal(run(many(5, { bytes: 6_000 }))?.taken, 5)
    assert.equal(run(many(5, { bytes: 6_000, codec: 'lz4' })), undefined)
    assert.equal(run(many(300, { codec: 'lz4' }))?.taken, 300)
    assert.equal(run(many(600, { codec: 'lz4' }))?.taken, 500)
    for (const codec of ['gzip', 'zstd'] as const) assert.equal(run(many(300, { codec })), undefined)
  })

  test('it stays below the limit', () => {
    const found = run(many(200, { bytes: 10_000 }))
    assert.ok(found !== undefined && found.batch.bytes.length <= COALESCED_BYTES)
    assert.ok(found.batch.bytes.length > COALESCED_BYTES - 20_000)
    assert.equal(run(many(10), 0), undefined)
  })
})
