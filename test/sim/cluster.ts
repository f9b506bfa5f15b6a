// A cluster of the simulated world: what its brokers hold and do. Workers reach it through SimPort, behind the same
// port as a real one. What it models, and what it leaves out, is listed in GAPS below.
//
// GAPS: rights are a set of refusals; quotas only hold answers back; compression is never undone; replicas are one log
// with a high watermark that may lag; a group is its committed offsets; time lookups are not modelled; `_kdr.state` never
// loses what it has acknowledged.
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import type { ClusterView, TopicPartition, TopicView } from '../../src/ports/cluster.ts'
import type { SimClock } from './clock.ts'
import { SimCoordinator } from './group.ts'
import { type AppendResult, SimLog } from './log.ts'
import { controlBatch } from './marker.ts'
import type { Random } from './random.ts'
import { rulesOf } from './rules.ts'

export type SimPartition = {
  readonly log: SimLog
  leader: number
  /** Followers lag: the high watermark stands still. */
  isUnderReplicated: boolean
  /** Fewer in-sync replicas than `min.insync.replicas`. */
  isBelowMin: boolean
}
/** What the authorizer refuses: to see a topic, to read, write or trim it; to write markers. */
export type Right = 'describe' | 'read' | 'write' | 'delete' | 'cluster' | 'state'
export type SimTopic = {
  readonly name: string
  readonly id: string
  readonly partitions: SimPartition[]
  configs: Map<string, string>
}
export type Coordinated = { producerId: bigint; producerEpoch: number }

export type SimClusterOptions = {
  readonly name: string
  readonly clusterId: string
  readonly brokers: number
  readonly clock: SimClock
  readonly random: Random
  readonly mayWriteMarkers: boolean
  readonly producerExpirationMs: number
  /** Produce v13: a batch names its topic by id. */
  readonly namesTopicsById?: boolean
  readonly brokerConfigs?: Readonly<Record<string, string>>
  /** Topic configs that are listed where a topic has none of its own. */
  readonly topicDefaults?: Readonly<Record<string, string>>
}

export class SimCluster {
  readonly options: SimClusterOptions
  readonly topics = new Map<string, SimTopic>()
  readonly coordinated = new Map<string, Coordinated>()
  readonly workers: SimCoordinator
  /** Committed offsets by group, then by `topic/partition`. */
  readonly groups = new Map<string, Map<string, number>>()
  /** Those that have members. */
  readonly occupied = new Set<string>()
  /** Refused at the moment, of topics that are not kdr's own. */
  readonly denied = new Set<Right>()
  /** The controller refuses to create and delete topics for now (THROTTLING_QUOTA_EXCEEDED). */
  isBeyondQuota = false
  /** Of an empty transaction: the coordinator writes a marker twice. */
  markersRepeat = 0
  /** Configs of deleted topics, by name. */
  readonly #buried = new Map<string, Map<string, string>>()
  #revived = new Map<string, Map<string, string>>()
  /** The topics' creations so far, for ids. */
  #created = 0
  #producers = 0
  #news: PromiseWithResolvers<void> | undefined

  constructor(options: SimClusterOptions) {
    this.options = options
    this.workers = new SimCoordinator(options.clock)
  }

  get clock(): SimClock {
    return this.options.clock
  }

  createTopic(name: string, partitions: number, configs: Readonly<Record<string, string>>): SimTopic {
    this.#created++
    const hex = (this.#created + (this.options.name === 'source' ? 0x1000 : 0x2000))
      .toString(16)
      .padStart(12, '0')
    const topic: SimTopic = {
      name,
      id: `00000000-0000-4000-8000-${hex}`,
      partitions: Array.from({ length: partitions }, () => this.#newPartition()),
      configs: new Map([...(this.#revived.get(name) ?? []), ...Object.entries(configs)]),
    }
    this.topics.set(name, topic)
    return topic
  }

  /** Resolves when something may be new for a fetch that waits. */
  get news(): Promise<void> {
    this.#news ??= Promise.withResolvers<void>()
    return this.#news.promise
  }

  tell(): void {
    this.#news?.resolve()
    this.#news = undefined
  }

  /**
   * Brokers that start again read the metadata log anew, and give the configs of a topic that was deleted before to one
   * that has its name now or is the next to have it (Kafka 4.4.0).
   */
  readAnew(): void {
    this.#revived = new Map(this.#buried)
    for (const { name, configs } of this.topics.values())
      for (const [key, value] of this.#buried.get(name) ?? []) if (!configs.has(key)) configs.set(key, value)
  }

  /** With the offsets that groups had committed there. */
  deleteTopic(name: string): boolean {
    this.#revived.delete(name)
    const configs = this.topics.get(name)?.configs ?? []
    this.#buried.set(name, new Map([...(this.#buried.get(name) ?? []), ...configs]))
    for (const offsets of this.groups.values())
      for (const at of offsets.keys()) if (at.startsWith(`${name}/`)) offsets.delete(at)
    this.tell()
    return this.topics.delete(name)
  }

  denies(right: Right, topic: string): boolean {
    return topic.startsWith('_kdr.')
      ? right === 'write' && this.denied.has('state')
      : this.denied.has(right) || (right !== 'cluster' && this.denied.has('describe'))
  }

  addPartitions(topic: SimTopic, totalCount: number): void {
    while (topic.partitions.length < totalCount) topic.partitions.push(this.#newPartition())
  }

  /** `batch` as a Produce request brings it. */
  append(topic: string, at: SimPartition, batch: Buffer): AppendResult {
    const configs = this.topics.get(topic)?.configs ?? new Map<string, string>()
    return at.log.append(batch, rulesOf(configs, this.clock.now()))
  }

  partition({ topic, partition }: TopicPartition): SimPartition | undefined {
    return this.topics.get(topic)?.partitions[partition]
  }

  all(): { readonly topic: string; readonly partition: number; readonly at: SimPartition }[] {
    return [...this.topics.values()].flatMap(({ name, partitions }) =>
      partitions.map((at, partition) => ({ topic: name, partition, at })),
    )
  }

  view(): ClusterView {
    const { clusterId, brokers } = this.options
    return {
      clusterId,
      brokers: Array.from({ length: brokers }, (_none, id) => ({
        id,
        host: 'sim',
        port: id,
        rack: undefined,
      })),
      topics: new Map(
        [...this.topics]
          .filter(([name]) => !this.denies('describe', name))
          .map(([name, topic]) => [name, this.#topicView(topic)]),
      ),
    }
  }

  newProducerId(): bigint {
    return BigInt(1_000 + this.#producers++)
  }

  /** The leader moves, cleanly: what followers hold survives; above the high watermark only a part may. */
  moveLeader(at: SimPartition): void {
    const { brokers, random } = this.options
    const { log } = at
    if (log.end > log.highWatermark) log.truncate(random.between(log.highWatermark, log.end))
    at.leader = brokers === 1 ? 0 : (at.leader + random.between(1, brokers - 1)) % brokers
    log.elect(log.leaderEpoch + 1)
    log.advance()
  }

  /** The same broker comes back: its log is loaded, producers are known by their last batch only. */
  restart(at: SimPartition): void {
    at.log.reload(this.clock.now(), this.options.producerExpirationMs)
    this.moveLeader(at)
  }

  expireProducers(): void {
    for (const { at } of this.all()) at.log.expire(this.clock.now(), this.options.producerExpirationMs)
  }

  /** A marker of a coordinator; under an acks=all that the followers have not yet confirmed it is appended all the same. */
  appendMarker(log: SimLog, of: Coordinated, coordinatorEpoch: number): number {
    return log.appendMarker(controlBatch({ ...of, isCommit: true, now: this.clock.now() }), coordinatorEpoch)
  }

  /** Acknowledged records are lost: what the new leader never had. */
  loseEnd(at: SimPartition, to: number): void {
    at.log.truncate(to)
    this.moveLeader(at)
  }

  leaderCode(broker: number, at: SimPartition | undefined): number {
    if (at === undefined) return KafkaCode.UNKNOWN_TOPIC_OR_PARTITION
    return at.leader === broker ? KafkaCode.NONE : KafkaCode.NOT_LEADER_OR_FOLLOWER
  }

  #newPartition(): SimPartition {
    const { brokers, random } = this.options
    return {
      log: new SimLog(() => this.tell()),
      leader: random.between(0, brokers - 1),
      isUnderReplicated: false,
      isBelowMin: false,
    }
  }

  #topicView({ name, id, partitions }: SimTopic): TopicView {
    return {
      name,
      id,
      isInternal: false,
      partitions: partitions.map(({ leader, log, isUnderReplicated, isBelowMin }, partition) => ({
        partition,
        leader,
        leaderEpoch: log.leaderEpoch,
        replicas: [leader, leader + 100],
        isr: isUnderReplicated || isBelowMin ? [leader] : [leader, leader + 100],
      })),
    }
  }
}
