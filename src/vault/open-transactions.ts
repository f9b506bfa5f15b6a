// Which transactions are not complete at an offset of a log. The log alone tells: a producer's marker ends what it has written before.
import type { Segment } from '../model/vault.ts'
import type { SegmentReader } from './reader.ts'

/**
 * The first offset, from `from` on, of a transaction without a marker below `at`; `at` when there is none. Reads the headers of all
 * that stands in between.
 */
export async function firstOpen(
  reader: SegmentReader,
  segments: readonly Segment[],
  { from, at }: { readonly from: number; readonly at: number },
): Promise<number> {
  const open = new Map<bigint, number>()
  for (let offset = from; ; ) {
    const run = await reader.read(segments, offset, at)
    if (run === undefined) break
    for (const { header } of run.batches) {
      if (header.isControl) open.delete(header.producerId)
      else if (header.isTransactional && !open.has(header.producerId))
        open.set(header.producerId, header.baseOffset)
    }
    offset = run.batches.at(-1)!.header.lastOffset + 1
  }
  return Math.min(at, ...open.values())
}
