// Consumer groups: every broker lists the groups that it coordinates; offsets are read and written at the coordinator.
// Offsets are committed as an admin does: generation -1, no member, no leader epoch, which a group with members refuses.
import { listGroupsV4, listGroupsV5, offsetCommitV8, offsetFetchV8 } from '@platformatic/kafka'
import { KdrError } from '../model/errors.ts'
import { codeName, KafkaCode } from '../model/kafka-codes.ts'
import type { GroupOffset, Outcome } from '../ports/cluster.ts'
import { allDone, byTopic, type ClusterContext, outcome } from './context.ts'
import type { Coordinators } from './coordinators.ts'

const NO_OFFSET = -1
/** Brokers that do not tell a group's type have only the old kind. */
const OLD_TYPE = 'classic'

export type ListedGroup = { readonly group: string; readonly type: string; readonly state: string }

/** Throws when a broker cannot list its groups: a list with some missing would look complete. */
export async function listGroups(context: ClusterContext): Promise<ListedGroup[]> {
  const lists = await allDone(context.view().brokers.map(broker => listGroupsOf(context, broker.id)))
  return lists.flat()
}

async function listGroupsOf(context: ClusterContext, broker: number): Promise<ListedGroup[]> {
  const connection = await context.pool.control(broker)
  const deadline = context.clock.monotonic() + context.requestTimeoutMs
  for (;;) {
    const answer =
      connection.versions.need('ListGroups') === 5
        ? await connection.call(listGroupsV5.api, [], [])
        : await connection.call(listGroupsV4.api, [], [])
    if (answer.errorCode === KafkaCode.NONE) {
      return answer.groups.map(one => ({
        group: one.groupId,
        type: one.groupType || OLD_TYPE,
        state: one.groupState,
      }))
    }
    const isLoading =
      answer.errorCode === KafkaCode.COORDINATOR_LOAD_IN_PROGRESS ||
      answer.errorCode === KafkaCode.COORDINATOR_NOT_AVAILABLE
    if (!isLoading || context.clock.monotonic() >= deadline) {
      throw new KdrError(
        'unreachable',
        `${connection.what} cannot list its groups: ${codeName(answer.errorCode)}`,
      )
    }
    await context.clock.sleep(100)
  }
}

type GroupOffsets = Outcome & { readonly offsets: readonly GroupOffset[] }

export async function readGroupOffsets(coordinators: Coordinators, group: string): Promise<GroupOffsets> {
  return coordinators.ask<GroupOffsets>(
    group,
    async connection => {
      connection.versions.need('OffsetFetch')
      const answer = await connection.call(
        offsetFetchV8.api,
        [{ groupId: group, memberEpoch: -1, topics: null }],
        true,
      )
      const found = answer.groups[0]
      if (found === undefined) return { ...outcome(KafkaCode.UNKNOWN_SERVER_ERROR), offsets: [] }
      if (found.errorCode !== KafkaCode.NONE) return { ...outcome(found.errorCode), offsets: [] }
      const offsets: GroupOffset[] = []
      for (const topic of found.topics) {
        for (const p of topic.partitions) {
          if (p.errorCode !== KafkaCode.NONE) return { ...outcome(p.errorCode), offsets: [] }
          const offset = Number(p.committedOffset)
          if (offset === NO_OFFSET) continue
          offsets.push({
            topic: topic.name,
            partition: p.partitionIndex,
            offset,
            metadata: p.metadata ?? null,
          })
        }
      }
      return { ...outcome(KafkaCode.NONE), offsets }
    },
    answer => answer.code,
    why => ({ ...why, offsets: [] }),
  )
}

export async function commitGroupOffsets(
  coordinators: Coordinators,
  group: string,
  offsets: readonly GroupOffset[],
): Promise<Outcome> {
  if (offsets.length === 0) return outcome(KafkaCode.NONE)
  const request = byTopic(offsets).map(({ topic, partitions }) => ({
    name: topic,
    partitions: partitions.map(p => ({
      partitionIndex: p.partition,
      committedOffset: BigInt(p.offset),
      committedLeaderEpoch: -1,
      committedMetadata: p.metadata,
    })),
  }))
  return coordinators.ask<Outcome>(
    group,
    async connection => {
      connection.versions.need('OffsetCommit')
      const answer = await connection.call(offsetCommitV8.api, group, -1, '', null, request)
      const codes = answer.topics.flatMap(topic => topic.partitions).map(p => p.errorCode)
      return outcome(codes.find(code => code !== KafkaCode.NONE) ?? KafkaCode.NONE)
    },
    answer => answer.code,
    why => why,
  )
}
