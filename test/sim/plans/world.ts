// The world of plans: four clusters with state and journals as they really are, and links that are small: what a link has is how far
// its mirror is, whether its applications are stopped, and where they are led to. What moves it is the loop of a real run.
import { recordCodec } from '../../../src/kafka/records.ts'
import type { RunKind } from '../../../src/model/runs.ts'
import { type LinkRecord, linkKey, toRecord } from '../../../src/model/state-records.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Cluster } from '../../../src/ports/cluster.ts'
import type { StateStore } from '../../../src/ports/state.ts'
import { JOURNAL_TOPIC, openTopicStore, STATE_TOPIC } from '../../../src/state/topic-store.ts'
import { Chaos } from '../chaos.ts'
import { SimClock } from '../clock.ts'
import { SimCluster } from '../cluster.ts'
import { SimNetwork, SimProcess } from '../network.ts'
import { simPort } from '../port.ts'
import { Random } from '../random.ts'

export const START = 1_800_000_000_000

export type LinkSpec = { readonly name: string; readonly source: string; readonly target: string }

export type SimLink = LinkSpec & {
  /** Where it led when the history began. */
  readonly active: string
  readonly standby: string
  /** The active ends there, and so far the mirror has come. */
  readonly end: number
  held: number
  /** Its applications are stopped at the cluster that is active. */
  isFenced: boolean
  leadsTo: string
  /** Generation of the run that has led them there. */
  ledBy: number
  /** How often it does not drain yet. */
  breaks: number
}

/** `nobody`: there is none to be asked. */
export type Answer = 'yes' | 'no' | 'nobody'

/** Something that a controller has changed at a link. */
export type Act = {
  readonly by: string
  readonly run: string
  readonly link: string
  readonly what: string
  readonly at: number
}

/** A gate was passed, as far as the world can tell: somebody has said yes, a command has ended with 0. */
export type Passed = { readonly gate: string; readonly by: string; readonly at: number }

export type PlanningOptions = {
  readonly seed: number
  readonly kind: RunKind
  readonly links: readonly LinkSpec[]
  /** Names of links that lead away from home, drained; of a failover, those that one has moved already. */
  readonly away: readonly string[]
}

/** A mirror that lags is here; its source is a little beyond. */
const HELD = 100

export class PlanningWorld {
  readonly options: PlanningOptions
  readonly clock = new SimClock(START)
  readonly trace: string[] = []
  readonly violations: string[] = []
  readonly clusters = new Map<string, SimCluster>()
  readonly networks = new Map<string, SimNetwork>()
  readonly links = new Map<string, SimLink>()
  readonly acts: Act[] = []
  readonly passed: Passed[] = []
  /** What people answer and commands end with, in their turn; then they say yes, and end with 0. */
  readonly answers: Answer[] = []
  readonly codes: number[] = []
  /** The controller that was begun last. */
  newest = ''
  readonly random: Random
  /** What needs no cluster: a person, a command. */
  readonly desk: SimNetwork
  #writers = 0n

  constructor(options: PlanningOptions) {
    this.options = options
    this.random = new Random(options.seed)
    const chaos = new Chaos(new Set(), text => this.say(text))
    const network = (name: string): SimNetwork =>
      new SimNetwork(this.clock, this.random.stream(`net-${name}`), chaos)
    this.desk = network('desk')
    for (const name of new Set(options.links.flatMap(({ source, target }) => [source, target]))) {
      this.networks.set(name, network(name))
      const cluster = new SimCluster({
        name,
        clusterId: idOf(name),
        brokers: 1,
        clock: this.clock,
        random: this.random.stream(name),
        mayWriteMarkers: true,
        producerExpirationMs: 86_400_000,
      })
      for (const topic of [STATE_TOPIC, JOURNAL_TOPIC])
        cluster.createTopic(topic, 1, { 'cleanup.policy': 'compact' })
      this.clusters.set(name, cluster)
    }
    for (const spec of options.links) this.links.set(spec.name, this.#linkOf(spec))
  }

  say(text: string): void {
    this.trace.push(`${this.clock.monotonic()} ${text}`)
  }

  violate(text: string): void {
    this.violations.push(text)
    this.say(`VIOLATION ${text}`)
  }

  /** Both clusters of each link know where it leads. */
  async prepare(): Promise<void> {
    const process = new SimProcess()
    let isReady = false
    const preparing = async (): Promise<void> => {
      for (const link of this.links.values())
        for (const name of [link.active, link.standby]) {
          const store = await this.openStore(process, this.port(process, name), STATE_TOPIC)
          await store.put(linkKey(link.name), toRecord('link', this.recordOf(link)))
        }
      isReady = true
    }
    void preparing()
    await this.until(() => isReady, Infinity)
  }

  recordOf({ name, active, standby }: SimLink): LinkRecord {
    const { away, kind } = this.options
    const isAway = away.includes(name)
    return {
      generation: isAway ? 2 : 1,
      sourceClusterId: idOf(active),
      targetClusterId: idOf(standby),
      slots: 1,
      ...(isAway && { run: 'earlier' }),
      ...(isAway && kind === 'failover' && { isWaiting: true }),
    }
  }

  port(process: SimProcess, name: string): Cluster {
    return simPort(this.clusters.get(name)!, this.networks.get(name)!, process)
  }

  async openStore(process: SimProcess, cluster: Cluster, topic: string): Promise<StateStore> {
    const writer = 2n ** 50n + ++this.#writers
    return await openTopicStore(cluster, recordCodec, this.clockOf(process), { create: false, writer, topic })
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

  /** Lets the world go on for so long. */
  async pass(ms: number): Promise<void> {
    await this.until(() => false, ms)
  }

  /** Whether that came true in time. */
  async until(isSo: () => boolean, withinMs: number): Promise<boolean> {
    const late = this.clock.monotonic() + withinMs
    // Where nobody else waits for anything, time would stand still.
    if (withinMs < Infinity) void this.clock.sleep(withinMs)
    await this.clock.run(() => isSo() || this.clock.monotonic() >= late, Infinity)
    return isSo()
  }

  /** Whatever has kept the plan from going on is put right. */
  heal(): void {
    for (const network of this.networks.values()) network.isDown = false
    for (const link of this.links.values()) link.breaks = 0
    this.answers.length = 0
    this.codes.length = 0
  }

  /** Which records of `_kdr.state` or of the journal a cluster holds: its log itself, not through a port. */
  recordsOf(
    cluster: string,
    topic: string,
  ): { get(key: string): unknown; entries(prefix: string): [string, unknown][] } {
    const records = new Map<string, unknown>()
    for (const [key, value] of this.historyOf(cluster, topic))
      if (value === undefined) records.delete(key)
      else records.set(key, value)
    return {
      get: key => records.get(key),
      entries: prefix => [...records].filter(([key]) => key.startsWith(prefix)),
    }
  }

  /** All that was ever written there, in its order. */
  historyOf(cluster: string, topic: string): [string, unknown][] {
    const { entries } = this.clusters.get(cluster)!.partition({ topic, partition: 0 })!.log
    return entries
      .filter(({ header }) => !header.isControl)
      .flatMap(({ header, bytes }) => recordCodec.decode({ header, bytes }))
      .map(({ key, value }) => [
        String(key),
        value === null ? undefined : (JSON.parse(String(value)) as unknown),
      ])
  }

  #linkOf(spec: LinkSpec): SimLink {
    const { kind, away } = this.options
    const isAway = away.includes(spec.name)
    const [active, standby] = isAway ? [spec.target, spec.source] : [spec.source, spec.target]
    const end = HELD + this.random.stream(`end ${spec.name}`).between(1, 50)
    return {
      ...spec,
      active,
      standby,
      end,
      held: kind === 'failover' ? HELD : end,
      isFenced: false,
      leadsTo: active,
      ledBy: 0,
      breaks: 0,
    }
  }
}

export const idOf = (cluster: string): string => `id-${cluster}`
