// The loop of a plan's run: gate after gate, stage after stage. What is about to be done is journaled before it is done, and each
// link by the id of the run that moves it, so that whoever resumes a plan whose controller was killed asks that run first.
import { type ErrorCode, ERRORS, findKdrError, invariant, KdrError } from '../../model/errors.ts'
import type { Gate, GateStep, LinkStep, PlanRunRecord, PlanShape, PlanStep } from '../../model/plan-runs.ts'
import { endOf, type RunReport } from '../../model/runs.ts'
import { openingOf, pass } from './gates.ts'
import { AT_HOME } from './observe.ts'
import { resultOf } from './report.ts'
import { isLink, isOver } from './steps.ts'
import type { LinkRun, PlanWorld } from './world.ts'

export type PlanInput = {
  readonly record: PlanRunRecord
  readonly shape: PlanShape
  /** As the journal has them; of a new run, as planned. */
  readonly steps: readonly PlanStep[]
  readonly isResumed: boolean
  readonly world: PlanWorld
}

export type PlanEnd = {
  readonly record: PlanRunRecord
  readonly steps: readonly PlanStep[]
  readonly why?: KdrError
}

/** Until the plan is done, or a gate or a link keeps it. Throws KdrError('other-controller') when the run was taken over. */
export async function executePlan(input: PlanInput): Promise<PlanEnd> {
  return await new PlanRun(input).execute()
}

class PlanRun {
  readonly #input: PlanInput
  readonly #steps: PlanStep[]
  /** What the journal has refused: nothing may be done that it does not know of. */
  #lost: Error | undefined

  constructor(input: PlanInput) {
    this.#input = input
    this.#steps = [...input.steps]
  }

  async execute(): Promise<PlanEnd> {
    const { record, world, isResumed } = this.#input
    // First, so that a run that is known has all of its steps.
    if (!isResumed) for (const step of this.#steps) await world.journal.writeStep(record.run, step)
    await world.journal.writeRun(stateOf(record, 'running'))
    for (const step of this.#steps.filter(isOver)) world.onStep(step)
    for (const stage of new Set(this.#steps.map(each => each.stage))) {
      const why = await this.#takeStage(stage)
      if (why !== undefined) return await this.#end('stopped', why)
    }
    return await this.#end('done')
  }

  async #takeStage(stage: number): Promise<KdrError | undefined> {
    const left = this.#steps.filter(step => step.stage === stage && !isOver(step))
    // A link of the stage has begun: its gates were passed.
    for (const step of left.filter(each => !isLink(each))) {
      const why = this.#whyNotNow() ?? (await this.#takeGate(step))
      if (why !== undefined) return why
    }
    const links = left.filter(isLink)
    const interrupted = links.length === 0 ? undefined : this.#whyNotNow()
    if (interrupted !== undefined) return interrupted
    // Each goes on to its end, whatever becomes of the others.
    const ends = await Promise.allSettled(links.map(async link => await this.#takeLink(link)))
    const failed = ends.find(end => end.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return ends.flatMap(end => (end.status === 'fulfilled' && end.value !== undefined ? [end.value] : []))[0]
  }

  #whyNotNow(): KdrError | undefined {
    return this.#input.world.signal.aborted
      ? new KdrError('interrupted', 'interrupted before the next step of the plan')
      : undefined
  }

  async #takeGate(step: GateStep): Promise<KdrError | undefined> {
    const { world, isResumed } = this.#input
    const gate = this.#gateOf(step)
    // Only one at which the run has stopped: then it was shown to whoever resumes it.
    const isAnswered = isResumed && step.state === 'failed'
    const now = world.clock.now()
    const until = step.until ?? openingOf(gate, this.#endedBefore(step) ?? now, now)
    return await this.#timed(
      { ...step, ...(until !== undefined && { until }) },
      async begun => ({ ...begun, what: await pass(gate, begun, { isAnswered, world }) }),
      async begun => await this.#write(begun),
    )
  }

  /** The gates of a stage stand in the order of the config. */
  #gateOf(step: GateStep): Gate {
    const { gates, stages } = this.#input.shape
    const own = this.#steps.filter(each => !isLink(each) && each.stage === step.stage)
    const ofStage = gates.filter(({ before }) => stages[step.stage]?.includes(before))
    const gate = ofStage[own.findIndex(({ index }) => index === step.index)]
    invariant(gate !== undefined, 'a gate of the run is not in its plan', { index: step.index })
    return gate
  }

  /** When the last of the steps before it had ended. */
  #endedBefore({ index }: PlanStep): number | undefined {
    const before = this.#steps.filter(each => each.index < index && each.startedAt > 0)
    return before.length === 0 ? undefined : Math.max(...before.map(endOf))
  }

  async #takeLink(step: LinkStep): Promise<KdrError | undefined> {
    return await this.#timed(step, async begun => await this.#move(begun))
  }

  async #move(step: LinkStep): Promise<LinkStep> {
    const { links } = this.#input.world
    const known = step.run === undefined ? undefined : await links.read(step.run)
    if (known?.state === 'done') return endedAs(step, known)
    // One that was given up by itself is begun anew, and so is one that has never come to its journal.
    const goesOn = known !== undefined && known.state !== 'aborted'
    if (!goesOn && this.#input.record.kind === 'failback' && (await links.isAtHome(step.link)))
      return { ...step, state: 'skipped', what: AT_HOME }
    const of = { link: step.link, topics: step.topics ?? [], ...(goesOn && { resume: known.run }) }
    try {
      return await links.withRun(of, async run => await this.#carryOut(step, run, goesOn))
    } catch (error) {
      if (this.#lost !== undefined) throw this.#lost
      const moved = findKdrError(error)
      // Somebody has moved it by itself meanwhile: it is where the plan wants it.
      if (this.#input.record.kind !== 'failover' || goesOn || moved?.code !== 'moved') throw error
      return { ...step, state: 'skipped', what: moved.message }
    }
  }

  async #carryOut(step: LinkStep, run: LinkRun, goesOn: boolean): Promise<LinkStep> {
    const { plan } = run
    if (!goesOn && plan.active !== step.active)
      throw new KdrError(
        'not-ready',
        `link "${step.link}" leads from "${plan.active}" to "${plan.standby}" by now: somebody has moved it since the plan was approved`,
        { hint: 'See: kdr runs list' },
      )
    if (!goesOn && plan.refusals.length > 0)
      throw new KdrError('not-ready', `link "${step.link}" must not begin: ${plan.refusals.join('; ')}`)
    const begun = { ...step, run: run.report.run }
    await this.#write(begun)
    const { world } = this.#input
    const report = await run.execute(each => world.onLinkStep(step.link, each))
    if (report.state === 'done') return endedAs(begun, report)
    return { ...begun, state: 'failed', what: report.sentence ?? report.state, result: resultOf(report) }
  }

  /**
   * A step from its intent to its outcome, with what keeps it from being done. `begin`: writes the intent; of a link that is done
   * when it knows the id of the run.
   */
  async #timed<Step extends PlanStep>(
    step: Step,
    act: (begun: Step) => Promise<Step>,
    begin: (begun: Step) => Promise<void> = async () => await Promise.resolve(),
  ): Promise<KdrError | undefined> {
    const { world } = this.#input
    const { clock } = world
    const from = clock.monotonic()
    const startedAt = step.startedAt > 0 ? step.startedAt : clock.now()
    // Of one that was taken up before, the time in between is none of its own.
    const ms = (): number => step.ms + Math.round(clock.monotonic() - from)
    const begun: Step = { ...step, startedAt, endedAt: undefined, state: 'running', what: '' }
    await begin(begun)
    world.onStep(begun)
    const end = async (ended: Step): Promise<void> => {
      const timed = { ...ended, ms: ms(), endedAt: clock.now() }
      await this.#write(timed)
      world.onStep(timed)
    }
    try {
      const ended = await act(begun)
      await end({ ...ended, state: ended.state === 'running' ? 'done' : ended.state })
      return ended.state === 'failed' ? whyOf(ended) : undefined
    } catch (error) {
      const known = findKdrError(error)
      if (this.#lost !== undefined || known === undefined) throw this.#lost ?? error
      // With what was written of it since, above all the run that moves it.
      await end({ ...(this.#steps[step.index] as Step), startedAt, state: 'failed', what: known.message })
      return known
    }
  }

  async #write(step: PlanStep): Promise<void> {
    try {
      await this.#input.world.journal.writeStep(this.#input.record.run, step)
    } catch (error) {
      this.#lost = error instanceof Error ? error : new Error(String(error))
      throw error
    }
    this.#steps[step.index] = step
  }

  async #end(state: 'stopped' | 'done', why?: KdrError): Promise<PlanEnd> {
    const { record, world } = this.#input
    const ended: PlanRunRecord = {
      ...stateOf(record, state),
      ...(state === 'done' && { endedAt: world.clock.now() }),
      ...(why !== undefined && { sentence: sentenceOf(record, why), stoppedBy: why.code }),
    }
    await world.journal.writeRun(ended)
    return { record: ended, steps: this.#steps, ...(why !== undefined && { why }) }
  }
}

function endedAs(step: LinkStep, report: RunReport): LinkStep {
  return {
    ...step,
    run: report.run,
    state: 'done',
    what: report.steps.some(({ name }) => name === 'promote')
      ? `"${report.standby}" is active`
      : `"${report.standby}" is a standby of "${report.active}" again`,
    result: resultOf(report),
  }
}

/** The run's own sentence names what resumes the link; here the plan is resumed. */
function whyOf(step: PlanStep): KdrError {
  const [said = ''] = step.what.split('. To go on: ')
  const stoppedBy = isLink(step) ? step.result?.stoppedBy : undefined
  const code = Object.keys(ERRORS).find(each => each === stoppedBy) as ErrorCode | undefined
  return new KdrError(code ?? 'timed-out', `link "${step.link}" stopped: ${said}`, { hint: '' })
}

function sentenceOf({ kind, plan, run }: PlanRunRecord, { message, hint }: KdrError): string {
  const put = hint === '' ? '' : ` ${hint.replace(/\.$/, '')}.`
  return `${message}.${put} To go on: kdr ${kind} ${plan} --resume ${run}`
}

function stateOf(
  { sentence: _sentence, stoppedBy: _stoppedBy, ...record }: PlanRunRecord,
  state: PlanRunRecord['state'],
): PlanRunRecord {
  return { ...record, state }
}
