// The header of a batch of format v2, written around records that are there already (layout: model/batch.ts).
import { BATCH_HEADER_BYTES, CODECS, type CodecName } from '../model/batch.ts'
import { crc32c } from './crc.ts'

const LENGTH_OVERHEAD = 12
const MAGIC = 2
const CRC_AT = 17
const CRC_FROM = 21

export type Frame = {
  readonly codec: CodecName
  readonly baseOffset: number
  readonly lastOffsetDelta: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly recordCount: number
}

/** A header before a copy of `payload`, checksum included. */
export function frame(payload: Buffer, header: Frame): Buffer {
  const bytes = Buffer.allocUnsafe(BATCH_HEADER_BYTES + payload.length)
  payload.copy(bytes, BATCH_HEADER_BYTES)
  return seal(bytes, header)
}

/** Writes the header, checksum included, into the first 61 bytes; the records stand behind them. Returns `bytes`. */
export function seal(bytes: Buffer, header: Frame): Buffer {
  bytes.writeBigInt64BE(BigInt(header.baseOffset), 0)
  bytes.writeInt32BE(bytes.length - LENGTH_OVERHEAD, 8)
  bytes.writeInt32BE(-1, 12)
  bytes.writeInt8(MAGIC, 16)
  bytes.writeInt16BE(CODECS.indexOf(header.codec), 21)
  bytes.writeInt32BE(header.lastOffsetDelta, 23)
  bytes.writeBigInt64BE(BigInt(header.baseTimestamp), 27)
  bytes.writeBigInt64BE(BigInt(header.maxTimestamp), 35)
  bytes.writeBigInt64BE(header.producerId, 43)
  bytes.writeInt16BE(header.producerEpoch, 51)
  bytes.writeInt32BE(header.baseSequence, 53)
  bytes.writeInt32BE(header.recordCount, 57)
  bytes.writeUInt32BE(crc32c(bytes.subarray(CRC_FROM)), CRC_AT)
  return bytes
}
