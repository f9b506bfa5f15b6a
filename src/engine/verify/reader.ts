// Reads logs of one cluster over lanes of its own, so that comparing never delays the copying. What passes by itself (a
// leader that moved, a connection that was lost) is tried again for a while; what does not is thrown.
import { splitBatches } from '../../model/batch.ts'
import { findKdrError, KdrError } from '../../model/errors.ts'
import {
  codeName,
  isAuthorization,
  isLeaderChange,
  KafkaCode,
  lackingRight,
} from '../../model/kafka-codes.ts'
import type { Clock } from '../../ports/clock.ts'
import {
  type Cluster,
  type ClusterView,
  type CodeAndOffset,
  type FetchedPartition,
  type FetchLane,
  type LogPoint,
  NO_TOPIC_ID,
  type TopicPartition,
} from '../../ports/cluster.ts'
import type { LogSource } from './sides.ts'

/** Four workers hold two of each side, and one that comes in: at most 48 MiB. */
const FETCH_BYTES = 2 * 1024 * 1024
const MAX_FETCH_BYTES = 1024 * 1024 * 1024
const MAX_WAIT_MS = 250
const GIVE_UP_MS = 30_000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 2_000

type Answer<T> =
  | { readonly failed?: undefined; readonly value: T }
  | { readonly failed: TopicPartition; readonly code: number }

/** A cluster with its latest metadata, shared by all readers of it. */
export class Side {
  readonly cluster: Cluster
  readonly #clock: Clock
  #view: ClusterView

  private constructor(cluster: Cluster, clock: Clock, view: ClusterView) {
    this.cluster = cluster
    this.#clock = clock
    this.#view = view
  }

  static async open(cluster: Cluster, clock: Clock): Promise<Side> {
    return new Side(cluster, clock, await cluster.describe())
  }

  get view(): ClusterView {
    return this.#view
  }

  /** In the order of `partitions`. Throws what `trying` throws. */
  async offsets(partitions: readonly TopicPartition[], point: LogPoint): Promise<number[]> {
    return await this.#all(partitions, async () => await this.cluster.offsets(partitions, point))
  }

  /** The first offset with this timestamp or a later one; -1 if there is none. */
  async offsetsForTime(partitions: readonly TopicPartition[], timestamp: number): Promise<number[]> {
    const asked = partitions.map(of => ({ ...of, timestamp }))
    return await this.#all(partitions, async () => await this.cluster.offsetsForTime(asked))
  }

  /** Repeats `ask` for a while: after KdrError('unreachable'), and after a code that a new leader may mend. */
  async trying<T>(ask: () => Promise<Answer<T>>): Promise<T> {
    const deadline = this.#clock.monotonic() + GIVE_UP_MS
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      let last: KdrError
      try {
        const answer = await ask()
        if (answer.failed === undefined) return answer.value
        last = refused(this.cluster.name, answer.failed, answer.code)
        if (!mayPass(answer.code)) throw last
      } catch (error) {
        const known = findKdrError(error)
        if (known?.code !== 'unreachable') throw error
        last = known
      }
      if (this.#clock.monotonic() > deadline) throw last
      await this.#clock.sleep(pauseMs)
      await this.#describe()
    }
  }

  async #all(
    partitions: readonly TopicPartition[],
    ask: () => Promise<readonly CodeAndOffset[]>,
  ): Promise<number[]> {
    if (partitions.length === 0) return []
    return await this.trying(async () => {
      const answers = await ask()
      const at = answers.findIndex(answer => answer.code !== KafkaCode.NONE)
      if (at >= 0) return { failed: partitions[at]!, code: answers[at]!.code }
      return { value: answers.map(answer => answer.offset) }
    })
  }

  async #describe(): Promise<void> {
    try {
      this.#view = await this.cluster.describe()
    } catch (error) {
      // The next attempt meets the same, and gives up in its time.
      if (findKdrError(error)?.code !== 'unreachable') throw error
    }
  }
}

/** Connections of one worker, which asks one thing at a time of each broker. */
export class Reader implements LogSource {
  readonly #side: Side
  readonly #lanes = new Map<number, FetchLane>()

  constructor(side: Side) {
    this.#side = side
  }

  async fetch(of: TopicPartition, offset: number): Promise<FetchedPartition> {
    let maxBytes = FETCH_BYTES
    return await this.#side.trying(async () => {
      for (;;) {
        const answer = await this.#once(of, offset, maxBytes)
        if (answer.code === KafkaCode.OFFSET_OUT_OF_RANGE) {
          // That answer does not say where the log starts (brokers send -1).
          const [start] = await this.#side.cluster.offsets([of], 'logStart')
          if (start?.code === KafkaCode.NONE && offset < start.offset)
            return { value: { ...answer, logStart: start.offset } }
        }
        if (answer.code !== KafkaCode.NONE) return { failed: of, code: answer.code }
        // A broker sends the first batch whole, whatever its size; should one not, ask for more.
        if (answer.records.length === 0 || maxBytes >= MAX_FETCH_BYTES || isSomeWhole(answer.records))
          return { value: answer }
        maxBytes *= 4
      }
    })
  }

  async close(): Promise<void> {
    await Promise.allSettled([...this.#lanes.values()].map(async lane => await lane.close()))
    this.#lanes.clear()
  }

  async #once(of: TopicPartition, offset: number, maxBytes: number): Promise<FetchedPartition> {
    const topic = this.#side.view.topics.get(of.topic)
    const view = topic?.partitions[of.partition]
    if (view === undefined) return noAnswer(of, KafkaCode.UNKNOWN_TOPIC_OR_PARTITION)
    if (view.leader < 0) return noAnswer(of, KafkaCode.LEADER_NOT_AVAILABLE)
    const lane = this.#lanes.get(view.leader) ?? (await this.#side.cluster.openFetchLane(view.leader))
    this.#lanes.set(view.leader, lane)
    const partition = {
      ...of,
      topicId: topic?.id ?? NO_TOPIC_ID,
      offset,
      leaderEpoch: view.leaderEpoch,
      lastFetchedEpoch: -1,
      maxBytes,
    }
    try {
      const [answer] = await lane.fetch({
        isolation: 'committed',
        maxWaitMs: MAX_WAIT_MS,
        maxBytes,
        partitions: [partition],
      })
      return answer ?? noAnswer(of, KafkaCode.UNKNOWN_SERVER_ERROR)
    } catch (error) {
      this.#lanes.delete(view.leader)
      await lane.close()
      throw error
    }
  }
}

function isSomeWhole(records: Buffer): boolean {
  return splitBatches(records).length > 0
}

function mayPass(code: number): boolean {
  return (
    isLeaderChange(code) ||
    code === KafkaCode.UNKNOWN_SERVER_ERROR ||
    code === KafkaCode.REQUEST_TIMED_OUT ||
    code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION ||
    code === KafkaCode.UNKNOWN_TOPIC_ID ||
    code === KafkaCode.OFFSET_NOT_AVAILABLE ||
    code === KafkaCode.KAFKA_STORAGE_ERROR ||
    code === KafkaCode.OFFSET_OUT_OF_RANGE
  )
}

function refused(cluster: string, { topic, partition }: TopicPartition, code: number): KdrError {
  const text = `"${topic}" partition ${partition} cannot be read on "${cluster}": ${codeName(code)}`
  if (isAuthorization(code)) return new KdrError('not-allowed', `${text}${lackingRight(code, 'READ on it')}`)
  const isOffline = mayPass(code) && code !== KafkaCode.OFFSET_OUT_OF_RANGE
  return new KdrError(isOffline ? 'unreachable' : 'not-ready', text)
}

function noAnswer(of: TopicPartition, code: number): FetchedPartition {
  const none = { highWatermark: -1, lastStable: -1, logStart: -1, aborted: [], records: Buffer.alloc(0) }
  return { topic: of.topic, partition: of.partition, code, ...none }
}
