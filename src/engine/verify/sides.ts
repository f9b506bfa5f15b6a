// The words that the parts of a comparison share.
import type { FetchedPartition, TopicPartition } from '../../ports/cluster.ts'

export type SideName = 'source' | 'target'

export const otherSide = (side: SideName): SideName => (side === 'source' ? 'target' : 'source')

/** Reads one cluster's logs as a read-committed consumer does; moved leaders and lost connections are its own affair. */
export interface LogSource {
  /** Answers with code NONE, or OFFSET_OUT_OF_RANGE when the log starts later, at the answer's log start. Throws KdrError('unreachable' | 'not-allowed' | 'not-ready'). */
  fetch(of: TopicPartition, offset: number): Promise<FetchedPartition>
}

/** Offsets [from, to). */
export type OffsetRange = { readonly from: number; readonly to: number }
