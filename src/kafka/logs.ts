// Reading where logs stand: ListOffsets, OffsetForLeaderEpoch, DescribeProducers; and DeleteRecords, which goes the same
// way. One request per leader. The leader epoch that the metadata showed is sent along, so that a broker that has lost
// its leadership since refuses: with replica id -2 a follower would answer with its own, shorter log otherwise.
import {
  deleteRecordsV2,
  describeProducersV0,
  listOffsetsV7,
  offsetForLeaderEpochV4,
} from '@platformatic/kafka'
import type { CodeAndOffset, LogPoint, ProducerState, TopicPartition } from '../ports/cluster.ts'
import type { BrokerConnection } from './connection.ts'
import { askLeaders, byTopic, type ClusterContext, leaderEpochOf, outcome, partitionKey } from './context.ts'

type CodeOffsetEpoch = CodeAndOffset & { readonly leaderEpoch: number }

const CONSUMER = -1
/** ListOffsetsRequest.DEBUGGING_REPLICA_ID: answers the log end itself, not the high watermark. */
const DEBUGGER = -2
const LATEST = -1n
const EARLIEST = -2n

const POINTS: Readonly<Record<LogPoint, { replica: number; isolation: number; timestamp: bigint }>> = {
  logStart: { replica: CONSUMER, isolation: 0, timestamp: EARLIEST },
  logEnd: { replica: DEBUGGER, isolation: 0, timestamp: LATEST },
  highWatermark: { replica: CONSUMER, isolation: 0, timestamp: LATEST },
  lastStable: { replica: CONSUMER, isolation: 1, timestamp: LATEST },
}

export function readOffsets(
  context: ClusterContext,
  partitions: readonly TopicPartition[],
  point: LogPoint,
): Promise<CodeOffsetEpoch[]> {
  const { replica, isolation, timestamp } = POINTS[point]
  return listOffsets(context, partitions, replica, isolation, () => timestamp)
}

export async function readOffsetsForTime(
  context: ClusterContext,
  partitions: readonly (TopicPartition & { readonly timestamp: number })[],
): Promise<CodeAndOffset[]> {
  return listOffsets(context, partitions, CONSUMER, 0, partition => BigInt(partition.timestamp))
}

function listOffsets<P extends TopicPartition>(
  context: ClusterContext,
  partitions: readonly P[],
  replica: number,
  isolation: number,
  timestampOf: (partition: P) => bigint,
): Promise<CodeOffsetEpoch[]> {
  const refused = (code: number) => ({ code, offset: -1, leaderEpoch: -1 })
  return askLeaders(context, partitions, refused, async (connection, mine) =>
    ask(context, connection, mine, { replica, isolation, timestampOf }),
  )
}

/** The true ends of partitions that the broker at the other end of `connection` leads. Sent before the first await. */
export function askLogEnds(
  context: ClusterContext,
  connection: BrokerConnection,
  partitions: readonly TopicPartition[],
): Promise<Map<string, CodeOffsetEpoch>> {
  const { replica, isolation, timestamp } = POINTS.logEnd
  return ask(context, connection, partitions, { replica, isolation, timestampOf: () => timestamp })
}

async function ask<P extends TopicPartition>(
  context: ClusterContext,
  connection: BrokerConnection,
  partitions: readonly P[],
  how: { replica: number; isolation: number; timestampOf: (partition: P) => bigint },
): Promise<Map<string, CodeOffsetEpoch>> {
  connection.versions.need('ListOffsets')
  const request = byTopic(partitions).map(({ topic, partitions: asked }) => ({
    name: topic,
    partitions: asked.map(p => ({
      partitionIndex: p.partition,
      currentLeaderEpoch: leaderEpochOf(context, p),
      timestamp: how.timestampOf(p),
    })),
  }))
  const answer = await connection.call(listOffsetsV7.api, how.replica, how.isolation, request)
  const found = new Map<string, CodeOffsetEpoch>()
  for (const topic of answer.topics) {
    for (const p of topic.partitions) {
      const at = partitionKey({ topic: topic.name, partition: p.partitionIndex })
      found.set(at, { code: p.errorCode, offset: Number(p.offset), leaderEpoch: p.leaderEpoch })
    }
  }
  return found
}

export function readEpochEnds(
  context: ClusterContext,
  partitions: readonly (TopicPartition & { readonly epoch: number })[],
): Promise<(CodeAndOffset & { readonly epoch: number })[]> {
  const refused = (code: number) => ({ code, offset: -1, epoch: -1 })
  return askLeaders(context, partitions, refused, async (connection, mine) => {
    connection.versions.need('OffsetForLeaderEpoch')
    const request = byTopic(mine).map(({ topic, partitions: asked }) => ({
      name: topic,
      partitions: asked.map(p => ({
        partitionIndex: p.partition,
        currentLeaderEpoch: leaderEpochOf(context, p),
        leaderEpoch: p.epoch,
      })),
    }))
    const answer = await connection.call(offsetForLeaderEpochV4.api, CONSUMER, request)
    const found = new Map<string, CodeAndOffset & { epoch: number }>()
    for (const topic of answer.topics) {
      for (const p of topic.partitions) {
        const at = partitionKey({ topic: topic.topic, partition: p.partition })
        found.set(at, { code: p.errorCode, offset: Number(p.endOffset), epoch: p.leaderEpoch })
      }
    }
    return found
  })
}

type Producers = {
  readonly code: number
  readonly message?: string
  readonly producers: readonly ProducerState[]
}

export function readProducers(
  context: ClusterContext,
  partitions: readonly TopicPartition[],
): Promise<Producers[]> {
  const refused = (code: number): Producers => ({ code, producers: [] })
  return askLeaders(context, partitions, refused, async (connection, mine) => {
    connection.versions.need('DescribeProducers')
    const request = byTopic(mine).map(({ topic, partitions: asked }) => ({
      name: topic,
      partitionIndexes: asked.map(p => p.partition),
    }))
    const answer = await connection.call(describeProducersV0.api, request)
    const found = new Map<string, Producers>()
    for (const topic of answer.topics) {
      for (const p of topic.partitions) {
        const producers = p.activeProducers.map(one => ({
          producerId: one.producerId,
          producerEpoch: one.producerEpoch,
          lastSequence: one.lastSequence,
          lastTimestamp: Number(one.lastTimestamp),
          coordinatorEpoch: one.coordinatorEpoch,
          transactionStart: Number(one.currentTxnStartOffset),
        }))
        const at = partitionKey({ topic: topic.name, partition: p.partitionIndex })
        found.set(at, { ...outcome(p.errorCode, p.errorMessage), producers })
      }
    }
    return found
  })
}

export function deleteRecords(
  context: ClusterContext,
  targets: readonly (TopicPartition & { readonly before: number })[],
): Promise<CodeAndOffset[]> {
  const refused = (code: number): CodeAndOffset => ({ code, offset: -1 })
  return askLeaders(context, targets, refused, async (connection, mine) => {
    connection.versions.need('DeleteRecords')
    const request = byTopic(mine).map(({ topic, partitions }) => ({
      name: topic,
      partitions: partitions.map(p => ({ partitionIndex: p.partition, offset: BigInt(p.before) })),
    }))
    const answer = await connection.call(deleteRecordsV2.api, request, context.requestTimeoutMs)
    const found = new Map<string, CodeAndOffset>()
    for (const topic of answer.topics) {
      for (const p of topic.partitions) {
        const at = partitionKey({ topic: topic.name, partition: p.partitionIndex })
        found.set(at, { code: p.errorCode, offset: Number(p.lowWatermark) })
      }
    }
    return found
  })
}
