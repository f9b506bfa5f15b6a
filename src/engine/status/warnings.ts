// What is not wrong yet, and will be: a source that deletes soon what was not copied, a transaction that nobody ends. The
// worker has seen it; here it is brought up to now, for there may be no worker any more.
import { headroomAt, headroomSentence, isShort, shortLimitMs } from '../../model/headroom.ts'
import { holdingSentence } from '../../model/holding.ts'
import type { Deletion, Headroom, HoldingTransaction, PartitionReport } from '../../model/link.ts'

export type WarningKind = 'retention-headroom' | 'hanging-transaction' | 'open-transaction'
export type Warning = {
  readonly kind: WarningKind
  readonly topic: string
  readonly partition: number
  readonly sentence: string
}

/** CLI.md's durations: how things stand now. */
export type HeadroomStatus = Pick<Headroom, 'ms' | 'basis' | 'isAtMost'>
export type TransactionStatus = Omit<HoldingTransaction, 'since' | 'bootstrap'> & { readonly ageMs: number }

export type Seen = {
  readonly now: number
  readonly isAlive: boolean
  /** When a worker last said that it lives, ms since 1970; 0: never. */
  readonly aliveAt: number
  readonly deletion: Deletion | undefined
}

/** An open transaction is worth a word after this long. */
const OPEN_NOTICE_MS = 60_000

/**
 * Undefined when nothing is behind. What was written since a worker last saw the partition without any lag is younger than
 * that look.
 */
export function headroomNow(
  report: Pick<PartitionReport, 'headroom' | 'lagRecords'>,
  lagRecords: number,
  seen: Seen,
): Headroom | undefined {
  if (lagRecords === 0) return undefined
  const { headroom } = report
  if (seen.isAlive) return headroom
  if (headroom !== undefined) return headroomAt({ ...headroom, isGrowing: false }, seen.now)
  const afterMs = seen.deletion?.afterMs ?? null
  if (report.lagRecords > 0 || afterMs === null || seen.aliveAt === 0) return undefined
  return {
    ms: seen.aliveAt + afterMs - seen.now,
    basis: 'age',
    isAtMost: seen.deletion?.isBySize === true,
    limitMs: shortLimitMs(afterMs),
    isGrowing: false,
    at: seen.now,
  }
}

export function warningsOf(
  of: { readonly topic: string; readonly partition: number; readonly cursor: number },
  seen: {
    readonly headroom: Headroom | undefined
    readonly transaction: HoldingTransaction | undefined
    readonly now: number
  },
): Warning[] {
  const { topic, partition } = of
  const { headroom, transaction, now } = seen
  const warnings: Warning[] = []
  if (headroom !== undefined && isShort(headroom)) {
    const sentence = headroomSentence({ topic, name: `${topic}/${partition}`, appended: of.cursor }, headroom)
    warnings.push({ kind: 'retention-headroom', topic, partition, sentence })
  }
  if (transaction !== undefined) {
    const { kind, since } = transaction
    const sentence = holdingSentence(of, transaction)
    if (kind === 'hanging') warnings.push({ kind: 'hanging-transaction', topic, partition, sentence })
    else if (now - since >= OPEN_NOTICE_MS)
      warnings.push({ kind: 'open-transaction', topic, partition, sentence })
  }
  return warnings
}
