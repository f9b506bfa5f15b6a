// The vocabulary of a link's state, as `kdr status` shows it and `_kdr.state` keeps it (CLI.md).
import type { LossCause, LossRange } from './ledger.ts'

export const PARTITION_STATES = ['seeding', 'mirroring', 'paused', 'promoted', 'waiting', 'faulted'] as const
export type PartitionState = (typeof PARTITION_STATES)[number]

export const FAULT_REASONS = [
  'lost-to-retention',
  'truncated',
  'recreated',
  'source-deleted',
  'foreign-write',
  'wrong-cluster',
  'no-rights',
  'not-empty',
  'too-large',
  'corrupt',
  'gap-too-large',
  'overfilled',
  'log-start-jump',
  'unexpected-offset',
  'target-refuses',
  'unreachable',
] as const
export type FaultReason = (typeof FAULT_REASONS)[number]

/** Why a partition does not go on. `sentence` names topic, partition, offsets and cause, and ends with the way out. */
export type Fault = {
  readonly reason: FaultReason
  readonly sentence: string
  /** What `kdr link accept-loss` would give up; without it there is nothing to accept. */
  readonly loss?: PossibleLoss
}
export type PossibleLoss = LossRange & { readonly cause: LossCause }

/** What the offsets below a cursor are. Together they are the cursor. */
export type OffsetCounts = {
  readonly records: number
  readonly markers: number
  readonly aborted: number
  /** Taken by the cleaner, or never used. */
  readonly compacted: number
  /** Below the source's log start when the copy began. */
  readonly seeded: number
  /** Lost and accepted: the ledger has the ranges. */
  readonly lost: number
  /** Adopted, or copied by a kdr that ended before it could say what they are. */
  readonly uncounted: number
}

/** How gaps are filled at the target: by WriteTxnMarkers (cluster rights) or by empty transactions. */
export type FillMode = 'markers' | 'transactions'

/** (leader epoch of the source, first offset copied under it), ascending in both. */
export type Lineage = readonly (readonly [epoch: number, firstOffset: number])[]

/** The source's epoch of the record before `offset`, or -1 when nothing is known below it. */
export function epochBefore(lineage: Lineage, offset: number): number {
  let epoch = -1
  for (const [each, first] of lineage) {
    if (first >= offset) break
    epoch = each
  }
  return epoch
}

/** What the source deletes by. `afterMs`: the age; null: not by age. */
export type Deletion = { readonly afterMs: number | null; readonly isBySize: boolean }

/** How long until the source deletes what has not been copied yet. */
export type Headroom = {
  /** Below 0: it may happen at any moment. null: the source deletes, and when is not known. */
  readonly ms: number | null
  /** `age`: by the timestamp of the record at the cursor; `log-start`: by how fast the log start moves. */
  readonly basis: 'age' | 'log-start' | 'unknown'
  /** Something else may delete earlier, and when is not known. */
  readonly isAtMost: boolean
  /** Below this it is short. */
  readonly limitMs: number
  /** The copy gains on the deletion. */
  readonly isGrowing: boolean
  /** When this was so, ms since 1970. */
  readonly at: number
}

/** The transaction that holds the source's last stable offset. */
export type HoldingTransaction = {
  /** `hanging`: no coordinator will end it. `unseen`: kdr may not see whether one does. */
  readonly kind: 'open' | 'hanging' | 'unseen'
  /** Decimal: 63 bits do not fit a JSON number. */
  readonly producerId: string
  readonly producerEpoch: number
  readonly startOffset: number
  /** When it began; where no coordinator says, the timestamp of its last record. ms since 1970. */
  readonly since: number
  readonly transactionalId?: string
  readonly timeoutMs?: number
  /** A broker's address, for Kafka's own tool. */
  readonly bootstrap: string
}

export type PartitionReport = {
  readonly partition: number
  readonly state: PartitionState
  readonly reason?: FaultReason
  readonly sentence?: string
  readonly loss?: PossibleLoss
  readonly cursor: number
  /** The cursor and the log start are the mirror's, as of the last anchor; before the first nothing is known. */
  readonly isAnchored: boolean
  /** Of the mirror. */
  readonly logStart: number
  readonly sourceEnd: number
  readonly lagRecords: number
  readonly lagMs: number
  /** Undefined: nothing is behind for long, or nothing deletes there. */
  readonly headroom?: Headroom | undefined
  readonly transaction?: HoldingTransaction | undefined
  readonly offsets?: OffsetCounts
}
