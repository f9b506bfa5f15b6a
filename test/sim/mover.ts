// A controller of the simulated world: `kdr switchover | failover [--resume RUN]`, composed as wiring/runs.ts composes it, in a
// process that may be killed or paused at each of its calls. What simulated clusters have not (authorizer, credentials of
// applications, DNS) are small fakes, called over the network as everything else.
import type { Returned, RunContext, RunServices } from '../../src/engine/runs/context.ts'
import { Journal } from '../../src/engine/runs/journal.ts'
import { assertNotMoved } from '../../src/engine/runs/plan.ts'
import { reportOf } from '../../src/engine/runs/report.ts'
import { executeRun, type Steps } from '../../src/engine/runs/run.ts'
import { RUN_STEPS } from '../../src/engine/runs/steps.ts'
import { undoRun } from '../../src/engine/runs/undo.ts'
import { GroupSync } from '../../src/engine/sync/groups.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import { findKdrError, KdrError } from '../../src/model/errors.ts'
import {
  isPastReturn,
  type RunKind,
  type RunRecord,
  type RunReport,
  type StepName,
} from '../../src/model/runs.ts'
import { readLink } from '../../src/model/state-records.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Cluster } from '../../src/ports/cluster.ts'
import type { Commands, Redirect, RunFacts } from '../../src/ports/outside.ts'
import type { StateStore } from '../../src/ports/state.ts'
import { JOURNAL_TOPIC, openTopicStore } from '../../src/state/topic-store.ts'
import { beating } from '../../src/engine/runs/beating.ts'
import { LINK, type MovingWorld, SETTINGS } from './moving-world.ts'
import { SimProcess } from './network.ts'

/** What a test changes, to see whether the oracles find it. */
export type Planted = {
  readonly steps?: Steps
  readonly context?: (context: RunContext) => RunContext
  readonly journal?: (journal: Journal) => Journal
  /** Of the journal. */
  readonly clock?: (clock: Clock) => Clock
}

export type MoverOptions = {
  readonly kind: RunKind
  readonly takeOver?: boolean
  /** Takes up the newest run of the journal that is not over, if there is one. */
  readonly resume?: boolean
  /** Of a failback after a failover. */
  readonly returning?: Pick<Returned, 'failover' | 'cuts' | 'told' | 'tellFailover'>
  /** Gives that up. */
  readonly abort?: boolean
  readonly planted?: Planted | undefined
}

export class Mover {
  readonly name: string
  readonly process = new SimProcess()
  /** When a step began, in calls through ports. */
  readonly began: { readonly step: StepName; readonly call: number }[] = []
  report: RunReport | undefined
  claimed = false
  /** There was nothing to resume. */
  foundDone = false
  error: unknown
  /** Resolves when it has ended, however; never when it is killed. */
  readonly ended: Promise<void>
  readonly #world: MovingWorld
  readonly #options: MoverOptions
  readonly #clock: Clock

  constructor(world: MovingWorld, name: string, options: MoverOptions) {
    this.#world = world
    this.#options = options
    this.name = name
    this.#clock = world.clockOf(this.process)
    // It begins when its caller has said what becomes of it.
    this.ended = Promise.resolve().then(async () => await this.#run())
  }

  get code(): string | undefined {
    return findKdrError(this.error)?.code
  }

  async #run(): Promise<void> {
    try {
      this.report = await this.#move()
      this.#world.say(`${this.name}: ${this.report.state} ${this.report.sentence ?? ''}`)
    } catch (error) {
      this.error = error
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.#world.say(`${this.name} ends: ${text}`)
      if (this.code === undefined) this.#world.violate(`${this.name} broke: ${text}`)
    }
  }

  async #move(): Promise<RunReport> {
    const { kind, takeOver = false, abort = false, resume = abort } = this.#options
    const world = this.#world
    const ports = world.watchedPorts(this.process, this.name)
    const isBack = kind === 'failback'
    const [active, target] = isBack ? [ports.target, ports.source] : [ports.source, ports.target]
    const source = await active.describe().then(
      () => active,
      (error: unknown) => {
        if (findKdrError(error)?.code !== 'unreachable' || isBack) throw error
        return undefined
      },
    )
    await target.describe()
    const store = await this.#store(target, { create: isBack })
    await store.refresh()
    // Of a link that waits, only the active knows.
    const memory = isBack ? await this.#store(active, { create: false }) : store
    await memory.refresh()
    const link = readLink(memory, LINK)
    if (link?.sourceClusterId !== 'id-source' && !resume && !isBack)
      throw new KdrError('moved', 'it leads the other way')
    const generation = (link?.generation ?? 0) + Number(link?.isWaiting === true)
    const after = link?.isWaiting === true ? link.run : undefined
    const planned = newRecord(kind, { run: `run-of-${this.name}`, generation, after }, this.#clock)
    const { planted = {} } = this.#options
    const asItIs = new Journal({
      store: await this.#store(target, { create: true, topic: JOURNAL_TOPIC }),
      clock: planted.clock?.(this.#clock) ?? this.#clock,
      link: LINK,
      controller: this.name,
      by: this.name,
    })
    const journal = planted.journal?.(asItIs) ?? asItIs
    await journal.claim(takeOver)
    this.claimed = true
    const open = resume
      ? journal.runs().find(({ state }) => state === 'running' || state === 'stopped')
      : undefined
    const over = journal.runs().find(({ state }) => state === (abort ? 'aborted' : 'done'))
    if (resume && open === undefined && over !== undefined) {
      this.foundDone = true
      return reportOf(over, journal.steps(over.run))
    }
    if (open === undefined) await assertNotMoved({ record: planned, store })
    const record = open ?? planned
    const stopBeats = beating(journal, this.#clock)
    try {
      const made = await this.#context({ record, source, target, store, journal })
      if (abort) return await this.#giveUp(made, journal)
      const { record: ended } = await executeRun({
        context: planted.context?.(made) ?? made,
        journal,
        steps: planted.steps ?? RUN_STEPS,
        clock: this.#clock,
        onStep: ({ name, state }) => {
          if (state === 'running') this.began.push({ step: name, call: this.process.calls })
          world.say(`${this.name}: ${name} ${state}`)
        },
      })
      await journal.release()
      return reportOf(ended, journal.steps(record.run))
    } finally {
      await stopBeats()
    }
  }

  async #giveUp(context: RunContext, journal: Journal): Promise<RunReport> {
    const { record } = context
    await undoRun(context, isPastReturn(journal.steps(record.run)))
    const aborted: RunRecord = { ...record, state: 'aborted' }
    await journal.writeRun(aborted)
    await journal.release()
    return reportOf(aborted, journal.steps(record.run))
  }

  async #store(cluster: Cluster, options: { create: boolean; topic?: string }): Promise<StateStore> {
    return await openTopicStore(cluster, recordCodec, this.#clock, {
      ...options,
      writer: this.#world.writer(),
    })
  }

  async #context({
    record,
    source,
    target,
    store,
    journal,
  }: {
    readonly record: RunRecord
    readonly source: Cluster | undefined
    readonly target: Cluster
    readonly store: StateStore
    readonly journal: Journal
  }): Promise<RunContext> {
    const entropy = this.#world.random.stream(this.name)
    const { returning } = this.#options
    return {
      record,
      options: record,
      settings: settingsOf(record.active),
      returned: returning && {
        ...returning,
        settings: settingsOf(record.standby),
        facts: { ...factsOf(record), active: record.standby, standby: record.active },
        probe: undefined,
      },
      source,
      target,
      store: journal.guarding(store),
      sourceStore:
        source === undefined ? undefined : journal.guarding(await this.#store(source, { create: true })),
      clock: this.#clock,
      entropy: {
        bits62: () => BigInt(entropy.between(0, 2 ** 31)) * 2n ** 30n,
        uuid: () => `${this.name}-${entropy.between(0, 2 ** 31)}`,
        fraction: () => entropy.fraction(),
      },
      codec: recordCodec,
      log: { event: () => undefined },
      facts: factsOf(record),
      commands: this.#commands(),
      fence: { acl: false, command: 'stop applications' },
      probe: undefined,
      consumers: { stop: 'stop consumers' },
      redirects: [this.#redirect(record.standby)],
      own: new Set(),
      dataOf: name => journal.dataOf(record.run, name),
      guard: journal.guard,
      claim: journal.number,
      progress: () => undefined,
      services: this.#services({
        source,
        target,
        store: journal.guarding(store),
        guard: journal.guard,
      }),
    }
  }

  #services({
    source,
    target,
    store,
    guard,
  }: Pick<RunContext, 'source' | 'target' | 'store' | 'guard'>): RunServices {
    const world = this.#world
    const services = {
      startCopying: async () =>
        await world.startCopying(this.process, `${this.name}'s`, target.name === 'source'),
      syncGroups: async (positions: Parameters<RunServices['syncGroups']>[0]): Promise<boolean> => {
        const groups = new GroupSync({
          source: source!,
          target,
          isWanted: () => true,
          positions: () =>
            positions.map(({ logEnd, ...of }) => ({
              ...of,
              cursor: logEnd,
              isAnchored: true,
              isStopped: false,
            })),
          assertControl: guard,
          link: LINK,
          store,
          mayStill: () => true,
          clock: this.#clock,
          log: { event: () => undefined },
        })
        const captured = await groups.capture()
        return groups.isCovered(captured) && (await groups.apply(captured))
      },
      openExport: () => ({
        name: 'memory',
        put: async (object: string, body: readonly Uint8Array[]) =>
          await this.#call(`export ${object}`, () => {
            world.exports.set(object, Buffer.concat(body))
            return object
          }),
        sizeOf: async (object: string) =>
          await this.#call('is it exported', () => world.exports.get(object)?.length),
        read: async (object: string) => await this.#call('what is exported', () => world.exports.get(object)),
      }),
      syncRights: async () => await this.#call('rights are synced', () => undefined),
      releaseRights: async () => await this.#call('rights are released', () => 1),
      isActiveBack: async () => await Promise.resolve(false),
    }
    return services
  }

  #commands(): Commands {
    return {
      run: async (command, { active }) =>
        await this.#call(command, () => {
          if (command === 'stop applications') this.#world.stopApplications(active)
          else this.#world.stopConsumers()
          return { code: 0, output: '' }
        }),
    }
  }

  /** Refuses what an older run asks for, as the guard beside a DNS record does. */
  #redirect(to: string): Redirect {
    const { switchboard } = this.#world
    const isOurs = ({ run }: RunFacts): boolean => switchboard.leadsTo === to && switchboard.by === run
    return {
      name: 'switchboard',
      describe: () => `applications are led to the ${to}`,
      isApplied: async facts => await this.#call('is it redirected', () => isOurs(facts)),
      apply: async facts =>
        await this.#call('redirect', () => {
          if (facts.generation < switchboard.generation)
            throw new KdrError('other-controller', 'a newer run has been here')
          Object.assign(switchboard, { leadsTo: to, by: facts.run, generation: facts.generation })
        }),
      verify: async facts =>
        await this.#call('is the redirect there', () => {
          if (!isOurs(facts)) throw new KdrError('not-ready', 'it does not lead there')
        }),
      undo: async () => await Promise.resolve(),
    }
  }

  async #call<T>(what: string, effect: () => T): Promise<T> {
    return await this.#world.networks.target.call(this.process, what, effect)
  }
}

function newRecord(
  kind: RunKind,
  {
    run,
    generation,
    after,
  }: { readonly run: string; readonly generation: number; readonly after: string | undefined },
  clock: Clock,
): RunRecord {
  const isBack = kind === 'failback'
  const active = isBack ? 'target' : 'source'
  const standby = isBack ? 'source' : 'target'
  return {
    run,
    kind,
    link: LINK,
    active,
    standby,
    activeClusterId: `id-${active}`,
    standbyClusterId: `id-${standby}`,
    ...(after !== undefined && { after, exportTo: 'memory', recopy: ['*'] }),
    generation,
    state: 'planned',
    startedAt: clock.now(),
    acceptSplitBrain: false,
    by: 'somebody',
    versions: { kdr: '0', node: '0' },
  }
}

/** As it leads from there. */
const settingsOf = (source: string): typeof SETTINGS => ({
  ...SETTINGS,
  source,
  target: source === 'source' ? 'target' : 'source',
})

function factsOf({ run, kind, link, active, standby, generation }: RunRecord): RunFacts {
  return { run, kind, link, active, standby, bootstrap: 'target:9092', generation: generation + 1 }
}
