// One partition as its worker sees it, for `kdr status` and whoever watches.
import type { Fault, PartitionReport } from '../../model/link.ts'
import { surplus } from './faults.ts'
import type { PartitionCopy } from './partition.ts'

/**
 * A mirror that is longer than its source stands still until the source shows more: for ever, where a transaction hangs there
 * or nobody writes any more. Of records the anchor says it; what is left are markers, as a coordinator writes them twice.
 */
export function surplusOf(copy: PartitionCopy): Fault | undefined {
  return copy.isOpen && copy.planned < copy.appended ? surplus(copy, copy.planned, copy.appended) : undefined
}

/** Up to where the mirror holds what its source has: a surplus of markers may stand where a record is to be. */
export function equalUpTo(copy: PartitionCopy): number {
  return copy.isOpen ? Math.min(copy.appended, copy.planned) : copy.appended
}

/** At `monotonic` (ms). */
export function reportOf(copy: PartitionCopy, monotonic: number): PartitionReport {
  const held = copy.heldLogStart ?? copy.lag.unread?.fault ?? surplusOf(copy)
  const why = copy.fault ?? held
  const sentence = why?.sentence ?? copy.note
  const cursor = equalUpTo(copy)
  const offsets = copy.isAnchored ? copy.counter.counts(cursor, copy.ledger) : copy.counter.reported
  return {
    partition: copy.partition,
    state: copy.state === 'mirroring' && held !== undefined ? 'waiting' : copy.state,
    ...(why === undefined ? {} : { reason: why.reason }),
    ...(sentence === undefined ? {} : { sentence }),
    ...(why?.loss === undefined ? {} : { loss: why.loss }),
    cursor,
    isAnchored: copy.isAnchored,
    logStart: copy.targetLogStart,
    sourceEnd: copy.sourceHighWatermark,
    lagRecords: Math.max(0, copy.sourceHighWatermark - cursor),
    lagMs: copy.lag.lagMs(cursor, monotonic),
    ...copy.watched,
    ...(offsets === undefined ? {} : { offsets }),
  }
}
