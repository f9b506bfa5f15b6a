import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { CODECS, type CodecName, readBatchHeader } from '../model/batch.ts'
import { crc32c } from '../model/crc32c.ts'
import type { DecodedRecord, MergePart } from '../ports/records.ts'
import { recordCodec } from './records.ts'

const bytes = (max: number) => fc.uint8Array({ maxLength: max }).map(array => Buffer.from(array))
const nullable = (max: number) => fc.option(bytes(max), { nil: null })
const record = fc.record({
  timestamp: fc.oneof(
    fc.constant(-1),
    fc.integer({ min: 1.7e12, max: 1.7e12 + 5_000 }),
    fc.integer({ min: 0, max: 2 ** 52 }),
  ),
  key: nullable(20),
  value: nullable(500),
  headers: fc.array(fc.tuple(bytes(12), nullable(12)), { maxLength: 3 }),
})
const batches = fc.record({
  base: fc.nat({ max: 2 ** 40 }),
  batches: fc.array(fc.array(record, { minLength: 1, maxLength: 5 }), { minLength: 2, maxLength: 200 }),
})
const NO_LIMIT = 1 << 30

type Content = Omit<DecodedRecord, 'offset'>
type Neighbours = { readonly parts: MergePart[]; readonly records: DecodedRecord[] }

/** Batches that follow on each other from `base` on, as fetched. */
function neighbours(codec: CodecName, base: number, contents: readonly (readonly Content[])[]): Neighbours {
  const parts: MergePart[] = []
  const records: DecodedRecord[] = []
  for (const content of contents) {
    const from = base + records.length
    const mine = content.map((each, i) => ({ ...each, offset: from + i }))
    const producer = { producerId: 7n, producerEpoch: 3 }
    parts.push({ base: from, bytes: recordCodec.encode({ codec, records: mine, producer, baseSequence: 5 }) })
    records.push(...mine)
  }
  return { parts, records }
}

const text = (value: string): Content => ({
  timestamp: 1_000,
  key: null,
  value: Buffer.from(value),
  headers: [],
})
const decode = (encoded: Buffer): DecodedRecord[] =>
  recordCodec.decode({ header: readBatchHeader(encoded), bytes: encoded })

function mend(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(21)), 17)
  return batch
}

describe('merge', () => {
  for (const codec of CODECS) {
    it(`keeps every record, its offset and timestamp included (${codec})`, () => {
      fc.assert(
        fc.property(batches, ({ base, batches: contents }) => {
          const { parts, records } = neighbours(codec, base, contents)
          const merged = recordCodec.merge(parts, NO_LIMIT)
          assert.equal(merged?.taken, parts.length)
          assert.deepEqual(decode(merged.bytes), records)
          const latest = Math.max(...records.map(({ timestamp }) => timestamp))
          const header = readBatchHeader(merged.bytes)
          assert.equal(merged.maxTimestamp, latest)
          assert.equal(header.maxTimestamp, latest)
          assert.equal(header.codec, codec)
          assert.equal(header.recordCount, records.length)
          assert.equal(header.lastOffset, base + records.length - 1)
          assert.ok(recordCodec.isIntact({ header, bytes: merged.bytes }))
        }),
        { numRuns: codec === 'none' || codec === 'lz4' ? 100 : 20 },
      )
    })
  }

  it('writes what encoding all records at once writes', () => {
    fc.assert(
      fc.property(batches, ({ base, batches: contents }) => {
        const { parts, records } = neighbours('none', base, contents)
        assert.deepEqual(
          recordCodec.merge(parts, NO_LIMIT)?.bytes,
          recordCodec.encode({ codec: 'none', records }),
        )
      }),
    )
  })

  it('leaves the parts as they are', () => {
    const { parts } = neighbours('none', 5, [[text('a')], [text('b')]])
    const before = parts.map(part => Buffer.from(part.bytes))
    recordCodec.merge(parts, NO_LIMIT)
    assert.deepEqual(
      parts.map(part => part.bytes),
      before,
    )
  })

  it('takes no more records than the limit allows, counted before compression', () => {
    const contents = Array.from({ length: 100 }, () => [text('x'.repeat(1_000))])
    for (const codec of CODECS) {
      const merged = recordCodec.merge(neighbours(codec, 0, contents).parts, 10_500)
      assert.equal(merged?.taken, 10)
      assert.equal(decode(merged.bytes).length, 10)
    }
  })

  it('stops before a batch whose bytes have changed', () => {
    const { parts, records } = neighbours('none', 0, [[text('a')], [text('b')], [text('c')], [text('d')]])
    parts[2]!.bytes[parts[2]!.bytes.length - 2]! ^= 1
    const merged = recordCodec.merge(parts, NO_LIMIT)
    assert.equal(merged?.taken, 2)
    assert.deepEqual(decode(merged.bytes), records.slice(0, 2))
    assert.equal(recordCodec.merge(parts.slice(1), NO_LIMIT), undefined)
  })

  it('stops before a batch that intact bytes do not make right', () => {
    const spoilt: readonly [what: string, spoil: (batch: Buffer) => Buffer][] = [
      ['a record too many', batch => (batch.writeInt32BE(2, 57), batch.writeInt32BE(1, 23), batch)],
      ['fewer records than offsets', batch => (batch.writeInt32BE(1, 23), batch)],
      ['an offset delta of one', batch => (batch.writeInt8(2, 64), batch)],
      ['a record longer than its batch', batch => (batch.writeInt8(120, 61), batch)],
      ['bytes behind the last record', batch => Buffer.concat([batch, Buffer.alloc(1)])],
    ]
    for (const [what, spoil] of spoilt) {
      const { parts } = neighbours('none', 0, [[text('a')], [text('b')], [text('c')]])
      parts[2] = { base: 2, bytes: mend(spoil(parts[2]!.bytes)) }
      assert.equal(recordCodec.merge(parts, NO_LIMIT)?.taken, 2, what)
    }
  })

  it('stops before a compressed batch that cannot be decompressed', () => {
    for (const codec of CODECS) {
      if (codec === 'none') continue
      const { parts } = neighbours(codec, 0, [[text('a')], [text('b')], [text('c')]])
      parts[2]!.bytes.fill(0xee, 61)
      mend(parts[2]!.bytes)
      assert.equal(recordCodec.merge(parts, NO_LIMIT)?.taken, 2, codec)
    }
  })

  it('leaves a timestamp alone that a number does not hold exactly', () => {
    const { parts } = neighbours('none', 0, [[text('a')], [text('b')], [text('c')]])
    const nanoseconds = 1_700_000_000_123_456_789n
    parts[2]!.bytes.writeBigInt64BE(nanoseconds, 27)
    mend(parts[2]!.bytes)
    assert.equal(recordCodec.merge(parts, NO_LIMIT)?.taken, 2)
    assert.equal(recordCodec.merge([parts[2]!, parts[2]!], NO_LIMIT), undefined)
  })

  it('does not reach over a gap', () => {
    const { parts } = neighbours('none', 0, [[text('a')], [text('b')], [text('c')], [text('d')]])
    assert.equal(recordCodec.merge([parts[0]!, parts[1]!, parts[3]!], NO_LIMIT)?.taken, 2)
  })
})
