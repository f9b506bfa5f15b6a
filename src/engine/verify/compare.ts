// Compares ranges of one partition on both sides. Batches that stand at the same offsets with the same bytes are equal
// without being decoded; where they are not, both logs are walked record by record, by offset.
import { findKdrError } from '../../model/errors.ts'
import { EMPTY_LEDGER, type Ledger, lossAt, missingFrom } from '../../model/ledger.ts'
import type { TopicPartition } from '../../ports/cluster.ts'
import type { DecodedRecord, RecordCodec } from '../../ports/records.ts'
import { FILLER_KEY } from '../log/tombstones.ts'
import { MissingRecords, type Sides } from './compaction.ts'
import { describeDifference, isSameBatch } from './same.ts'
import { type OffsetRange, otherSide, type SideName } from './sides.ts'
import { Tally } from './tally.ts'
import { Walk } from './walk.ts'

export type CompareInput = {
  readonly of: TopicPartition
  /** Ascending, not overlapping. */
  readonly ranges: readonly OffsetRange[]
  readonly sides: Sides
  /** Last stable offsets; a range that goes beyond one of them finds nothing there. */
  readonly ends: Readonly<Record<SideName, number>>
  /** At one of the sides, now. */
  readonly isCompacted: boolean
  /** What was lost and accepted. */
  readonly ledger?: Ledger | undefined
  readonly codec: RecordCodec
  /** Told now and then which offset has been reached; false ends the comparison there. May throw. */
  readonly mayGoOn?: (reached: number, tally: Tally) => boolean
}

/** Throws KdrError('unreachable' | 'not-allowed' | 'not-ready'), and what `mayGoOn` throws. */
export async function comparePartition(input: CompareInput): Promise<Tally> {
  const tally = new Tally()
  const missing = new MissingRecords(input, tally)
  for (const range of input.ranges) {
    const isDone = await new Comparison(input, range, tally, missing).run()
    if (!isDone) break
  }
  await missing.settle()
  return tally
}

class Comparison {
  readonly #input: CompareInput
  readonly #ledger: Ledger
  readonly #tally: Tally
  readonly #missing: MissingRecords
  readonly #walks: Readonly<Record<SideName, Walk>>

  constructor(input: CompareInput, range: OffsetRange, tally: Tally, missing: MissingRecords) {
    const { sides, of, codec, ends } = input
    const walk = (side: SideName) =>
      new Walk(sides[side], of, codec, { from: range.from, to: Math.min(range.to, ends[side]) })
    this.#input = input
    this.#ledger = input.ledger ?? EMPTY_LEDGER
    this.#tally = tally
    this.#missing = missing
    this.#walks = { source: walk('source'), target: walk('target') }
  }

  /** False: `mayGoOn` ended it. */
  async run(): Promise<boolean> {
    const { source, target } = this.#walks
    try {
      for (;;) {
        if (source.head === undefined || target.head === undefined) {
          await Promise.all([source.fill(), target.fill()])
          if (this.#missing.isFull) await this.#missing.settle()
          const reached = Math.min(source.head?.base ?? Infinity, target.head?.base ?? Infinity)
          if (reached === Infinity) return true
          if (this.#input.mayGoOn?.(reached, this.#tally) === false) return false
        }
        this.#step()
      }
    } finally {
      await Promise.all([source.close(), target.close()])
    }
  }

  /** Takes at least one batch of one side. */
  #step(): void {
    const { source, target } = this.#walks
    const a = source.head
    const b = target.head
    if (a === undefined || (b !== undefined && b.next <= a.base)) this.#takeAlone('target')
    else if (b === undefined || a.next <= b.base) this.#takeAlone('source')
    else if (source.isAtStart && target.isAtStart && a.isInside && b.isInside && isSameBatch(a.raw, b.raw)) {
      this.#tally.records += a.raw.header.recordCount
      source.pop()
      target.pop()
    } else this.#takeOverlap()
  }

  /** The rest of a batch that stands where the other side has none. */
  #takeAlone(holder: SideName): void {
    const walk = this.#walks[holder]
    if (!this.#isReadable(holder)) return
    while (walk.peekRecord() !== undefined) this.#takeOnly(holder)
    walk.pop()
  }

  /** Record by record, until one of the two batches has no more. */
  #takeOverlap(): void {
    const { source, target } = this.#walks
    if (!this.#isReadable('source') || !this.#isReadable('target')) return
    for (;;) {
      const a = source.peekRecord()
      const b = target.peekRecord()
      if (a === undefined) source.pop()
      if (b === undefined) target.pop()
      if (a === undefined || b === undefined) return
      if (a.offset < b.offset) this.#takeOnly('source')
      else if (b.offset < a.offset) this.#takeOnly('target')
      else {
        this.#takeBoth(a, b)
        source.takeRecord()
        target.takeRecord()
      }
    }
  }

  #takeBoth(source: DecodedRecord, target: DecodedRecord): void {
    if (isFiller(target) && lossAt(this.#ledger, source.offset) !== undefined) {
      this.#tally.only('source')
      this.#tally.lost++
      return
    }
    this.#tally.records++
    const what = describeDifference(source, target)
    if (what !== undefined) this.#tally.differs(source.offset, what)
  }

  #takeOnly(holder: SideName): void {
    const walk = this.#walks[holder]
    const record = walk.peekRecord()!
    walk.takeRecord()
    // Deleted by retention after the comparison began.
    if (record.offset < this.#walks[otherSide(holder)].logStart) return
    this.#tally.only(holder)
    const isFilling = holder === 'target' && isFiller(record)
    const isLost = lossAt(this.#ledger, record.offset) !== undefined
    if (isLost && (holder === 'source' || isFilling)) this.#tally.lost++
    else if (isFilling && record.key !== null) this.#tally.fillers++
    else if (this.#input.isCompacted) this.#missing.add(record, holder)
    else this.#tally.unexplain(record.offset, holder)
  }

  /** A head that cannot be decoded is told and passed by, with what stands opposite: nothing can be said about that. */
  #isReadable(side: SideName): boolean {
    const walk = this.#walks[side]
    try {
      walk.peekRecord()
      return true
    } catch (error) {
      if (findKdrError(error)?.code !== 'corrupt') throw error
      const { base, next } = walk.head!
      const isAccepted = side === 'source' && missingFrom(this.#ledger, { from: base, to: next }).length === 0
      if (!isAccepted) this.#tally.differs(base, `cannot be decoded at the ${side}`)
      walk.pop()
      this.#walks[otherSide(side)].skipTo(next)
      return false
    }
  }
}

/** What kdr itself puts where the source has no record: null records under its own key, or without any. */
function isFiller({ key, value }: DecodedRecord): boolean {
  return value === null && (key === null || key.equals(FILLER_KEY))
}
