// A controller of the world of plans: `kdr switchover | failover | failback PLAN [--resume RUN]`, `kdr runs abort RUN`, or the same
// for one link, composed as wiring/plans.ts composes it. Its process may be killed or paused at each of its calls.
import { assertNoneUnderWay } from '../../../src/engine/plans/give-up.ts'
import { observeLinks, type Observing, refusalsOf } from '../../../src/engine/plans/observe.ts'
import { planReportOf } from '../../../src/engine/plans/report.ts'
import { executePlan } from '../../../src/engine/plans/run.ts'
import { assertSamePlan, stepsOf } from '../../../src/engine/plans/steps.ts'
import type { Links, PlanWorld } from '../../../src/engine/plans/world.ts'
import { Journal } from '../../../src/engine/runs/journal.ts'
import { findKdrError, KdrError } from '../../../src/model/errors.ts'
import {
  type PlanRunRecord,
  type PlanRunReport,
  type PlanShape,
  type PlanStep,
  readPlanRuns,
  readPlanSteps,
} from '../../../src/model/plan-runs.ts'
import type { RunKind } from '../../../src/model/runs.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { StateStore } from '../../../src/ports/state.ts'
import { JOURNAL_TOPIC } from '../../../src/state/topic-store.ts'
import { claimOf, planJournalOf } from '../../../src/wiring/plan-journal.ts'
import { beating } from '../../../src/engine/runs/beating.ts'
import { SimProcess } from '../network.ts'
import { LinkRuns } from './link-runs.ts'
import type { PlanningWorld } from './world.ts'

export type Order =
  /** Of one that has not come to its journal, too: then it begins. */
  | { readonly what: 'plan' }
  | { readonly what: 'give up plan' }
  | { readonly what: 'move link' | 'give up run' | 'resume run'; readonly of: string }

export type ControllerOptions = {
  readonly kind: RunKind
  readonly shape: PlanShape
  readonly order: Order
  readonly takeOver: boolean
}

type Known = { readonly record: PlanRunRecord; readonly steps: readonly PlanStep[]; readonly keeper: string }

export class PlanController {
  readonly name: string
  readonly process = new SimProcess()
  readonly interrupt = new AbortController()
  /** Of a plan, also one that it has found done. */
  report: PlanRunReport | undefined
  error: unknown
  isOver = false
  readonly #world: PlanningWorld
  readonly #options: ControllerOptions
  readonly #clock: Clock
  readonly #links: LinkRuns

  constructor(world: PlanningWorld, name: string, options: ControllerOptions) {
    this.name = name
    this.#world = world
    this.#options = options
    this.#clock = world.clockOf(this.process)
    this.#links = new LinkRuns({ world, process: this.process, name }, options)
    world.newest = name
    world.say(`${name}: ${JSON.stringify(options.order)}${options.takeOver ? ' --take-over' : ''}`)
    // It begins when its caller has said what becomes of it.
    void Promise.resolve().then(async () => await this.#run())
  }

  get code(): string | undefined {
    return findKdrError(this.error)?.code
  }

  async #run(): Promise<void> {
    const { order } = this.#options
    try {
      if (order.what === 'plan') this.report = await this.#carryOut()
      else if (order.what === 'give up plan') this.report = await this.#giveUp()
      else if (order.what === 'give up run') await this.#links.giveUp(order.of)
      else await this.#moveLink(order)
      this.#world.say(`${this.name}: ${this.report?.state ?? 'done'} ${this.report?.sentence ?? ''}`)
    } catch (error) {
      this.error = error
      const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
      this.#world.say(`${this.name} ends: ${text}`)
      if (this.code === undefined) this.#world.violate(`${this.name} broke: ${text}`)
    }
    this.isOver = true
  }

  async #moveLink({ what, of }: { readonly what: string; readonly of: string }): Promise<void> {
    const link = what === 'resume run' ? of.split('-')[0]! : of
    const resume = what === 'resume run' ? { resume: of } : {}
    await this.#links.withRun(
      { link, topics: [], ...resume },
      async run => await run.execute(() => undefined),
    )
  }

  async #carryOut(): Promise<PlanRunReport> {
    const { kind, shape } = this.#options
    const known = await this.#find()
    if (known !== undefined) {
      const { record } = known
      if (record.state === 'done' || record.state === 'aborted') return planReportOf(record, known.steps)
      assertSamePlan(known.steps, shape, record)
      return await this.#execute(known, true)
    }
    const observing: Observing = { kind, links: this.#links, home: this.#home() }
    const planned = await observeLinks(shape, observing)
    const refusals = refusalsOf(planned, observing)
    if (refusals.length > 0) throw new KdrError('not-ready', refusals.join('; '))
    // Nobody says yes to a plan that was shown after something else was begun.
    if (this.#world.newest !== this.name) throw new KdrError('approval-needed', 'nobody approves it any more')
    const keeper = planned.find(({ plan }) => plan !== undefined)?.plan?.standby
    if (keeper === undefined) throw new KdrError('not-ready', 'there is nothing to move')
    return await this.#execute({ record: this.#newRecord(), steps: stepsOf(shape, planned), keeper }, false)
  }

  async #execute({ record, steps, keeper }: Known, isResumed: boolean): Promise<PlanRunReport> {
    const { shape } = this.#options
    return await this.#controlling(keeper, async (store, journal) => {
      if (!isResumed && readPlanRuns(store).some(({ state }) => state === 'running' || state === 'stopped'))
        throw new KdrError('not-ready', 'a run of the plan is not over')
      const left = isResumed ? readPlanSteps(store, record.run) : steps
      if (isResumed) this.#tellAnswered(left, shape)
      const plans = planJournalOf(store, journal)
      const ended = await executePlan({
        record: isResumed ? record : { ...record, startedAt: this.#clock.now() },
        shape,
        steps: left,
        isResumed,
        world: this.#planWorld(plans),
      })
      return planReportOf(ended.record, ended.steps)
    })
  }

  async #giveUp(): Promise<PlanRunReport> {
    const known = await this.#find()
    if (known === undefined) throw new KdrError('usage', 'there is no run of the plan')
    if (known.record.state === 'done' || known.record.state === 'aborted')
      return planReportOf(known.record, known.steps)
    return await this.#controlling(known.keeper, async (store, journal) => {
      const { run } = known.record
      const steps = readPlanSteps(store, run)
      await assertNoneUnderWay(steps, known.record, async own => await this.#links.read(own))
      const ended: PlanRunRecord = { ...known.record, state: 'aborted', endedAt: this.#clock.now() }
      await planJournalOf(store, journal).writeRun(ended)
      return planReportOf(ended, steps)
    })
  }

  async #controlling<T>(
    keeper: string,
    act: (store: StateStore, journal: Journal) => Promise<T>,
  ): Promise<T> {
    const { shape, takeOver } = this.#options
    const store = await this.#world.openStore(
      this.process,
      this.#world.port(this.process, keeper),
      JOURNAL_TOPIC,
    )
    await store.refresh()
    const input = { store, clock: this.#clock, controller: this.name, by: this.name }
    const journal = new Journal({ ...input, link: claimOf(shape.name) })
    await journal.claim(takeOver)
    this.#links.above = journal
    const stopBeats = beating(journal, this.#clock)
    try {
      return await act(store, journal)
    } finally {
      await stopBeats()
      await journal.release().catch(() => undefined)
    }
  }

  /** Whoever resumes a run was shown the question at which it had stopped. */
  #tellAnswered(steps: readonly PlanStep[], { gates }: PlanShape): void {
    for (const step of steps)
      if (step.kind === 'gate' && step.gate === 'ask' && step.state === 'failed')
        for (const gate of gates)
          if (gate.kind === 'ask' && gate.before === step.link) this.#passed(gate.question)
  }

  #passed(gate: string): void {
    this.#world.passed.push({ gate, by: this.name, at: this.#world.clock.monotonic() })
  }

  #planWorld(journal: PlanWorld['journal']): PlanWorld {
    const world = this.#world
    const links: Links = this.#links
    const tell = (text: string): void => {
      if (!this.process.isKilled) world.say(`${this.name}: ${text}`)
    }
    return {
      links,
      journal,
      clock: this.#clock,
      signal: this.interrupt.signal,
      ask: async question =>
        await world.desk.call(this.process, 'ask', () => {
          const answer = world.answers.shift() ?? 'yes'
          tell(`is asked ${question}: ${answer}`)
          if (answer === 'yes') this.#passed(question)
          return answer === 'nobody' ? undefined : answer === 'yes'
        }),
      command: async command =>
        await world.desk.call(this.process, 'command', () => {
          const code = world.codes.shift() ?? 0
          tell(`${command} ends with ${code}`)
          if (code === 0) this.#passed(command)
          return { code, output: '' }
        }),
      onStep: ({ kind, link, state, what }) => tell(`${kind} ${link} ${state} ${what}`),
      onLinkStep: () => undefined,
      onWait: () => undefined,
    }
  }

  /** The newest, as the journals of the clusters that answer have it. */
  async #find(): Promise<Known | undefined> {
    const world = this.#world
    const looks = [...world.clusters.keys()].map(async keeper => {
      const cluster = world.port(this.process, keeper)
      const isThere = await cluster.describe().then(
        () => true,
        () => false,
      )
      if (!isThere) return []
      const store = await world.openStore(this.process, cluster, JOURNAL_TOPIC)
      await store.refresh()
      return readPlanRuns(store).map(record => ({ record, steps: readPlanSteps(store, record.run), keeper }))
    })
    const all = (await Promise.all(looks)).flat()
    return all.toSorted((a, b) => b.record.startedAt - a.record.startedAt)[0]
  }

  #home(): Record<string, string> {
    return Object.fromEntries(this.#world.options.links.map(({ name, source }) => [name, source]))
  }

  #newRecord(): PlanRunRecord {
    const { kind, shape } = this.#options
    return {
      run: `${shape.name}-${this.name}`,
      plan: shape.name,
      kind,
      state: 'planned',
      startedAt: this.#clock.now(),
      by: this.name,
      acceptSplitBrain: false,
      versions: { kdr: '0', node: '0' },
      objectives: shape.objectives,
    }
  }
}
