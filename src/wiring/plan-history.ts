// Runs of plans, as the journals of the clusters that answer have them. Each is kept by the standby of its first link.
import type { Services } from '../cli/app.ts'
import type { Config } from '../config/index.ts'
import { planReportOf, planSummaryOf } from '../engine/plans/report.ts'
import { isLink } from '../engine/plans/steps.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import { type PlanRunRecord, type PlanStep, readPlanRuns, readPlanSteps } from '../model/plan-runs.ts'
import type { RunReport } from '../model/runs.ts'
import { JOURNAL_TOPIC } from '../state/topic-store.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { ifReachable, Opened, storeOf } from './opened.ts'
import { firstFound, listRuns, readRun } from './run-history.ts'
import { systemClock } from './system.ts'

export type KnownPlanRun = {
  readonly record: PlanRunRecord
  readonly steps: readonly PlanStep[]
  /** The cluster that keeps it. */
  readonly keeper: string
}

/** Of all clusters that the links of plans have, or of these. */
export async function planRuns(config: Config, clusters = clustersOf(config)): Promise<KnownPlanRun[]> {
  return (await Promise.all(clusters.map(async name => await planRunsAt(config, name)))).flat()
}

/** With the runs of their links, and of links that moved alone. */
export const listAllRuns: Services['listRuns'] = async (config, onSilent) => {
  const [runs, ofPlans] = await Promise.all([listRuns(config, onSilent), planRuns(config)])
  return [...runs, ...ofPlans.map(({ record, steps }) => planSummaryOf(record, steps))].toSorted((a, b) =>
    a.startedAt < b.startedAt ? 1 : -1,
  )
}

/** Undefined: no cluster that answers knows it. Of those that keep silent nobody waits once it is found. */
export async function ifKept(config: Config, run: string): Promise<KnownPlanRun | undefined> {
  const looks = clustersOf(config).map(async name =>
    (await planRunsAt(config, name)).find(({ record }) => record.run === run),
  )
  return await firstFound(looks)
}

/** Throws KdrError('usage') when no cluster that answers knows it. */
export async function findPlanRun(config: Config, run: string): Promise<KnownPlanRun> {
  const found = await ifKept(config, run)
  if (found !== undefined) return found
  throw new KdrError(
    'usage',
    `there is no run "${run}" of a plan in the journal of any cluster that answers`,
    {
      hint: 'See: kdr runs list',
    },
  )
}

export const readPlanRun: Services['readPlanRun'] = async (config, run) => {
  const known = await ifKept(config, run)
  if (known === undefined) return undefined
  const { record, steps } = known
  return planReportOf(record, steps, await runsOfSteps(config, steps))
}

/** Of the links' runs those that a cluster which answers knows, in the order of the plan. `read`: by their ids, what is known already. */
export async function runsOfSteps(
  config: Config,
  steps: readonly PlanStep[],
  read: ReadonlyMap<string, RunReport> = new Map(),
): Promise<RunReport[]> {
  const ids = steps.filter(isLink).flatMap(step => step.run ?? [])
  const runs = await Promise.all(ids.map(async id => read.get(id) ?? (await readIfKnown(config, id))))
  return runs.filter(each => each !== undefined)
}

/** Undefined: no cluster that answers knows it. */
export async function readIfKnown(config: Config, run: string): Promise<RunReport | undefined> {
  try {
    return await readRun(config, run)
  } catch (error) {
    if (findKdrError(error)?.code === 'usage') return undefined
    throw error
  }
}

function clustersOf({ plans, links }: Config): string[] {
  const names = Object.values(plans).flatMap(plan =>
    plan.links.flatMap(link => [links[link]?.source ?? '', links[link]?.target ?? '']),
  )
  return [...new Set(names)]
}

async function planRunsAt(config: Config, keeper: string): Promise<KnownPlanRun[]> {
  const opened = new Opened()
  try {
    const cluster = await ifReachable(opened.add(openCluster(clusterOf(config, keeper), systemClock)))
    if (cluster === undefined) return []
    const store = await opened.add(storeOf(cluster, { create: false, topic: JOURNAL_TOPIC }))
    await store.refresh()
    return readPlanRuns(store).map(record => ({ record, steps: readPlanSteps(store, record.run), keeper }))
  } finally {
    await opened.close()
  }
}
