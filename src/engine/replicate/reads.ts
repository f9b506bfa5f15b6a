// The small questions that anchoring asks of both clusters, gathered: a thousand partitions that start together ask in
// a few requests. Looks into a log go over one connection per broker, kept apart from the copying.
import { KafkaCode } from '../../model/kafka-codes.ts'
import {
  type Cluster,
  type CodeAndOffset,
  type FetchedPartition,
  type FetchLane,
  type TopicPartition,
} from '../../ports/cluster.ts'
import { batched } from './batched.ts'
import type { ClusterWatch } from './cluster-watch.ts'
import type { EndsAnswer, Reads } from './context.ts'

const PEEK_BYTES = 1024 * 1024
const PEEK_WAIT_MS = 50
/** Connections for looks, per broker: one that is slow does not hold up the others. */
const PEEK_LANES = 2

export type Sides = { readonly source: ClusterWatch; readonly target: ClusterWatch }

export function createReads({ source, target }: Sides): Reads & { close(): Promise<void> } {
  const peeks = { source: new Peeks(source), target: new Peeks(target) }
  return {
    targetEnds: batched(async items => await readEnds(target.cluster, items)),
    targetLogEnd: batched(async items => await target.cluster.offsets(items, 'logEnd')),
    targetProducers: batched(async items => await target.cluster.producers(items)),
    targetStart: batched(async items => await target.cluster.offsets(items, 'logStart')),
    sourceStart: batched(async items => await seen(source, source.cluster.offsets(items, 'logStart'))),
    sourceEnd: batched(async items => await seen(source, source.cluster.offsets(items, 'logEnd'))),
    sourceEpochEnd: batched(async items => await source.cluster.epochEnds(items)),
    peek: async (side, of) => await peeks[side].fetch(of),
    close: async () => {
      await Promise.all([peeks.source.close(), peeks.target.close()])
    },
  }
}

async function seen<T>(watch: ClusterWatch, answer: Promise<T>): Promise<T> {
  const value = await answer
  watch.seen()
  return value
}

/** The high watermark first: whatever lands in between makes the end differ from it, never agree by accident. */
async function readEnds(cluster: Cluster, items: readonly TopicPartition[]): Promise<EndsAnswer[]> {
  const highWatermarks = await cluster.offsets(items, 'highWatermark')
  const ends = await cluster.offsets(items, 'logEnd')
  return ends.map((end, index) => combine(end, highWatermarks[index]!))
}

function combine(
  end: CodeAndOffset & { readonly leaderEpoch: number },
  highWatermark: CodeAndOffset & { readonly leaderEpoch: number },
): EndsAnswer {
  const code = end.code === KafkaCode.NONE ? highWatermark.code : end.code
  return { code, end: end.offset, highWatermark: highWatermark.offset, leaderEpoch: end.leaderEpoch }
}

type PeekOf = Parameters<Reads['peek']>[1]

class Peeks {
  readonly #watch: ClusterWatch
  readonly #lanes = new Map<string, Promise<FetchLane>>()
  readonly #turns = new Map<string, Promise<unknown>>()
  #next = 0

  constructor(watch: ClusterWatch) {
    this.#watch = watch
  }

  async fetch(of: PeekOf): Promise<FetchedPartition> {
    const leader = this.#watch.partition(of)?.leader ?? -1
    if (leader < 0) return failedFetch(of, KafkaCode.LEADER_NOT_AVAILABLE)
    const key = `${leader}/${this.#next++ % PEEK_LANES}`
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(
      async () => await this.#once(key, leader, of),
    )
    this.#turns.set(
      key,
      turn.catch(() => undefined),
    )
    return (await turn) ?? failedFetch(of, KafkaCode.UNKNOWN_SERVER_ERROR)
  }

  async close(): Promise<void> {
    const lanes = await Promise.allSettled(this.#lanes.values())
    await Promise.all(
      lanes.map(async lane => (lane.status === 'fulfilled' ? await lane.value.close() : undefined)),
    )
  }

  async #once(key: string, leader: number, of: PeekOf): Promise<FetchedPartition | undefined> {
    const opening = this.#lanes.get(key) ?? this.#watch.cluster.openFetchLane(leader)
    this.#lanes.set(key, opening)
    try {
      const lane = await opening
      const maxBytes = of.maxBytes ?? PEEK_BYTES
      const [answer] = await lane.fetch({
        isolation: of.isolation,
        maxWaitMs: PEEK_WAIT_MS,
        maxBytes,
        partitions: [
          {
            topic: of.topic,
            partition: of.partition,
            topicId: of.topicId,
            offset: of.offset,
            leaderEpoch: this.#watch.partition(of)?.leaderEpoch ?? -1,
            lastFetchedEpoch: -1,
            maxBytes,
          },
        ],
      })
      this.#watch.seen()
      return answer
    } catch (error) {
      this.#lanes.delete(key)
      await opening.then(
        async lane => await lane.close(),
        () => undefined,
      )
      throw error
    }
  }
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
