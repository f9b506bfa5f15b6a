// Pure: turns fetched batches into what has to happen at the target, in order, so that every offset comes out equal.
// A batch that a broker takes as it is passes through as bytes. What holds no record to copy becomes a gap. Only a
// batch that no broker would take (thinned by the cleaner, LogAppendTime, cut by the cursor, format v0/v1) is decoded.
import { isWhole, type RawBatch } from '../../model/batch.ts'
import { findKdrError, KdrError } from '../../model/errors.ts'
import type { DecodedRecord, RecordCodec } from '../../ports/records.ts'

export type PlannedBatch = {
  readonly kind: 'batch'
  readonly base: number
  /** One past its last offset. */
  readonly next: number
  /** Unstamped; owned by the plan. */
  readonly bytes: Buffer
  readonly maxTimestamp: number
  /** The source's epoch. */
  readonly leaderEpoch: number
  /** It holds no records of the source: it fills a gap of these. */
  readonly fills?: GapCounts
}
export type GapCounts = { readonly markers: number; readonly aborted: number; readonly missing: number }
export type PlannedGap = {
  readonly kind: 'gap'
  readonly base: number
  readonly next: number
  readonly counts: GapCounts
}
export type PlannedOp = PlannedBatch | PlannedGap

export type AbortedTransaction = { readonly producerId: bigint; readonly firstOffset: number }

export const NO_COUNTS: GapCounts = { markers: 0, aborted: 0, missing: 0 }
const MISSING: GapCounts = { markers: 0, aborted: 0, missing: 1 }
const MARKER: GapCounts = { markers: 1, aborted: 0, missing: 0 }
const ABORTED: GapCounts = { markers: 0, aborted: 1, missing: 0 }

/**
 * `from`: the next source offset to plan. `batches`: as fetched read-committed at or before `from`. `aborted`: the list
 * of the same answer. Returns the operations from `from` to the end of the last batch, neighbouring gaps merged; before a
 * batch that cannot be decoded they end. When it is the first one: throws KdrError('corrupt'), facts `from` and `to`.
 */
export function planAppend(
  from: number,
  batches: readonly RawBatch[],
  aborted: readonly AbortedTransaction[],
  codec: RecordCodec,
): PlannedOp[] {
  const plan = new Plan(from)
  const transactions = new AbortedFilter(aborted)
  for (const batch of batches) {
    const { header } = batch
    const isAborted = transactions.covers(batch, codec)
    if (header.lastOffset < plan.position) continue
    if (header.isControl) plan.gapTo(header.baseOffset, header.lastOffset + 1, MARKER)
    else if (isAborted) plan.gapTo(header.baseOffset, header.lastOffset + 1, ABORTED)
    else if (header.recordCount === 0) plan.gapTo(header.baseOffset, header.lastOffset + 1, MISSING)
    else if (passesThrough(batch, plan.position)) plan.batch(batch)
    else {
      try {
        plan.records(batch, codec)
      } catch (error) {
        const known = findKdrError(error)
        if (known?.code !== 'corrupt') throw error
        if (plan.ops.length > 0) break
        throw new KdrError('corrupt', known.message, {
          facts: { from: header.baseOffset, to: header.lastOffset + 1 },
          cause: error,
        })
      }
    }
  }
  return plan.ops
}

function passesThrough(batch: RawBatch, position: number): boolean {
  const { header } = batch
  return header.magic === 2 && !header.isLogAppendTime && header.baseOffset >= position && isWhole(header)
}

class Plan {
  readonly ops: PlannedOp[] = []
  position: number

  constructor(from: number) {
    this.position = from
  }

  /** Offsets before `base` are missing; those in [base, next) are a gap of the given kind. */
  gapTo(base: number, next: number, kind: GapCounts): void {
    if (base > this.position) this.#gap(base, MISSING)
    this.#gap(next, kind)
  }

  batch(batch: RawBatch): void {
    const { header, bytes } = batch
    if (header.baseOffset > this.position) this.#gap(header.baseOffset, MISSING)
    this.ops.push({
      kind: 'batch',
      base: header.baseOffset,
      next: header.lastOffset + 1,
      bytes,
      maxTimestamp: header.maxTimestamp,
      leaderEpoch: header.leaderEpoch,
    })
    this.position = header.lastOffset + 1
  }

  /**
   * Decodes, keeps what is at or above the position, and writes each run of neighbouring offsets as its own batch.
   * Throws KdrError('corrupt').
   */
  records(batch: RawBatch, codec: RecordCodec): void {
    const { header } = batch
    let run: DecodedRecord[] = []
    const flush = (): void => {
      const first = run[0]
      if (first === undefined) return
      if (first.offset > this.position) this.#gap(first.offset, MISSING)
      const next = first.offset + run.length
      this.ops.push({
        kind: 'batch',
        base: first.offset,
        next,
        bytes: codec.encode({ baseOffset: first.offset, codec: header.codec, records: run }),
        maxTimestamp: run.reduce((latest, record) => Math.max(latest, record.timestamp), -1),
        leaderEpoch: header.leaderEpoch,
      })
      this.position = next
      run = []
    }
    if (!codec.isIntact(batch)) {
      throw new KdrError('corrupt', `the batch at offset ${header.baseOffset} does not match its checksum`)
    }
    for (const record of codec.decode(batch)) {
      if (record.offset < this.position + run.length) continue
      const last = run.at(-1)
      if (last !== undefined && record.offset !== last.offset + 1) flush()
      run.push(record)
    }
    flush()
    this.#gap(header.lastOffset + 1, MISSING)
  }

  #gap(next: number, kind: GapCounts): void {
    const length = next - this.position
    if (length <= 0) return
    const last = this.ops.at(-1)
    const before = last?.kind === 'gap' ? last : undefined
    if (before !== undefined) this.ops.pop()
    const counts = before?.counts ?? { markers: 0, aborted: 0, missing: 0 }
    this.ops.push({
      kind: 'gap',
      base: before?.base ?? this.position,
      next,
      counts: {
        markers: counts.markers + length * kind.markers,
        aborted: counts.aborted + length * kind.aborted,
        missing: counts.missing + length * kind.missing,
      },
    })
    this.position = next
  }
}

/**
 * Which batches belong to aborted transactions: the rule of Java's CompletedFetch, over one answer. `covers` must be asked
 * once for each batch of the answer, in order, control batches included.
 */
export class AbortedFilter {
  readonly #waiting: AbortedTransaction[]
  readonly #active = new Set<bigint>()

  constructor(aborted: readonly AbortedTransaction[]) {
    this.#waiting = aborted.toSorted((a, b) => b.firstOffset - a.firstOffset)
  }

  covers({ header, bytes }: RawBatch, codec: RecordCodec): boolean {
    for (
      let next = this.#waiting.at(-1);
      next !== undefined && next.firstOffset <= header.lastOffset;
      next = this.#waiting.at(-1)
    ) {
      this.#active.add(next.producerId)
      this.#waiting.pop()
    }
    if (header.isControl) {
      if (this.#active.has(header.producerId) && codec.isAbortMarker({ header, bytes }))
        this.#active.delete(header.producerId)
      return false
    }
    return header.isTransactional && this.#active.has(header.producerId)
  }
}
