// Consumer groups: every broker lists the groups that it coordinates; offsets are read and written at the coordinator.
// Offsets are committed as an admin does: generation -1, no member, no leader epoch, which a group with members refuses.
import {
  deleteGroupsV2,
  listGroupsV4,
  listGroupsV5,
  offsetCommitV8,
  offsetDeleteV0,
  offsetFetchV8,
} from '@platformatic/kafka'
import { KdrError } from '../model/errors.ts'
import { codeName, KafkaCode } from '../model/kafka-codes.ts'
import type { GroupOffset, GroupOffsets, ListedGroup, Outcome, TopicPartition } from '../ports/cluster.ts'
import type { BrokerConnection } from './connection.ts'
import { allDone, byTopic, type ClusterContext, outcome } from './context.ts'
import type { Coordinators } from './coordinators.ts'

const NO_OFFSET = -1n
/** Brokers that do not tell a group's type have only the old kind. */
const OLD_TYPE = 'classic'

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
        type: 'groupType' in one ? one.groupType.toLowerCase() || OLD_TYPE : OLD_TYPE,
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

/** A broker looks up each of them: some milliseconds a request. */
const FETCHED_AT_ONCE = 200

type Fetched = Awaited<ReturnType<typeof offsetFetchV8.api.async>>['groups'][number]

const refusedOffsets = (why: Outcome): GroupOffsets => ({ ...why, offsets: [], pending: [] })

export async function readGroupOffsets(
  coordinators: Coordinators,
  groups: readonly string[],
): Promise<GroupOffsets[]> {
  return await coordinators.askMany<GroupOffsets>(
    groups,
    FETCHED_AT_ONCE,
    async (connection, part) => {
      connection.versions.need('OffsetFetch')
      const asked = part.map(groupId => ({ groupId, memberEpoch: -1, topics: null }))
      const answer = await connection.call(offsetFetchV8.api, asked, true)
      const found = new Map(answer.groups.map(each => [each.groupId, each]))
      return part.map(group => offsetsOf(found.get(group)))
    },
    answer => answer.code,
    refusedOffsets,
  )
}

function offsetsOf(found: Fetched | undefined): GroupOffsets {
  const code = found?.errorCode ?? KafkaCode.UNKNOWN_SERVER_ERROR
  if (found === undefined || code !== KafkaCode.NONE) return refusedOffsets(outcome(code))
  const offsets: GroupOffset[] = []
  const pending: TopicPartition[] = []
  for (const { name: topic, partitions } of found.topics) {
    for (const { partitionIndex: partition, committedOffset, metadata, errorCode } of partitions) {
      if (errorCode === KafkaCode.UNSTABLE_OFFSET_COMMIT) pending.push({ topic, partition })
      else if (errorCode !== KafkaCode.NONE) return refusedOffsets(outcome(errorCode))
      else if (committedOffset !== NO_OFFSET)
        offsets.push({ topic, partition, offset: Number(committedOffset), metadata: metadata ?? null })
    }
  }
  return { ...outcome(KafkaCode.NONE), offsets, pending }
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
  return await askOne(coordinators, group, async connection => {
    connection.versions.need('OffsetCommit')
    const answer = await connection.call(offsetCommitV8.api, group, -1, '', null, request)
    return outcome(firstFailure(answer.topics.flatMap(topic => topic.partitions)))
  })
}

export async function deleteGroupOffsets(
  coordinators: Coordinators,
  group: string,
  partitions: readonly TopicPartition[],
): Promise<Outcome> {
  const request = byTopic(partitions).map(({ topic, partitions }) => ({
    name: topic,
    partitions: partitions.map(({ partition }) => ({ partitionIndex: partition })),
  }))
  return await askOne(coordinators, group, async connection => {
    connection.versions.need('OffsetDelete')
    const answer = await connection.call(offsetDeleteV0.api, group, request)
    if (answer.errorCode !== KafkaCode.NONE) return outcome(answer.errorCode)
    return outcome(firstFailure(answer.topics.flatMap(topic => topic.partitions)))
  })
}

export async function deleteGroup(coordinators: Coordinators, group: string): Promise<Outcome> {
  return await askOne(coordinators, group, async connection => {
    connection.versions.need('DeleteGroups')
    const answer = await connection.call(deleteGroupsV2.api, [group])
    return outcome(answer.results[0]?.errorCode ?? KafkaCode.UNKNOWN_SERVER_ERROR)
  })
}

async function askOne(
  coordinators: Coordinators,
  group: string,
  ask: (connection: BrokerConnection) => Promise<Outcome>,
): Promise<Outcome> {
  return await coordinators.ask<Outcome>(
    group,
    ask,
    answer => answer.code,
    why => why,
  )
}

function firstFailure(partitions: readonly { readonly errorCode: number }[]): number {
  return partitions.find(({ errorCode }) => errorCode !== KafkaCode.NONE)?.errorCode ?? KafkaCode.NONE
}
