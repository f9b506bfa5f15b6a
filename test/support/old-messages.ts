// Messages in the formats that Kafka wrote before 0.11, byte by byte: no client of today writes them.
//   message => offset i64 size i32 crc u32 magic i8 attributes i8 (timestamp i64, v1 only) key bytes value bytes

import { crc32, gzipSync } from 'node:zlib'

type Message = {
  readonly offset: number
  readonly magic: 0 | 1
  readonly key: string | null
  readonly value: string | Buffer | null
  readonly timestamp?: number
  readonly attributes?: number
}

const GZIP = 1

/** Offsets 0 to 8: plain ones of v0, plain ones of v1, a compressed one of each; one without key, one without value. */
export function messageSet(): Buffer {
  const at = 1_500_000_000_000
  const inner0 = [3, 4].map(offset => message({ offset, magic: 0, key: 'c', value: `packed ${offset}` }))
  const inner1 = [0, 1].map(offset =>
    message({ offset, magic: 1, timestamp: at + 7 + offset, key: 'd', value: `packed ${offset}` }),
  )
  return Buffer.concat([
    message({ offset: 0, magic: 0, key: 'a', value: 'first' }),
    message({ offset: 1, magic: 0, key: null, value: 'no key' }),
    message({ offset: 2, magic: 0, key: 'a', value: null }),
    message({ offset: 4, magic: 0, key: null, value: packed(inner0), attributes: GZIP }),
    message({ offset: 5, magic: 1, timestamp: at, key: 'b', value: 'sixth' }),
    message({ offset: 6, magic: 1, timestamp: at + 1, key: null, value: null }),
    message({
      offset: 8,
      magic: 1,
      timestamp: at + 8,
      key: null,
      value: packed(inner1),
      attributes: GZIP,
    }),
  ])
}

const packed = (messages: readonly Buffer[]): Buffer => gzipSync(Buffer.concat(messages))

export function message({ offset, magic, key, value, timestamp = -1, attributes = 0 }: Message): Buffer {
  const time = Buffer.alloc(magic === 0 ? 0 : 8)
  if (magic === 1) time.writeBigInt64BE(BigInt(timestamp))
  const body = Buffer.concat([Buffer.from([magic, attributes]), time, sized(key), sized(value)])
  const head = Buffer.alloc(16)
  head.writeBigInt64BE(BigInt(offset), 0)
  head.writeInt32BE(4 + body.length, 8)
  head.writeUInt32BE(crc32(body), 12)
  return Buffer.concat([head, body])
}

function sized(value: string | Buffer | null): Buffer {
  const size = Buffer.alloc(4)
  if (value === null) {
    size.writeInt32BE(-1)
    return size
  }
  const bytes = Buffer.from(value)
  size.writeInt32BE(bytes.length)
  return Buffer.concat([size, bytes])
}
