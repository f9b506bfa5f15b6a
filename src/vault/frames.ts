// The bytes of a frame, a run of whole batches of about 1 MiB, and back. Compressed, each is a zstd frame of its own, so that a reader
// takes only what it needs, and `zstd -d` of the whole gives the plain log.
import { promisify } from 'node:util'
import { constants, createZstdCompress, zstdDecompress } from 'node:zlib'
import { type RawBatch, splitBatches } from '../model/batch.ts'
import { KdrError } from '../model/errors.ts'
import { release } from '../model/release.ts'
import type { Compression, Frame, Segment } from '../model/vault.ts'

export const FRAME_BYTES = 1024 * 1024
/** Level 1: 290 MB of noise and 200 MB of JSON a second on one core, where the default takes 27 and 76, and the results are no larger. */
const LEVEL = { [constants.ZSTD_c_compressionLevel]: 1 }

const decompress = promisify(zstdDecompress)

/** Records that producers have not compressed are worth compressing; others are not. */
export function compressionFor(batches: readonly RawBatch[]): Compression {
  let plain = 0
  let all = 0
  for (const { header, bytes } of batches) {
    all += bytes.length
    if (header.codec === 'none') plain += bytes.length
  }
  return plain * 2 > all ? 'zstd' : 'none'
}

/** Off the main thread. What it gives stands alone in its memory, which may be larger. */
export async function compressFrame(raw: Buffer): Promise<Buffer> {
  // It comes in two pieces; both fit into one buffer (ZSTD_COMPRESSBOUND), which is not one of Node's pool of small ones.
  const chunkSize = Math.max(Buffer.poolSize, raw.length + (raw.length >> 8) + 128)
  const stream = createZstdCompress({ chunkSize, params: LEVEL })
  stream.end(raw)
  return joined((await stream.toArray()) as Buffer[])
}

/** Copied only where they do not lie one behind the other. */
export function joined(pieces: readonly Buffer[]): Buffer {
  const first = pieces[0]!
  let end = first.byteOffset
  for (const { buffer, byteOffset, byteLength } of pieces) {
    if (buffer !== first.buffer || byteOffset !== end) return Buffer.concat(pieces)
    end += byteLength
  }
  return Buffer.from(first.buffer, first.byteOffset, end - first.byteOffset)
}

/** `stored`: the bytes of one frame. Throws KdrError('damaged'). */
export async function readFrame(
  stored: Buffer,
  { compression, object }: Pick<Segment, 'compression' | 'object'>,
  frame: Frame,
): Promise<RawBatch[]> {
  const damaged = (what: string, cause?: unknown): KdrError =>
    new KdrError('damaged', `object "${object}" is damaged at offset ${frame.from}: ${what}`, { cause })
  if (stored.length !== frame.bytes) throw damaged(`${frame.bytes - stored.length} bytes are missing`)
  try {
    const raw = compression === 'zstd' ? await decompressFrame(stored, frame) : stored
    const batches = splitBatches(raw)
    const bytes = batches.reduce((sum, batch) => sum + batch.bytes.length, 0)
    if (bytes !== frame.rawBytes || raw.length !== frame.rawBytes) throw damaged('a batch is cut')
    if (batches[0]!.header.baseOffset !== frame.from) throw damaged('it begins with another offset')
    return batches
  } catch (error) {
    if (error instanceof KdrError && error.code === 'damaged') throw error
    throw damaged(error instanceof Error ? error.message : String(error), error)
  }
}

/** Of what `readFrame` gave: nobody may use any of it from now on. */
export function releaseFrame(batches: readonly RawBatch[]): void {
  const { buffer } = batches[0]!.bytes
  // One of Node's pool has others' bytes too.
  if (buffer.byteLength > Buffer.poolSize) release(Buffer.from(buffer))
}

/** In one piece, with some room, or its end would be looked for in another one: pieces of the usual 16 KB take ten times the CPU. */
async function decompressFrame(stored: Buffer, { rawBytes }: Frame): Promise<Buffer> {
  return await decompress(stored, { chunkSize: rawBytes + 64 })
}
