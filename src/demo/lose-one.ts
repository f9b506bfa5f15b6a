// BREAK=lose-one: a record disappears from a broker's disk, as a bug of a replicator or a bad disk could have it. The
// batch that holds it goes on without it, with a right checksum, so that neither Kafka nor a consumer can notice.

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BATCH_HEADER_BYTES, type RawBatch, splitBatches } from '../model/batch.ts'
import { crc32c } from '../model/crc32c.ts'
import { KdrError } from '../model/errors.ts'

/**
 * Cuts the record at `offset`, or the next one that there is, out of the log in `dir` (a partition's folder; its broker
 * must not run). Returns its offset. The batch must not be compressed.
 */
export function loseOne(dir: string, offset: number): number {
  const segments = readdirSync(dir).filter(name => name.endsWith('.log'))
  for (const name of segments.sort()) {
    const path = join(dir, name)
    const batches = splitBatches(readFileSync(path))
    const index = batches.findIndex(({ header }) => header.lastOffset >= offset && isData(header))
    const batch = batches[index]
    if (batch === undefined) continue
    const { without, lost } = cut(batch, offset)
    writeFileSync(path, Buffer.concat(batches.map(({ bytes }, at) => (at === index ? without : bytes))))
    // They point into the file as it was; the broker makes them again.
    for (const kind of ['index', 'timeindex', 'txnindex']) rmSync(path.replace(/log$/, kind), { force: true })
    return lost
  }
  throw new KdrError('not-ready', `no record at or behind offset ${offset} in "${dir}" can be lost`)
}

function isData({ isControl, codec, recordCount, magic }: RawBatch['header']): boolean {
  return !isControl && codec === 'none' && recordCount > 0 && magic === 2
}

function cut({ header, bytes }: RawBatch, offset: number): { without: Buffer; lost: number } {
  let at = BATCH_HEADER_BYTES
  for (let left = header.recordCount; left > 0; left--) {
    const length = readVarint(bytes, at)
    const end = length.at + length.value
    // A record: length, attributes (one byte), delta of its timestamp, delta of its offset, ...
    const delta = readVarint(bytes, readVarint(bytes, length.at + 1).at)
    const lost = header.baseOffset + delta.value
    if (lost >= offset || left === 1) {
      const without = Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)])
      without.writeInt32BE(without.length - 12, 8)
      without.writeInt32BE(header.recordCount - 1, 57)
      without.writeUInt32BE(crc32c(without.subarray(21)), 17)
      return { without, lost }
    }
    at = end
  }
  throw new KdrError('not-ready', 'a batch has fewer records than its header says')
}

/** Zigzag, base 128; the deltas of the demo's records fit in 32 bits. */
function readVarint(bytes: Buffer, from: number): { readonly value: number; readonly at: number } {
  let raw = 0
  let at = from
  for (let shift = 0; ; shift += 7, at++) {
    const byte = bytes[at] ?? 0
    raw |= (byte & 0x7f) << shift
    if (byte < 0x80) return { value: (raw >>> 1) ^ -(raw & 1), at: at + 1 }
  }
}
