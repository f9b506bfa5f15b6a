// Looks into a log: small fetches over connections of their own, kept apart from the copying. A thousand partitions that
// start together look a hundred at a time. Only the first of a request is sure to get a batch, however large: one that got
// nothing although there is something looks again, as the first.
import { KafkaCode } from '../../model/kafka-codes.ts'
import {
  type FetchedPartition,
  type FetchLane,
  NO_TOPIC_ID,
  type TopicPartition,
} from '../../ports/cluster.ts'
import type { ClusterWatch } from './cluster-watch.ts'
import type { Reads } from './context.ts'

const PEEK_BYTES = 1024 * 1024
const PEEK_WAIT_MS = 50
/** Connections for looks, per broker: one that is slow does not hold up the others. */
const PEEK_LANES = 2
const PEEK_PARTITIONS = 100
/** Where a batch says how many bytes follow. */
const LENGTH_AT = 8
const LENGTH_END = 12

type PeekOf = Parameters<Reads['peek']>[1]
type Waiter = {
  readonly of: PeekOf
  readonly resolve: (answer: FetchedPartition) => void
  readonly reject: (error: unknown) => void
}

export class Peeks {
  readonly #watch: ClusterWatch
  readonly #brokers = new Map<number, BrokerPeeks>()

  constructor(watch: ClusterWatch) {
    this.#watch = watch
  }

  /** Throws KdrError('unreachable'). */
  async fetch(of: PeekOf): Promise<FetchedPartition> {
    const leader = this.#watch.partition(of)?.leader ?? -1
    if (leader < 0) return failedFetch(of, KafkaCode.LEADER_NOT_AVAILABLE)
    const broker = this.#brokers.get(leader) ?? new BrokerPeeks(this.#watch, leader)
    this.#brokers.set(leader, broker)
    return await broker.fetch(of)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#brokers.values()].map(async broker => await broker.close()))
  }
}

class BrokerPeeks {
  readonly #watch: ClusterWatch
  readonly #broker: number
  #waiting: Waiter[] = []
  readonly #isBusy: boolean[] = Array.from({ length: PEEK_LANES }, () => false)
  readonly #lanes = new Map<number, Promise<FetchLane>>()

  constructor(watch: ClusterWatch, broker: number) {
    this.#watch = watch
    this.#broker = broker
  }

  async fetch(of: PeekOf): Promise<FetchedPartition> {
    return await new Promise((resolve, reject) => {
      this.#waiting.push({ of, resolve, reject })
      const free = this.#isBusy.indexOf(false)
      if (free >= 0) void this.#work(free)
    })
  }

  async close(): Promise<void> {
    const lanes = await Promise.allSettled(this.#lanes.values())
    await Promise.all(
      lanes.map(async lane => (lane.status === 'fulfilled' ? await lane.value.close() : undefined)),
    )
  }

  async #work(index: number): Promise<void> {
    this.#isBusy[index] = true
    // Callers of the same moment share a request.
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      const now = this.#take()
      try {
        this.#settle(now, await this.#ask(index, now))
      } catch (error) {
        for (const { reject } of now) reject(error)
      }
    }
    this.#isBusy[index] = false
  }

  /** Those that may share a request with the first. */
  #take(): Waiter[] {
    const [first] = this.#waiting
    if (first === undefined) return []
    const names = new Set<string>()
    const taken: Waiter[] = []
    const left: Waiter[] = []
    for (const waiter of this.#waiting) {
      const name = `${waiter.of.topic}/${waiter.of.partition}`
      const mayGo =
        waiter === first ||
        (taken.length < PEEK_PARTITIONS && !names.has(name) && areAlike(first.of, waiter.of))
      if (mayGo) names.add(name)
      const where = mayGo ? taken : left
      where.push(waiter)
    }
    this.#waiting = left
    return taken
  }

  async #ask(index: number, waiters: readonly Waiter[]): Promise<FetchedPartition[]> {
    const opening = this.#lanes.get(index) ?? this.#watch.cluster.openFetchLane(this.#broker)
    this.#lanes.set(index, opening)
    try {
      const lane = await opening
      const [first] = waiters
      const answers = await lane.fetch({
        isolation: first!.of.isolation,
        maxWaitMs: PEEK_WAIT_MS,
        maxBytes: first!.of.maxBytes ?? PEEK_BYTES,
        partitions: waiters.map(({ of }) => ({
          topic: of.topic,
          partition: of.partition,
          topicId: of.topicId,
          offset: of.offset,
          leaderEpoch: this.#watch.partition(of)?.leaderEpoch ?? -1,
          lastFetchedEpoch: -1,
          maxBytes: of.maxBytes ?? PEEK_BYTES,
        })),
      })
      this.#watch.seen()
      return answers
    } catch (error) {
      this.#lanes.delete(index)
      await opening.then(
        async lane => await lane.close(),
        () => undefined,
      )
      throw error
    }
  }

  #settle(waiters: readonly Waiter[], answers: readonly FetchedPartition[]): void {
    const byName = new Map(answers.map(answer => [`${answer.topic}/${answer.partition}`, answer]))
    const again: Waiter[] = []
    for (const [index, waiter] of waiters.entries()) {
      const { of, resolve } = waiter
      const answer = byName.get(`${of.topic}/${of.partition}`)
      if (index > 0 && answer !== undefined && mayHaveMore(of, answer)) again.push(waiter)
      else resolve(answer ?? failedFetch(of, KafkaCode.UNKNOWN_SERVER_ERROR))
    }
    this.#waiting.unshift(...again)
  }
}

/** Whoever wants few bytes would get none behind another; without an id, a broker would refuse the others too. */
function areAlike(a: PeekOf, b: PeekOf): boolean {
  return (
    a.isolation === b.isolation &&
    [a, b].every(({ maxBytes, topicId }) => maxBytes === undefined && topicId !== NO_TOPIC_ID)
  )
}

/** Not a whole batch came, for want of room perhaps. */
function mayHaveMore({ offset, isolation }: PeekOf, answer: FetchedPartition): boolean {
  const { code, records, lastStable, highWatermark } = answer
  const hasBatch =
    records.length > LENGTH_END && records.readInt32BE(LENGTH_AT) <= records.length - LENGTH_END
  return (
    code === KafkaCode.NONE && !hasBatch && offset < (isolation === 'committed' ? lastStable : highWatermark)
  )
}

function failedFetch(of: TopicPartition, code: number): FetchedPartition {
  return {
    topic: of.topic,
    partition: of.partition,
    code,
    highWatermark: -1,
    lastStable: -1,
    logStart: -1,
    aborted: [],
    records: Buffer.alloc(0),
  }
}
