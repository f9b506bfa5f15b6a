// The vocabulary of a link's state, as `kdr status` shows it and `_kdr.state` keeps it (CLI.md).

export type PartitionState = 'seeding' | 'mirroring' | 'paused' | 'promoted' | 'waiting' | 'faulted'

export type FaultReason =
  | 'lost-to-retention'
  | 'truncated'
  | 'recreated'
  | 'source-deleted'
  | 'foreign-write'
  | 'wrong-cluster'
  | 'no-rights'
  | 'not-empty'
  | 'too-large'
  | 'corrupt'
  | 'gap-too-large'
  | 'overfilled'
  | 'log-start-jump'
  | 'unexpected-offset'
  | 'target-refuses'
  | 'unreachable'

/** Why a partition does not go on. `sentence` names topic, partition, offsets and cause, and ends with the way out. */
export type Fault = { readonly reason: FaultReason; readonly sentence: string }

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

export type PartitionReport = {
  readonly partition: number
  readonly state: PartitionState
  readonly reason?: FaultReason
  readonly sentence?: string
  readonly cursor: number
  readonly sourceEnd: number
  readonly lagRecords: number
  readonly lagMs: number
}
