// Runs of plans as commands get them: each link by a run of its own, and a journal of the plan beside those of its links, under a
// claim of its own: one controller at a time.
import type { OpenedPlanRun, OpenPlanOptions, PlanHooks, Services } from '../cli/app.ts'
import type { Config, PlanConfig } from '../config/index.ts'
import { assertNoneUnderWay } from '../engine/plans/give-up.ts'
import { losing, observeLinks, type Observing, refusalsOf } from '../engine/plans/observe.ts'
import { planReportOf } from '../engine/plans/report.ts'
import { executePlan } from '../engine/plans/run.ts'
import { assertSamePlan, isLink, isOver, restrict, stepsOf } from '../engine/plans/steps.ts'
import type { Links, PlanJournal, PlanWorld } from '../engine/plans/world.ts'
import { beating } from '../engine/runs/beating.ts'
import { Journal } from '../engine/runs/journal.ts'
import { KdrError } from '../model/errors.ts'
import { type PlanRunRecord, type PlanStep, readPlanSteps } from '../model/plan-runs.ts'
import type { RunReport } from '../model/runs.ts'
import type { StateStore } from '../ports/state.ts'
import { JOURNAL_TOPIC } from '../state/topic-store.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { isAtHome } from './failback.ts'
import { Opened, storeOf } from './opened.ts'
import { commandsOf } from './outside.ts'
import { findPlanRun, ifKept, type KnownPlanRun, planRuns, readIfKnown, runsOfSteps } from './plan-history.ts'
import { claimOf, planJournalOf } from './plan-journal.ts'
import { linksOfTopics } from './part.ts'
import { withRunOf } from './runs.ts'
import { systemClock, systemEntropy, whoAmI } from './system.ts'
import { kdrVersion } from './version.ts'

/** A gate's command. */
const COMMAND_MS = 600_000

export const withPlanRun: Services['withPlanRun'] = async (config, plan, options, act) => {
  const known = options.resume === undefined ? undefined : await findPlanRun(config, options.resume)
  if (known !== undefined) assertResumable(known, plan, options)
  return await act(await openPlanRun(config, plan, options, known))
}

export const abortPlanRun: Services['abortPlanRun'] = async (config, run, options) => {
  const known = await ifKept(config, run)
  if (known === undefined) return undefined
  const { record } = known
  if (record.state === 'done' || record.state === 'aborted')
    throw new KdrError('usage', `run "${run}" is over (${record.state})`)
  return await controlling(config, known.keeper, { plan: record.plan, ...options }, async kept => {
    const steps = readPlanSteps(kept.store, run)
    await assertNoneUnderWay(steps, record, async own => await readIfKnown(config, own))
    const { reason } = options
    const ended: PlanRunRecord = {
      ...record,
      state: 'aborted',
      endedAt: systemClock.now(),
      sentence: `given up by ${whoAmI()}${reason === undefined ? '' : `: ${reason}`}`,
    }
    await kept.journal.writeRun(ended)
    return planReportOf(ended, steps)
  })
}

function assertResumable(
  { record, steps }: KnownPlanRun,
  of: PlanConfig,
  { kind: asked }: OpenPlanOptions,
): void {
  const { run, plan, kind, state } = record
  if (plan !== of.name || kind !== asked)
    throw new KdrError('usage', `run "${run}" is a ${kind} of plan "${plan}"`, {
      hint: `Resume it with: kdr ${kind} ${plan} --resume ${run}`,
    })
  if (state === 'done' || state === 'aborted')
    throw new KdrError('usage', `run "${run}" is over (${state})`, { hint: `See: kdr runs show ${run}` })
  assertSamePlan(steps, partAgain(of, { record, steps }), { run, kind })
}

/** By `--topic`: links of the plan that move. Throws KdrError: see linksOfTopics. */
async function chosenOf(
  config: Config,
  plan: PlanConfig,
  { topics = [], kind }: OpenPlanOptions,
): Promise<PlanConfig> {
  if (topics.length === 0) return plan
  return restrict(plan, await linksOfTopics(config, plan.links, { topics, kind }), topics)
}

/** As it was chosen when the run began. */
function partAgain(
  plan: PlanConfig,
  { record: { topics }, steps }: Pick<KnownPlanRun, 'record' | 'steps'>,
): PlanConfig {
  const links = steps.filter(isLink).map(({ link }) => link)
  return topics === undefined ? plan : restrict(plan, links, topics)
}

async function openPlanRun(
  config: Config,
  whole: PlanConfig,
  options: OpenPlanOptions,
  known: KnownPlanRun | undefined,
): Promise<OpenedPlanRun> {
  const plan = known === undefined ? await chosenOf(config, whole, options) : partAgain(whole, known)
  const { links } = linksOf(config, options, plan)
  const observing: Observing = {
    kind: options.kind,
    links,
    home: Object.fromEntries(plan.links.map(link => [link, config.links[link]?.source ?? ''])),
  }
  // A link that has begun has a plan in its own run: it is resumed, not planned again.
  const isLeft = (link: string): boolean =>
    known?.steps.some(step => isLink(step) && step.link === link && step.state === 'waiting') !== false
  const planned = await observeLinks(plan, observing, isLeft)
  const record = known === undefined ? newRecord(plan, options) : resumed(known.record, options)
  const steps = known?.steps ?? stepsOf(plan, planned)
  const refusals = known === undefined ? refusalsOf(planned, observing) : []
  return {
    planned,
    refusals,
    losing: known === undefined ? losing(planned) : losingLater(known.steps),
    report: planReportOf(record, steps),
    execute: async hooks => {
      const keeper = known?.keeper ?? planned.find(each => each.plan !== undefined)?.plan?.standby
      if (keeper === undefined) throw new KdrError('not-ready', `plan "${plan.name}" has nothing to move`)
      return await controlling(config, keeper, { ...options, plan: plan.name }, async kept => {
        const { links: ours, reports } = linksOf(config, options, plan, kept.claim)
        if (known === undefined) await closeOpen(config, { record, planned, keeper, journal: kept.journal })
        const { record: ended, steps: left } = await executePlan({
          // The time in which the links were looked at is none of the run's.
          record: known === undefined ? { ...record, startedAt: systemClock.now() } : record,
          shape: plan,
          // As they are now: another controller may have come further before this one had the claim.
          steps: known === undefined ? steps : readPlanSteps(kept.store, record.run),
          isResumed: known !== undefined,
          world: worldOf(config, { links: ours, journal: kept.journal, hooks, options, record }),
        })
        // Whoever has resumed it has not moved all of its links.
        return planReportOf(ended, left, await runsOfSteps(config, left, reports))
      })
    },
  }
}

const losingLater = (steps: readonly PlanStep[]): string[] => [
  ...new Set(steps.filter(isLink).flatMap(step => (isOver(step) ? [] : [step.active]))),
]

function newRecord(
  plan: PlanConfig,
  { kind, acceptSplitBrain, reason, topics = [] }: OpenPlanOptions,
): PlanRunRecord {
  const at = new Date(systemClock.now()).toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15)
  return {
    run: `${plan.name}-${at}-${systemEntropy.uuid().slice(0, 4)}`,
    plan: plan.name,
    kind,
    state: 'planned',
    startedAt: systemClock.now(),
    acceptSplitBrain,
    by: whoAmI(),
    ...(reason !== undefined && { reason }),
    versions: { kdr: kdrVersion(), node: process.versions.node },
    objectives: plan.objectives,
    ...(topics.length > 0 && { topics }),
  }
}

/** What was not accepted when it began may be accepted now. */
const resumed = (record: PlanRunRecord, { acceptSplitBrain }: OpenPlanOptions): PlanRunRecord => ({
  ...record,
  acceptSplitBrain: record.acceptSplitBrain || acceptSplitBrain,
})

/** `plan`: the claim under which its links are moved. `reports`: of the runs that were carried out or read, by their ids. */
function linksOf(
  config: Config,
  options: OpenPlanOptions,
  { links: together }: PlanConfig,
  plan?: Journal,
): { readonly links: Links; readonly reports: Map<string, RunReport> } {
  const reports = new Map<string, RunReport>()
  const keep = (report: RunReport): RunReport => {
    reports.set(report.run, report)
    return report
  }
  const { resume: _ofPlan, ...rest } = options
  const links: Links = {
    withRun: async ({ link, topics, resume }, act) =>
      await withRunOf(
        config,
        config.links[link]!,
        { ...rest, topics, plan, together, ...(resume !== undefined && { resume }) },
        async run =>
          await act({
            plan: run.plan,
            report: run.report,
            execute: async onStep => keep(await run.execute(onStep)),
          }),
      ),
    isAtHome: async link => await isAtHome(config, config.links[link]!),
    read: async run => {
      const report = await readIfKnown(config, run)
      return report && keep(report)
    },
  }
  return { links, reports }
}

function worldOf(
  config: Config,
  {
    links,
    journal,
    hooks,
    options,
    record,
  }: {
    readonly links: Links
    readonly journal: PlanJournal
    readonly hooks: PlanHooks
    readonly options: OpenPlanOptions
    readonly record: PlanRunRecord
  },
): PlanWorld {
  return {
    ...hooks,
    links,
    journal,
    clock: systemClock,
    signal: options.signal,
    command: async (command, { link }) => {
      const { source, target } = config.links[link]!
      return await commandsOf(config).run(
        command,
        {
          run: record.run,
          kind: record.kind,
          link,
          active: source,
          standby: target,
          bootstrap: clusterOf(config, target).bootstrap.join(','),
          generation: 0,
        },
        COMMAND_MS,
      )
    },
  }
}

type Kept = { readonly store: StateStore; readonly claim: Journal; readonly journal: PlanJournal }

/** With the claim of the plan, which is let go of at the end. Throws KdrError('other-controller') while another one has it. */
async function controlling<T>(
  config: Config,
  keeper: string,
  { plan, takeOver }: { readonly plan: string; readonly takeOver: boolean },
  act: (kept: Kept) => Promise<T>,
): Promise<T> {
  const opened = new Opened()
  try {
    const cluster = await opened.add(openCluster(clusterOf(config, keeper), systemClock))
    const store = await opened.add(storeOf(cluster, { create: true, topic: JOURNAL_TOPIC }))
    await store.refresh()
    const journal = new Journal({
      store,
      clock: systemClock,
      link: claimOf(plan),
      controller: systemEntropy.uuid(),
      by: whoAmI(),
    })
    await journal.claim(takeOver)
    const stopBeats = beating(journal, systemClock)
    try {
      return await act({ store, claim: journal, journal: planJournalOf(store, journal) })
    } finally {
      await stopBeats()
      await journal.release().catch(() => undefined)
    }
  } finally {
    await opened.close()
  }
}

/** Two half runs of a plan would be one too many: throws KdrError('not-ready'). But a failover takes the place of a switchover. */
async function closeOpen(
  config: Config,
  {
    record,
    planned,
    keeper,
    journal,
  }: {
    readonly record: PlanRunRecord
    readonly planned: OpenedPlanRun['planned']
    readonly keeper: string
    readonly journal: PlanJournal
  },
): Promise<void> {
  // Those that have just answered: of a cluster that keeps silent nobody waits here.
  const there = planned.flatMap(({ plan }) =>
    plan === undefined ? [] : plan.isActiveThere ? [plan.standby, plan.active] : [plan.standby],
  )
  const open = (await planRuns(config, [...new Set(there)])).filter(
    each => each.record.plan === record.plan && ['running', 'stopped'].includes(each.record.state),
  )
  for (const { record: other, keeper: at } of open) {
    if (record.kind !== 'failover' || other.kind !== 'switchover')
      throw new KdrError('not-ready', `run "${other.run}" of plan "${record.plan}" is not over`, {
        hint: `Go on with it: kdr ${other.kind} ${other.plan} --resume ${other.run}; or give it up: kdr runs abort ${other.run}`,
      })
    if (at === keeper)
      await journal.writeRun({
        ...other,
        state: 'aborted',
        endedAt: systemClock.now(),
        sentence: `a failover has taken its place: ${record.run}`,
      })
  }
}
