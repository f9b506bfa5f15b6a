// One partition, fetched by several connections at once: each asks for a stripe, a range of offsets of its own. What comes early
// is parked until everything before it has come, so that the plan sees batches in the order of the log, as if one connection
// had fetched them. The rules that keep this as strict as a single fetch:
// - The head, the stripe at the plan's end, is asked with the epoch of the batch before it: the broker compares histories.
// - Any other is asked under the leader epoch that the newest head was answered under. While a leader's epoch lasts its log only
//   grows, so that two answers under one epoch are of one history; under any other, what is parked is thrown away.
// - An answer holds everything from the offset that was asked for, or from the base of its first batch when that lies lower, to
//   its last batch. So it joins when the plan has got there, and only then: what stands between two answers is never guessed.
// - An error of any but the head proves nothing, and is forgotten: nothing from there on is asked for before the head gets there.
import type { RawBatch } from '../../model/batch.ts'
import type { FetchedPartition } from '../../ports/cluster.ts'

/** An answer, and the whole batches in it. */
export type ReadAnswer = { readonly answer: FetchedPartition; readonly batches: readonly RawBatch[] }

export type Stripe = {
  /** Where it is asked for, and up to where it is meant to come; once it is there, what it holds. */
  from: number
  to: number
  readonly maxBytes: number
  readonly isHead: boolean
  /** The leader epoch that it is asked under; -1: whichever. */
  readonly epoch: number
  parked: ReadAnswer | undefined
}

export type StripeRoom = {
  /** Of one stripe. */
  readonly bytes: number
  /** How many more may be under way or parked, as far as memory goes. The head may always. */
  readonly roomBytes: number
  /** What the head would be asked under. */
  readonly headEpoch: number
}

/** How fast the figures of a partition follow its newest answers. */
const NEWEST_SHARE = 0.3
/** Asked for beyond what a stripe should hold: one that ends too early costs another request. */
const SPARE = 1.02

export class Stripes {
  /** By `from`. */
  #stripes: Stripe[] = []
  #parkedBytes = 0
  #askedBytes = 0
  /** Of the newest answer that the plan has taken, when it was asked for where the plan ended; -1: not known. */
  #epoch = -1
  /** Stripes from here on have failed. */
  #failedFrom = Infinity
  #lastStable = -1
  #bytesPerOffset: number | undefined
  #batchBytes = 0
  readonly #onAhead: (bytes: number) => unknown

  /** `onAhead`: bytes asked for or parked have changed by this much. */
  constructor(onAhead: (bytes: number) => unknown) {
    this.#onAhead = onAhead
  }

  get isEmpty(): boolean {
    return this.#stripes.length === 0
  }

  /** Something was asked for, and is not there yet. */
  get isUnderWay(): boolean {
    return this.#stripes.some(({ parked }) => parked === undefined)
  }

  /** Asked for, or parked. */
  get aheadBytes(): number {
    return this.#askedBytes + this.#parkedBytes
  }

  /** The source is known to have something to fetch at `offset`. */
  hasDataAt(offset: number): boolean {
    return offset < this.#lastStable
  }

  /** From `from` on, as far as is known; undefined when there is something, and nobody knows how large. */
  leftBytes(from: number): number | undefined {
    if (!this.hasDataAt(from)) return 0
    return this.#bytesPerOffset === undefined ? undefined : (this.#lastStable - from) * this.#bytesPerOffset
  }

  /** More than `bytes` are left from `from` on, and others than the head may be asked for. */
  isBehind(from: number, bytes: number): boolean {
    return this.#epoch >= 0 && (this.leftBytes(from) ?? 0) > bytes
  }

  /** The next one to fetch when the plan ends at `at`: the first range that nothing covers yet. Undefined: none, for now. */
  next(at: number, { bytes, roomBytes, headEpoch }: StripeRoom): Stripe | undefined {
    if (this.#bytesPerOffset === undefined) return undefined
    let from = at
    let until = this.#lastStable
    for (const stripe of this.#stripes) {
      // The batch in which a stripe was asked for comes with it.
      const mayComeWhole = stripe.parked === undefined && stripe.from - from < this.#batchOffsets
      if (stripe.from > from && !mayComeWhole) {
        until = Math.min(until, stripe.from)
        break
      }
      from = Math.max(from, stripe.to)
    }
    const isHead = from === at
    if (from >= until || (!isHead && (this.#epoch < 0 || from >= this.#failedFrom))) return undefined
    const length = Math.min(until - from, Math.max(1, Math.floor(bytes / this.#bytesPerOffset)))
    // It begins in the middle of a batch, which comes whole, and ends in the middle of one.
    const maxBytes = Math.ceil(length * this.#bytesPerOffset * SPARE + this.#batchBytes / 2)
    if (!isHead && maxBytes > roomBytes) return undefined
    const epoch = isHead ? headEpoch : this.#epoch
    return { from, to: from + length, maxBytes, isHead, epoch, parked: undefined }
  }

  begin(stripe: Stripe): void {
    const before = this.#stripes.findLastIndex(({ from }) => from <= stripe.from)
    this.#stripes.splice(before + 1, 0, stripe)
    this.#askedBytes += stripe.maxBytes
    this.#onAhead(stripe.maxBytes)
  }

  /** Answered, or given up; what is not parked now will be asked for again. */
  end(stripe: Stripe): void {
    this.#askedBytes -= stripe.maxBytes
    this.#onAhead(-stripe.maxBytes)
    if (stripe.parked === undefined) this.#stripes = this.#stripes.filter(each => each !== stripe)
  }

  /** Thrown away meanwhile: its answer is of no use. */
  awaits(stripe: Stripe): boolean {
    return this.#stripes.includes(stripe)
  }

  /** Only the head may come without records. */
  park(stripe: Stripe, read: ReadAnswer): void {
    const last = read.batches.at(-1)
    this.#lastStable = read.answer.lastStable
    this.#measure(read.batches)
    stripe.to = last === undefined ? stripe.from : last.header.lastOffset + 1
    stripe.from = Math.min(stripe.from, read.batches[0]?.header.baseOffset ?? Infinity)
    stripe.parked = read
    this.#hold(read.answer.records.length)
  }

  /** Takes one that joins where the plan ends; it counts as taken into the plan. */
  join(at: number): Stripe | undefined {
    const joined = this.#stripes.find(({ parked, from }) => parked !== undefined && from <= at)
    if (joined?.parked === undefined) return undefined
    if (!joined.isHead && joined.epoch !== this.#epoch) {
      this.clear()
      return undefined
    }
    this.#stripes = this.#stripes.filter(each => each !== joined)
    this.#hold(-joined.parked.answer.records.length)
    if (joined.isHead) {
      this.#epoch = joined.epoch
      this.#failedFrom = Infinity
    }
    return joined
  }

  /** An answer that the plan has taken by another way; `epoch`: see #epoch. What is ahead was asked for before that was known. */
  follow({ answer, batches }: ReadAnswer, epoch: number): void {
    this.clear()
    this.#epoch = epoch
    this.#lastStable = answer.lastStable
    this.#measure(batches)
  }

  /** It was refused, or cannot be read: nothing from there on is asked for before the head gets there. */
  fail(stripe: Stripe): void {
    this.#failedFrom = Math.min(this.#failedFrom, stripe.from)
    this.#drop(({ from }) => from >= stripe.from)
  }

  /** Throws all away. Until the head has been answered again no other is asked for. */
  clear(): void {
    this.#drop(() => true)
    this.#epoch = -1
    this.#failedFrom = Infinity
  }

  /** How many offsets a batch has. */
  get #batchOffsets(): number {
    return this.#bytesPerOffset === undefined ? 0 : this.#batchBytes / this.#bytesPerOffset
  }

  #drop(isDropped: (stripe: Stripe) => boolean): void {
    for (const { parked } of this.#stripes.filter(isDropped))
      this.#hold(-(parked?.answer.records.length ?? 0))
    this.#stripes = this.#stripes.filter(stripe => !isDropped(stripe))
  }

  #hold(bytes: number): void {
    this.#parkedBytes += bytes
    this.#onAhead(bytes)
  }

  #measure(batches: readonly RawBatch[]): void {
    const [first, last] = [batches[0], batches.at(-1)]
    if (first === undefined || last === undefined) return
    const bytes = batches.reduce((sum, batch) => sum + batch.bytes.length, 0)
    const bytesPerOffset = bytes / (last.header.lastOffset + 1 - first.header.baseOffset)
    const before = this.#bytesPerOffset ?? bytesPerOffset
    this.#bytesPerOffset = before + (bytesPerOffset - before) * NEWEST_SHARE
    const batchBytes = bytes / batches.length
    this.#batchBytes =
      this.#batchBytes === 0 ? batchBytes : this.#batchBytes + (batchBytes - this.#batchBytes) * NEWEST_SHARE
  }
}
