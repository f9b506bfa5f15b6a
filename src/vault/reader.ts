// Reads the batches of a partition from its segments: an index, then frames by ranged reads, each decompressed alone. What was read
// last is kept, within a bound, since many small reads may go through one frame; its memory is given back by hand where all who had a
// run of it say that they are done (model/release.ts).
import type { RawBatch } from '../model/batch.ts'
import { KdrError } from '../model/errors.ts'
import { release } from '../model/release.ts'
import type { AbortedTransaction, Frame, IndexRecord, Segment, SegmentIndex } from '../model/vault.ts'
import { assertVersion } from '../model/versioned.ts'
import type { ObjectStore } from '../ports/store.ts'
import { readFrame, releaseFrame } from './frames.ts'

const KEPT_FRAMES_BYTES = 16 * 1024 * 1024
const KEPT_INDEXES = 200

export type BatchRun = {
  /** At least one; they belong to the reader's cache, and must not be changed. */
  readonly batches: readonly RawBatch[]
  /** Those that overlap the run. */
  readonly aborted: readonly AbortedTransaction[]
  /** At most once, and optional: `batches` are of no more use. `isRead`: nor is the rest of their frame to anybody who has not begun. */
  readonly done: (isRead: boolean) => void
}

type KeptFrame = {
  readonly batches: Promise<RawBatch[]>
  readonly bytes: number
  /** Who reads it, or has it and has not said that it is done. */
  users: number
}

export class SegmentReader {
  readonly #store: ObjectStore
  readonly #set: string
  readonly #frames = new Map<string, KeptFrame>()
  readonly #indexes = new Map<string, Promise<IndexRecord>>()
  #frameBytes = 0

  constructor(store: ObjectStore, set: string) {
    this.#store = store
    this.#set = set
  }

  /**
   * The batches from the one that holds `offset`, or the next behind it, to the end of its frame; none that begins at `end` or
   * behind it. Undefined when there is none. Throws KdrError: damaged, store-unreachable.
   */
  async read(segments: readonly Segment[], offset: number, end: number): Promise<BatchRun | undefined> {
    // A batch that `end` is in has been given.
    if (offset >= end) return undefined
    for (const segment of segments) {
      if (segment.to <= offset) continue
      if (segment.from >= end) return undefined
      const { frames, aborted } = await this.index(segment)
      const limit = Math.min(segment.to, end)
      const first = Math.max(
        0,
        frames.findLastIndex(({ from }) => from <= offset),
      )
      for (const frame of frames.slice(first)) {
        if (frame.from >= limit) break
        const { all, done } = await this.#use(segment, frame)
        const batches = all.filter(({ header }) => header.lastOffset >= offset && header.baseOffset < limit)
        if (batches.length > 0) return { batches, aborted: overlapping(aborted, batches), done }
        done(false)
      }
    }
    return undefined
  }

  async index(segment: Segment): Promise<SegmentIndex> {
    const { segments } = await this.#indexRecord(segment.index)
    const found = segments.find(({ position }) => position === segment.position)
    if (found !== undefined) return found
    throw new KdrError(
      'damaged',
      `object "${segment.index}" has no index of what stands at ${segment.position} of "${segment.object}"`,
    )
  }

  /** All of its batches; for as long as anybody likes. */
  async frame(segment: Segment, frame: Frame): Promise<readonly RawBatch[]> {
    return (await this.#use(segment, frame)).all
  }

  async #use(
    segment: Segment,
    frame: Frame,
  ): Promise<{ readonly all: readonly RawBatch[]; readonly done: BatchRun['done'] }> {
    const key = `${segment.object} ${segment.position + frame.position}`
    const known = this.#frames.get(key)
    const kept = known ?? { batches: this.#readFrame(segment, frame), bytes: frame.rawBytes, users: 0 }
    kept.users++
    // The one used last is the last to go.
    this.#frames.delete(key)
    this.#frames.set(key, kept)
    if (known === undefined) this.#frameBytes += kept.bytes
    for (const oldest of this.#frames.keys()) {
      if (this.#frameBytes <= KEPT_FRAMES_BYTES || oldest === key) break
      this.#drop(oldest)
    }
    try {
      const all = await kept.batches
      const done = (isRead: boolean): void => {
        kept.users--
        if (isRead && this.#frames.get(key) === kept) this.#drop(key)
        else if (kept.users === 0 && this.#frames.get(key) !== kept) releaseFrame(all)
      }
      return { all, done }
    } catch (error) {
      // What failed once may be read the next time.
      if (this.#frames.get(key) === kept) this.#drop(key)
      throw error
    }
  }

  #drop(key: string): void {
    const kept = this.#frames.get(key)!
    this.#frames.delete(key)
    this.#frameBytes -= kept.bytes
    // One that could not be read has a user for ever.
    if (kept.users === 0) void kept.batches.then(releaseFrame)
  }

  async #readFrame(segment: Segment, frame: Frame): Promise<RawBatch[]> {
    const from = segment.position + frame.position
    const name = `${this.#set}/${segment.object}`
    const stored = await this.#store.get(name, { from, to: from + frame.bytes })
    if (stored === undefined) throw missing(name)
    const { compression } = segment
    const batches = await readFrame(stored, { compression, object: name }, frame)
    if (compression === 'zstd') release(stored)
    return batches
  }

  async #indexRecord(name: string): Promise<IndexRecord> {
    const kept = this.#indexes.get(name)
    const record = kept ?? this.#readIndex(`${this.#set}/${name}`)
    this.#indexes.delete(name)
    this.#indexes.set(name, record)
    const [oldest] = this.#indexes.keys()
    if (this.#indexes.size > KEPT_INDEXES && oldest !== undefined) this.#indexes.delete(oldest)
    try {
      return await record
    } catch (error) {
      this.#indexes.delete(name)
      throw error
    }
  }

  async #readIndex(name: string): Promise<IndexRecord> {
    const bytes = await this.#store.get(name)
    if (bytes === undefined) throw missing(name)
    return parseIndex(bytes, name)
  }
}

/** Throws KdrError: damaged, newer-version. */
export function parseIndex(bytes: Buffer, name: string): IndexRecord {
  let record: IndexRecord
  try {
    record = JSON.parse(bytes.toString()) as IndexRecord
  } catch (cause) {
    throw new KdrError('damaged', `object "${name}" is damaged: it is no JSON`, { cause })
  }
  assertVersion(record, `object "${name}"`)
  return record
}

function missing(name: string): KdrError {
  return new KdrError('damaged', `object "${name}" is missing`)
}

function overlapping(
  aborted: readonly AbortedTransaction[],
  batches: readonly RawBatch[],
): AbortedTransaction[] {
  const first = batches[0]!.header.baseOffset
  const last = batches.at(-1)!.header.lastOffset
  return aborted.filter(({ from, to }) => from <= last && (to ?? last) >= first)
}
