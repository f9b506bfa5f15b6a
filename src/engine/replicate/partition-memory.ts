// What `_kdr.state` knows of one partition's copy: written while it copies, read by whoever copies it next.
import type { AcceptedLoss } from '../../model/ledger.ts'
import {
  type PartitionRecord,
  partitionKey,
  readLedger,
  readPartition,
  REPORT_PARTITIONS,
  reportKey,
  toRecord,
  type TopicRecord,
  type TopicReport,
} from '../../model/state-records.ts'
import { NO_TOPIC_ID } from '../../ports/cluster.ts'
import type { LinkContext } from './context.ts'
import type { PartitionCopy } from './partition.ts'
import type { Slots } from './slots.ts'

type Memory = Pick<LinkContext, 'store' | 'link'>
/** Whether this worker may write what it knows. */
type Right = { readonly lease: { readonly isHeld: boolean }; readonly slots: Pick<Slots, 'identityOf'> }

/** `topic`: what is recorded of the topic that the copy belongs to. */
export function recall({ store, link }: Memory, copy: PartitionCopy, topic: TopicRecord | undefined): void {
  copy.sourceTopicId = topic?.sourceTopicId ?? NO_TOPIC_ID
  copy.targetTopicId = topic?.targetTopicId ?? NO_TOPIC_ID
  copy.adoptedUpTo = topic?.adoptedUpTo[copy.partition] ?? 0
  const known = readPartition(store, link, copy)
  copy.lineage.entries = known?.epochs ?? []
  copy.lineage.hasBegun = known !== undefined
  copy.origin = known?.origin ?? 0
  copy.ledger = readLedger(store, link, copy)
  copy.acceptedLogStart = Math.max(
    copy.acceptedLogStart,
    known?.acceptedLogStart ?? 0,
    ...copy.ledger.ranges.map(trimmedTo),
  )
}

/**
 * Written again and again until it is durable, but not beyond the time of its writer: a worker that wakes, or has let go of
 * the slot, must not put its memory over that of its successor. Throws KdrError('unreachable').
 */
export async function remember(
  { store, link, lease, slots }: Memory & Right,
  copy: PartitionCopy,
): Promise<void> {
  const record: PartitionRecord = {
    epochs: copy.lineage.entries,
    origin: copy.origin,
    targetTopicId: copy.targetTopicId,
    acceptedLogStart: copy.acceptedLogStart,
  }
  const isOurs = (): boolean =>
    lease.isHeld && slots.identityOf(copy)?.generation === copy.identity.generation
  await store.put(partitionKey(link, copy.topic, copy.partition), toRecord('partition', record), isOurs)
}

/**
 * What the worker knows of a partition that it copies stands in `_kdr.state`. It does not when a request that the holder
 * before had given up has landed since.
 */
export function isRemembered({ store, link }: Memory, copy: PartitionCopy): boolean {
  if (!copy.isOpen || !copy.lineage.hasBegun || copy.lineage.isPending) return true
  const known = readPartition(store, link, copy)
  const own = copy.lineage.entries
  return (
    known?.targetTopicId === copy.targetTopicId &&
    known.epochs.length === own.length &&
    own.every(([epoch, first], i) => known.epochs[i]?.[0] === epoch && known.epochs[i]?.[1] === first)
  )
}

/** What was reported of the partition last, by whichever worker. */
export function recallReport({ store, link }: Memory, copy: PartitionCopy): void {
  const { topic, partition, identity } = copy
  const key = reportKey(link, topic, identity.slot, Math.floor(partition / REPORT_PARTITIONS))
  const piece = store.get(key) as unknown as TopicReport | undefined
  const report = piece?.partitions.find(each => each.partition === partition)
  copy.counter.continue(report)
  if (report?.isAnchored === true) copy.reportedCursor = report.cursor
}

/** Up to where a log start may move that was accepted together with a loss. */
function trimmedTo({ to, acceptLogStart }: AcceptedLoss): number {
  return acceptLogStart === true ? to : 0
}
