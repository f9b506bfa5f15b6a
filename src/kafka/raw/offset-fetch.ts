// OffsetFetch v8, answers read by hand: ten thousand groups are asked for every five seconds, and nearly all of them answer as
// before. So a group's part of the answer stays bytes until it differs from that of the last time (`GroupOffsetReader`).
//
//   Response => throttle_time_ms i32 [groups] TAGS
//     groups => group_id str [topics] error_code i16 TAGS
//     topics => name str [partition i32 offset i64 leader_epoch i32 metadata str error_code i16 TAGS] TAGS
import { type API, createAPI, type Reader, Writer } from '@platformatic/kafka'

/** `bytes`: all behind the name. */
export type RawGroup = { readonly group: string; readonly bytes: Buffer }
export type RawOffset = {
  readonly topic: string
  readonly partition: number
  /** -1: none. */
  readonly offset: number
  readonly metadata: string | null
  readonly code: number
}

const ALL_TOPICS = null

function createRequest(groups: readonly string[]): Writer {
  return Writer.create()
    .appendArray(
      [...groups],
      (w, group) =>
        w
          .appendString(group)
          .appendArray(ALL_TOPICS, () => undefined)
          .appendTaggedFields(),
      true,
      false,
    )
    .appendBoolean(true)
    .appendTaggedFields()
}

function parseResponse(_correlation: number, _key: number, _version: number, reader: Reader): RawGroup[] {
  const cursor = new Cursor(reader.buffer.slice(reader.position))
  cursor.skip(4)
  const groups: RawGroup[] = []
  for (let left = cursor.count(); left > 0; left--) {
    const group = cursor.text() ?? ''
    const from = cursor.at
    for (let topics = cursor.count(); topics > 0; topics--) {
      cursor.skipText()
      for (let partitions = cursor.count(); partitions > 0; partitions--) {
        cursor.skip(16)
        cursor.skipText()
        cursor.skip(2)
        cursor.skipTags()
      }
      cursor.skipTags()
    }
    cursor.skip(2)
    cursor.skipTags()
    groups.push({ group, bytes: cursor.bytes.subarray(from, cursor.at) })
  }
  return groups
}

/** What `RawGroup.bytes` says. */
export function readRawGroup(bytes: Buffer): {
  readonly code: number
  readonly offsets: readonly RawOffset[]
} {
  const cursor = new Cursor(bytes)
  const offsets: RawOffset[] = []
  for (let topics = cursor.count(); topics > 0; topics--) {
    const topic = cursor.text() ?? ''
    for (let partitions = cursor.count(); partitions > 0; partitions--) {
      const partition = cursor.int32()
      const offset = cursor.int64()
      cursor.skip(4)
      const metadata = cursor.text()
      const code = cursor.int16()
      cursor.skipTags()
      offsets.push({ topic, partition, offset, metadata, code })
    }
    cursor.skipTags()
  }
  return { code: cursor.int16(), offsets }
}

/** Reads beyond the end throw RangeError. */
class Cursor {
  readonly bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  skip(count: number): void {
    this.at += count
    if (this.at > this.bytes.length) throw new RangeError('an answer is cut')
  }

  varint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = this.bytes.readUInt8(this.at++)
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
  }

  /** Of a compact array; none for null. */
  count(): number {
    return Math.max(0, this.varint() - 1)
  }

  text(): string | null {
    const length = this.varint() - 1
    if (length < 0) return null
    this.skip(length)
    return this.bytes.toString('utf8', this.at - length, this.at)
  }

  skipText(): void {
    this.skip(this.count())
  }

  skipTags(): void {
    for (let tags = this.varint(); tags > 0; tags--) {
      this.varint()
      this.skip(this.varint())
    }
  }

  int16(): number {
    this.skip(2)
    return this.bytes.readInt16BE(this.at - 2)
  }

  int32(): number {
    this.skip(4)
    return this.bytes.readInt32BE(this.at - 4)
  }

  int64(): number {
    this.skip(8)
    return Number(this.bytes.readBigInt64BE(this.at - 8))
  }
}

export const offsetFetch: API<[groups: readonly string[]], RawGroup[]> = createAPI(
  9,
  8,
  createRequest,
  parseResponse,
)
