// Pure: which offsets of a partition are compared.
import type { OffsetRange } from './sides.ts'

/** Short enough to be spread well, long enough to be worth a fetch. */
const SAMPLE_RANGE_OFFSETS = 5_000
const MAX_SAMPLE_RANGES = 200

/**
 * Whole ranges that make up `percent` of [from, to), one in each equal stretch of it, at a random place there.
 * `fraction`: random, in [0, 1).
 */
export function sampleRanges(
  { from, to }: OffsetRange,
  percent: number,
  fraction: () => number,
): OffsetRange[] {
  const wanted = Math.min(Math.ceil(((to - from) * percent) / 100), to - from)
  if (wanted <= 0) return []
  const count = Math.min(Math.ceil(wanted / SAMPLE_RANGE_OFFSETS), MAX_SAMPLE_RANGES)
  const share = (of: number, i: number) => Math.floor((of * i) / count)
  // What is left out comes before the ranges, a random part of each share of it: then they never overlap.
  const leftOut = to - from - wanted
  return Array.from({ length: count }, (_, i) => {
    const least = share(leftOut, i)
    const skipped = least + Math.floor(fraction() * (share(leftOut, i + 1) - least + 1))
    return { from: from + skipped + share(wanted, i), to: from + skipped + share(wanted, i + 1) }
  })
}

export type Bounds = {
  readonly logStart: { readonly source: number; readonly target: number }
  readonly logEnd: { readonly source: number; readonly target: number }
}

/**
 * From the later log start (what is below is explained by retention) to where the target has got. That is beyond the
 * source's end only when the target holds what the source never had. `since`: the source's first offset of that time; -1
 * when it has none so late.
 */
export function rangeOf({ logStart, logEnd }: Bounds, since?: number): OffsetRange {
  const start = Math.max(logStart.source, logStart.target)
  const from =
    since === undefined ? start : since < 0 ? Math.max(start, logEnd.target) : Math.max(start, since)
  return { from, to: Math.max(from, logEnd.target) }
}
