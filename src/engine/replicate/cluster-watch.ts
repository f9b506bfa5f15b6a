// The newest metadata of one cluster, refreshed by whoever needs it, never twice at once. Also keeps when the cluster
// last answered: the clock of "source last seen".
import type { ClusterView, Cluster, PartitionView, TopicPartition, TopicView } from '../../ports/cluster.ts'
import type { Clock } from '../../ports/clock.ts'

/** Callers that ask within this time of an answer get that answer: a storm of leader changes costs one request. */
const FRESH_MS = 100

export class ClusterWatch {
  readonly cluster: Cluster
  readonly #clock: Clock
  #view: ClusterView | undefined
  #readAt = Number.NEGATIVE_INFINITY
  #seenAt = 0
  #refreshing: Promise<ClusterView> | undefined
  readonly #leaders = new Map<string, { epoch: number; since: number }>()

  constructor(cluster: Cluster, clock: Clock) {
    this.cluster = cluster
    this.#clock = clock
  }

  /** Wall clock of the last answer; 0 before the first. */
  get seenAt(): number {
    return this.#seenAt
  }

  /** Another call of this cluster was answered. */
  seen(): void {
    this.#seenAt = this.#clock.now()
  }

  /** Throws KdrError('unreachable'). */
  async refresh(): Promise<ClusterView> {
    if (this.#view !== undefined && this.#clock.monotonic() - this.#readAt < FRESH_MS) return this.#view
    this.#refreshing ??= this.#read().finally(() => {
      this.#refreshing = undefined
    })
    return await this.#refreshing
  }

  topic(name: string): TopicView | undefined {
    return this.#view?.topics.get(name)
  }

  partition({ topic, partition }: TopicPartition): PartitionView | undefined {
    return this.#view?.topics.get(topic)?.partitions[partition]
  }

  get view(): ClusterView | undefined {
    return this.#view
  }

  /** Milliseconds since the partition's leader epoch was first seen to be what it is; Infinity since the start. */
  leaderAgeMs({ topic, partition }: TopicPartition): number {
    const known = this.#leaders.get(`${topic}/${partition}`)
    return known === undefined ? Number.POSITIVE_INFINITY : this.#clock.monotonic() - known.since
  }

  async #read(): Promise<ClusterView> {
    const view = await this.cluster.describe()
    for (const topic of view === this.#view ? [] : view.topics.values()) {
      const before = this.#view?.topics.get(topic.name)
      if (before === topic) continue
      for (const { partition, leaderEpoch } of topic.partitions) {
        const known = before?.partitions[partition]
        if (known === undefined || known.leaderEpoch === leaderEpoch) continue
        this.#leaders.set(`${topic.name}/${partition}`, {
          epoch: leaderEpoch,
          since: this.#clock.monotonic(),
        })
      }
    }
    this.#view = view
    this.#readAt = this.#clock.monotonic()
    this.seen()
    return view
  }
}
