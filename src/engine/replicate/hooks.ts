// What a copy tells its surroundings: who sends, fills, fetches and remembers for it, and why it stopped.
import type { LossRange } from '../../model/ledger.ts'
import type { Fault } from '../../model/link.ts'
import type { RecordCodec } from '../../ports/records.ts'
import type { PlannedGap } from '../log/plan-append.ts'
import type { PartitionCopy } from './partition.ts'

/** Why the copy stopped for now. */
export type Break =
  /** `batch`: the offsets of the one that it is about. */
  | { readonly why: 'anchor'; readonly cause: string; readonly code?: number; readonly batch?: LossRange }
  | { readonly why: 'fault'; readonly fault: Fault }
  | { readonly why: 'closed' }

export type PartitionHooks = {
  /** With which small batches are coalesced. */
  readonly codec: RecordCodec
  /** The copy may have something to send. */
  readonly onSendable: (copy: PartitionCopy) => void
  /** The head of the queue is a gap and nothing is in flight. */
  readonly onGap: (copy: PartitionCopy, gap: PlannedGap) => void
  /** The copy has room again. */
  readonly onRoom: (copy: PartitionCopy) => void
  /** Makes the lineage durable; nothing of a new epoch is sent before it resolves. */
  readonly saveLineage: (copy: PartitionCopy) => Promise<void>
  /** Buffered bytes changed by this much. */
  readonly onBuffered: (bytes: number) => void
}
