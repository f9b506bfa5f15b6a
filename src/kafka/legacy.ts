// Formats v0 and v1, which old topics still hold and new brokers still serve. Read only: kdr writes v2.
//
//   message => offset i64 size i32 crc u32 magic i8 attributes i8 (timestamp i64, v1 only) key bytes value bytes (i32, -1 null)
//   attributes: compression in bits 0-2, log append time in bit 3 (v1). A compressed message holds messages as its value; the
//   outer offset is that of the last of them; in v1 the inner offsets count from 0, in v0 they are absolute.
import { crc32 } from 'node:zlib'
import { CODECS } from '../model/batch.ts'
import type { DecodedRecord } from '../ports/records.ts'
import { decompress } from './codec.ts'

const HEADER_BYTES = 12
const CRC_AT = 12
const MAGIC_AT = 16
const LOG_APPEND_TIME = 0x08
const NO_TIMESTAMP = -1

type Message = {
  readonly offset: number
  readonly magic: number
  readonly attributes: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

export function decodeLegacy(bytes: Buffer): DecodedRecord[] {
  return readMessages(bytes).flatMap(outer => {
    const codec = CODECS[outer.attributes & 0x07] ?? 'none'
    if (codec === 'none') return [toRecord(outer, outer.offset, outer.timestamp)]
    if (outer.value === null) throw new RangeError('a compressed message has no value')
    const inner = readMessages(decompress(codec, outer.value))
    const last = inner.at(-1)?.offset ?? 0
    const shift = outer.magic === 0 ? 0 : outer.offset - last
    const isAppendTime = outer.magic === 1 && (outer.attributes & LOG_APPEND_TIME) !== 0
    return inner.map(message =>
      toRecord(message, message.offset + shift, isAppendTime ? outer.timestamp : message.timestamp),
    )
  })
}

function toRecord(message: Message, offset: number, timestamp: number): DecodedRecord {
  return { offset, timestamp, key: message.key, value: message.value, headers: [] }
}

function readMessages(bytes: Buffer): Message[] {
  const messages: Message[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + HEADER_BYTES + bytes.readInt32BE(at + 8)
    if (end > bytes.length) throw new RangeError('a message is cut')
    if (crc32(bytes.subarray(at + MAGIC_AT, end)) !== bytes.readUInt32BE(at + CRC_AT))
      throw new RangeError('a message does not match its checksum')
    messages.push(readMessage(bytes.subarray(at, end)))
    at = end
  }
  return messages
}

function readMessage(bytes: Buffer): Message {
  const magic = bytes.readInt8(MAGIC_AT)
  const attributes = bytes.readInt8(MAGIC_AT + 1)
  const timestamp = magic === 0 ? NO_TIMESTAMP : Number(bytes.readBigInt64BE(MAGIC_AT + 2))
  const keyAt = MAGIC_AT + 2 + (magic === 0 ? 0 : 8)
  const key = readBytes(bytes, keyAt)
  const value = readBytes(bytes, keyAt + 4 + (key?.length ?? 0))
  return { offset: Number(bytes.readBigInt64BE(0)), magic, attributes, timestamp, key, value }
}

function readBytes(bytes: Buffer, at: number): Buffer | null {
  const length = bytes.readInt32BE(at)
  if (length < 0) return null
  if (at + 4 + length > bytes.length) throw new RangeError('a message is cut')
  return bytes.subarray(at + 4, at + 4 + length)
}
