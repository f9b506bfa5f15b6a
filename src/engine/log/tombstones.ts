// `largeGap: tombstones`: a long gap of a compacted topic as null records under one reserved key, in ordinary batches
// that the sequence number protects. Far faster than markers; the target's own cleaner takes them away, and until then a
// reader sees them (DESIGN 2.1.4).
import type { RecordCodec } from '../../ports/records.ts'
import { NO_COUNTS, type PlannedBatch, type PlannedGap, type PlannedOp } from './plan-append.ts'

/** The reserved key: no application uses it, and verify knows it. */
export const FILLER_KEY = Buffer.from('_kdr.filler')

/** Below this a gap costs markers less than it costs readers tombstones. */
const LEAST = 1_000
const BATCH_RECORDS = 10_000

/** Pure: the same plan, with long gaps as batches. `now`: their timestamp, in ms. */
export function withTombstones(ops: readonly PlannedOp[], codec: RecordCodec, now: number): PlannedOp[] {
  return ops.flatMap(op =>
    op.kind === 'gap' && op.next - op.base >= LEAST ? tombstones(op, codec, now) : [op],
  )
}

function tombstones(gap: PlannedGap, codec: RecordCodec, now: number): PlannedBatch[] {
  const batches: PlannedBatch[] = []
  for (let base = gap.base; base < gap.next; base += BATCH_RECORDS) {
    const next = Math.min(base + BATCH_RECORDS, gap.next)
    const records = Array.from({ length: next - base }, (_none, i) => ({
      offset: base + i,
      timestamp: now,
      key: FILLER_KEY,
      value: null,
      headers: [],
    }))
    // The source has no such batch: an epoch of -1 leaves the lineage as it is.
    batches.push({
      kind: 'batch',
      base,
      next,
      bytes: codec.encode({ codec: 'zstd', records }),
      maxTimestamp: now,
      leaderEpoch: -1,
      // The last one tells of the whole gap.
      fills: next === gap.next ? gap.counts : NO_COUNTS,
    })
  }
  return batches
}
