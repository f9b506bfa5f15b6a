// The ledger of a mirror partition: which offsets were lost and accepted, by whom, when and why (DESIGN 2.5). Ranges are
// ascending and never overlap; what was accepted once is not accepted again. Bounded, because a record of `_kdr.state`
// holds 64 KB: what both logs have left behind is summed up, and a ledger that is full all the same takes no more.

/** Offsets [from, to). */
export type LossRange = { readonly from: number; readonly to: number }

/** `retention`: the source deleted them. `corrupt`, `too-large`: the source has them, and the target cannot be given them. */
export type LossCause = 'retention' | 'corrupt' | 'too-large'

export type AcceptedLoss = LossRange & {
  readonly cause: LossCause
  /** user@host of whoever accepted it. */
  readonly by: string
  /** ms since 1970. */
  readonly at: number
  readonly why?: string
  /** Older records of the mirror may go too, so that the range need not be filled offset by offset. */
  readonly acceptLogStart?: boolean
}

/** As people read it: `at` in ISO 8601. */
export type ShownLoss = Omit<AcceptedLoss, 'at'> & { readonly at: string }

/** Ranges that lie below the mirror's log start, as one figure: nobody can read there any more. */
export type SummedLoss = { readonly ranges: number; readonly offsets: number; readonly upTo: number }

export type Ledger = { readonly ranges: readonly AcceptedLoss[]; readonly summed?: SummedLoss }

export const EMPTY_LEDGER: Ledger = { ranges: [] }

/** Of JSON, below the 64 KB of a record: the rest of it is a few fields. */
const MAX_BYTES = 60_000

/**
 * With the parts of `loss` that are not in it yet. `logStart`: the mirror's; ranges below it are summed up when the
 * ledger would not fit. Undefined: it is full.
 */
export function withLoss(ledger: Ledger, loss: AcceptedLoss, logStart: number): Ledger | undefined {
  const parts = missingFrom(ledger, loss).map(range => ({ ...loss, ...range }))
  const known = ledger.ranges.map(range => (loss.acceptLogStart === true ? following(range, loss) : range))
  const ranges = joined([...known, ...parts].toSorted((a, b) => a.from - b.from))
  const full = { ...ledger, ranges }
  if (fits(full)) return full
  const summed = summedBelow(full, logStart)
  return fits(summed) ? summed : undefined
}

/** Accepted before, and now with the older records. */
function following(range: AcceptedLoss, loss: LossRange): AcceptedLoss {
  const isMeant = range.from < loss.to && loss.from < range.to && range.cause === 'retention'
  return isMeant ? { ...range, acceptLogStart: true } : range
}

export function showLoss(loss: AcceptedLoss): ShownLoss {
  return { ...loss, at: new Date(loss.at).toISOString() }
}

/** The parts of `range` that are not in the ledger, ascending. */
export function missingFrom({ ranges }: Ledger, { from, to }: LossRange): LossRange[] {
  const missing: LossRange[] = []
  let at = from
  for (const known of ranges) {
    if (known.to <= at) continue
    if (known.from >= to) break
    if (known.from > at) missing.push({ from: at, to: known.from })
    at = known.to
  }
  if (at < to) missing.push({ from: at, to })
  return missing
}

/** The range that `offset` stands in. */
export function lossAt({ ranges }: Ledger, offset: number): AcceptedLoss | undefined {
  return ranges.find(({ from, to }) => from <= offset && offset < to)
}

/** How many offsets below `offset` were lost and accepted. */
export function lostBelow({ ranges, summed }: Ledger, offset: number): number {
  return ranges.reduce(
    (sum, { from, to }) => sum + Math.max(0, Math.min(to, offset) - from),
    summed?.offsets ?? 0,
  )
}

/** Neighbours that one person accepted for one cause with one reason are one range; it carries the later time. */
function joined(ranges: readonly AcceptedLoss[]): AcceptedLoss[] {
  const result: AcceptedLoss[] = []
  for (const range of ranges) {
    const last = result.at(-1)
    if (last?.to === range.from && isAlike(last, range))
      result.splice(-1, 1, { ...last, to: range.to, at: Math.max(last.at, range.at) })
    else result.push(range)
  }
  return result
}

function isAlike(a: AcceptedLoss, b: AcceptedLoss): boolean {
  return a.cause === b.cause && a.by === b.by && a.why === b.why && a.acceptLogStart === b.acceptLogStart
}

function summedBelow({ ranges, summed }: Ledger, logStart: number): Ledger {
  const below = ranges.filter(({ to }) => to <= logStart)
  return {
    ranges: ranges.filter(({ to }) => to > logStart),
    summed: {
      ranges: (summed?.ranges ?? 0) + below.length,
      offsets: below.reduce((sum, { from, to }) => sum + to - from, summed?.offsets ?? 0),
      upTo: Math.max(summed?.upTo ?? 0, ...below.map(({ to }) => to)),
    },
  }
}

function fits(ledger: Ledger): boolean {
  return Buffer.byteLength(JSON.stringify(ledger)) <= MAX_BYTES
}
