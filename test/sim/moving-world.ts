// The world in which a link is moved: two clusters, two topics with applications, a group, workers that mirror. What the
// applications write in all is the same whenever they are stopped, so that two histories can be held against each other.
import { recordCodec } from '../../src/kafka/records.ts'
import { findKdrError } from '../../src/model/errors.ts'
import type { LinkSettings } from '../../src/model/link-settings.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Cluster } from '../../src/ports/cluster.ts'
import type { Replication } from '../../src/engine/replicate/replication.ts'
import { startReplication } from '../../src/engine/replicate/start.ts'
import { CANARY_TOPIC } from '../../src/engine/runs/canary.ts'
import { GroupSync } from '../../src/engine/sync/groups.ts'
import { JOURNAL_TOPIC, openTopicStore } from '../../src/state/topic-store.ts'
import { positionsOf } from '../../src/wiring/position.ts'
import { Chaos } from './chaos.ts'
import { SimClock } from './clock.ts'
import { SimCluster } from './cluster.ts'
import { SimNetwork, SimProcess } from './network.ts'
import type { PortObserver } from './observer.ts'
import { simPort } from './port.ts'
import { Random } from './random.ts'
import { PartitionWorkload } from './workload.ts'
import { SETTINGS as OF_WORKERS } from './workers.ts'
import { START } from './world.ts'

export const LINK = 'sim'
export const GROUP = 'g'
const TOPICS = [
  { name: 'a', partitions: 2, configs: { 'cleanup.policy': 'delete', 'retention.ms': '90000000' } },
  { name: 'b', partitions: 1, configs: { 'cleanup.policy': 'compact,delete' } },
] as const

/** As of the histories without moves, but for what is copied. */
export const SETTINGS: LinkSettings = { ...OF_WORKERS, name: LINK, topics: ['*'], groups: ['*'] }

/** So few that both workers have some. */
const SLOTS = 2
/** Of each partition's applications, in all; so many of them before the workers begin. */
const STEPS = 60
const STEPS_BEFORE = 15
const STEP_EVERY_MS = 400
const RESTART_MS = 1_000
/** A worker reports every 2 s. */
const SEEN_WITHIN_MS = 5_000
const DAY_MS = 86_400_000

export type MovingOptions = {
  readonly seed: number
  readonly workers: number
  readonly mayWriteMarkers: boolean
}

/** What a controller has sent that changes something: when it left (monotonic). */
export type Act = { readonly mover: string; readonly what: string; readonly at: number }

/** How applications are told where to write. */
export type Switchboard = { leadsTo: 'source' | 'target'; by: string; generation: number }

export class MovingWorld {
  readonly options: MovingOptions
  readonly clock = new SimClock(START)
  readonly trace: string[] = []
  readonly violations: string[] = []
  readonly chaos = new Chaos(new Set(), text => this.say(text))
  readonly source: SimCluster
  readonly target: SimCluster
  readonly networks: { readonly source: SimNetwork; readonly target: SimNetwork }
  readonly workloads: { readonly topic: string; readonly partition: number; readonly of: PartitionWorkload }[]
  readonly switchboard: Switchboard = { leadsTo: 'source', by: '', generation: 0 }
  readonly workers: SimProcess[] = []
  /** What failbacks have exported, by its name. */
  readonly exports = new Map<string, Buffer>()
  /** What applications write at the target since it is active. */
  readonly later: { readonly topic: string; readonly partition: number; readonly of: PartitionWorkload }[] =
    []
  readonly acts: Act[] = []
  /** What workers of which link have appended or filled, in this order. */
  readonly copied: { readonly link: string; readonly topic: string; readonly at: number }[] = []
  /** Wall clock. */
  darkSince = Infinity
  readonly random: Random
  #steps = STEPS
  #laterSteps = 0
  #isConsuming = true
  #writers = 0n

  constructor(options: MovingOptions) {
    this.options = options
    this.random = new Random(options.seed)
    this.source = this.#cluster('source', true)
    this.target = this.#cluster('target', options.mayWriteMarkers)
    this.networks = {
      source: new SimNetwork(this.clock, this.random.stream('net-source'), this.chaos),
      target: new SimNetwork(this.clock, this.random.stream('net-target'), this.chaos),
    }
    this.workloads = TOPICS.flatMap(({ name, partitions, configs }) =>
      this.source.createTopic(name, partitions, configs).partitions.map((at, partition) => ({
        topic: name,
        partition,
        of: new PartitionWorkload(at, {
          clock: this.clock,
          random: this.random.stream(`workload ${name} ${partition}`),
          ageMs: 0,
          producers: 1,
          firstProducer: 100 * (name.charCodeAt(0) - 96) + 10 * partition,
          prefix: `1.${partition}.${name}`,
        }),
      })),
    )
    this.source.groups.set(GROUP, new Map())
    this.source.occupied.add(GROUP)
    for (let n = 0; n < STEPS_BEFORE; n++) this.#step()
    this.#consume()
    void this.#applications()
    for (let n = 1; n <= options.workers; n++) this.startWorker(n)
  }

  say(text: string): void {
    this.trace.push(`${this.clock.monotonic()} ${text}`)
  }

  violate(text: string): void {
    this.violations.push(text)
    this.say(`VIOLATION ${text}`)
  }

  /** For a store of its own. */
  writer(): bigint {
    return 2n ** 50n + ++this.#writers
  }

  /** Ports that tell which calls change something, as they leave the process. */
  watchedPorts(process: SimProcess, mover: string): { readonly source: Cluster; readonly target: Cluster } {
    const { source, target } = this.ports(process)
    const tell = (what: string): void => {
      if (!process.isKilled) this.acts.push({ mover, what, at: this.clock.monotonic() })
    }
    return { source: watched(source, tell), target: watched(target, tell) }
  }

  ports(
    process: SimProcess,
    observer?: PortObserver,
  ): { readonly source: Cluster; readonly target: Cluster } {
    return {
      source: simPort(this.source, this.networks.source, process),
      target: simPort(this.target, this.networks.target, process, observer),
    }
  }

  #copying(link: string): PortObserver {
    const note = ({ topic }: { readonly topic: string }): void => {
      if (!topic.startsWith('_')) this.copied.push({ link, topic, at: this.clock.monotonic() })
    }
    const nothing = (): void => undefined
    return {
      sending: nothing,
      appended: (_process, of) => note(of),
      told: nothing,
      marked: note,
      trimming: nothing,
      committing: nothing,
    }
  }

  clockOf(process: SimProcess): Clock {
    const { clock } = this
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      sleep: async (ms, signal) => {
        await clock.sleep(ms, signal)
        await process.turn()
      },
    }
  }

  /** They write the last that they have, and nothing more. */
  stopApplications(at = 'source'): void {
    if (at === 'target') {
      for (const { of } of this.later) of.finish()
      this.#laterSteps = 0
      return
    }
    while (this.#steps > 0) this.#step()
    for (const { of } of this.workloads) of.finish()
  }

  /** Whom nobody stops: they write on, wherever they have always written. */
  resumeApplications(steps: number): void {
    this.#steps += steps
  }

  /** They have been led to the target. */
  startAtTarget(steps: number): void {
    this.#laterSteps = steps
    for (const { topic, partition } of this.workloads) {
      const at = this.target.partition({ topic, partition })!
      this.later.push({
        topic,
        partition,
        of: new PartitionWorkload(at, {
          clock: this.clock,
          random: this.random.stream(`later ${topic} ${partition}`),
          ageMs: 0,
          producers: 1,
          firstProducer: 1_000 + 100 * (topic.charCodeAt(0) - 96) + 10 * partition,
          prefix: `2.${partition}.${topic}`,
        }),
      })
    }
  }

  /** Nobody reaches the source any more, and what was written there last has not been copied. */
  loseSource(): void {
    if (this.#steps > 0) this.#step()
    this.#isConsuming = false
    this.networks.source.isDown = true
    this.darkSince = this.clock.now()
  }

  /** What the applications write last the workers see, but cannot copy; then they die with the source. */
  async loseSourceAndWorkers(): Promise<void> {
    for (const { topic, at } of this.target.all()) if (!topic.startsWith('_')) at.isBelowMin = true
    this.stopApplications()
    await this.pass(SEEN_WITHIN_MS)
    for (const worker of this.workers) worker.kill()
    for (const { at } of this.target.all()) at.isBelowMin = false
    this.loseSource()
  }

  /** Lets the world go on for so long. */
  async pass(ms: number): Promise<void> {
    await this.until(() => false, ms)
  }

  /** Whether that came true in time. */
  async until(isSo: () => boolean, withinMs: number): Promise<boolean> {
    const { clock } = this
    const late = clock.monotonic() + withinMs
    await clock.run(() => isSo() || clock.monotonic() >= late, Infinity)
    return isSo()
  }

  stopConsumers(): void {
    if (this.#isConsuming) this.#consume()
    this.#isConsuming = false
    this.source.occupied.delete(GROUP)
  }

  async #applications(): Promise<void> {
    for (;;) {
      await this.clock.sleep(STEP_EVERY_MS)
      if (this.#laterSteps > 0) {
        this.#laterSteps--
        for (const { of } of this.later) of.step()
      }
      if (this.#steps === 0) continue
      this.#step()
      if (this.#steps === 0) for (const { of } of this.workloads) of.finish()
      if (this.#isConsuming) this.#consume()
    }
  }

  #step(): void {
    this.#steps--
    for (const { of } of this.workloads) of.step()
  }

  #consume(): void {
    for (const { topic, partition, of } of this.workloads)
      this.source.groups.get(GROUP)!.set(`${topic}/${partition}`, of.at.log.lastStable)
  }

  startWorker(number: number, settings = SETTINGS): void {
    const process = new SimProcess()
    this.workers.push(process)
    void this.#supervise(process, number, settings)
  }

  /** A worker in the process of a controller. */
  async startCopying(
    process: SimProcess,
    worker: string,
    isTurned = false,
  ): Promise<{ readonly stop: () => Promise<void> }> {
    const settings = isTurned ? { ...SETTINGS, source: SETTINGS.target, target: SETTINGS.source } : SETTINGS
    const { replication, stop } = await this.#compose(process, worker, settings)
    void replication.failed.catch(() => undefined)
    return { stop }
  }

  /** As `kdr run` does: what ends is tried again, and while a run moves the link that is in vain. */
  async #supervise(process: SimProcess, number: number, settings: LinkSettings): Promise<void> {
    for (let attempt = 0; !process.isKilled; attempt++) {
      try {
        await this.#work(process, `worker-${number}.${attempt}`, settings)
      } catch (error) {
        const code = findKdrError(error)?.code
        this.say(`worker ${number} ends: ${error instanceof Error ? error.message : String(error)}`)
        if (code === undefined)
          this.violate(`a worker broke: ${error instanceof Error ? (error.stack ?? '') : ''}`)
        // From here on it would look at the link from the other side.
        if (code === 'wrong-cluster') return
      }
      await this.clockOf(process).sleep(RESTART_MS)
    }
  }

  async #work(process: SimProcess, worker: string, settings: LinkSettings): Promise<void> {
    const { replication, stop } = await this.#compose(process, worker, settings)
    try {
      await Promise.race([replication.failed, replication.movedAway])
    } finally {
      await stop()
    }
  }

  async #compose(
    process: SimProcess,
    worker: string,
    settings: LinkSettings,
  ): Promise<{ readonly replication: Replication; readonly stop: () => Promise<void> }> {
    const ports = this.ports(process, this.#copying(settings.name))
    const isTurned = settings.source === SETTINGS.target
    const [source, target] = isTurned ? [ports.target, ports.source] : [ports.source, ports.target]
    const clock = this.clockOf(process)
    await source.describe()
    await target.describe()
    const store = await openTopicStore(target, recordCodec, clock, { create: true, writer: this.writer() })
    const entropy = this.random.stream(worker)
    const log = { event: (level: string, message: string) => this.say(`${worker} ${level} ${message}`) }
    const replication = await startReplication({
      settings,
      source,
      target,
      store,
      codec: recordCodec,
      clock,
      entropy: {
        bits62: () => BigInt(entropy.between(0, 2 ** 31)) * 2n ** 30n,
        uuid: () => worker,
        fraction: () => entropy.fraction(),
      },
      log,
      firstDifference: () => Promise.resolve('something'),
      slots: SLOTS,
    })
    const { context } = replication
    const groups = new GroupSync({
      source,
      target,
      isWanted: () => true,
      positions: () => positionsOf(replication),
      assertControl: context.assertControl,
      link: settings.name,
      store,
      mayStill: () => context.lease.isHeld,
      clock,
      log,
    })
    const following = this.#follow(context.signal, clock, async () => {
      if (context.slots.hasControl) await groups.round(context.signal)
      else groups.forget()
    })
    return {
      replication,
      stop: async () => {
        await replication.stop()
        await following
      },
    }
  }

  async #follow(signal: AbortSignal, clock: Clock, round: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(SETTINGS.sync.groupsMs, signal)
      if (signal.aborted) return
      await round().catch((error: unknown) => {
        if (findKdrError(error) === undefined) this.violate(`following groups broke: ${String(error)}`)
      })
    }
  }

  #cluster(name: string, mayWriteMarkers: boolean): SimCluster {
    return new SimCluster({
      name,
      clusterId: `id-${name}`,
      brokers: 2,
      clock: this.clock,
      random: this.random.stream(name),
      mayWriteMarkers,
      producerExpirationMs: DAY_MS,
      // Nobody waits for a broker that is cut off longer than that.
      brokerConfigs: { 'broker.session.timeout.ms': '2000' },
      topicDefaults: { 'retention.ms': '604800000' },
    })
  }
}

/** Calls that change something, journal and canary aside: these are each controller's own. */
const CHANGES = [
  'addPartitions',
  'alterTopicConfigs',
  'deleteRecords',
  'deleteTopic',
  'writeMarkers',
  'initProducer',
  'emptyTransaction',
  'commitGroupOffsets',
  'deleteGroupOffsets',
  'deleteGroup',
] as const satisfies readonly (keyof Cluster)[]

function watched(cluster: Cluster, tell: (what: string) => void): Cluster {
  const told = CHANGES.map(name => {
    const call = cluster[name] as (...args: unknown[]) => unknown
    return [
      name,
      (...args: unknown[]) => {
        tell(`${cluster.name} ${name}`)
        return call(...args)
      },
    ] as const
  })
  return {
    ...cluster,
    ...(Object.fromEntries(told) as Pick<Cluster, (typeof CHANGES)[number]>),
    openAppendLane: async broker => {
      const lane = await cluster.openAppendLane(broker)
      return {
        broker: lane.broker,
        get isClosed() {
          return lane.isClosed
        },
        close: async () => await lane.close(),
        append: async (entries, timeoutMs) => {
          for (const { topic } of entries)
            if (topic !== JOURNAL_TOPIC && topic !== CANARY_TOPIC) tell(`${cluster.name} writes ${topic}`)
          return await lane.append(entries, timeoutMs)
        },
      }
    },
  }
}
