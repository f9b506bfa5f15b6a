// A cluster of the simulated world: what its brokers hold and do. Workers reach it through SimPort, behind the same
// port as a real one. What it models, and what it leaves out, is listed in GAPS below.
//
// GAPS: no ACLs but "may it"; no quotas; compression is never undone; replicas are one log with a high watermark that
// may lag; consumer groups and time lookups are not modelled.
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import type { ClusterView, TopicPartition, TopicView } from '../../src/ports/cluster.ts'
import type { SimClock } from './clock.ts'
import { SimCoordinator } from './group.ts'
import { SimLog } from './log.ts'
import { controlBatch } from './marker.ts'
import type { Random } from './random.ts'

export type SimPartition = { readonly log: SimLog; leader: number; isUnderReplicated: boolean }
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
}

export class SimCluster {
  readonly options: SimClusterOptions
  readonly topics = new Map<string, SimTopic>()
  readonly coordinated = new Map<string, Coordinated>()
  readonly workers: SimCoordinator
  /** Of an empty transaction: the coordinator writes a marker twice. */
  markersRepeat = 0
  /** The topics' creations so far, for ids. */
  #created = 0
  #producers = 0

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
      configs: new Map(Object.entries(configs)),
    }
    this.topics.set(name, topic)
    return topic
  }

  addPartitions(topic: SimTopic, totalCount: number): void {
    while (topic.partitions.length < totalCount) topic.partitions.push(this.#newPartition())
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
      topics: new Map([...this.topics].map(([name, topic]) => [name, this.#topicView(topic)])),
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
    const code = log.appendMarker(
      controlBatch({ ...of, isCommit: true, now: this.clock.now() }),
      coordinatorEpoch,
    )
    return code
  }

  leaderCode(broker: number, at: SimPartition | undefined): number {
    if (at === undefined) return KafkaCode.UNKNOWN_TOPIC_OR_PARTITION
    return at.leader === broker ? KafkaCode.NONE : KafkaCode.NOT_LEADER_OR_FOLLOWER
  }

  #newPartition(): SimPartition {
    const { brokers, random } = this.options
    return { log: new SimLog(), leader: random.between(0, brokers - 1), isUnderReplicated: false }
  }

  #topicView({ name, id, partitions }: SimTopic): TopicView {
    return {
      name,
      id,
      isInternal: false,
      partitions: partitions.map(({ leader, log, isUnderReplicated }, partition) => ({
        partition,
        leader,
        leaderEpoch: log.leaderEpoch,
        replicas: [leader, leader + 100],
        isr: isUnderReplicated ? [leader] : [leader, leader + 100],
      })),
    }
  }
}
