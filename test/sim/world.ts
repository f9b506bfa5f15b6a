// What one history is made of: two clusters, the lines to them, the source's topic in each of its lives with the
// applications that write to it, and what is told of all this. Everything follows from the seed.
import { Chaos } from './chaos.ts'
import { SimClock } from './clock.ts'
import { SimCluster, type SimPartition } from './cluster.ts'
import { focused } from './focus.ts'
import { SimNetwork } from './network.ts'
import { Random } from './random.ts'
import { drawTrouble, type Trouble } from './trouble.ts'
import { PartitionWorkload } from './workload.ts'

export const START = 1_800_000_000_000
/** The topic that is mirrored. */
export const TOPIC = 't'

const LONG_LINE_MS = 20

/** The source's topic from one creation to the next deletion. */
export type Life = {
  readonly number: number
  readonly topicId: string
  readonly workloads: PartitionWorkload[]
}

/** Where a group stood, and where the ends of all partitions were: what its offset implies. */
export type Commit = {
  readonly partition: number
  readonly offset: number
  readonly ends: readonly number[]
  readonly life: number
}

export type Given = { readonly trouble?: Partial<Trouble>; readonly dropped?: ReadonlySet<number> }

export class World {
  readonly seed: number
  readonly random: Random
  readonly trouble: Trouble
  readonly clock = new SimClock(START)
  readonly chaos: Chaos
  readonly source: SimCluster
  readonly target: SimCluster
  readonly networks: { readonly source: SimNetwork; readonly target: SimNetwork }
  readonly lives: Life[] = []
  readonly commits: Commit[] = []
  readonly trace: string[] = []
  readonly violations: string[] = []
  /** The operator has said that log starts may be followed, whatever they drop. */
  isJumpAccepted = false
  /** What became of the loss that the operator accepted last: when (monotonic). */
  answered: { readonly at: number; readonly isRefused: boolean } | undefined
  /** False while the topic is deleted. */
  isThere = false

  constructor(seed: number, given: Given = {}) {
    this.seed = seed
    this.random = new Random(seed)
    const drawn = drawTrouble(this.random.stream('trouble'))
    this.trouble = { ...focused(drawn, this.random.stream('focus')), ...given.trouble }
    this.chaos = new Chaos(given.dropped ?? new Set(), text => this.say(text))
    this.source = this.#cluster('source', true)
    this.target = this.#cluster('target', this.trouble.mayWriteMarkers)
    this.networks = {
      source: new SimNetwork(this.clock, this.random.stream('net-source'), this.chaos),
      target: new SimNetwork(this.clock, this.random.stream('net-target'), this.chaos),
    }
    if (this.trouble.longLine) this.networks.source.lineMs = LONG_LINE_MS
  }

  /** The topic as it is now, or as it was last. */
  get life(): Life {
    return this.lives.at(-1)!
  }

  get workloads(): readonly PartitionWorkload[] {
    return this.life.workloads
  }

  mirror(partition: number): SimPartition | undefined {
    return this.target.partition({ topic: TOPIC, partition })
  }

  mirrors(): { readonly partition: number; readonly at: SimPartition }[] {
    return this.target.all().filter(({ topic }) => topic === TOPIC)
  }

  /** Who wrote this record: its life and its partition stand in its value. */
  origin(id: string): { readonly life: Life; readonly partition: number } | undefined {
    const found = /^(?<life>\d+)\.(?<partition>\d+)\./.exec(id)?.groups
    const life = this.lives[Number(found?.['life'] ?? 0) - 1]
    return life === undefined ? undefined : { life, partition: Number(found?.['partition']) }
  }

  createSource(partitions: number): Life {
    const topic = this.source.createTopic(TOPIC, 0, {
      'cleanup.policy': this.trouble.compaction ? 'compact,delete' : 'delete',
    })
    const life: Life = { number: this.lives.length + 1, topicId: topic.id, workloads: [] }
    this.lives.push(life)
    this.isThere = true
    this.addPartitions(partitions)
    return life
  }

  addPartitions(total: number): void {
    const { number, workloads } = this.life
    const topic = this.source.topics.get(TOPIC)!
    this.source.addPartitions(topic, total)
    for (let partition = workloads.length; partition < total; partition++) {
      const { ageMs, producers } = this.trouble
      workloads.push(
        new PartitionWorkload(topic.partitions[partition]!, {
          clock: this.clock,
          random: this.random.stream(`workload-${number}-${partition}`),
          ageMs,
          producers,
          firstProducer: 10 * (partition + 1),
          prefix: `${number}.${partition}.`,
        }),
      )
    }
  }

  deleteSource(): void {
    this.source.deleteTopic(TOPIC)
    this.isThere = false
  }

  say(text: string): void {
    this.trace.push(`${this.clock.monotonic()} ${text}`)
  }

  violate(text: string): void {
    this.violations.push(text)
    this.say(`VIOLATION ${text}`)
  }

  #cluster(name: string, mayWriteMarkers: boolean): SimCluster {
    const { brokers, expiryMs, namesTopicsById } = this.trouble
    return new SimCluster({
      name,
      clusterId: `id-${name}`,
      brokers,
      clock: this.clock,
      random: this.random.stream(name),
      mayWriteMarkers,
      producerExpirationMs: expiryMs,
      namesTopicsById,
    })
  }
}
