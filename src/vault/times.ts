// Times in a log of the vault: through the index to one frame, and only there to records.
import type { Segment } from '../model/vault.ts'
import type { RecordCodec } from '../ports/records.ts'
import type { SegmentReader } from './reader.ts'

type TimedRange = {
  readonly from: number
  readonly end: number
  readonly time: number
  readonly codec: Pick<RecordCodec, 'decode'>
}

/** The first offset in [from, end) whose record has a timestamp later than `time` (ms), markers included; undefined: there is none. */
export async function firstLater(
  reader: SegmentReader,
  segments: readonly Segment[],
  { from, end, time, codec }: TimedRange,
): Promise<number | undefined> {
  for (const segment of segments) {
    const limit = Math.min(segment.to, end)
    if (segment.to <= from || segment.maxTimestamp <= time || segment.from >= limit) continue
    const { frames } = await reader.index(segment)
    for (const frame of frames) {
      if (frame.maxTimestamp <= time || frame.from >= limit) continue
      for (const batch of await reader.frame(segment, frame)) {
        const { maxTimestamp, lastOffset, baseOffset } = batch.header
        if (maxTimestamp <= time || lastOffset < from || baseOffset >= limit) continue
        const found = codec
          .decode(batch)
          .find(({ timestamp, offset }) => timestamp > time && offset >= from && offset < limit)
        if (found !== undefined) return found.offset
      }
    }
  }
  return undefined
}

/** The last offset in [from, end) whose record has a timestamp of `time` (ms) or earlier, markers left out. Reads back to it. */
export async function lastUpTo(
  reader: SegmentReader,
  segments: readonly Segment[],
  { from, end, time, codec }: TimedRange,
): Promise<number | undefined> {
  for (const segment of segments.toReversed()) {
    const limit = Math.min(segment.to, end)
    if (segment.from >= limit) continue
    if (segment.to <= from) return undefined
    const { frames } = await reader.index(segment)
    for (const frame of frames.toReversed()) {
      if (frame.from >= limit) continue
      for (const batch of (await reader.frame(segment, frame)).toReversed()) {
        const { baseOffset, lastOffset, isControl } = batch.header
        if (isControl || baseOffset >= limit) continue
        if (lastOffset < from) return undefined
        const found = codec
          .decode(batch)
          .findLast(({ timestamp, offset }) => timestamp <= time && offset >= from && offset < limit)
        if (found !== undefined) return found.offset
      }
    }
  }
  return undefined
}
