// One batch out of small neighbours of one codec, because a broker's work is by the batch (DESIGN 2.1.9). Records are not
// decoded: of each, its length and its two deltas are written anew, and what follows them (key, value, headers) is copied
// as it stands. A batch that does not match its checksum, or that could not be rewritten exactly, is never taken in: it
// goes to the target as it is, and the target judges it.
import { BATCH_HEADER_BYTES, type CodecName, codecOf } from '../model/batch.ts'
import type { MergedBatch, MergePart } from '../ports/records.ts'
import { compress, decompress } from './codec.ts'
import { crc32c } from './crc.ts'
import { frame, seal } from './frame.ts'
import { VarintReader, VarintWriter, varintSize } from './varint.ts'

const CRC_AT = 17
const CRC_FROM = 21
const LAST_DELTA_AT = 23
const BASE_TIMESTAMP_AT = 27
const COUNT_AT = 57
const NO_HEADER = Buffer.alloc(BATCH_HEADER_BYTES)
/** What a record may grow by: its length by 4 bytes, the timestamp's delta by 9, the offset's by 4. */
const GROWTH = 17

/** See RecordCodec.merge. */
export function merge(parts: readonly MergePart[], limitBytes: number): MergedBatch | undefined {
  const [first] = parts
  if (first === undefined) return undefined
  const codec = codecOf(first.bytes)
  const capacity = parts.reduce((sum, { bytes }) => sum + bytes.length, 0)
  const merger = new Merger(first, Math.min(capacity, limitBytes), limitBytes)
  let taken = 0
  while (taken < parts.length && merger.add(parts[taken]!, codec)) taken++
  return taken < 2 ? undefined : { bytes: merger.finish(codec), taken, maxTimestamp: merger.maxTimestamp }
}

class Merger {
  readonly #base: number
  readonly #baseTimestamp: number
  readonly #limitBytes: number
  readonly #writer: VarintWriter
  #records = 0
  maxTimestamp = -1

  constructor(first: MergePart, capacityBytes: number, limitBytes: number) {
    this.#base = first.base
    this.#baseTimestamp = readNumber(first.bytes, BASE_TIMESTAMP_AT)
    this.#limitBytes = limitBytes
    this.#writer = new VarintWriter(BATCH_HEADER_BYTES + capacityBytes)
    this.#writer.append(NO_HEADER)
  }

  /** False: there is no room for it, or it must not be rewritten; nothing of it is kept then. */
  add({ base, bytes }: MergePart, codec: CodecName): boolean {
    const count = bytes.readInt32BE(COUNT_AT)
    const isNext = base === this.#base + this.#records && count === bytes.readInt32BE(LAST_DELTA_AT) + 1
    if (!isNext || crc32c(bytes.subarray(CRC_FROM)) !== bytes.readUInt32BE(CRC_AT)) return false
    const before = { length: this.#writer.length, maxTimestamp: this.maxTimestamp }
    const shift = readNumber(bytes, BASE_TIMESTAMP_AT) - this.#baseTimestamp
    if (this.#copy(bytes, codec, { count, shift })) {
      this.#records += count
      return true
    }
    this.#writer.truncate(before.length)
    this.maxTimestamp = before.maxTimestamp
    return false
  }

  finish(codec: CodecName): Buffer {
    const { written } = this.#writer
    const header = {
      codec,
      baseOffset: this.#base,
      lastOffsetDelta: this.#records - 1,
      baseTimestamp: this.#baseTimestamp,
      maxTimestamp: this.maxTimestamp,
      producerId: -1n,
      producerEpoch: -1,
      baseSequence: -1,
      recordCount: this.#records,
    }
    return codec === 'none'
      ? seal(written, header)
      : frame(compress(codec, written.subarray(BATCH_HEADER_BYTES)), header)
  }

  #copy(bytes: Buffer, codec: CodecName, { count, shift }: { count: number; shift: number }): boolean {
    try {
      const reader =
        codec === 'none'
          ? new VarintReader(bytes, BATCH_HEADER_BYTES)
          : new VarintReader(decompress(codec, bytes.subarray(BATCH_HEADER_BYTES)))
      const needed = reader.bytes.length - reader.at + count * GROWTH
      if (this.#writer.length + needed > this.#limitBytes) return false
      for (let i = 0; i < count; i++) if (!this.#copyRecord(reader, i, shift)) return false
      return reader.at === reader.bytes.length
    } catch {
      // Cut, or compressed otherwise than it says: whatever it is, it is not for this file to judge.
      return false
    }
  }

  #copyRecord(reader: VarintReader, index: number, shift: number): boolean {
    const length = reader.read()
    const end = reader.at + length
    const attributes = reader.bytes[reader.at++] ?? 0
    const sourceDelta = reader.read()
    const offsetDelta = reader.read()
    const rest = end - reader.at
    if (offsetDelta !== index || rest < 0 || end > reader.bytes.length) return false
    const timestampDelta = sourceDelta + shift
    const timestamp = this.#baseTimestamp + timestampDelta
    // A timestamp that a number does not hold exactly (in nanoseconds, say) cannot be moved to another base.
    if (!Number.isSafeInteger(sourceDelta) || !Number.isSafeInteger(timestamp)) return false
    const writer = this.#writer
    const delta = this.#records + index
    writer.varint(1 + varintSize(timestampDelta) + varintSize(delta) + rest)
    writer.byte(attributes)
    writer.varint(timestampDelta)
    writer.varint(delta)
    writer.copy(reader.bytes, reader.at, end)
    reader.at = end
    if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp
    return true
  }
}

/** An i64, rounded where a number does not hold it: what is computed from it is no safe integer then either. */
function readNumber(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)
}
