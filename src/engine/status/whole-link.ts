// Where a link as a whole stands, as the worker that does its control work can tell at any moment without asking anybody: its own
// partitions, what the others have reported, and what is kept in `_kdr.state`.
import { type GroupReason, type GroupState, readGroupRound, readGroups } from '../../model/group-records.ts'
import type { Ledger } from '../../model/ledger.ts'
import type { ViewedPartition, WholeLink } from '../../model/link-facts.ts'
import { isLagKnown, type MeasuredPartition } from '../../model/objectives.ts'
import {
  readLedgers,
  readLink,
  readReports,
  readWorkers,
  type StateRecords,
} from '../../model/state-records.ts'

/** A worker whose last beat is older is taken for dead. */
const BEAT_MISSING_MS = 12_000

export type WholeLinkInput = {
  readonly store: StateRecords
  readonly link: string
  /** Wall clock. */
  readonly now: number
  /** When this worker saw the source last; 0: never. */
  readonly sourceSeenAt: number
  /** The partitions of this worker, as of now. */
  readonly own: readonly (Lag & { readonly topic: string; readonly partition: number })[]
  readonly isWanted: { readonly topic: (name: string) => boolean; readonly group: (name: string) => boolean }
}

export function wholeLink(input: WholeLinkInput): WholeLink {
  const { store, link, now, own } = input
  const workers = [...readWorkers(store, link).values()]
  const lags = [...own, ...reportedByOthers(input)]
  const ledgers = [...readLedgers(store, link).values()]
  return {
    generation: readLink(store, link)?.generation ?? 0,
    workers: workers.filter(({ state, at }) => state === 'running' && now - at < BEAT_MISSING_MS).length,
    lagRecords: lags.reduce((sum, { lagRecords }) => sum + lagRecords, 0),
    lagMs: lags.reduce((most, { lagMs }) => Math.max(most, lagMs), 0),
    isLagKnown: lags.length > 0 && lags.every(isLagKnown),
    sourceSeenAt: workers.reduce((latest, each) => Math.max(latest, each.sourceSeenAt), input.sourceSeenAt),
    lost: ledgers
      .map(lostOf)
      .reduce(
        (sum, { offsets, ranges }) => ({ offsets: sum.offsets + offsets, ranges: sum.ranges + ranges }),
        { offsets: 0, ranges: 0 },
      ),
    groups: groupsOf(input),
    groupsAt: readGroupRound(store, link),
  }
}

type Lag = MeasuredPartition & { readonly lagMs: number }

/** What was behind, or could not be read, has waited since it was reported; what was not is not behind for what has come meanwhile. */
export function reportedByOthers({
  store,
  link,
  now,
  own,
  isWanted,
}: Pick<WholeLinkInput, 'store' | 'link' | 'now' | 'isWanted'> & {
  readonly own: readonly { readonly topic: string; readonly partition: number }[]
}): ViewedPartition[] {
  const mine = new Set(own.map(({ topic, partition }) => `${topic}/${partition}`))
  return [...readReports(store, link)].flatMap(([topic, { partitions }]) =>
    isWanted.topic(topic)
      ? partitions
          .filter(({ partition }) => !mine.has(`${topic}/${partition}`))
          .map(({ at, ...report }) => ({
            ...report,
            topic,
            lagMs: report.lagRecords === 0 && report.lagMs === 0 ? 0 : report.lagMs + Math.max(0, now - at),
          }))
      : [],
  )
}

function groupsOf({ store, link, isWanted }: WholeLinkInput): { state: GroupState; reason?: GroupReason }[] {
  return readGroups(store, link)
    .filter(({ group }) => isWanted.group(group))
    .map(({ state, reason }) => (reason === undefined ? { state } : { state, reason }))
}

function lostOf({ ranges, summed }: Ledger): { readonly offsets: number; readonly ranges: number } {
  return {
    offsets: ranges.reduce((sum, { from, to }) => sum + (to - from), summed?.offsets ?? 0),
    ranges: ranges.length + (summed?.ranges ?? 0),
  }
}
