// The real side of the agreement test: histories share one cluster, each with topics, groups and transactional ids of its
// own, and with its own connections. Waits where a real cluster tells its brokers of a change one after the other.
import { setTimeout as sleep } from 'node:timers/promises'
import type { LabCluster } from '../../src/lab/lab.ts'
import { connectCluster } from '../../src/kafka/cluster.ts'
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import type { Cluster, FetchLane } from '../../src/ports/cluster.ts'
import type { RealSide } from '../sim/agreement/history.ts'
import type { Operation } from '../sim/agreement/operations.ts'
import { nothingKnown } from '../sim/agreement/play.ts'
import type { SimCluster } from '../sim/cluster.ts'
import { waitFor } from './lab.ts'
import { type Application, openApplication } from './transactional-application.ts'

const clock = { now: () => Date.now(), monotonic: () => performance.now(), sleep: (ms: number) => sleep(ms) }
const POLL = { everyMs: 3, timeoutMs: 20_000 }

/** One of the brokers, asked first of all by this view of the cluster. */
type Witness = { readonly broker: number; readonly view: Cluster; lane: FetchLane }

export class RealCluster {
  readonly beganAt = Date.now()
  readonly #lab: LabCluster
  readonly #run: string
  #witnesses: Witness[] = []
  #application: Application | undefined

  constructor(lab: LabCluster, run: string) {
    this.#lab = lab
    this.#run = run
  }

  async open(): Promise<void> {
    for (const { id, port } of this.#lab.brokers) {
      const view = await this.connect(`127.0.0.1:${port}`)
      this.#witnesses.push({ broker: id, view, lane: await view.openFetchLane(id) })
    }
    // Kafka makes its own topic of transactions when somebody asks for a coordinator.
    const { view } = this.#witnesses[0]!
    await view.initProducer(`warm-${this.#run}`)
    this.#application = await openApplication(this.#lab.bootstrap, clock)
  }

  async close(): Promise<void> {
    await Promise.all(this.#witnesses.map(({ view }) => view.close()))
    this.#witnesses = []
    await this.#application?.close()
  }

  /** A clean end of each broker, and all of them again, with their logs loaded. */
  async restart(): Promise<void> {
    await this.close()
    // The first is the controller: the others need it for a clean end.
    for (const { id } of this.#lab.brokers.toReversed()) await this.#lab.stop(id)
    await this.#lab.start()
    await this.open()
    await waitFor(async () => await this.#isWhole(), { what: 'every partition to be served again', ...POLL })
  }

  connect(bootstrap: string = this.#lab.bootstrap): Promise<Cluster> {
    return connectCluster({ name: 'real', bootstrap, clientId: 'agreement', clock, requestTimeoutMs: 20_000 })
  }

  side(seed: number): HistorySide {
    return new HistorySide(
      this,
      `agree-${this.#run}-${seed}-`,
      this.#lab.brokers.map(({ id }) => id),
    )
  }

  get application(): Application {
    if (this.#application === undefined) throw new Error('the real cluster is not open')
    return this.#application
  }

  get witnesses(): readonly Witness[] {
    return this.#witnesses
  }

  async #isWhole(): Promise<boolean> {
    const views = await Promise.all(this.#witnesses.map(({ view }) => view.describe()))
    const all = [...views[0]!.topics.values()].flatMap(({ name, partitions }) =>
      partitions.map(each => ({ topic: name, ...each })),
    )
    const isSame = views.every(view =>
      all.every(
        ({ topic, partition, leader, leaderEpoch }) =>
          leader >= 0 &&
          view.topics.get(topic)?.partitions[partition]?.leader === leader &&
          view.topics.get(topic)?.partitions[partition]?.leaderEpoch === leaderEpoch,
      ),
    )
    if (!isSame) return false
    const answers = await this.#witnesses[0]!.view.offsets(all, 'logEnd')
    return answers.every(answer => answer.code === 0)
  }
}

export class HistorySide implements RealSide {
  readonly known = nothingKnown()
  readonly brokers: readonly number[]
  readonly #cluster: RealCluster
  readonly #prefix: string
  #port: Cluster | undefined

  constructor(cluster: RealCluster, prefix: string, brokers: readonly number[]) {
    this.#cluster = cluster
    this.#prefix = prefix
    this.brokers = brokers
  }

  async open(): Promise<void> {
    this.#port = await this.#cluster.connect()
  }

  async close(): Promise<void> {
    await this.#port?.close()
  }

  get port(): Cluster {
    if (this.#port === undefined) throw new Error('the history is not connected')
    return this.#port
  }

  get applications(): Application {
    return this.#cluster.application
  }

  get beganAt(): number {
    return this.#cluster.beganAt
  }

  readonly nameOf = (symbol: string): string => `${this.#prefix}${symbol}`

  async placement(): ReturnType<RealSide['placement']> {
    const view = await this.#cluster.witnesses[0]!.view.describe()
    return [...view.topics.values()]
      .filter(({ name }) => name.startsWith(this.#prefix))
      .flatMap(({ name, partitions }) =>
        partitions.map(({ partition, leader, leaderEpoch }) => ({
          topic: name,
          partition,
          leader: this.brokers.indexOf(leader),
          epoch: leaderEpoch,
        })),
      )
  }

  async settled(operation: Operation, sim: SimCluster): Promise<void> {
    if (!('topic' in operation)) return
    const name = this.nameOf(operation.topic)
    const topic = sim.topics.get(name)
    const what = `every broker to know what "${operation.do}" has done to "${name}"`
    const { everyMs } = POLL
    // When the sides do not agree this waits in vain; the comparison then says what is wrong.
    const wait = async (condition: (witness: Witness) => Promise<boolean>): Promise<void> => {
      await Promise.all(
        this.#cluster.witnesses.map(async witness =>
          waitFor(async () => await condition(witness), { what, everyMs, timeoutMs: 3_000 }).catch(() => {}),
        ),
      )
    }
    switch (operation.do) {
      case 'create':
      case 'addPartitions':
        if (topic !== undefined)
          await wait(async witness => await this.#serves(witness, operation.topic, topic.partitions.length))
        return
      case 'delete':
        if (topic === undefined) await wait(async witness => await this.#isGone(witness, operation.topic))
        return
      case 'alter': {
        if (topic === undefined) return
        const wanted = [...topic.configs]
          .map(([key, value]) => `${key}=${value}`)
          .sort()
          .join()
        await wait(async ({ view }) => {
          const entries = (await view.topicConfigs([name])).get(name)?.entries ?? []
          const found = [...entries].filter(([, { isOverride }]) => isOverride)
          return (
            found
              .map(([key, { value }]) => `${key}=${value ?? 'null'}`)
              .sort()
              .join() === wanted
          )
        })
        return
      }
      default:
    }
  }

  #idsOf(symbol: string): string[] {
    return [...this.known.ids].flatMap(([each, id]) => (each.startsWith(`${symbol}#`) ? [id] : []))
  }

  async #serves({ view, lane, broker }: Witness, symbol: string, partitions: number): Promise<boolean> {
    const found = (await view.describe()).topics.get(this.nameOf(symbol))
    const id = this.#idsOf(symbol).at(-1)
    if (id === undefined) return true
    if (found?.id !== id || found.partitions.length !== partitions) return false
    const codes = await this.#codes(lane, symbol, id, partitions)
    return found.partitions.every(({ partition, leader }) =>
      leader === broker ? codes[partition] === 0 : codes[partition] === KafkaCode.NOT_LEADER_OR_FOLLOWER,
    )
  }

  async #isGone({ view, lane }: Witness, symbol: string): Promise<boolean> {
    const name = this.nameOf(symbol)
    if ((await view.describe()).topics.has(name)) return false
    const id = this.#idsOf(symbol).at(-1)
    if (id === undefined) return true
    const codes = await this.#codes(lane, symbol, id, 1)
    if (codes[0] !== KafkaCode.UNKNOWN_TOPIC_ID) return false
    for (const group of ['g1', 'g2']) {
      const [held] = await view.groupOffsets([this.nameOf(group)])
      if (held!.offsets.some(({ topic }) => topic === name)) return false
    }
    return true
  }

  async #codes(lane: FetchLane, symbol: string, topicId: string, partitions: number): Promise<number[]> {
    const answers = await lane.fetch({
      isolation: 'uncommitted',
      maxWaitMs: 0,
      maxBytes: 1,
      partitions: Array.from({ length: partitions }, (_none, partition) => ({
        topic: this.nameOf(symbol),
        topicId,
        partition,
        offset: 0,
        leaderEpoch: -1,
        lastFetchedEpoch: -1,
        maxBytes: 1,
      })),
    })
    const codes: number[] = []
    // A log start above zero is served all the same.
    for (const { partition, code } of answers)
      codes[partition] = code === KafkaCode.OFFSET_OUT_OF_RANGE ? 0 : code
    return codes
  }
}
