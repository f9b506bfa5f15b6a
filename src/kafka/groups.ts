// Consumer groups: every broker lists the groups that it coordinates; offsets are read and written at the coordinator.
// Offsets are committed as an admin does: generation -1, no member, no leader epoch, which a group with members refuses.
import {
  deleteGroupsV2,
  listGroupsV4,
  listGroupsV5,
  offsetCommitV8,
  offsetDeleteV0,
} from '@platformatic/kafka'
import { KdrError } from '../model/errors.ts'
import { codeName, KafkaCode } from '../model/kafka-codes.ts'
import type { GroupOffset, GroupOffsets, ListedGroup, Outcome, TopicPartition } from '../ports/cluster.ts'
import type { BrokerConnection } from './connection.ts'
import { offsetFetch, readRawGroup } from './raw/offset-fetch.ts'
import { allDone, byTopic, type ClusterContext, outcome } from './context.ts'
import type { Coordinators } from './coordinators.ts'

const NO_OFFSET = -1
const FORGET_FROM = 20_000
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

const refusedOffsets = (why: Outcome): GroupOffsets => ({ ...why, offsets: [], pending: [] })

/** What groups have answered: of one that answers the same again, the same object is given, so that nobody compares it. */
export class GroupOffsetReader {
  readonly #coordinators: Coordinators
  #known = new Map<string, { readonly bytes: Buffer; readonly offsets: GroupOffsets }>()

  constructor(coordinators: Coordinators) {
    this.#coordinators = coordinators
  }

  async read(groups: readonly string[]): Promise<GroupOffsets[]> {
    this.#forgetOthers(groups)
    return await this.#coordinators.askMany<GroupOffsets>(
      groups,
      FETCHED_AT_ONCE,
      async (connection, part) => {
        connection.versions.need('OffsetFetch')
        const answers = await connection.call(offsetFetch, part)
        const found = new Map(answers.map(({ group, bytes }) => [group, bytes]))
        return part.map(group => this.#offsetsOf(group, found.get(group)))
      },
      answer => answer.code,
      refusedOffsets,
    )
  }

  #offsetsOf(group: string, bytes: Buffer | undefined): GroupOffsets {
    if (bytes === undefined) return refusedOffsets(outcome(KafkaCode.UNKNOWN_SERVER_ERROR))
    const known = this.#known.get(group)
    if (known?.bytes.equals(bytes) === true) return known.offsets
    const offsets = offsetsOf(bytes)
    // A copy: the bytes are a part of a larger answer.
    this.#known.set(group, { bytes: Buffer.from(bytes), offsets })
    return offsets
  }

  /** When far more are known than are asked for: some of those are gone. */
  #forgetOthers(groups: readonly string[]): void {
    if (this.#known.size > 2 * groups.length + FORGET_FROM) this.#known = new Map()
  }
}

function offsetsOf(bytes: Buffer): GroupOffsets {
  const raw = readRawGroup(bytes)
  if (raw.code !== KafkaCode.NONE) return refusedOffsets(outcome(raw.code))
  const offsets: GroupOffset[] = []
  const pending: TopicPartition[] = []
  for (const { topic, partition, offset, metadata, code } of raw.offsets) {
    if (code === KafkaCode.UNSTABLE_OFFSET_COMMIT) pending.push({ topic, partition })
    else if (code !== KafkaCode.NONE) return refusedOffsets(outcome(code))
    else if (offset !== NO_OFFSET) offsets.push({ topic, partition, offset, metadata })
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
