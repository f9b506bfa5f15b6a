// The loop of a run: step by step, each journaled before it begins and when it has ended. A step observes first and acts only
// where it must, so whoever resumes a run that was killed takes the step up that was under way, and comes to the same end.
import { type ErrorCode, findKdrError, KdrError } from '../../model/errors.ts'
import {
  isPlanned,
  type RunRecord,
  type RunState,
  type StepName,
  type StepRecord,
  stepsOf,
} from '../../model/runs.ts'
import type { Clock } from '../../ports/clock.ts'
import type { RunContext, StepEnd } from './context.ts'
import type { Journal } from './journal.ts'

export type Steps = {
  readonly [Name in StepName]: (context: RunContext) => Promise<StepEnd<Name>>
}

export type RunEnd = { readonly record: RunRecord; readonly why?: KdrError }

export type RunInput = {
  readonly context: RunContext
  readonly journal: Journal
  readonly steps: Steps
  readonly clock: Clock
  /** Told when a step begins and when it has ended. */
  readonly onStep: (step: StepRecord) => void
}

/** Until the run is done, or a step cannot go on. Throws KdrError('other-controller') when the run was taken over. */
export async function executeRun(input: RunInput): Promise<RunEnd> {
  const { context, journal } = input
  const { run } = context.record
  const before = new Map(journal.steps(run).map(step => [step.name, step]))
  await journal.writeRun(stateOf(context.record, 'running'))
  const isFenced = before.has('fence-link')
  const isPromoted = before.has('promote')
  const isReversing = before.has('reverse')
  for (const name of stepsOf(context.record)) {
    const known = before.get(name)
    if (known !== undefined && isOver(known, context, { isFenced, isPromoted, isReversing })) {
      input.onStep(known)
      continue
    }
    const why = await takeStep(input, name, known)
    if (why !== undefined) return await end(input, 'stopped', why)
  }
  return await end(input, 'done')
}

/** What could not be done while the old active was dark: its fence first, and then what it alone knows. */
const OWED: readonly StepName[] = ['fence-applications', 'end-transactions', 'drain', 'final-sync']

/** What is true only as long as nobody writes: until the link may be fenced, it is looked at again by whoever resumes the run. */
const PASSING: readonly StepName[] = ['drain', 'final-sync']

/** Of a cluster that has come back: true until something is changed there. */
const ASHORE: readonly StepName[] = ['fence-returned', 'export']

function isOver(
  { name, state }: StepRecord,
  { source, record }: RunContext,
  {
    isFenced,
    isPromoted,
    isReversing,
  }: { readonly isFenced: boolean; readonly isPromoted: boolean; readonly isReversing: boolean },
): boolean {
  if (ASHORE.includes(name)) return state === 'done' && isReversing
  if (state === 'done') return isFenced || !isPlanned(record.kind) || !PASSING.includes(name)
  // Once promotion has begun, however far it came, applications may use the groups of the new active.
  const isTooLate = isPromoted && name === 'final-sync'
  const isOwed = record.kind === 'failover' && source !== undefined && OWED.includes(name) && !isTooLate
  return state === 'skipped' && !isOwed
}

/** What an old active that is lost by halves may say: it does not hold a failover up. */
const HALF_LOST: readonly ErrorCode[] = [
  'unreachable',
  'not-allowed',
  'not-ready',
  'cluster-lacks',
  'timed-out',
]

/**
 * In a failover, once more as if the old active did not answer at all, where that is what is in the way. But applications that may
 * go on writing there are no detail: as long as it answers anybody, that has to be accepted.
 */
async function act<Name extends StepName>(
  name: Name,
  step: Steps[Name],
  context: RunContext,
): Promise<StepEnd<StepName>> {
  const { record, source, options, services } = context
  try {
    return await step(context)
  } catch (error) {
    const known = findKdrError(error)
    const mayBeSource = record.kind === 'failover' && source !== undefined
    if (known === undefined || !mayBeSource || !HALF_LOST.includes(known.code)) throw error
    if (name === 'fence-applications' && !options.acceptSplitBrain && (await services.isActiveBack()))
      throw new KdrError(
        'not-fenced',
        `applications may go on writing to "${record.active}", which answers by halves: ${known.message}`,
        { cause: error },
      )
    const ended = (await step({
      ...context,
      source: undefined,
      sourceStore: undefined,
      // It never was away.
      services: { ...services, isActiveBack: async () => await Promise.resolve(false) },
    })) as StepEnd<StepName>
    return { ...ended, what: `${ended.what} ("${record.active}" answers by halves: ${known.message})` }
  }
}

/** Undefined when the step is done; else what stops the run. */
async function takeStep(
  { context, journal, steps, clock, onStep }: RunInput,
  name: StepName,
  before: StepRecord | undefined,
): Promise<KdrError | undefined> {
  const { run } = context.record
  const begun = clock.monotonic()
  // Of a step that was taken up before, all attempts count, but not the time in between.
  const spent = before?.ms ?? 0
  const startedAt = before?.startedAt ?? clock.now()
  const ms = (): number => spent + Math.round(clock.monotonic() - begun)
  const write = async (step: StepRecord): Promise<void> => {
    await journal.writeStep(run, step)
    onStep(step)
  }
  const { data } = before ?? {}
  await write({ name, startedAt, state: 'running', ms: spent, what: '', ...(data !== undefined && { data }) })
  try {
    const { what, data: found, isSkipped } = await act(name, steps[name], context)
    await write({
      name,
      startedAt,
      state: isSkipped === true ? 'skipped' : 'done',
      ms: ms(),
      endedAt: clock.now(),
      what,
      data: found,
    })
    return undefined
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined || known.code === 'other-controller') throw error
    await write({
      name,
      startedAt,
      state: 'failed',
      ms: ms(),
      endedAt: clock.now(),
      what: known.message,
      ...(data !== undefined && { data }),
    })
    return known
  }
}

async function end({ context, journal, clock }: RunInput, state: RunState, why?: KdrError): Promise<RunEnd> {
  const record: RunRecord = {
    ...stateOf(context.record, state),
    ...(state === 'done' && { endedAt: clock.now() }),
    ...(why !== undefined && { sentence: sentenceOf(context.record, why), stoppedBy: why.code }),
  }
  await journal.writeRun(record)
  return { record, ...(why !== undefined && { why }) }
}

/** Always with what resumes it: a broker that is lost does not know that it was needed for a run. */
function sentenceOf({ kind, link, run }: RunRecord, { message, hint }: KdrError): string {
  const goOn = `kdr ${kind} ${link} --resume ${run}`
  return `${message}. ${hint.includes(goOn) ? hint : `${hint.replace(/\.$/, '')}. To go on: ${goOn}`}`
}

function stateOf(
  { sentence: _sentence, stoppedBy: _stoppedBy, ...record }: RunRecord,
  state: RunState,
): RunRecord {
  return { ...record, state }
}
