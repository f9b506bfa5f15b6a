// Pure: which batches at the head of a partition's queue become one. A broker takes one batch of a partition per request,
// and its work is by the batch: a topic of one-record batches would be copied at a fraction of its speed. Only small
// batches that wait together are touched, so a partition that keeps up sends each as it came, at once.
import { type CodecName, codecOf } from '../../model/batch.ts'
import type { RecordCodec } from '../../ports/records.ts'
import type { PlannedBatch, PlannedOp } from './plan-append.ts'

/** Of records before compression: half of the smallest limit that a broker has unless configured (max.message.bytes). */
export const COALESCED_BYTES = 512 * 1024

type Bounds = {
  /** Larger batches pass through. */
  readonly smallBytes: number
  /** Batches that become one at most, so that other partitions do not wait for it. */
  readonly most: number
}

/**
 * As measured (CPU seconds of kdr and of the target broker, passed through and coalesced): 100 MB in batches of 4 KB 4.2 and
 * 5.2, 2.0 and 0.6; 200 MB in batches of 16 KB 4.8 and 4.0, 3.7 and 1.4; 60 MB of records with lz4 in batches of 4 KB 3.2
 * and 2.6, 2.8 and 0.6. With gzip and zstd a tiny batch takes 15 to 25 µs, nearly all of it to set up a decompressor, and
 * thousands in a row would hold up everything else: these pass through.
 */
const BOUNDS: Readonly<Record<CodecName, Bounds>> = {
  none: { smallBytes: 16 * 1024, most: 8_000 },
  lz4: { smallBytes: 4 * 1024, most: 500 },
  snappy: { smallBytes: 4 * 1024, most: 500 },
  gzip: { smallBytes: 0, most: 0 },
  zstd: { smallBytes: 0, most: 0 },
}

export type Coalesced = {
  /** In the place of the first `taken` operations. */
  readonly batch: PlannedBatch
  readonly taken: number
}

/** `limitBytes`: 0 for never. Undefined: the head goes as it is. */
export function coalesce(
  queue: readonly PlannedOp[],
  codec: RecordCodec,
  limitBytes: number,
): Coalesced | undefined {
  const run = smallRun(queue, limitBytes)
  const head = run[0]
  if (head === undefined || run.length < 2) return undefined
  const merged = codec.merge(run, limitBytes)
  if (merged === undefined) return undefined
  const { bytes, taken, maxTimestamp } = merged
  const { base, leaderEpoch } = head
  return {
    batch: { kind: 'batch', base, next: run[taken - 1]!.next, bytes, maxTimestamp, leaderEpoch },
    taken,
  }
}

/** Small batches of one codec and one source epoch that follow on each other, from the head on. */
function smallRun(queue: readonly PlannedOp[], limitBytes: number): PlannedBatch[] {
  const run: PlannedBatch[] = []
  const head = queue[0]
  if (head?.kind !== 'batch') return run
  const codec = codecOf(head.bytes)
  const { smallBytes, most } = BOUNDS[codec]
  let bytes = 0
  for (const op of queue) {
    if (op.kind !== 'batch' || op.bytes.length > smallBytes || run.length >= most) break
    // What fills a gap is counted as one.
    if (op.fills !== undefined) break
    bytes += op.bytes.length
    if (bytes > limitBytes || op.leaderEpoch !== head.leaderEpoch || codecOf(op.bytes) !== codec) break
    run.push(op)
  }
  return run
}
