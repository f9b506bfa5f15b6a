// Where mirror partitions stand, in the words of the group sync: the engines do not know each other. Of those that other
// workers copy, what these have reported: never more than they hold.
import type { PartitionCopy } from '../engine/replicate/partition.ts'
import { equalUpTo } from '../engine/replicate/report-of.ts'
import type { Replication } from '../engine/replicate/replication.ts'
import type { MirrorPosition } from '../engine/sync/groups.ts'
import { type ReportedPartition, readReports, readSlots, readTopics } from '../model/state-records.ts'

export function positionsOf(replication: Pick<Replication, 'copies' | 'context'>): MirrorPosition[] {
  const { store, link, slots } = replication.context
  const own = replication.copies().map(positionOf)
  if (slots.held.length === slots.count) return own
  const records = readTopics(store, link)
  const holders = readSlots(store, link)
  const others = [...readReports(store, link)].flatMap(([topic, { partitions }]) => {
    const topicId = records.get(topic)?.targetTopicId
    return topicId === undefined
      ? []
      : partitions
          .filter(({ partition }) => slots.identityOf({ topic, partition }) === undefined)
          .map(reported => {
            const holder = holders.get(slots.of({ topic, partition: reported.partition }))
            const isCurrent =
              reported.worker === holder?.owner &&
              reported.generation === holder.generation &&
              reported.targetTopicId === topicId
            return reportedPosition({ topic, topicId }, reported, isCurrent)
          })
  })
  return [...own, ...others]
}

/** Of a topic that kdr does not mirror (not empty, recreated) nothing is known: its offsets are none of ours. */
function positionOf(copy: PartitionCopy): MirrorPosition {
  const isStopped =
    copy.state === 'faulted' || copy.state === 'paused' || copy.fault?.reason === 'source-deleted'
  const { topic, partition, targetTopicId: topicId, isAnchored } = copy
  return {
    topic,
    topicId,
    partition,
    isAnchored,
    isStopped,
    cursor: equalUpTo(copy),
    logStart: copy.targetLogStart,
  }
}

/** Of one whose slot was taken since, by another worker or by the same again, or whose mirror is another by now, nothing is known. */
function reportedPosition(
  of: { readonly topic: string; readonly topicId: string },
  { partition, state, reason, cursor, isAnchored, logStart }: ReportedPartition,
  isCurrent: boolean,
): MirrorPosition {
  const isStopped = isCurrent && (state === 'faulted' || state === 'paused' || reason === 'source-deleted')
  return { ...of, partition, isAnchored: isCurrent && isAnchored, isStopped, cursor, logStart }
}
