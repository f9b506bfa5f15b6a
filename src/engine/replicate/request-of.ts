// How the source is asked for what follows a copy's plan: with all that lets a broker notice that it is no longer the log, or the
// history of it, that the plan was made from.
import type { FetchPartition } from '../../ports/cluster.ts'
import type { ClusterWatch } from './cluster-watch.ts'
import type { PartitionCopy } from './partition.ts'

const NO_LEADER = { leader: -1, leaderEpoch: -1 }

/** `bytes`: at most, unless a batch is known to be larger. */
export function requestOf(
  sourceWatch: ClusterWatch,
  copy: PartitionCopy,
  { broker, bytes }: { readonly broker: number; readonly bytes: number },
): FetchPartition {
  return {
    topic: copy.topic,
    partition: copy.partition,
    topicId: copy.sourceTopicId,
    offset: copy.fetchOffset,
    leaderEpoch: copy.pinnedEpoch ?? epochOf(sourceWatch, copy, broker),
    lastFetchedEpoch: copy.lastFetchedEpoch,
    maxBytes: Math.max(copy.fetchBytes, bytes),
  }
}

/**
 * When another broker leads by now, this one is asked as the leader that it was: a follower answers consumers too, and may
 * still hold what the new leader never had.
 */
function epochOf(sourceWatch: ClusterWatch, copy: PartitionCopy, broker: number): number {
  const { leader, leaderEpoch } = sourceWatch.partition(copy) ?? NO_LEADER
  return leader < 0 || leader === broker ? leaderEpoch : leaderEpoch - 1
}
