// A world of links for runs of plans: each has its own journal, may be killed before or after each thing that lasts, and counts
// what was really moved.
import type { LinkRunOf, Links, PlanJournal, PlanWorld } from '../../src/engine/plans/world.ts'
import { reportOf } from '../../src/engine/runs/report.ts'
import { KdrError } from '../../src/model/errors.ts'
import type { Gate, PlanRunRecord, PlanShape, PlanStep } from '../../src/model/plan-runs.ts'
import type { RunRecord } from '../../src/model/runs.ts'
import type { Clock } from '../../src/ports/clock.ts'
import { drained, makePlan, makeRecord, RUN_START } from './runs.ts'

export class Killed extends Error {}

export const shapeOf = (
  stages: readonly (readonly string[])[],
  gates: readonly Gate[] = [],
  more: Partial<PlanShape> = {},
): PlanShape => ({ name: 'region', stages, gates, topics: {}, objectives: {}, ...more })

export const HOME = 'east'

/** What lasts: it is the same for every controller. */
export class FakePlanWorld {
  now = RUN_START
  readonly clock: Clock = {
    now: () => this.now,
    monotonic: () => this.now,
    sleep: async ms => {
      this.now += ms
      await Promise.resolve()
    },
  }
  /** What was done, in its order: `link l`, `ask ...`, `command ...`. */
  readonly done: string[] = []
  readonly runs = new Map<string, RunRecord>()
  /** Where each link is active. */
  readonly active = new Map<string, string>()
  record: PlanRunRecord | undefined
  readonly steps = new Map<number, PlanStep>()
  /** What keeps a link from being moved. */
  readonly broken = new Map<string, KdrError>()
  readonly refusals = new Map<string, readonly string[]>()
  answer: boolean | undefined = true
  commandEnd = { code: 0, output: '' }
  readonly abort = new AbortController()
  /** How many things that last may still happen. */
  lives = Infinity
  /** Links that are being moved at this moment, at most so many. */
  sideBySide = 0
  #moving = 0
  #ids = 0

  /** Dies before it has lasted, or after. */
  async #lasting(act: () => void): Promise<void> {
    await Promise.resolve()
    this.lives--
    if (this.lives < 0) throw new Killed()
    act()
    this.lives--
    if (this.lives < 0) throw new Killed()
  }

  world(seen: string[] = []): PlanWorld {
    const journal: PlanJournal = {
      writeRun: async record => await this.#lasting(() => (this.record = record)),
      writeStep: async (_run, step) => await this.#lasting(() => this.steps.set(step.index, step)),
    }
    return {
      links: this.links,
      journal,
      clock: this.clock,
      signal: this.abort.signal,
      ask: async question => {
        if (this.answer !== undefined) await this.#lasting(() => this.done.push(`ask ${question}`))
        return this.answer
      },
      command: async command => {
        await this.#lasting(() => this.done.push(`command ${command}`))
        return this.commandEnd
      },
      onStep: step => seen.push(`${step.kind} ${step.link} ${step.state}`),
      onLinkStep: () => undefined,
      onWait: () => undefined,
    }
  }

  readonly links: Links = {
    isAtHome: async link => await Promise.resolve((this.active.get(link) ?? HOME) === HOME),
    read: async run => {
      const record = await Promise.resolve(this.runs.get(run))
      return record && reportOf(record, record.state === 'done' ? drained().steps : [])
    },
    withRun: async (of, act) => {
      const record = this.#recordOf(of)
      const active = record.active
      const plan = makePlan({
        link: of.link,
        active,
        standby: record.standby,
        refusals: this.refusals.get(of.link) ?? [],
      })
      return await act({
        plan,
        report: reportOf(record, [], plan),
        execute: async () => await this.#move(record),
      })
    },
  }

  #recordOf({ link, resume }: LinkRunOf): RunRecord {
    if (resume !== undefined) return this.runs.get(resume)!
    const active = this.active.get(link) ?? HOME
    const open = [...this.runs.values()].find(each => each.link === link && each.state === 'running')
    if (open !== undefined) throw new KdrError('not-ready', `run "${open.run}" is not over`)
    const standby = active === HOME ? 'west' : HOME
    return makeRecord({ run: `${link}-${++this.#ids}`, link, active, standby, state: 'planned' })
  }

  async #move(record: RunRecord) {
    this.#moving++
    this.sideBySide = Math.max(this.sideBySide, this.#moving)
    try {
      const { run, link, standby } = record
      await this.#lasting(() => this.runs.set(run, { ...record, state: 'running' }))
      const why = this.broken.get(link)
      if (why !== undefined) {
        const stopped = { ...record, state: 'stopped', sentence: why.message, stoppedBy: why.code } as const
        await this.#lasting(() => this.runs.set(run, stopped))
        return reportOf(stopped, [])
      }
      await this.#lasting(() => {
        this.done.push(`link ${link}`)
        this.active.set(link, standby)
        this.runs.set(run, { ...record, state: 'done' })
      })
      this.now += 1_000
      return reportOf({ ...record, state: 'done' }, drained().steps)
    } finally {
      this.#moving--
    }
  }
}
