// Metadata v12 into a ClusterView: every topic that the principal may see. A topic that the broker reports with an error
// (it is being created or deleted) is left out until it is whole. An answer of the same bytes as the one before is not read.
import { type API, createAPI, metadataV12, Reader } from '@platformatic/kafka'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { ClusterView, Outcome, TopicView } from '../ports/cluster.ts'
import type { BrokerConnection } from './connection.ts'
import { answerOf } from './failure.ts'

export type Described = {
  readonly view: ClusterView
  readonly controller: number
  /** Of the answer, behind its throttle time. */
  readonly bytes: Buffer
}

type Answer = Awaited<ReturnType<typeof metadataV12.api.async>>

const KEY = 3
const VERSION = 12
const THROTTLE_BYTES = 4

const RAW: API<Parameters<typeof metadataV12.createRequest>, Buffer> = createAPI(
  KEY,
  VERSION,
  metadataV12.createRequest,
  (_correlation, _key, _version, reader) => reader.buffer.subarray(reader.position).buffer,
)

/** In the order of `ids`. */
export async function readTopicsById(
  connection: BrokerConnection,
  ids: readonly string[],
): Promise<{ readonly clusterId: string; readonly topics: readonly Outcome[] }> {
  connection.versions.need('Metadata')
  const asked = ids.map(topicId => ({ topicId }))
  const answer = await connection.call(metadataV12.api, asked, false, false)
  const codes = new Map(answer.topics.map(({ topicId, errorCode }) => [topicId, errorCode]))
  return {
    clusterId: answer.clusterId ?? '',
    topics: ids.map(id => ({ code: codes.get(id) ?? KafkaCode.UNKNOWN_SERVER_ERROR })),
  }
}

/** What has not changed since `before` stays the same object: thousands of new ones with each look are work to collect. */
export async function readMetadata(connection: BrokerConnection, before?: Described): Promise<Described> {
  connection.versions.need('Metadata')
  const whole = await connection.call(RAW, null, false, false)
  const bytes = whole.subarray(THROTTLE_BYTES)
  if (before?.bytes.equals(bytes) === true) return before
  const answer = await answerOf(parse(whole))
  return { ...described(answer, before?.view), bytes }
}

// oxlint-disable-next-line typescript/require-await -- what it throws is a rejection
async function parse(bytes: Buffer): Promise<Answer> {
  return metadataV12.parseResponse(0, KEY, VERSION, Reader.from(bytes))
}

function described(answer: Answer, before: ClusterView | undefined): Omit<Described, 'bytes'> {
  const topics = new Map<string, TopicView>()
  for (const topic of answer.topics) {
    const isReady = topic.errorCode === KafkaCode.NONE || topic.errorCode === KafkaCode.LEADER_NOT_AVAILABLE
    const { name } = topic
    if (typeof name !== 'string' || !isReady) continue
    const known = before?.topics.get(name)
    topics.set(name, known !== undefined && isSame(known, topic) ? known : viewOf(name, topic))
  }
  const brokers = answer.brokers.map(b => ({
    id: b.nodeId,
    host: b.host,
    port: b.port,
    rack: b.rack ?? undefined,
  }))
  return { view: { clusterId: answer.clusterId ?? '', brokers, topics }, controller: answer.controllerId }
}

type RawTopic = Answer['topics'][number]

function viewOf(name: string, topic: RawTopic): TopicView {
  const partitions = topic.partitions
    .map(p => ({
      partition: p.partitionIndex,
      leader: p.leaderId,
      leaderEpoch: p.leaderEpoch,
      replicas: p.replicaNodes,
      isr: p.isrNodes,
    }))
    .sort((a, b) => a.partition - b.partition)
  return { name, id: topic.topicId, isInternal: topic.isInternal, partitions }
}

function isSame(known: TopicView, topic: RawTopic): boolean {
  return (
    known.id === topic.topicId &&
    known.isInternal === topic.isInternal &&
    known.partitions.length === topic.partitions.length &&
    topic.partitions.every(p => {
      const at = known.partitions[p.partitionIndex]
      return (
        at?.partition === p.partitionIndex &&
        at.leader === p.leaderId &&
        at.leaderEpoch === p.leaderEpoch &&
        isEqual(at.replicas, p.replicaNodes) &&
        isEqual(at.isr, p.isrNodes)
      )
    })
  )
}

const isEqual = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((each, index) => each === b[index])
