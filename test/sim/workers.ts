// Workers of the simulated world: kdr as `kdr run` composes it, in processes that are started, killed, paused, stopped and
// started again, now and then two at once.
import type { LinkContext, SlotIdentity } from '../../src/engine/replicate/context.ts'
import type { LineLimits } from '../../src/engine/replicate/limits.ts'
import type { PartitionCopy } from '../../src/engine/replicate/partition.ts'
import type { Replication } from '../../src/engine/replicate/replication.ts'
import { startReplication } from '../../src/engine/replicate/start.ts'
import { GroupSync } from '../../src/engine/sync/groups.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import { findKdrError } from '../../src/model/errors.ts'
import type { LinkSettings } from '../../src/model/link-settings.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { TopicPartition } from '../../src/ports/cluster.ts'
import { readLeaving, readSlots } from '../../src/model/state-records.ts'
import { openTopicStore } from '../../src/state/topic-store.ts'
import { positionsOf } from '../../src/wiring/position.ts'
import { SimProcess } from './network.ts'
import type { PortObserver } from './observer.ts'
import { simPort } from './port.ts'
import type { Random } from './random.ts'
import { TOPIC, type World } from './world.ts'

/** Some batches: partitions fall behind, and change their connections, in the middle of everything. */
const PACE = { behindBytes: 250, currentBytes: 150 }

export const SETTINGS: LinkSettings = {
  name: 'sim',
  source: 'source',
  target: 'target',
  mode: 'exact',
  topics: [TOPIC],
  groups: [],
  overrides: [],
  priorities: [],
  onSourceDelete: 'keep',
  largeGap: 'markers',
  onOverfilled: 'stop',
  maxBytesPerSecond: undefined,
  connectionsPerBroker: 8,
  sync: { configsMs: 30_000, aclsMs: 30_000, quotasMs: 30_000, groupsMs: 5_000 },
}

/** So few that workers often share the partitions of the one topic. */
const SLOTS = 4
/** Within this time the last worker has taken the slots of those that died. */
const TAKE_ALL_MS = 60_000
/** As LINE_LIMITS, for logs of a few KB: a stripe holds a few batches. */
const LINE: LineLimits = {
  longMs: 20,
  leastStripeBytes: 500,
  mostStripeBytes: 1_200,
  roundBytes: 500,
  aheadBytes: 12_000,
}

/** A worker that ends is started again after this long, as by a supervisor. */
const RESTART_MS = 1_000
/** What may end a worker: the world, and another worker. */
const MAY_END = new Set(['unreachable', 'other-controller', 'not-allowed', 'not-ready', 'cluster-lacks'])

const nameOf = (number: number): string => `worker-${number}`

export class Workers {
  readonly #world: World
  readonly #observer: PortObserver
  /** Those that have taken the link over and have not ended: several, for a moment, when one was paused. */
  readonly #running = new Map<SimProcess, Replication>()
  /** All that ever ran, the ended ones too. */
  readonly #ran: {
    readonly process: SimProcess
    readonly name: string
    readonly replication: Replication
  }[] = []
  readonly #processes: SimProcess[] = []
  #newest = new SimProcess()
  #count = 0
  /** Who ends is not started again. */
  #isLast = false

  constructor(world: World, observer: PortObserver) {
    this.#world = world
    this.#observer = observer
  }

  /** Those that are at work. */
  atWork(): Replication[] {
    return [...this.#running]
      .filter(([process]) => !process.isPaused && !process.isKilled)
      .map(([, replication]) => replication)
  }

  /** Of all that are at work: each copies the partitions of its slots. */
  copies(): PartitionCopy[] {
    return this.atWork().flatMap(replication => replication.copies())
  }

  /** Who writes to this partition's mirror; undefined when nobody holds its slot. */
  identityOf(of: TopicPartition): SlotIdentity | undefined {
    return this.atWork()
      .map(({ context }) => context.slots.identityOf(of))
      .find(identity => identity !== undefined)
  }

  /** Of all that live, those that stand still included. */
  livingCopies(): PartitionCopy[] {
    return [...this.#running].flatMap(([process, replication]) =>
      process.isKilled ? [] : replication.copies(),
    )
  }

  /**
   * Of a partition that nobody alive copies: its copy as whoever holds its slot has left it, dead or about to end. Undefined
   * when the slot was let go of, or is another's since, as `process` has read: then nothing is known of it.
   */
  leftCopy(process: SimProcess, of: TopicPartition): PartitionCopy | undefined {
    const asked = this.#ran.findLast(each => each.process === process)?.replication.context
    const record = asked && readSlots(asked.store, asked.link).get(asked.slots.of(of))
    return this.#ran
      .find(({ name }) => name === record?.owner)
      ?.replication.copies()
      .find(
        ({ topic, partition, identity }) =>
          topic === of.topic && partition === of.partition && identity.generation === record?.generation,
      )
  }

  /** Whether this process itself saw the partition stop, dead or alive: what it sent before it died may land after. */
  hasSeenStop(process: SimProcess, of: TopicPartition): boolean {
    const ran = this.#ran.findLast(each => each.process === process)
    return (
      ran?.replication
        .copies()
        .some(
          ({ topic, partition, state }) =>
            topic === of.topic && partition === of.partition && state === 'faulted',
        ) === true
    )
  }

  /** Some of them have let go of a mirror that is about to be deleted. */
  areRecopying(): boolean {
    return [...this.#running].some(([process, replication]) => {
      const { store, link } = replication.context
      return !process.isKilled && (replication.willRecopy() || [...readLeaving(store, link)].length > 0)
    })
  }

  /** Starts workers, ends them in the ways of this history, starts the next; until `until` (monotonic). */
  async operate(until: number): Promise<void> {
    const { clock, trouble, chaos } = this.#world
    const random = this.#world.random.stream('operate')
    const ends = this.#ends()
    while (clock.monotonic() < until) {
      const process = this.#start(random)
      if (trouble.restarts && random.chance(0.2) && chaos.strikes('a second kdr starts')) this.#start(random)
      const ms = ends.length === 0 ? until - clock.monotonic() : random.between(500, 12_000)
      await Promise.race([clock.sleep(ms), process.death])
      if (clock.monotonic() >= until) return
      if (!process.isKilled && ends.length > 0) await random.pick(ends)(process, random)
      else await clock.sleep(random.between(10, 3_000))
      if (process.isKilled) this.#running.delete(process)
    }
  }

  /** Everybody goes on; somebody runs. */
  heal(): void {
    for (const process of this.#processes) {
      process.crashAt = undefined
      process.resume()
    }
    if (this.#newest.isKilled) this.#start(undefined)
  }

  /** Only one of those at work is left, with all slots, and it is not started again when it ends. False: that came to nothing. */
  async keepOne(): Promise<boolean> {
    this.#isLast = true
    const kept = this.atWork().at(-1)
    for (const [process, replication] of this.#running) {
      if (replication === kept) continue
      process.kill()
      this.#running.delete(process)
    }
    for (const process of this.#processes) if (!this.#running.has(process)) process.kill()
    const { clock } = this.#world
    const until = clock.monotonic() + TAKE_ALL_MS
    while (clock.monotonic() < until) {
      if (kept?.context.slots.isComplete === true && kept.context.slots.held.length === SLOTS) return true
      await clock.sleep(200)
    }
    return false
  }

  kill(): void {
    for (const process of this.#processes) process.kill()
  }

  #ends(): ((process: SimProcess, random: Random) => Promise<void>)[] {
    const { crashes, pauses, restarts } = this.#world.trouble
    return [
      ...(crashes ? [this.#crash] : []),
      ...(pauses ? [this.#pause] : []),
      ...(restarts ? [this.#restart] : []),
    ]
  }

  readonly #crash = async (process: SimProcess, random: Random): Promise<void> => {
    const ms = random.between(10, 3_000)
    if (!this.#world.chaos.strikes('kdr is killed')) return
    process.kill()
    await this.#world.clock.sleep(ms)
  }

  readonly #pause = async (process: SimProcess, random: Random): Promise<void> => {
    const { clock, chaos } = this.#world
    const wakesAfter = random.between(100, 20_000)
    const ms = random.between(10, 6_000)
    if (!chaos.strikes(`kdr is paused for ${wakesAfter} ms`)) return
    process.pause()
    void clock.sleep(wakesAfter).then(() => process.resume())
    await clock.sleep(ms)
  }

  readonly #restart = async (process: SimProcess, random: Random): Promise<void> => {
    const ms = random.between(0, 200)
    const replication = this.#running.get(process)
    if (!this.#world.chaos.strikes('kdr is stopped and started')) return
    this.#running.delete(process)
    await Promise.race([replication?.stop(), process.death])
    this.#world.say(`kdr ${replication === undefined ? 'is killed while it starts' : 'has stopped'}`)
    process.kill()
    await this.#world.clock.sleep(ms)
  }

  #start(random: Random | undefined): SimProcess {
    const { trouble } = this.#world
    const process = new SimProcess()
    if (trouble.crashPoints && random?.chance(0.5) === true) {
      // Most of what is delicate happens in the first calls.
      const most = random.pick([30, 120, 500])
      process.crashAt = { call: random.between(1, most), isBefore: random.chance(0.5) }
    }
    this.#newest = process
    this.#processes.push(process)
    void this.#run(process, ++this.#count)
    return process
  }

  /** One process, as `kdr run` and its supervisor: what ends is closed, and started anew. */
  async #run(process: SimProcess, number: number): Promise<void> {
    const { clock } = this.#world
    try {
      const replication = await this.#compose(process, number)
      if (process.isKilled) return
      this.#running.set(process, replication)
      this.#ran.push({ process, name: nameOf(number), replication })
      await replication.failed.catch(async (error: unknown) => {
        await replication.stop()
        throw error
      })
    } catch (error) {
      if (process.isKilled) return
      const text = error instanceof Error ? error.message : String(error)
      this.#world.say(`kdr ${number} ends: ${text}`)
      if (!MAY_END.has(findKdrError(error)?.code ?? ''))
        this.#world.violate(`kdr broke: ${error instanceof Error ? (error.stack ?? text) : text}`)
      this.#running.delete(process)
      if (this.#isLast) return
      await clock.sleep(RESTART_MS)
      if (!process.isKilled) await this.#run(process, ++this.#count)
    }
  }

  async #compose(process: SimProcess, number: number): Promise<Replication> {
    const world = this.#world
    const source = simPort(world.source, world.networks.source, process)
    const target = simPort(world.target, world.networks.target, process, this.#observer)
    const clock = this.#clockOf(process)
    await source.describe()
    await target.describe()
    const writer = 2n ** 50n + BigInt(number)
    const store = await openTopicStore(target, recordCodec, clock, { create: true, writer })
    const entropy = world.random.stream(`worker-${number}`)
    const log = {
      event: (level: string, message: string) => {
        world.say(`kdr ${number} ${level} ${message}`)
        if (message.startsWith('accept-loss: '))
          world.answered = { at: world.clock.monotonic(), isRefused: level === 'error' }
      },
    }
    const replication = await startReplication({
      settings: SETTINGS,
      source,
      target,
      store,
      codec: recordCodec,
      clock,
      entropy: {
        bits62: () => BigInt(entropy.between(0, 2 ** 31)) * 2n ** 30n,
        uuid: () => nameOf(number),
        fraction: () => entropy.fraction(),
      },
      log,
      firstDifference: () => Promise.resolve('something'),
      slots: SLOTS,
      pace: PACE,
      line: LINE,
    })
    const groups = new GroupSync({
      source,
      target,
      isWanted: () => true,
      positions: () => positionsOf(replication),
      assertControl: replication.context.assertControl,
      link: SETTINGS.name,
      store,
      mayStill: () => replication.context.lease.isHeld,
      clock,
      log,
    })
    void this.#followGroups(groups, replication.context, clock)
    return replication
  }

  async #followGroups(groups: GroupSync, { signal, slots }: LinkContext, clock: Clock): Promise<void> {
    while (!signal.aborted) {
      await clock.sleep(SETTINGS.sync.groupsMs, signal)
      try {
        if (signal.aborted) return
        if (slots.hasControl) await groups.round(signal)
        else groups.forget()
      } catch (error) {
        if (findKdrError(error) === undefined) this.#world.violate(`following groups broke: ${String(error)}`)
      }
    }
  }

  #clockOf(process: SimProcess): Clock {
    const { clock } = this.#world
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      sleep: async (ms, signal) => {
        await clock.sleep(ms, signal)
        await process.turn()
      },
    }
  }
}
