// Runs as commands get them: the engine over both clusters of a link, its journal at the one that will be active.
import type { AbortRunOptions, OpenedRun, OpenRunOptions, Services } from '../cli/app.ts'
import type { Config, LinkConfig } from '../config/index.ts'
import { beating } from '../engine/runs/beating.ts'
import { Journal } from '../engine/runs/journal.ts'
import { assertNotMoved, notMovable, observePlan } from '../engine/runs/plan.ts'
import { reportOf, summaryOf } from '../engine/runs/report.ts'
import { executeRun } from '../engine/runs/run.ts'
import { RUN_STEPS } from '../engine/runs/steps.ts'
import { undoRun } from '../engine/runs/undo.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import {
  isPastReturn,
  isPlanned,
  mayGiveUp,
  type Plan,
  type RunKind,
  type RunRecord,
  type RunReport,
  type StepName,
  type StepRecord,
} from '../model/runs.ts'
import { readLink } from '../model/state-records.ts'
import { JOURNAL_TOPIC } from '../state/topic-store.ts'
import { BothClusters } from './both-clusters.ts'
import { assertCopied, assertMovable, type Direction, directionAmong, ledAs } from './direction.ts'
import { planReturn, returnedOf } from './failback.ts'
import { factsOf, ownPrincipals, redirectsOf } from './outside.ts'
import { contextOf, type Sides } from './run-context.ts'
import { acceptedNow, afterOf, newRecord } from './new-run.ts'
import { assertWhole, mirroredBy } from './part.ts'
import { Glass, glassMended } from './glass.ts'
import { Opened, storeOf } from './opened.ts'
import { findRun, hasRunning, type KnownRun, runsOf } from './run-history.ts'
import { systemClock, systemEntropy, whoAmI } from './system.ts'

type Runs = Pick<Services, 'withRun' | 'abortRun'>

type OnStep = (step: StepRecord) => void

/** `plan`: the claim of the plan that the run is a part of. */
type RunOfOptions = OpenRunOptions & {
  readonly plan?: Journal | undefined
  /** All of its links. */
  readonly together?: readonly string[] | undefined
}

export const withRun: Runs['withRun'] = async (config, link, options, act) =>
  await withRunOf(config, link, options, act)

export async function withRunOf<T>(
  config: Config,
  link: LinkConfig,
  options: RunOfOptions,
  act: (run: OpenedRun) => Promise<T>,
): Promise<T> {
  const opened = new Opened()
  const { kind, resume, say, breakGlass: mayBreak = false } = options
  const glass = new Glass({ kind, link: link.name, mayBreak, clock: systemClock, isInUse: hasRunning, say })
  let standby: string | undefined
  try {
    const clusters = await opened.add(BothClusters.open(config, link, { isUrgent: kind === 'failover' }))
    const there = [link.source, link.target].flatMap(name => clusters.ifThere(name) ?? [])
    const { known, direction, sides } = await glass.reading(there, async () => {
      const known = resume === undefined ? undefined : await findRun(config, resume)
      if (known !== undefined) assertResumable(known.record, link, options)
      const direction = known === undefined ? await movable(link, clusters, kind) : undefined
      const { topics } = options
      if (direction !== undefined && topics.length > 0) {
        const names = await mirroredBy(opened, clusters, direction)
        assertWhole(config, direction.link, { names, topics, kind })
      }
      const to = direction?.link ?? directedAs(config, known!.record)
      await clusters.add(config, to)
      const sides = await openSides(opened, clusters, { link: to, direction, known: known?.record, kind })
      return { known, direction, sides }
    })
    standby = sides.target.name
    await glass.putBack(name => name !== standby)
    await glass.breakAt(sides.target)
    return await act(await openRun(opened, config, { options, known, sides, direction, glass }))
  } finally {
    await glass.close(standby)
    await opened.close()
  }
}

export const abortRun: Runs['abortRun'] = async (config, run, options) => {
  const known = await findRun(config, run)
  const { record, steps } = known
  if (record.state === 'done' || record.state === 'aborted')
    throw new KdrError('usage', `run "${run}" is over (${record.state})`)
  if (!mayGiveUp(record.kind, steps))
    throw new KdrError('not-ready', `run "${run}" has gone too far: it cannot be given up any more`, {
      hint: `Go on: kdr ${record.kind} ${record.link} --resume ${run}. To go back then: kdr failback ${record.link}`,
    })
  const opened = new Opened()
  try {
    const link = directedAs(config, record)
    const clusters = await opened.add(BothClusters.open(config, link, { isUrgent: false }))
    const sides = await openSides(opened, clusters, { link, known: record, kind: record.kind })
    return await giveUp(opened, config, { known, sides, options })
  } finally {
    await opened.close()
  }
}

/** As it leads now. Throws KdrError('moved' | 'usage') where there is nothing to move. */
async function movable(link: LinkConfig, clusters: BothClusters, kind: RunKind): Promise<Direction> {
  for (;;) {
    const direction = await directionAmong(link, {
      source: clusters.ifThere(link.source),
      target: clusters.ifThere(link.target),
    })
    assertMovable(direction, link, kind)
    if (kind !== 'failback') assertCopied(direction)
    const { target } = direction.link
    // One that the link has followed is opened when it is known that it is the standby.
    if (!clusters.has(target) || clusters.ifThere(target) !== undefined) return direction
    // The standby must be there, and may know better.
    await clusters.insist(target)
  }
}

/** As the run has found it: one that has promoted has turned the link around. */
function directedAs(config: Config, { run, link: name, active, standby }: RunRecord): LinkConfig {
  const link = config.links[name]
  if (link === undefined)
    throw new KdrError('usage', `run "${run}" is about link "${name}", which the config does not have`)
  return ledAs(link, active, standby)
}

function assertResumable(
  { run, link, kind, state }: RunRecord,
  of: LinkConfig,
  { kind: asked }: OpenRunOptions,
): void {
  if (link !== of.name || kind !== asked)
    throw new KdrError('usage', `run "${run}" is a ${kind} of link "${link}"`, {
      hint: `Resume it with: kdr ${kind} ${link} --resume ${run}`,
    })
  if (state === 'done' || state === 'aborted')
    throw new KdrError('usage', `run "${run}" is over (${state})`, { hint: `See: kdr runs show ${run}` })
}

/** Throws KdrError: unreachable for the standby, wrong-cluster. */
async function openSides(
  opened: Opened,
  clusters: BothClusters,
  {
    link,
    direction,
    known,
    kind,
  }: {
    readonly link: LinkConfig
    readonly direction?: Direction | undefined
    readonly known: RunRecord | undefined
    readonly kind: RunKind
  },
): Promise<Sides> {
  const waits = direction?.record?.isWaiting === true
  const opening = waits ? await clusters.insist(link.source) : clusters.ifThere(link.source)
  const target = await clusters.insist(link.target)
  const [sourceView, targetView] = await Promise.all([
    opening?.describe().catch((error: unknown) => {
      if (kind !== 'failover' || findKdrError(error) === undefined) throw error
      return undefined
    }),
    target.describe(),
  ])
  // One that died a moment ago.
  const source = sourceView === undefined ? undefined : opening
  const store = await opened.add(storeOf(target, { create: false }))
  await store.refresh()
  // Of a link that waits, the cluster that was left does not know.
  const record = waits ? direction.record : readLink(store, link.name)
  const why = known === undefined && !waits ? notMovable({ settings: link, store }) : undefined
  const knowing =
    known ??
    (record && {
      activeClusterId: record.sourceClusterId,
      standbyClusterId: record.targetClusterId,
      // Taken up again, it gets the next one before it moves.
      generation: record.generation + Number(waits),
    })
  if (knowing === undefined || why !== undefined)
    throw new KdrError('usage', why ?? `link "${link.name}" has never run`, { hint: 'See: kdr status' })
  const { activeClusterId, standbyClusterId, generation } = knowing
  for (const [name, found, expected] of [
    [link.source, sourceView?.clusterId, activeClusterId],
    [link.target, targetView.clusterId, standbyClusterId],
  ] as const)
    if (found !== undefined && found !== expected)
      throw new KdrError(
        'wrong-cluster',
        `cluster "${name}" is "${found}"; link "${link.name}" knows "${expected}" there`,
      )
  return { link, source, target, activeClusterId, standbyClusterId, generation, store }
}

async function openRun(
  opened: Opened,
  config: Config,
  {
    options,
    known,
    sides,
    direction,
    glass,
  }: {
    readonly options: RunOfOptions
    readonly known: KnownRun | undefined
    readonly sides: Sides
    readonly direction: Direction | undefined
    readonly glass: Glass
  },
): Promise<OpenedRun> {
  const planned: RunRecord =
    known === undefined
      ? { ...newRecord(sides, options), ...afterOf(direction) }
      : { ...known.record, ...acceptedNow(known.record, options) }
  // What could not lead there is said before anything is changed; a failover is not held up by it.
  if (options.kind !== 'failover')
    for (const each of redirectsOf(config, sides.link)) each.describe(factsOf(config, planned))
  const plan = await planOf(opened, config, { sides, known, record: planned })
  return {
    plan,
    report: reportOf(planned, known?.steps ?? [], plan),
    execute: async onStep => {
      // The time in which the plan was read is none of the run's.
      const begun = known === undefined ? { ...planned, startedAt: systemClock.now() } : planned
      const journal = await openJournal(opened, sides, options.plan)
      await journal.claim(options.takeOver).catch(glass.lostTo)
      const stopBeats = beating(journal, systemClock)
      try {
        if (known === undefined) {
          await closeOpen(journal, sides, begun)
          await assertNotMoved({ record: begun, store: sides.store })
        }
        const record = await glass.takenOn(sides.target.name, begun, journal)
        const carryOn = async (from: Sides, as: RunRecord, tell: OnStep): Promise<RunRecord> => {
          const { after } = as
          const isBack = after !== undefined
          const store = isBack ? await opened.add(storeOf(from.target, { create: true })) : from.store
          const context = await contextOf(opened, config, {
            sides: { ...from, store },
            record: as,
            journal,
            onStep: tell,
            returned: isBack
              ? await returnedOf(opened, config, { sides: from, record: as, after })
              : undefined,
          })
          const running = { context, journal, steps: RUN_STEPS, clock: systemClock, onStep: tell }
          return (await executeRun(running)).record
        }
        let ended = await carryOn(sides, record, onStep)
        // There is nothing to ask a person any more: the old active that is back can only be fenced.
        if (ended.stoppedBy === 'active-is-back' && isDone('promote', journal.steps(ended.run)))
          ended = await carryOn(await sidesAgain(opened, config, sides, ended), ended, onlyAnew(onStep))
        ended = await glassMended(sides, journal, ended)
        return reportOf(ended, journal.steps(record.run), plan)
      } finally {
        await stopBeats()
        await journal.release().catch(() => undefined)
      }
    },
  }
}

function isDone(step: StepName, steps: readonly { readonly name: StepName; readonly state: string }[] = []) {
  return steps.some(({ name, state }) => name === step && state === 'done')
}

/** Without the steps that are passed by: they were told of before. */
function onlyAnew(onStep: OnStep): OnStep {
  const begun = new Set<StepName>()
  return step => {
    if (step.state === 'running') begun.add(step.name)
    if (begun.has(step.name)) onStep(step)
  }
}

/** With an old active that has come back meanwhile. */
async function sidesAgain(
  opened: Opened,
  config: Config,
  { link }: Sides,
  record: RunRecord,
): Promise<Sides> {
  const clusters = await opened.add(BothClusters.open(config, link, { isUrgent: true }))
  return await openSides(opened, clusters, { link, known: record, kind: record.kind })
}

/** What was shown when the run began stays its plan. What stands in the way of a return is what it waits for, until it is in step. */
async function planOf(
  opened: Opened,
  config: Config,
  {
    sides,
    known,
    record,
  }: { readonly sides: Sides; readonly known: KnownRun | undefined; readonly record: RunRecord },
): Promise<Plan> {
  const { kind, after, isHome = false, together } = record
  const { link, source, target, store } = sides
  const shown = known?.steps.find(step => step.name === 'preflight')?.data
  if (shown !== undefined) return shown as Plan
  if (after !== undefined && !isDone('reverse', known?.steps))
    return await planReturn(opened, sides, { failover: after, isHome })
  const runs = (await runsOf(target)).map(({ record, steps }) => summaryOf(reportOf(record, steps)))
  const observed = {
    settings: link,
    target,
    store,
    clock: systemClock,
    own: await ownPrincipals(config, link),
    kind,
    refusals: [],
    runs,
    together,
  }
  try {
    const plan = await observePlan({ ...observed, source })
    return after === undefined || isDone('catch-up', known?.steps)
      ? plan
      : { ...plan, refusals: [], warnings: [...plan.refusals, ...plan.warnings] }
  } catch (error) {
    // An active that is lost by halves does not hold a failover up.
    const why = findKdrError(error)
    if (kind !== 'failover' || source === undefined || why === undefined) throw error
    const plan = await observePlan({ ...observed, source: undefined })
    return { ...plan, warnings: [`"${link.source}" answers by halves: ${why.message}`, ...plan.warnings] }
  }
}

async function openJournal(opened: Opened, { target, link }: Sides, above?: Journal): Promise<Journal> {
  const store = await opened.add(storeOf(target, { create: true, topic: JOURNAL_TOPIC }))
  await store.refresh()
  return new Journal({
    store,
    clock: systemClock,
    link: link.name,
    controller: systemEntropy.uuid(),
    by: whoAmI(),
    above,
  })
}

/**
 * Two half runs would be one too many: throws KdrError('not-ready'). But a cluster may die in the middle of a switchover: a failover
 * takes its place.
 */
async function closeOpen(journal: Journal, { link }: Sides, { kind, run }: RunRecord): Promise<void> {
  const open = journal
    .runs()
    .find(each => each.link === link.name && (each.state === 'running' || each.state === 'stopped'))
  if (open === undefined) return
  if (kind === 'failover' && isPlanned(open.kind))
    return await journal.writeRun({
      ...open,
      state: 'aborted',
      endedAt: systemClock.now(),
      sentence: `a failover has taken its place: ${run}`,
    })
  throw new KdrError('not-ready', `run "${open.run}" of link "${link.name}" is not over`, {
    hint: `Go on with it: kdr ${open.kind} ${link.name} --resume ${open.run}; or give it up: kdr runs abort ${open.run}`,
  })
}

async function giveUp(
  opened: Opened,
  config: Config,
  {
    known: { record },
    sides,
    options,
  }: { readonly known: KnownRun; readonly sides: Sides; readonly options: AbortRunOptions },
): Promise<RunReport> {
  const journal = await openJournal(opened, sides)
  await journal.claim(options.takeOver)
  try {
    const context = await contextOf(opened, config, { sides, record, journal, onStep: () => undefined })
    await undoRun(context, isPastReturn(journal.steps(record.run)))
    const { reason } = options
    const ended: RunRecord = {
      ...record,
      state: 'aborted',
      endedAt: systemClock.now(),
      sentence: `given up by ${whoAmI()}${reason === undefined ? '' : `: ${reason}`}`,
    }
    await journal.writeRun(ended)
    return reportOf(await glassMended(sides, journal, ended), journal.steps(record.run))
  } finally {
    // Whoever tries again need not take it over.
    await journal.release().catch(() => undefined)
  }
}
