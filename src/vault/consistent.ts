// A cut that holds every transaction whole or not at all. Which partitions a transaction has written to is in no log, so a commit says
// what was seen of transactions before its ends (model/vault.ts, TransactionLook). What was not complete then, or may not have been, is
// left out of every partition, with whatever stands behind it; and what thereby is no longer complete as well, until nothing changes.
import type { PartitionState } from '../model/vault.ts'
import type { SegmentReader } from './reader.ts'

/** What a producer wrote in one transaction to one partition. `to`: its marker; undefined when there is none. */
export type Span = {
  readonly producer: bigint
  readonly epoch: number
  /** Older coordinators give all transactions of a producer one epoch: which spans are of one transaction is not told. */
  readonly isEpochShared: boolean
  readonly from: number
  readonly to: number | undefined
  /** Only its marker is in what was read. */
  readonly isBegunBefore: boolean
}

export type LookedLog = {
  readonly name: string
  readonly end: number
  /** The high watermark when what was being ended before had been, and when what was being ended by then had been too. */
  readonly low: number
  readonly high: number
  /** From where the log was stable before all that, or from further back. */
  readonly spans: readonly Span[]
  /** Of a transaction that began here before this, there may be spans elsewhere that were not read. */
  readonly sureFrom?: number
}

/**
 * `held`: what was complete at the look is not all in the commit, because a transaction that was under way stood before it. `isFarBack`:
 * transactions that were over before the look are left out too, which stood behind one that was not: all spans are needed since that one
 * began, and group offsets of then. `isShort`: spans are needed from further back. `shared`: producers of which a transaction may be there in part, because all of theirs have one epoch.
 */
export type ConsistentEnds =
  | {
      readonly kind: 'cut'
      readonly ends: ReadonlyMap<string, number>
      readonly isFarBack: boolean
      readonly isShort: boolean
      readonly shared: readonly bigint[]
    }
  | { readonly kind: 'held'; readonly name: string }

/**
 * Pure. Of a producer that has something unfinished at the second watermark, what it ended since the first one may be the same
 * transaction. One with a marker below the first one is complete everywhere by the second.
 */
export function consistentEnds(logs: readonly LookedLog[]): ConsistentEnds {
  const heldUp = logs.find(({ end, low }) => end < low)
  if (heldUp !== undefined) return { kind: 'held', name: heldUp.name }
  const unfinished = new Set(
    logs.flatMap(({ high, spans }) => spans.filter(each => marker(each) >= high).map(each => each.producer)),
  )
  const ends = new Map(logs.map(({ name, end }) => [name, end]))
  const left = new Set<string>()
  const shared = new Set<bigint>()
  let isFarBack = false
  let isShort = false
  for (let isChanged = true; isChanged; ) {
    isChanged = false
    for (const { name, low, spans, sureFrom = 0 } of logs)
      for (const span of spans) {
        const end = ends.get(name)!
        const isKnown = left.has(keyOf(span))
        const isUnfinished = unfinished.has(span.producer) && marker(span) >= low
        if (isKnown ? span.from >= end : !isUnfinished && marker(span) < end) continue
        if (span.isEpochShared) shared.add(span.producer)
        if (marker(span) < low) isFarBack = true
        if (span.isBegunBefore || span.from < sureFrom) isShort = true
        left.add(keyOf(span))
        ends.set(name, Math.min(end, span.from))
        isChanged = true
      }
  }
  return { kind: 'cut', ends, isFarBack, isShort, shared: [...shared] }
}

const marker = ({ to }: Span): number => to ?? Number.POSITIVE_INFINITY
const keyOf = ({ producer, epoch }: Span): string => `${producer} ${epoch}`

/** Of what stands in [from, end). Below `from` every transaction is decided. Reads headers only. */
export async function spansOf(
  reader: SegmentReader,
  { segments, start }: PartitionState,
  { from, end }: { readonly from: number; readonly end: number },
): Promise<Span[]> {
  const spans: Span[] = []
  const isFromStart = from <= start
  const open = new Map<bigint, Span>()
  for (let offset = from; ; ) {
    const run = await reader.read(segments, offset, end)
    if (run === undefined) break
    for (const { header } of run.batches) {
      const { producerId: producer, producerEpoch: epoch, baseOffset } = header
      if (header.isControl) {
        const span = open.get(producer)
        const to = baseOffset
        // Newer ones raise the epoch with the marker.
        if (span !== undefined) spans.push({ ...span, to, isEpochShared: epoch === span.epoch })
        else if (!isFromStart)
          spans.push({ producer, epoch, isEpochShared: false, from, to, isBegunBefore: true })
        open.delete(producer)
      } else if (header.isTransactional && !open.has(producer))
        open.set(producer, {
          producer,
          epoch,
          isEpochShared: false,
          from: baseOffset,
          to: undefined,
          isBegunBefore: false,
        })
    }
    offset = run.batches.at(-1)!.header.lastOffset + 1
  }
  return [...spans, ...open.values()]
}
