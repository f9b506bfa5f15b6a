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

type Memory = Pick<LinkContext, 'store' | 'link'>

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

/** Throws KdrError('unreachable'). */
export async function remember({ store, link }: Memory, copy: PartitionCopy): Promise<void> {
  const record: PartitionRecord = {
    epochs: copy.lineage.entries,
    origin: copy.origin,
    targetTopicId: copy.targetTopicId,
    acceptedLogStart: copy.acceptedLogStart,
  }
  await store.put(partitionKey(link, copy.topic, copy.partition), toRecord('partition', record))
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
