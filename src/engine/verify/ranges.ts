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
  const stretch = (to - from) / count
  const ranges: OffsetRange[] = []
  let given = 0
  for (let i = 0; i < count; i++) {
    const length = Math.round((wanted * (i + 1)) / count) - given
    given += length
    const earliest = Math.max(Math.ceil(from + i * stretch), ranges.at(-1)?.to ?? from)
    const latest = Math.max(Math.floor(from + (i + 1) * stretch) - length, earliest)
    const start = Math.min(earliest + Math.floor(fraction() * (latest - earliest + 1)), to - length)
    ranges.push({ from: start, to: start + length })
  }
  return ranges
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
