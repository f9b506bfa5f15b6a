// A segment in the making: batches are cut into frames as they come, and compressed off the main thread while the next are read. So
// what is held is what will be stored, and not what was read.
import type { RawBatch } from '../model/batch.ts'
import { release } from '../model/release.ts'
import type { AbortedTransaction, Compression, Frame, Segment, SegmentIndex } from '../model/vault.ts'
import type { NamedAborted, PartOf } from '../ports/vault.ts'
import { compressFrame, compressionFor, FRAME_BYTES, joined } from './frames.ts'
import { type Blocks, Pile } from './pile.ts'

export type Framed = {
  readonly pile: Pile
  readonly index: SegmentIndex
  readonly facts: Omit<Segment, 'object' | 'position' | 'index'>
}

type Stored = Omit<Frame, 'position' | 'bytes'> & { readonly bytes: Buffer }

export class Framing {
  readonly #of: PartOf
  #compression: Compression | undefined
  /** Of the frame that is not cut yet. */
  #open: RawBatch[] = []
  #openBytes = 0
  /** The first of them, as many as these, are copies. */
  #copied = 0
  readonly #pile: Pile
  readonly #frames: Frame[] = []
  #from: number | undefined
  #to = 0
  #batches = 0
  #records = 0
  readonly #epochs: (readonly [number, number])[] = []
  /** By producer, where its transactions end. */
  readonly #markers = new Map<bigint, number[]>()
  readonly #aborted = new Map<string, NamedAborted>()

  /** Without `compression`: as fits the first batches. */
  constructor(of: PartOf, compression: Compression | undefined, blocks: Blocks) {
    this.#of = of
    this.#compression = compression
    this.#pile = new Pile(blocks)
  }

  get isEmpty(): boolean {
    return this.#batches === 0
  }

  /** Resolves when `batches` are of no more use to it. */
  async add(batches: readonly RawBatch[], aborted: readonly NamedAborted[]): Promise<void> {
    for (const each of aborted) this.#aborted.set(`${each.producerId} ${each.firstOffset}`, each)
    const cut: Promise<Stored>[] = []
    for (const batch of batches) {
      if (this.#openBytes > 0 && this.#openBytes + batch.bytes.length > FRAME_BYTES) cut.push(this.#cut())
      this.#note(batch)
      this.#open.push(batch)
      this.#openBytes += batch.bytes.length
    }
    // What is left over has to be copied, and is not worth it when it is large.
    if (this.#openBytes >= FRAME_BYTES / 2) cut.push(this.#cut())
    for (; this.#copied < this.#open.length; this.#copied++) {
      const { header, bytes } = this.#open[this.#copied]!
      this.#open[this.#copied] = { header, bytes: Buffer.from(bytes) }
    }
    for (const stored of await Promise.all(cut)) this.#store(stored)
  }

  /** At least one batch has been added. */
  async finish(): Promise<Framed> {
    if (this.#open.length > 0) this.#store(await this.#cut())
    const { topic, partition } = this.#of
    const [from, to, frames] = [this.#from!, this.#to, this.#frames]
    return {
      pile: this.#pile,
      index: { topic, partition, position: 0, from, frames, aborted: this.#abortedIn(from, to - 1) },
      facts: {
        bytes: this.#pile.bytes,
        compression: this.#compression!,
        from,
        to,
        rawBytes: frames.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
        batches: this.#batches,
        records: this.#records,
        maxTimestamp: largest(frames),
        epochs: this.#epochs,
      },
    }
  }

  #note({ header }: RawBatch): void {
    const { baseOffset, lastOffset, recordCount, leaderEpoch, isControl, producerId } = header
    this.#from ??= baseOffset
    this.#to = lastOffset + 1
    this.#batches++
    this.#records += recordCount
    if (this.#epochs.at(-1)?.[0] !== leaderEpoch) this.#epochs.push([leaderEpoch, baseOffset])
    if (!isControl) return
    const own = this.#markers.get(producerId)
    if (own === undefined) this.#markers.set(producerId, [baseOffset])
    else own.push(baseOffset)
  }

  async #cut(): Promise<Stored> {
    const some = this.#open
    this.#open = []
    this.#openBytes = 0
    this.#copied = 0
    this.#compression ??= compressionFor(some)
    // Batches of one answer do, and are compressed where they are.
    const raw = joined(some.map(({ bytes }) => bytes))
    return {
      bytes: this.#compression === 'zstd' ? await compressFrame(raw) : raw,
      from: some[0]!.header.baseOffset,
      rawBytes: raw.length,
      maxTimestamp: largest(some.map(({ header }) => header)),
    }
  }

  #store({ bytes, ...cut }: Stored): void {
    this.#frames.push({ ...cut, position: this.#pile.bytes, bytes: bytes.length })
    this.#pile.append(bytes)
    // What is not compressed stands in the caller's memory, and what is small perhaps in Node's pool.
    if (this.#compression === 'zstd' && bytes.buffer.byteLength > Buffer.poolSize)
      release(Buffer.from(bytes.buffer))
  }

  /**
   * A producer's transaction ends at its first marker behind its first offset. Brokers name a transaction with each answer that
   * it overlaps; one that has no record here is left out.
   */
  #abortedIn(first: number, last: number): AbortedTransaction[] {
    return [...this.#aborted.values()]
      .map(({ producerId, firstOffset }) => ({
        producer: String(producerId),
        from: firstOffset,
        to: this.#markers.get(producerId)?.find(at => at > firstOffset) ?? null,
      }))
      .filter(({ from, to }) => from <= last && (to ?? last) >= first)
      .sort((a, b) => a.from - b.from)
  }
}

function largest(all: readonly { readonly maxTimestamp: number }[]): number {
  return all.reduce((most, { maxTimestamp }) => Math.max(most, maxTimestamp), -1)
}
