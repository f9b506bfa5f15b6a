import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { crc32 } from 'node:zlib'
import { crc32c as nativeCrc32c } from '@node-rs/crc32'
import fc from 'fast-check'
import {
  CODECS,
  type CodecName,
  readBatchHeader,
  splitBatches,
  stampBatch,
  type RawBatch,
} from '../model/batch.ts'
import { crc32c as pureCrc32c, patchCrc32c } from '../model/crc32c.ts'
import type { DecodedRecord } from '../ports/records.ts'
import { decompress } from './codec.ts'
import { recordCodec } from './records.ts'
import { VarintReader, VarintWriter } from './varint.ts'

const bytes = (max: number) => fc.uint8Array({ maxLength: max }).map(array => Buffer.from(array))
const nullable = (max: number) => fc.option(bytes(max), { nil: null })
const header = fc.tuple(bytes(12), nullable(12))
const record = fc.record({
  gap: fc.integer({ min: 1, max: 3 }),
  timestamp: fc.oneof(
    fc.integer({ min: 0, max: 2 ** 31 }),
    fc.maxSafeInteger().filter(n => n >= 0),
  ),
  key: nullable(20),
  value: nullable(2000),
  headers: fc.array(header, { maxLength: 3 }),
})
const batch = fc.record({
  base: fc.nat({ max: 2 ** 40 }),
  records: fc.array(record, { minLength: 1, maxLength: 30 }),
})

function asRecords(base: number, parts: readonly { gap: number }[]): DecodedRecord[] {
  let offset = base - 1
  return parts.map(({ gap, ...rest }, index) => {
    offset += index === 0 ? 1 : gap
    return { ...(rest as Omit<DecodedRecord, 'offset'>), offset }
  })
}

function raw(encoded: Buffer): RawBatch {
  return { header: readBatchHeader(encoded), bytes: encoded }
}

/** Written by Kafka 4.4.0: MemoryRecords.withRecords(v2, 7, codec, CREATE_TIME, 42, 3, 9, -1, false, ...). */
const JAVA: Readonly<Record<CodecName, string>> = {
  none:
    '00000000000000070000006cffffffff02434d9fa400000000000200000000000003e8000000012a05f20000000000000000' +
    '2a000300000009000000031e000000026b0276040268010269026a3a001302012e68656c6c6f2068656c6c6f2068656c6c6f' +
    '2068656c6c6f001800b0b8afa02504046b320100',
  gzip:
    '000000000000000700000071ffffffff02565f186900010000000200000000000003e8000000012a05f20000000000000000' +
    '2a000300000009000000031f8b08000000000000ff9363606060ca662a6361ca6064ca64cab262106662d4cb48cdc9c957c0' +
    '2019241836ec58bf40958525db88910100cf6159423b000000',
  snappy:
    '000000000000000700000075ffffffff021b388b9800020000000200000000000003e8000000012a05f20000000000000000' +
    '2a0003000000090000000382534e41505059000000000100000001000000303b6c1e000000026b0276040268010269026a3a' +
    '001302012e68656c6c6f2042060034001800b0b8afa02504046b320100',
  lz4:
    '00000000000000070000006fffffffff029151ef1200030000000200000000000003e8000000012a05f20000000000000000' +
    '2a0003000000090000000304224d186040822f000000fd0d1e000000026b0276040268010269026a3a001302012e68656c6c' +
    '6f200600e0001800b0b8afa02504046b32010000000000',
  zstd:
    '00000000000000070000006effffffff02436874ec00040000000200000000000003e8000000012a05f20000000000000000' +
    '2a0003000000090000000328b52ffd00588c0100a4021e000000026b0276040268010269026a3a001302012e68656c6c6f20' +
    '001800b0b8afa02504046b3201000100642e4e010000',
}
const JAVA_RECORDS: readonly DecodedRecord[] = [
  {
    offset: 7,
    timestamp: 1000,
    key: Buffer.from('k'),
    value: Buffer.from('v'),
    headers: [
      [Buffer.from('h'), null],
      [Buffer.from('i'), Buffer.from('j')],
    ],
  },
  { offset: 8, timestamp: 990, key: null, value: Buffer.from('hello hello hello hello'), headers: [] },
  { offset: 9, timestamp: 5_000_000_000, key: Buffer.from('k2'), value: null, headers: [] },
]

describe('record codec', () => {
  for (const codec of CODECS) {
    it(`decodes what it encodes: ${codec}`, () => {
      fc.assert(
        fc.property(batch, ({ base, records: parts }) => {
          const records = asRecords(base, parts)
          const encoded = recordCodec.encode({ codec, baseOffset: base, records })
          const split = splitBatches(encoded)
          assert.equal(split.length, 1)
          assert.equal(split[0]!.header.codec, codec)
          assert.equal(split[0]!.header.crc, nativeCrc32c(encoded.subarray(21)))
          assert.equal(split[0]!.header.lastOffset, records.at(-1)!.offset)
          assert.deepEqual(recordCodec.decode(split[0]!), records)
        }),
        { numRuns: 60 },
      )
    })
  }

  for (const codec of CODECS) {
    it(`reads what Java wrote: ${codec}`, () => {
      const [only] = splitBatches(Buffer.from(JAVA[codec], 'hex'))
      assert.deepEqual(recordCodec.decode(only!), JAVA_RECORDS)
    })
  }

  it('writes the same bytes as Java', () => {
    const encoded = recordCodec.encode({
      codec: 'none',
      records: JAVA_RECORDS,
      producer: { producerId: 42n, producerEpoch: 3 },
      baseSequence: 9,
    })
    assert.equal(encoded.toString('hex'), JAVA.none)
  })

  it('gives every record of a LogAppendTime batch the time of the batch', () => {
    const records = asRecords(0, [
      { gap: 1, timestamp: 5, key: null, value: null, headers: [] },
      { gap: 1, timestamp: 9, key: null, value: null, headers: [] },
    ] as never)
    const encoded = recordCodec.encode({ codec: 'none', baseOffset: 0, records })
    encoded.writeInt16BE(0x08, 21)
    assert.deepEqual(
      recordCodec.decode(raw(encoded)).map(one => one.timestamp),
      [9, 9],
    )
  })

  it('makes seed batches of null records that compress to almost nothing', () => {
    const seed = recordCodec.seedBatch(100_000, 1_700_000_000_000)
    const { header: head } = raw(seed)
    assert.equal(head.recordCount, 100_000)
    assert.equal(head.lastOffset, 99_999)
    assert.equal(head.crc, nativeCrc32c(seed.subarray(21)))
    assert.ok(seed.length < 100_000, `${seed.length} bytes`)
    const records = recordCodec.decode(raw(seed))
    assert.equal(records.length, 100_000)
    assert.ok(records.every((one, i) => one.offset === i && one.key === null && one.value === null))
    assert.notEqual(recordCodec.seedBatch(100_000, 1), seed)
  })

  it('says what is wrong with bytes that are no batch', () => {
    const encoded = recordCodec.encode({
      codec: 'gzip',
      baseOffset: 5,
      records: [{ offset: 5, timestamp: 0, key: null, value: Buffer.from('x'), headers: [] }],
    })
    encoded.fill(7, 61)
    assert.throws(() => recordCodec.decode(raw(encoded)), { code: 'corrupt', message: /offset 5 \(gzip\)/ })
  })

  it('reads snappy without the xerial frame', () => {
    const plain = Buffer.from([5, 16, 104, 101, 108, 108, 111])
    assert.equal(decompress('snappy', plain).toString(), 'hello')
  })

  it('tells an abort marker from a commit marker', () => {
    for (const [type, expected] of [
      [0, true],
      [1, false],
    ] as const) {
      const key = Buffer.from([0, 0, 0, type])
      const value = Buffer.alloc(6)
      const records = [{ offset: 3, timestamp: 1, key, value, headers: [] }]
      const marker = recordCodec.encode({ codec: 'none', baseOffset: 3, records })
      marker.writeInt16BE(0x30, 21)
      assert.equal(recordCodec.isAbortMarker(raw(marker)), expected)
      marker.writeInt16BE(0, 21)
      assert.equal(recordCodec.isAbortMarker(raw(marker)), false)
    }
  })
})

describe('old formats', () => {
  const message = (
    magic: number,
    offset: number,
    attributes: number,
    timestamp: number,
    value: Buffer,
  ): Buffer => {
    const head = Buffer.alloc(12)
    const body = Buffer.concat([
      Buffer.from([0, 0, 0, 0, magic, attributes]),
      magic === 0 ? Buffer.alloc(0) : Buffer.from(BigInt(timestamp).toString(16).padStart(16, '0'), 'hex'),
      Buffer.from([255, 255, 255, 255, 0, 0, 0, 0]),
      value,
    ])
    body.writeInt32BE(value.length, body.length - value.length - 4)
    body.writeUInt32BE(crc32(body.subarray(4)))
    head.writeBigInt64BE(BigInt(offset))
    head.writeInt32BE(body.length, 8)
    return Buffer.concat([head, body])
  }

  it('splits a log of old messages that new ones follow, and refuses one whose checksum is wrong', () => {
    const log = Buffer.concat([
      message(0, 0, 0, 0, Buffer.from('a')),
      message(1, 1, 0, 7, Buffer.from('b')),
      recordCodec.seedBatch(3, 5),
    ])
    assert.deepEqual(
      splitBatches(log).map(({ header }) => [header.magic, header.baseOffset, header.lastOffset]),
      [
        [0, 0, 0],
        [1, 1, 1],
        [2, 0, 2],
      ],
    )
    const bad = message(1, 9, 0, 7, Buffer.from('b'))
    bad.writeUInt8(0x63, bad.length - 1)
    assert.throws(() => recordCodec.decode(splitBatches(bad)[0]!), /offset 9.*does not match its checksum/)
  })

  it('decodes a plain v0 and a v1 message that holds compressed ones', async () => {
    const { gzipSync } = await import('node:zlib')
    const inner = Buffer.concat([0, 1, 2].map(i => message(1, i, 0, 100 + i, Buffer.from(`v${i}`))))
    const cases = [
      { bytes: message(0, 4, 0, 0, Buffer.from('a')), expected: [[4, -1, 'a']] },
      {
        bytes: message(1, 42, 1, 102, gzipSync(inner)),
        expected: [
          [40, 100, 'v0'],
          [41, 101, 'v1'],
          [42, 102, 'v2'],
        ],
      },
    ]
    for (const { bytes: old, expected } of cases) {
      const [only] = splitBatches(old)
      const records = recordCodec.decode(only!)
      assert.deepEqual(
        records.map(one => [one.offset, one.timestamp, one.value?.toString()]),
        expected,
      )
    }
  })
})

describe('varints', () => {
  it('read back as written, one byte for small numbers', () => {
    const number = fc.oneof(
      fc.integer(),
      fc.maxSafeInteger(),
      fc.constantFrom(2 ** 30 - 1, 2 ** 30, -(2 ** 30), -(2 ** 30) - 1),
    )
    fc.assert(
      fc.property(fc.array(number), numbers => {
        const writer = new VarintWriter(1)
        for (const one of numbers) writer.varint(one)
        const reader = new VarintReader(writer.written)
        assert.deepEqual(
          numbers.map(() => reader.read()),
          numbers.map(one => one + 0),
        )
        assert.equal(reader.at, writer.length)
      }),
    )
    const writer = new VarintWriter(1)
    writer.varint(-64)
    writer.varint(300)
    assert.equal(writer.written.toString('hex'), '7fd804')
  })
})

describe('checksums', () => {
  it('patched equals computed anew', () => {
    fc.assert(
      fc.property(bytes(60), bytes(60), bytes(3000), (before, other, behind) => {
        const after = Buffer.alloc(before.length)
        other.copy(after)
        const crc = nativeCrc32c(Buffer.concat([before, behind]))
        const expected = nativeCrc32c(Buffer.concat([after, behind]))
        assert.equal(patchCrc32c(crc, before, after, behind.length), expected)
        assert.equal(pureCrc32c(Buffer.concat([after, behind])), expected)
      }),
    )
  })

  it('of a stamped batch equals computed anew', () => {
    const stamp = fc.record({
      producerId: fc.bigInt({ min: 0n, max: 2n ** 62n }),
      producerEpoch: fc.nat({ max: 32767 }),
      sequence: fc.nat({ max: 2 ** 31 - 1 }),
      attributes: fc.constantFrom(0, 0x10, 0x40, 0x50),
    })
    fc.assert(
      fc.property(
        batch,
        fc.constantFrom(...CODECS),
        stamp,
        ({ base, records: parts }, codec, { sequence, attributes, ...producer }) => {
          const records = asRecords(base, parts)
          const encoded = recordCodec.encode({ codec, baseOffset: base, records })
          encoded.writeInt16BE(encoded.readInt16BE(21) | attributes, 21)
          encoded.writeUInt32BE(nativeCrc32c(encoded.subarray(21)), 17)
          stampBatch(encoded, producer, sequence)
          const { header: head } = raw(encoded)
          assert.equal(head.crc, nativeCrc32c(encoded.subarray(21)))
          assert.equal(head.isTransactional, false)
          assert.deepEqual(
            [head.producerId, head.producerEpoch, head.baseSequence],
            [producer.producerId, producer.producerEpoch, sequence],
          )
          const shifted = records.map(one => ({ ...one, offset: one.offset - base }))
          assert.deepEqual(recordCodec.decode(raw(encoded)), shifted)
        },
      ),
      { numRuns: 60 },
    )
  })
})
