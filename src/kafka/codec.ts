// The five compressions of record batches. gzip and zstd are Node's, lz4 and snappy the library's. Java frames snappy in
// blocks (the xerial format), other clients do not: both are read, Java's is written.
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { compressionsAlgorithms } from '@platformatic/kafka'
import type { CodecName } from '../model/batch.ts'

const XERIAL_MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const XERIAL_HEADER = Buffer.concat([XERIAL_MAGIC, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1])])
const XERIAL_BLOCK = 32 * 1024

/** `bytes` is not empty. */
export function compress(codec: CodecName, bytes: Buffer): Buffer {
  switch (codec) {
    case 'none':
      return bytes
    case 'gzip':
      return gzipSync(bytes)
    case 'snappy':
      return compressXerial(bytes)
    case 'lz4':
      return compressionsAlgorithms.lz4.compressSync(bytes)
    case 'zstd':
      return zstdCompressSync(bytes)
  }
}

/** Throws what the decompressor throws on bytes that are not what they say they are. */
export function decompress(codec: CodecName, bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes
  switch (codec) {
    case 'none':
      return bytes
    case 'gzip':
      return gunzipSync(bytes)
    case 'snappy':
      return decompressSnappy(bytes)
    case 'lz4':
      return compressionsAlgorithms.lz4.decompressSync(bytes)
    case 'zstd':
      return zstdDecompressSync(bytes)
  }
}

function compressXerial(bytes: Buffer): Buffer {
  const parts: Buffer[] = [XERIAL_HEADER]
  for (let at = 0; at < bytes.length; at += XERIAL_BLOCK) {
    const block = compressionsAlgorithms.snappy.compressSync(bytes.subarray(at, at + XERIAL_BLOCK))
    const length = Buffer.allocUnsafe(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}

function decompressSnappy(bytes: Buffer): Buffer {
  const { snappy } = compressionsAlgorithms
  if (!bytes.subarray(0, XERIAL_MAGIC.length).equals(XERIAL_MAGIC)) return snappy.decompressSync(bytes)
  const blocks: Buffer[] = []
  for (let at = XERIAL_HEADER.length; at < bytes.length; ) {
    const length = bytes.readInt32BE(at)
    const end = at + 4 + length
    if (length <= 0 || end > bytes.length) throw new RangeError('a snappy block is cut')
    blocks.push(snappy.decompressSync(bytes.subarray(at + 4, end)))
    at = end
  }
  return Buffer.concat(blocks)
}
