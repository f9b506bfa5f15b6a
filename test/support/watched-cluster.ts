// A cluster as a monitor sees it, without brokers: a test says what groups have committed and where logs end, and moves the clock.
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import type { Watchable } from '../../src/engine/monitor/monitor.ts'
import type {
  BrokerView,
  ClusterView,
  GroupOffsets,
  ListedGroup,
  LogDirView,
  PartitionView,
  TopicPartition,
} from '../../src/ports/cluster.ts'
import type { QuorumView } from '../../src/ports/health.ts'

const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

export class FakeWatched {
  now = 0
  brokers: BrokerView[] = [1, 2, 3].map(id => ({ id, host: `b${id}`, port: 9092, rack: undefined }))
  #topics = new Map<string, { id: string; partitions: PartitionView[] }>()
  #view: ClusterView | undefined
  readonly ends = new Map<string, number>()
  /** Codes instead of ends. */
  readonly refused = new Map<string, number>()
  readonly groups = new Map<string, { listed: ListedGroup; offsets: GroupOffsets }>()
  logDirs: LogDirView[] = []
  quorum: QuorumView = { leader: 1, highWatermark: 9, voters: [{ id: 1, logEnd: 9, caughtUpAt: 5 }] }
  minInSync = '2'
  /** What is asked for, in this order. */
  readonly asked: string[] = []
  /** Thrown by the next calls, by what is asked for. */
  readonly failing = new Map<string, Error>()
  isClosed = false

  topic(name: string, partitions: number, of: { id?: string; isr?: readonly number[] } = {}): void {
    const { id = name, isr = [1, 2, 3] } = of
    const all = Array.from({ length: partitions }, (_, partition) => ({
      partition,
      leader: isr[0] ?? -1,
      leaderEpoch: 0,
      replicas: [1, 2, 3],
      isr,
    }))
    this.#topics.set(name, { id, partitions: all })
    this.#view = undefined
    for (let partition = 0; partition < partitions; partition++) this.end(name, partition, 0)
  }

  deleteTopic(name: string): void {
    this.#topics.delete(name)
    this.#view = undefined
  }

  end(topic: string, partition: number, end: number): void {
    this.ends.set(nameOf({ topic, partition }), end)
  }

  group(
    group: string,
    offsets: readonly (readonly [topic: string, partition: number, offset: number])[],
    of: { state?: string; type?: string; pending?: readonly TopicPartition[]; code?: number } = {},
  ): void {
    const { state = 'Stable', type = 'classic', pending = [], code = KafkaCode.NONE } = of
    this.groups.set(group, {
      listed: { group, type, state },
      offsets: {
        code,
        offsets: offsets.map(([topic, partition, offset]) => ({ topic, partition, offset, metadata: null })),
        pending,
      },
    })
  }

  get view(): ClusterView {
    this.#view ??= {
      clusterId: 'c',
      brokers: this.brokers,
      topics: new Map(
        [...this.#topics].map(([name, each]) => [name, { name, isInternal: false, ...each }] as const),
      ),
    }
    return this.#view
  }

  readonly port: Watchable = {
    describe: () => this.#answer('describe', () => this.view),
    topicConfigs: topics =>
      this.#answer(`configs of ${topics.length}`, () => {
        const entry = { value: this.minInSync, isOverride: false, isReadOnly: false, isSensitive: false }
        return new Map(
          topics.map(topic => [
            topic,
            { code: KafkaCode.NONE, entries: new Map([['min.insync.replicas', entry]]) },
          ]),
        )
      }),
    logDirs: () => this.#answer('disks', () => this.logDirs),
    health: {
      quorum: () => this.#answer('quorum', () => ({ code: KafkaCode.NONE, quorum: this.quorum })),
    },
    listGroups: () => this.#answer('groups', () => [...this.groups.values()].map(({ listed }) => listed)),
    groupOffsets: names => this.#answer('offsets', () => names.map(name => this.groups.get(name)!.offsets)),
    offsets: partitions =>
      this.#answer('ends', () =>
        partitions.map(at => ({
          code: this.refused.get(nameOf(at)) ?? KafkaCode.NONE,
          offset: this.ends.get(nameOf(at)) ?? -1,
          leaderEpoch: 0,
        })),
      ),
    close: () => {
      this.isClosed = true
      return Promise.resolve()
    },
  }

  #answer<T>(what: string, make: () => T): Promise<T> {
    this.asked.push(what)
    const error = this.failing.get(what)
    return error === undefined ? Promise.resolve(make()) : Promise.reject(error)
  }
}
