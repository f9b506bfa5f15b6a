// A view over the header of a record batch (format v2, Kafka's DefaultRecordBatch.java). Offsets within the batch:
//   0 baseOffset i64 | 8 batchLength i32 | 12 partitionLeaderEpoch i32 | 16 magic i8 | 17 crc u32 | 21 attributes i16
//   23 lastOffsetDelta i32 | 27 baseTimestamp i64 | 35 maxTimestamp i64 | 43 producerId i64 | 51 producerEpoch i16
//   53 baseSequence i32 | 57 recordCount i32 | 61 records
// batchLength counts from byte 12; the checksum covers everything from byte 21 on. Nothing here reads behind byte 61.
import { patchCrc32c } from './crc32c.ts'
import { invariant, KdrError } from './errors.ts'

export const BATCH_HEADER_BYTES = 61
const LENGTH_AT = 8
/** The header of the oldest format, v0, with an empty message. */
const SMALLEST_BYTES = 26
const LENGTH_OVERHEAD = 12
const EPOCH_AT = 12
const MAGIC_AT = 16
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const PRODUCER_ID_AT = 43

const TRANSACTIONAL = 0x10
const CONTROL = 0x20
const DELETE_HORIZON = 0x40
const LOG_APPEND_TIME = 0x08

export type CodecName = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
export const CODECS: readonly CodecName[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

export type BatchHeader = {
  readonly baseOffset: number
  /** Whole size in bytes, base offset and length fields included. */
  readonly sizeBytes: number
  readonly leaderEpoch: number
  readonly magic: number
  readonly crc: number
  readonly codec: CodecName
  readonly isLogAppendTime: boolean
  readonly isTransactional: boolean
  readonly isControl: boolean
  /** Of the last offset that the batch spans, whether or not a record still has it. */
  readonly lastOffset: number
  readonly baseTimestamp: bigint
  readonly maxTimestamp: number
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly recordCount: number
}

/** A batch as it came from a broker. `bytes` is exactly the batch; whoever holds the RawBatch owns them. */
export type RawBatch = { readonly header: BatchHeader; readonly bytes: Buffer }

function readOffset(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)
}

/** What the records of a batch of format v2 are compressed with. */
export function codecOf(bytes: Buffer): CodecName {
  return CODECS[bytes[ATTRIBUTES_AT + 1]! & 0x07] ?? 'none'
}

/** `bytes` must hold at least the 61 bytes of a header at `at`. */
export function readBatchHeader(bytes: Buffer, at = 0): BatchHeader {
  const attributes = bytes.readInt16BE(at + ATTRIBUTES_AT)
  const baseOffset = readOffset(bytes, at)
  return {
    baseOffset,
    sizeBytes: bytes.readInt32BE(at + LENGTH_AT) + LENGTH_OVERHEAD,
    leaderEpoch: bytes.readInt32BE(at + EPOCH_AT),
    magic: bytes.readInt8(at + MAGIC_AT),
    crc: bytes.readUInt32BE(at + CRC_AT),
    codec: CODECS[attributes & 0x07] ?? 'none',
    isLogAppendTime: (attributes & LOG_APPEND_TIME) !== 0,
    isTransactional: (attributes & TRANSACTIONAL) !== 0,
    isControl: (attributes & CONTROL) !== 0,
    lastOffset: baseOffset + bytes.readInt32BE(at + 23),
    baseTimestamp: bytes.readBigInt64BE(at + 27),
    maxTimestamp: readOffset(bytes, at + 35),
    producerId: bytes.readBigInt64BE(at + PRODUCER_ID_AT),
    producerEpoch: bytes.readInt16BE(at + 51),
    baseSequence: bytes.readInt32BE(at + 53),
    recordCount: bytes.readInt32BE(at + 57),
  }
}

/**
 * Splits fetched bytes into batches. A partial batch at the end (a broker cuts at the byte limit) is left out.
 * Formats v0 and v1 have another layout behind the magic: each message, compressed or not, is a batch with `magic < 2`.
 * Throws KdrError('corrupt') for a length that no batch has.
 */
export function splitBatches(records: Buffer): RawBatch[] {
  const batches: RawBatch[] = []
  let at = 0
  while (at + MAGIC_AT < records.length) {
    const sizeBytes = records.readInt32BE(at + LENGTH_AT) + LENGTH_OVERHEAD
    if (sizeBytes < SMALLEST_BYTES)
      throw new KdrError('corrupt', `a batch says that it has ${sizeBytes} bytes`)
    if (at + sizeBytes > records.length) break
    const bytes = records.subarray(at, at + sizeBytes)
    const header = bytes.readInt8(MAGIC_AT) < 2 ? readOldHeader(bytes) : readBatchHeader(bytes)
    batches.push({ header, bytes })
    at += sizeBytes
  }
  return batches
}

function readOldHeader(bytes: Buffer): BatchHeader {
  const baseOffset = readOffset(bytes, 0)
  return {
    baseOffset,
    sizeBytes: bytes.length,
    leaderEpoch: -1,
    magic: bytes.readInt8(MAGIC_AT),
    crc: 0,
    codec: 'none',
    isLogAppendTime: false,
    isTransactional: false,
    isControl: false,
    lastOffset: baseOffset,
    baseTimestamp: -1n,
    maxTimestamp: -1,
    producerId: -1n,
    producerEpoch: -1,
    baseSequence: -1,
    recordCount: 1,
  }
}

/** True when every offset of the batch still has its record, so that a broker would take it as it is. */
export function isWhole(header: BatchHeader): boolean {
  return header.recordCount === header.lastOffset - header.baseOffset + 1
}

export type ProducerStamp = { readonly producerId: bigint; readonly producerEpoch: number }

/**
 * Rewrites the header in place for an append by `producer` (DESIGN 2.1.1): base offset 0, leader epoch -1, no
 * transactional bit, no delete horizon, own producer fields, checksum patched. The payload is not read.
 */
export function stampBatch(bytes: Buffer, producer: ProducerStamp, baseSequence: number): void {
  invariant(bytes.length >= BATCH_HEADER_BYTES, 'a batch is shorter than its header', {
    length: bytes.length,
  })
  const before = Buffer.from(bytes.subarray(ATTRIBUTES_AT, BATCH_HEADER_BYTES))
  bytes.fill(0, 0, 8)
  bytes.writeInt32BE(-1, EPOCH_AT)
  bytes.writeInt16BE(bytes.readInt16BE(ATTRIBUTES_AT) & ~(TRANSACTIONAL | DELETE_HORIZON), ATTRIBUTES_AT)
  bytes.writeBigInt64BE(producer.producerId, PRODUCER_ID_AT)
  bytes.writeInt16BE(producer.producerEpoch, 51)
  bytes.writeInt32BE(baseSequence, 53)
  const after = bytes.subarray(ATTRIBUTES_AT, BATCH_HEADER_BYTES)
  const crc = patchCrc32c(bytes.readUInt32BE(CRC_AT), before, after, bytes.length - BATCH_HEADER_BYTES)
  bytes.writeUInt32BE(crc, CRC_AT)
}

/** In place: a broker looks at the rights of whoever sends it, and then refuses it with CORRUPT_MESSAGE. It is never appended. */
export function spoilChecksum(bytes: Buffer): void {
  bytes.writeUInt32BE(~bytes.readUInt32BE(CRC_AT) >>> 0, CRC_AT)
}

/** The checksum that `stampBatch` would leave, for comparing a mirror's batch with its source from headers alone. */
export function stampedCrc(bytes: Buffer, like: BatchHeader): number {
  const header = Buffer.from(bytes.subarray(ATTRIBUTES_AT, BATCH_HEADER_BYTES))
  const after = Buffer.from(header)
  after.writeInt16BE(after.readInt16BE(0) & ~(TRANSACTIONAL | DELETE_HORIZON), 0)
  after.writeBigInt64BE(like.producerId, PRODUCER_ID_AT - ATTRIBUTES_AT)
  after.writeInt16BE(like.producerEpoch, 51 - ATTRIBUTES_AT)
  after.writeInt32BE(like.baseSequence, 53 - ATTRIBUTES_AT)
  return patchCrc32c(bytes.readUInt32BE(CRC_AT), header, after, bytes.length - BATCH_HEADER_BYTES)
}

const SEQUENCE_MODULUS = 2 ** 31

/** Sequences wrap from 2^31 - 1 to 0 (DefaultRecordBatch.incrementSequence). */
export function advanceSequence(sequence: number, records: number): number {
  return (sequence + records) % SEQUENCE_MODULUS
}
