// One history: two clusters, applications, workers that may die, and trouble; then quiet, in which everything must come
// to rest; then the oracles; then the way out of every fault, and the oracles again. Everything follows from the seed,
// so a history run twice is the same.
import { fenceLink } from '../../src/engine/runs/fence-link.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import type { Fault, FaultReason } from '../../src/model/link.ts'
import { openTopicStore } from '../../src/state/topic-store.ts'
import { disturb, heal, recreateSource } from './disturb.ts'
import { resolve, whyOf } from './operator.ts'
import { SimProcess } from './network.ts'
import { Oracle } from './oracle.ts'
import { simPort } from './port.ts'
import type { Trouble } from './trouble.ts'
import { SETTINGS, Workers } from './workers.ts'
import { type Given, TOPIC, World } from './world.ts'

export type HistoryResult = {
  readonly seed: number
  readonly trouble: Trouble
  readonly violations: readonly string[]
  /** What partitions had stopped for when the chaos was over. */
  readonly faults: readonly string[]
  readonly trace: readonly string[]
  /** Faults that were drawn, those dropped included: they are numbered up to here. */
  readonly drawn: number
}

/** Within this much quiet virtual time everything must have been copied. */
const HEAL_MS = 240_000
/** A history that is still not over by then hangs. */
const LIMIT_MS = 3_600_000
const GROUP = 'g'
/** Who writes the state of the one who fences. */
const FENCER = 2n ** 41n
/** Of a history. */
const WAYS_OUT = 3
/** What may be said after a loss was accepted; after any other way out nothing may. */
const MAY_FOLLOW = new Set<FaultReason>(['log-start-jump', 'lost-to-retention'])
const isOfLogStarts = ({ reason }: Fault): boolean => MAY_FOLLOW.has(reason)

export async function runHistory(seed: number, given: Given = {}): Promise<HistoryResult> {
  return await new History(new World(seed, given)).run()
}

class History {
  readonly #world: World
  readonly #oracle: Oracle
  readonly #workers: Workers
  #faults: string[] = []
  /** When the way out before was taken. */
  #wasMirrorGone = false

  constructor(world: World) {
    this.#world = world
    this.#oracle = new Oracle(world)
    this.#workers = new Workers(world, this.#oracle.observer)
    this.#oracle.watch(this.#workers)
  }

  async run(): Promise<HistoryResult> {
    const world = this.#world
    this.#prepare()
    let isOver = false
    void this.#script()
      .catch((error: unknown) => {
        const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
        world.violate(`the script broke: ${text}`)
      })
      .finally(() => {
        isOver = true
      })
    const ended = await world.clock.run(() => isOver, LIMIT_MS)
    if (ended !== 'done') world.violate(`the history is ${ended}`)
    this.#workers.kill()
    const { seed, trouble, violations, trace, chaos } = world
    return { seed, trouble, violations, faults: this.#faults, trace, drawn: chaos.count }
  }

  #prepare(): void {
    const { partitions, lateStart } = this.#world.trouble
    const random = this.#world.random.stream('prepare')
    this.#world.source.groups.set(GROUP, new Map())
    for (const workload of this.#world.createSource(partitions).workloads) {
      for (let n = random.between(0, 60); n > 0; n--) workload.step()
      const { log } = workload.at
      if (lateStart && log.lastStable > 0) log.trim(random.between(1, log.lastStable))
    }
  }

  async #script(): Promise<void> {
    const world = this.#world
    const { seconds, lost, answerLost, slow, late, lateWrites, hung, markersRepeat, fenced } = world.trouble
    const until = world.clock.monotonic() + seconds * 1_000
    for (const { faults } of Object.values(world.networks))
      Object.assign(faults, { lost, answerLost, slow, late, lateWrites, hung })
    world.target.markersRepeat = markersRepeat
    await Promise.all([this.#applications(until), disturb(world, until), this.#workers.operate(until)])
    this.#quiet()
    await this.#converge()
    this.#oracle.judge(this.#workers.copies())
    if (world.violations.length === 0) await this.#resolve()
    if (world.violations.length === 0 && fenced) await this.#fence()
  }

  async #applications(until: number): Promise<void> {
    const world = this.#world
    const random = world.random.stream('applications')
    while (world.clock.monotonic() < until) {
      await world.clock.sleep(random.between(5, 120))
      if (!world.isThere) continue
      world.workloads.forEach((workload, partition) => {
        if (random.chance(world.trouble.skewed && partition > 0 ? 0.04 : 0.6)) workload.step()
      })
      if (random.chance(0.3)) this.#consume(random.between(0, world.workloads.length - 1), random.fraction())
    }
  }

  /** An application has read a partition up to some offset, and what it made of that stands in the others by now. */
  #consume(partition: number, share: number): void {
    const { source, workloads, commits, life } = this.#world
    const { log } = workloads[partition]!.at
    const at = `${TOPIC}/${partition}`
    const before = Math.max(log.logStart, source.groups.get(GROUP)?.get(at) ?? 0)
    const offset = before + Math.ceil((log.lastStable - before) * share)
    if (offset <= before) return
    source.groups.get(GROUP)?.set(at, offset)
    const ends = workloads.map(each => each.at.log.highWatermark)
    commits.push({ partition, offset, ends, life: life.number })
  }

  #quiet(): void {
    const world = this.#world
    heal(world)
    recreateSource(world, { partitions: world.trouble.partitions, steps: 5 })
    const isAborted = world.random.stream('hanging').chance(0.5)
    for (const workload of world.workloads) {
      if (isAborted) workload.abortHanging()
      workload.step()
      workload.finish()
    }
    world.say('-- the chaos is over')
    this.#workers.heal()
  }

  /** Until nothing moves any more: every partition is where its source is, or has stopped. */
  async #converge(): Promise<void> {
    const world = this.#world
    const until = world.clock.monotonic() + HEAL_MS
    let why = ''
    while (world.clock.monotonic() < until) {
      await world.clock.sleep(500)
      const left = this.#left()
      if (left === undefined) return
      why = left
    }
    const copies = this.#workers
      .copies()
      .map(
        copy => `${copy.name} ${copy.state} ${copy.fault?.reason ?? ''} ${copy.inspect()} ${copy.note ?? ''}`,
      )
    world.violate(`no convergence: ${why}; ${copies.join('; ')}`)
  }

  #left(): string | undefined {
    const { workloads } = this.#world
    const copies = this.#workers.copies()
    let hasFaults = false
    for (let partition = 0; partition < workloads.length; partition++) {
      const copy = copies.find(each => each.partition === partition)
      if (copy === undefined) return `partition ${partition} is not copied`
      if (this.#oracle.isOfEarlierLife(partition) && copy.fault?.reason !== 'recreated')
        return `${copy.name} mirrors a topic that is gone`
      if (copy.state === 'faulted') {
        hasFaults = true
        continue
      }
      const { log } = workloads[partition]!.at
      const isTrimmed =
        copy.heldLogStart?.reason === 'log-start-jump' ||
        copy.targetLogStart >= Math.min(log.logStart, copy.appended)
      // An idle mirror is looked at every three seconds.
      if (this.#world.mirror(partition)?.log.end !== copy.appended)
        return `${copy.name} is not where kdr believes it is, at ${copy.appended}`
      // An election has taken what was on its way already: the next look at the source says so.
      if (copy.planned > log.end) return `${copy.name} is at ${copy.planned}, beyond ${log.end}`
      if (
        !copy.isOpen ||
        !copy.isIdle ||
        copy.appended < log.fetchableEnd ||
        !isTrimmed ||
        copy.state !== 'mirroring'
      )
        return `${copy.name} is at ${copy.appended} of ${log.fetchableEnd}`
    }
    // Of the topic's life before.
    const rest = copies.find(copy => copy.partition >= workloads.length && copy.state !== 'faulted')
    if (rest !== undefined) return `${rest.name} is still ${rest.state}`
    const mayLag = hasFaults || workloads.some(({ at: { log } }) => log.lastStable < log.highWatermark)
    return mayLag ? undefined : this.#oracle.groupsDiffer()
  }

  /** Does what the sentences of faults say, and looks whether that was enough. */
  async #resolve(): Promise<void> {
    let isLast = false
    for (let round = 0; round < WAYS_OUT && !isLast; round++) {
      const said = this.#said()
      // Behind an accepted loss the source begins later, and may have deleted more: that is a question of its own. So is
      // what somebody wrote to the mirror while it stood still.
      // One that was refused has met other logs than it was about; what they say now may be anything.
      // Nor does a mirror that was deleted while its copy stood still come back by what the copy had stopped for.
      const mayFollow =
        this.#wasMirrorGone ||
        this.#world.answered?.isRefused === true ||
        said.every(why => isOfLogStarts(why) || why.reason === 'foreign-write')
      const isLeft = round > 0 && !mayFollow
      if (said.length === 0 || isLeft || this.#world.violations.length > 0) break
      isLast = !(await this.#takeWayOut())
    }
    for (const { name, sentence } of this.#said())
      this.#world.violate(`the way out led nowhere: ${name} ${sentence}`)
    this.#oracle.judge(this.#workers.copies())
  }

  /** True when another may have to follow. */
  async #takeWayOut(): Promise<boolean> {
    for (const { name, reason, sentence } of this.#said()) this.#faults.push(`${name} ${reason}: ${sentence}`)
    this.#wasMirrorGone = this.#world.mirror(0) === undefined
    const mayFollow = await resolve(this.#world, this.#workers.copies())
    await this.#world.clock.sleep(40_000)
    await this.#converge()
    return mayFollow
  }

  #said(): ({ readonly name: string } & Fault)[] {
    return this.#workers.copies().flatMap(copy => {
      const why = whyOf(copy)
      return why === undefined ? [] : [{ name: copy.name, ...why }]
    })
  }

  /** What a promotion does: the link's producer id gets a newer epoch in every mirror. Nothing may be written after. */
  async #fence(): Promise<void> {
    const world = this.#world
    if (!(await this.#workers.keepOne())) return
    world.say('-- the link is fenced')
    const ends = await this.#cuts()
    for (const workload of world.workloads) {
      for (let step = 0; step < 6; step++) workload.step()
      workload.finish()
    }
    await world.clock.sleep(20_000)
    world.mirrors().forEach(({ at, partition }) => {
      const end = ends.get(partition)
      if (end !== undefined && at.log.end !== end)
        world.violate(`t/${partition}: written up to ${at.log.end} after the fence, which ended at ${end}`)
    })
  }

  /** Where the mirrors end when they are fenced: all but those that the link does not know as its own. */
  async #cuts(): Promise<Map<number, number>> {
    const world = this.#world
    const target = simPort(world.target, world.networks.target, new SimProcess())
    const store = await openTopicStore(target, recordCodec, world.clock, { create: false, writer: FENCER })
    const { fenced, open } = await fenceLink({
      link: SETTINGS.name,
      target,
      store,
      clock: world.clock,
      withinMs: 20_000,
    })
    await store.close()
    for (const { topic, partition, why } of open) world.violate(`${topic}/${partition} is not fenced: ${why}`)
    for (const { topic, partition, cut } of fenced) {
      const header = world.mirror(partition)?.log.entries.find(({ base }) => base === cut)?.header
      if (topic === TOPIC && header?.isControl !== true)
        world.violate(`t/${partition}: the cut at ${cut} is no marker`)
    }
    return new Map(
      fenced.flatMap(({ partition }) => {
        const end = world.mirror(partition)?.log.end
        return end === undefined ? [] : [[partition, end] as const]
      }),
    )
  }
}
