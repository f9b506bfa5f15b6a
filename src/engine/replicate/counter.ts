// What the offsets of a mirror partition are: records, or which kind of gap. Over all workers, as far as each could say so
// before it ended; what nobody has counted is told as such, so that the sum is always the cursor.
import { type Ledger, lostBelow } from '../../model/ledger.ts'
import type { OffsetCounts, PartitionReport } from '../../model/link.ts'
import { type GapCounts, NO_COUNTS, type PlannedBatch, type PlannedGap } from '../log/plan-append.ts'

export class OffsetCounter {
  /** Copied by this worker. */
  records = 0
  #before: Pick<OffsetCounts, 'records' | 'markers' | 'aborted' | 'compacted' | 'seeded'> = {
    records: 0,
    markers: 0,
    aborted: 0,
    compacted: 0,
    seeded: 0,
  }
  readonly #gaps = { markers: 0, aborted: 0, compacted: 0, seeded: 0 }
  /** What lies below has been counted. */
  #upTo = 0

  /** What the last worker has reported: it holds until the first anchor. */
  reported: OffsetCounts | undefined

  /** Goes on from there. */
  continue(report: PartitionReport | undefined): void {
    if (report?.offsets === undefined) return
    this.reported = report.offsets
    this.#before = report.offsets
    this.#upTo = sumOf(report.offsets)
  }

  batch({ base, next, fills }: PlannedBatch): void {
    if (fills === undefined) this.records += next - base
    else this.#add(fills)
    this.#upTo = Math.max(this.#upTo, next)
  }

  gap({ next, counts }: PlannedGap): void {
    this.#add(counts)
    this.#upTo = Math.max(this.#upTo, next)
  }

  /** Of a gap that is planned anew: what was counted before the last anchor is not counted again. */
  uncounted({ base, counts }: PlannedGap): GapCounts {
    return base < this.#upTo ? NO_COUNTS : counts
  }

  seeded(count: number): void {
    this.#gaps.seeded += count
  }

  counts(cursor: number, ledger: Ledger): OffsetCounts {
    const before = this.#before
    const gaps = this.#gaps
    const counted = {
      records: before.records + this.records,
      markers: before.markers + gaps.markers,
      aborted: before.aborted + gaps.aborted,
      compacted: before.compacted + gaps.compacted,
      seeded: before.seeded + gaps.seeded,
      lost: lostBelow(ledger, cursor),
    }
    // A batch may be acknowledged before the one that it follows: it is counted, and the cursor is not there yet.
    return { ...counted, uncounted: Math.max(0, cursor - sumOf(counted)) }
  }

  #add({ markers, aborted, missing }: GapCounts): void {
    this.#gaps.markers += markers
    this.#gaps.aborted += aborted
    this.#gaps.compacted += missing
  }
}

function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, each) => sum + each, 0)
}
