// Batches to the bytes of a segment and its index, and back. A frame is a run of whole batches of about 1 MiB; compressed, each is
// a zstd frame of its own, so that a reader takes only what it needs, and `zstd -d` of the whole gives the plain log.
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import { type RawBatch, splitBatches } from '../model/batch.ts'
import { KdrError } from '../model/errors.ts'
import type { AbortedTransaction, Compression, Frame, Segment, SegmentIndex } from '../model/vault.ts'
import type { Part } from '../ports/vault.ts'

export const FRAME_BYTES = 1024 * 1024
/**
 * Level 1: 290 MB of noise and 200 MB of JSON a second on one core, where the default takes 27 and 76, and the results are no larger.
 * In few pieces: those of 16 KB that are usual are joined, and lie about until they are cleaned up.
 */
const COMPRESSING = { chunkSize: 256 * 1024, params: { [constants.ZSTD_c_compressionLevel]: 1 } }

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

export type Framed = {
  readonly body: readonly Buffer[]
  readonly index: SegmentIndex
  readonly facts: Omit<Segment, 'object' | 'position' | 'index'>
}

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

export async function frameBatches(part: Part, compression: Compression): Promise<Framed> {
  const { batches } = part
  const frames: Frame[] = []
  const body: Buffer[] = []
  let position = 0
  for (const some of inFrames(batches)) {
    const raw = Buffer.concat(some.map(({ bytes }) => bytes))
    const stored = compression === 'zstd' ? await compress(raw, COMPRESSING) : raw
    body.push(stored)
    frames.push({
      from: some[0]!.header.baseOffset,
      position,
      bytes: stored.length,
      rawBytes: raw.length,
      maxTimestamp: largest(some),
    })
    position += stored.length
  }
  const from = batches[0]!.header.baseOffset
  return {
    body,
    index: {
      topic: part.topic,
      partition: part.partition,
      position: 0,
      from,
      frames,
      aborted: abortedOf(part),
    },
    facts: {
      bytes: position,
      compression,
      from,
      to: batches.at(-1)!.header.lastOffset + 1,
      rawBytes: frames.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
      batches: batches.length,
      records: batches.reduce((sum, { header }) => sum + header.recordCount, 0),
      maxTimestamp: largest(batches),
      epochs: epochsIn(batches),
    },
  }
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
    const raw = compression === 'zstd' ? await decompress(stored) : stored
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

function* inFrames(batches: readonly RawBatch[]): Generator<readonly RawBatch[]> {
  let some: RawBatch[] = []
  let bytes = 0
  for (const batch of batches) {
    if (some.length > 0 && bytes + batch.bytes.length > FRAME_BYTES) {
      yield some
      some = []
      bytes = 0
    }
    some.push(batch)
    bytes += batch.bytes.length
  }
  if (some.length > 0) yield some
}

function largest(batches: readonly RawBatch[]): number {
  return batches.reduce((most, { header }) => Math.max(most, header.maxTimestamp), -1)
}

function epochsIn(batches: readonly RawBatch[]): (readonly [number, number])[] {
  const epochs: (readonly [number, number])[] = []
  for (const { header } of batches)
    if (epochs.at(-1)?.[0] !== header.leaderEpoch) epochs.push([header.leaderEpoch, header.baseOffset])
  return epochs
}

/**
 * A producer's transaction ends at its first marker behind its first offset. Brokers name a transaction with each answer that
 * it overlaps; one that has no record here is left out.
 */
function abortedOf({ batches, aborted }: Part): AbortedTransaction[] {
  const named = new Map(aborted.map(each => [`${each.producerId} ${each.firstOffset}`, each]))
  if (named.size === 0) return []
  const markers = new Map<bigint, number[]>()
  for (const { header } of batches) {
    if (!header.isControl) continue
    const own = markers.get(header.producerId)
    if (own === undefined) markers.set(header.producerId, [header.baseOffset])
    else own.push(header.baseOffset)
  }
  const first = batches[0]!.header.baseOffset
  const last = batches.at(-1)!.header.lastOffset
  return [...named.values()]
    .map(({ producerId, firstOffset }) => ({
      producer: String(producerId),
      from: firstOffset,
      to: markers.get(producerId)?.find(at => at > firstOffset) ?? null,
    }))
    .filter(({ from, to }) => from <= last && (to ?? last) >= first)
    .sort((a, b) => a.from - b.from)
}
