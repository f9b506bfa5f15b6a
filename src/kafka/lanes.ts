// Fetch and append lanes: a connection of one's own to one broker, because a broker handles one request of a connection
// at a time. Requests leave in the order of the calls; nothing is retried; a lane that broke stays broken.
import { KdrError } from '../model/errors.ts'
import { KafkaCode } from '../model/kafka-codes.ts'
import {
  type AppendAnswer,
  type AppendEntry,
  type AppendLane,
  type FetchedPartition,
  type FetchLane,
  type FetchPartition,
  type FetchRequest,
  NO_TOPIC_ID,
} from '../ports/cluster.ts'
import type { Acks } from '../ports/probe.ts'
import type { BrokerConnection } from './connection.ts'
import { type ClusterContext, outcome } from './context.ts'
import { FETCH, type RawFetchAnswer, type RawFetched } from './raw/fetch.ts'
import { PRODUCE, PRODUCE_BY_ID } from './raw/produce.ts'

/** `rack`: of whoever asks, so that a leader may name a closer replica instead of records. */
export type LaneRequest = FetchRequest & { readonly rack?: string }

/** One connection that only fetches. `preferred`: by its place in the answers, whom a leader names for `rack`; -1: nobody. */
export class FetchConnection {
  readonly #context: ClusterContext
  readonly #connection: BrokerConnection
  #heldBackMs = 0
  #firstByteMs: number | undefined

  constructor(context: ClusterContext, connection: BrokerConnection) {
    this.#context = context
    this.#connection = connection
    this.#firstByteMs = connection.firstByteMs
  }

  static async open(context: ClusterContext, broker: number): Promise<FetchConnection> {
    return new FetchConnection(context, await context.pool.openOwn(broker))
  }

  get firstByteMs(): number | undefined {
    return this.#firstByteMs
  }

  get receivedBytes(): number {
    return this.#connection.receivedBytes
  }

  /** For how long from the latest answer on the broker takes no further request, for a quota's sake. */
  get heldBackMs(): number {
    return this.#heldBackMs
  }

  async fetch(request: LaneRequest): Promise<{ answers: FetchedPartition[]; preferred: number[] }> {
    const api = FETCH[this.#connection.versions.need('Fetch')]!
    const answer = await this.#connection.callAlone(api, recordsIn, request)
    this.#firstByteMs = this.#heldBackMs > 0 ? undefined : this.#connection.firstByteMs
    this.#heldBackMs = answer.throttleMs
    return answersTo(request, answer)
  }

  async close(): Promise<void> {
    await this.#context.pool.closeOwn(this.#connection)
  }
}

export async function openFetchLane(context: ClusterContext, broker: number): Promise<FetchLane> {
  const connection = await FetchConnection.open(context, broker)
  return {
    broker,
    get firstByteMs() {
      return connection.firstByteMs
    },
    get receivedBytes() {
      return connection.receivedBytes
    },
    fetch: async request => (await connection.fetch(request)).answers,
    close: async () => await connection.close(),
  }
}

const recordsIn = ({ partitions }: RawFetchAnswer): Buffer[] => partitions.map(({ records }) => records)

function answersTo({ partitions }: FetchRequest, answer: RawFetchAnswer) {
  if (answer.code !== KafkaCode.NONE)
    return { answers: partitions.map(p => refusedFetch(p, answer.code)), preferred: partitions.map(() => -1) }
  const topics = new Map(partitions.map(p => [p.topicId, p.topic]))
  const ours = answer.partitions.filter(({ topicId }) => topics.has(topicId))
  return {
    answers: named(ours, topicId => topics.get(topicId)),
    preferred: ours.map(({ preferredReplica }) => preferredReplica),
  }
}

/** Brokers answer by topic id. */
export function named(
  partitions: readonly RawFetched[],
  topicOf: (topicId: string) => string | undefined,
): FetchedPartition[] {
  return partitions.flatMap(({ topicId, diverging, preferredReplica: _preferred, ...rest }) => {
    const topic = topicOf(topicId)
    if (topic === undefined) return []
    return [diverging === undefined ? { topic, ...rest } : { topic, diverging, ...rest }]
  })
}

export function refusedFetch({ topic, partition }: FetchPartition, code: number): FetchedPartition {
  const none = { highWatermark: -1, lastStable: -1, logStart: -1, aborted: [], records: Buffer.alloc(0) }
  return { topic, partition, code, ...none }
}

export async function openAppendLane(context: ClusterContext, broker: number): Promise<AppendLane> {
  const connection = await context.pool.openOwn(broker)
  return {
    broker,
    get isClosed() {
      return connection.isClosed
    },
    append: (entries, timeoutMs) => append(connection, entries, timeoutMs, 'all'),
    close: () => context.pool.closeOwn(connection),
  }
}

export async function append(
  connection: BrokerConnection,
  entries: readonly AppendEntry[],
  timeoutMs: number,
  acks: Acks,
): Promise<AppendAnswer[]> {
  if (connection.isClosed)
    throw new KdrError('unreachable', `${connection.what} is not reachable: connection closed`)
  const newest = connection.versions.need('Produce')
  const byId = newest >= PRODUCE_BY_ID && entries.every(entry => entry.topicId !== NO_TOPIC_ID)
  const version = byId ? newest : Math.min(newest, PRODUCE_BY_ID - 1)
  const answers = await connection.call(PRODUCE[version]!, entries, timeoutMs, acks)
  const found = new Map(answers.map(answer => [`${answer.topic}/${answer.partition}`, answer]))
  return entries.map(({ topic, topicId, partition }) => {
    const answer = found.get(`${byId ? topicId : topic}/${partition}`)
    const { code, message } = answer ?? {
      code: KafkaCode.UNKNOWN_SERVER_ERROR,
      message: 'missing in the answer',
    }
    return { topic, partition, ...outcome(code, message), baseOffset: answer?.baseOffset ?? -1 }
  })
}
