// The record codec for format v2 (Kafka's DefaultRecord.java and DefaultRecordBatch.java; the header is in model/batch.ts).
//
//   record => length varint, then: attributes i8, timestamp_delta varlong, offset_delta varint,
//             key bytes, value bytes (length varint, -1 for null), header count varint, [key bytes, value bytes]
// Records of a compressed batch are compressed together, behind the header.
import { BATCH_HEADER_BYTES, type RawBatch } from '../model/batch.ts'
import { invariant, KdrError } from '../model/errors.ts'
import {
  type DecodedRecord,
  type EncodeOptions,
  MAX_SEED_RECORDS,
  type RecordCodec,
  type RecordHeader,
} from '../ports/records.ts'
import { compress, decompress } from './codec.ts'
import { crc32c } from './crc.ts'
import { frame } from './frame.ts'
import { decodeLegacy } from './legacy.ts'
import { merge } from './merge.ts'
import { VarintReader, VarintWriter } from './varint.ts'

const MAGIC = 2
const CRC_FROM = 21
const CONTROL_TYPE_AT = 2
const ABORT = 0

function decode(batch: RawBatch): DecodedRecord[] {
  try {
    return batch.header.magic < MAGIC ? decodeLegacy(batch.bytes) : decodeRecords(batch)
  } catch (error) {
    const { baseOffset, codec } = batch.header
    throw new KdrError(
      'corrupt',
      `the batch at offset ${baseOffset} (${codec}) cannot be decoded: ${String(error)}`,
      {
        cause: error,
      },
    )
  }
}

function decodeRecords({ header, bytes }: RawBatch): DecodedRecord[] {
  const reader = new VarintReader(decompress(header.codec, bytes.subarray(BATCH_HEADER_BYTES)))
  const baseTimestamp = Number(header.baseTimestamp)
  const records: DecodedRecord[] = []
  for (let i = 0; i < header.recordCount; i++) {
    const length = reader.read()
    const end = reader.at + length
    if (length < 0 || end > reader.bytes.length)
      throw new RangeError(`record ${i} of ${header.recordCount} is cut`)
    reader.take(1)
    const timestamp = baseTimestamp + reader.read()
    const offset = header.baseOffset + reader.read()
    const key = reader.readBytes()
    const value = reader.readBytes()
    const headers = readHeaders(reader)
    reader.at = end
    records.push({
      offset,
      timestamp: header.isLogAppendTime ? header.maxTimestamp : timestamp,
      key,
      value,
      headers,
    })
  }
  return records
}

function readHeaders(reader: VarintReader): RecordHeader[] {
  const headers: RecordHeader[] = []
  for (let count = reader.read(); count > 0; count--) {
    const key = reader.readBytes()
    if (key === null) throw new RangeError('a header has no key')
    headers.push([key, reader.readBytes()])
  }
  return headers
}

function encode(options: EncodeOptions): Buffer {
  const { records } = options
  const first = records[0]
  invariant(first !== undefined, 'a batch without records is not a batch')
  const baseOffset = options.baseOffset ?? first.offset
  const payload = new VarintWriter(1024)
  const record = new VarintWriter(1024)
  let maxTimestamp = first.timestamp
  let before = -1
  for (const one of records) {
    const delta = one.offset - baseOffset
    invariant(delta > before, 'records are not in the order of their offsets', {
      baseOffset,
      offset: one.offset,
    })
    before = delta
    maxTimestamp = Math.max(maxTimestamp, one.timestamp)
    record.reset()
    writeRecord(record, one, one.timestamp - first.timestamp, delta)
    payload.varint(record.length)
    payload.append(record.written)
  }
  const compressed = compress(options.codec, payload.written)
  return frame(compressed, {
    codec: options.codec,
    baseOffset,
    lastOffsetDelta: before,
    baseTimestamp: first.timestamp,
    maxTimestamp,
    producerId: options.producer?.producerId ?? -1n,
    producerEpoch: options.producer?.producerEpoch ?? -1,
    baseSequence: options.baseSequence ?? -1,
    recordCount: records.length,
  })
}

function writeRecord(
  writer: VarintWriter,
  record: DecodedRecord,
  timestampDelta: number,
  offsetDelta: number,
): void {
  writer.byte(0)
  writer.varint(timestampDelta)
  writer.varint(offsetDelta)
  writer.bytes(record.key)
  writer.bytes(record.value)
  writer.varint(record.headers.length)
  for (const [key, value] of record.headers) {
    writer.bytes(key)
    writer.bytes(value)
  }
}

/** Compressed payloads by count, 60 kB at most each. Nearly all are of the full size, so a few are enough. */
const seeds = new Map<number, Buffer>()
const SEEDS_KEPT = 16

function seedPayload(count: number): Buffer {
  const known = seeds.get(count)
  if (known !== undefined) return known
  const payload = new VarintWriter(count * 9)
  const record = new VarintWriter(16)
  const empty: DecodedRecord = { offset: 0, timestamp: 0, key: null, value: null, headers: [] }
  for (let delta = 0; delta < count; delta++) {
    record.reset()
    writeRecord(record, empty, 0, delta)
    payload.varint(record.length)
    payload.append(record.written)
  }
  const compressed = compress('zstd', payload.written)
  const oldest = seeds.keys().next()
  if (seeds.size >= SEEDS_KEPT && oldest.done === false) seeds.delete(oldest.value)
  seeds.set(count, compressed)
  return compressed
}

function seedBatch(count: number, timestampMs: number): Buffer {
  invariant(count >= 1 && count <= MAX_SEED_RECORDS, 'a seed batch has 1 to 100,000 records', { count })
  return frame(seedPayload(count), {
    codec: 'zstd',
    baseOffset: 0,
    lastOffsetDelta: count - 1,
    baseTimestamp: timestampMs,
    maxTimestamp: timestampMs,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    recordCount: count,
  })
}

/** A control record's key is version i16, type i16 (0 abort, 1 commit). */
function isAbortMarker(batch: RawBatch): boolean {
  if (!batch.header.isControl) return false
  const key = decode(batch)[0]?.key
  return key !== null && key !== undefined && key.length >= 4 && key.readInt16BE(CONTROL_TYPE_AT) === ABORT
}

/** Formats v0 and v1 keep their checksums elsewhere; decoding them checks what there is. */
function isIntact({ header, bytes }: RawBatch): boolean {
  return header.magic < MAGIC || crc32c(bytes.subarray(CRC_FROM)) === header.crc
}

export const recordCodec: RecordCodec = {
  decode,
  encode,
  merge,
  seedBatch,
  isIntact,
  isAbortMarker,
}
