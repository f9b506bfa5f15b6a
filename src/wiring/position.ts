// Where a mirror partition stands, in the words of the group sync: the engines do not know each other.
import type { PartitionCopy } from '../engine/replicate/partition.ts'
import type { MirrorPosition } from '../engine/sync/groups.ts'

/** Of a topic that kdr does not mirror (not empty, recreated) nothing is known: its offsets are none of ours. */
export function positionOf(copy: PartitionCopy): MirrorPosition {
  const isStopped =
    copy.state === 'faulted' || copy.state === 'paused' || copy.fault?.reason === 'source-deleted'
  const { topic, partition, targetTopicId: topicId, isAnchored } = copy
  return {
    topic,
    topicId,
    partition,
    isAnchored,
    isStopped,
    cursor: copy.appended,
    logStart: copy.targetLogStart,
  }
}
