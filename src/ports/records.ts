// Decoding and encoding of record batches, for the few features that look inside (coalescing, re-encoding of thinned
// batches, comparing contents, exports). Engines get it as an argument; the implementation is in src/kafka.
import type { CodecName, ProducerStamp, RawBatch } from '../model/batch.ts'

export type RecordHeader = readonly [key: Buffer, value: Buffer | null]

export type DecodedRecord = {
  readonly offset: number
  /** As a consumer sees it: the batch's own when the topic stamps on append (LogAppendTime). */
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly RecordHeader[]
}

export type EncodeOptions = {
  readonly codec: CodecName
  /** Where the batch stands; that of the first record unless given. `stampBatch` makes it 0 for an append. */
  readonly baseOffset?: number
  /** At least one, offsets ascending from `baseOffset` on. A broker takes only gapless ones. */
  readonly records: readonly DecodedRecord[]
  /** None: an ordinary producer without idempotence. */
  readonly producer?: ProducerStamp
  /** Of the first record; -1 without a producer. */
  readonly baseSequence?: number
}

/** A whole batch of format v2, create time, as fetched; `base`: the offset of its first record. */
export type MergePart = { readonly base: number; readonly bytes: Buffer }
/** One batch that holds the records of the first `taken` parts; unstamped, owned by the caller. */
export type MergedBatch = { readonly bytes: Buffer; readonly taken: number; readonly maxTimestamp: number }

export const MAX_SEED_RECORDS = 100_000

export interface RecordCodec {
  /**
   * The records of one batch, control batches included. Keys and values may share memory with `batch.bytes`. Formats v0
   * and v1 are decoded too. Throws KdrError('not-ready') for bytes that are no batch.
   */
  decode(batch: RawBatch): DecodedRecord[]
  /** A batch of format v2, leader epoch -1, create time, neither transactional nor control. Owned by the caller. */
  encode(options: EncodeOptions): Buffer
  /**
   * One batch of the first part's codec that holds the records of as many `parts` as follow on each other, are intact
   * (checksum), and have at most `limitBytes` of records before compression. Offset, timestamp, key, value and headers of
   * each record stay exactly what they were. All parts are of one codec. Undefined when these are fewer than two.
   */
  merge(parts: readonly MergePart[], limitBytes: number): MergedBatch | undefined
  /**
   * `count` (1 to 100,000) records without key and value in one zstd batch, base offset 0, no producer yet
   * (`stampBatch` gives it one). Owned by the caller.
   */
  seedBatch(count: number, timestampMs: number): Buffer
  /** Whether the bytes match their checksum: asked before a batch is encoded anew, which gives it another. */
  isIntact(batch: RawBatch): boolean
  /** Of a control batch: whether it ends its transaction by an abort. */
  isAbortMarker(batch: RawBatch): boolean
}
