// What a copy tells its surroundings: who sends, fills, fetches and remembers for it.
import type { PlannedGap } from '../log/plan-append.ts'
import type { PartitionCopy } from './partition.ts'

export type PartitionHooks = {
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
