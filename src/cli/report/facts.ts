// What a report is made of: everything that kdr can look at or has kept. What could not be looked at says why, and is no obstacle.
import type { Config } from '../../config/index.ts'
import type { CheckReport } from '../../engine/check/check.ts'
import { findKdrError } from '../../model/errors.ts'
import type { JournalEntry } from '../../model/journal.ts'
import type { RunReport, RunSummary } from '../../model/runs.ts'
import type { SetStatus } from '../../model/set-status.ts'
import type { App } from '../app.ts'
import { knownRuns } from '../move/known-runs.ts'
import { type LinkStanding, readStanding } from '../status/standing.ts'

export type Known<T> =
  | { readonly value: T; readonly unknown?: undefined }
  | { readonly value?: undefined; readonly unknown: string }

/** Of a run of a link and of a plan alike. */
export type RunCost = Pick<RunReport, 'by' | 'reason' | 'acceptedSplitBrain' | 'endedAt'> & {
  readonly rpo: Pick<RunReport['rpo'], 'records' | 'ms' | 'basis'>
}

export type ReportedRun = { readonly summary: RunSummary; readonly cost: Known<RunCost> }

export type ReportFacts = {
  /** ms since 1970. */
  readonly at: number
  readonly sinceMs: number
  readonly kdr: string
  readonly config: Pick<Config, 'objectives' | 'plans'>
  readonly links: readonly { readonly name: string; readonly standing: Known<LinkStanding> }[]
  /** All that are known, newest first. */
  readonly runs: Known<readonly RunSummary[]>
  /** Clusters whose journal could not be read for them. */
  readonly silent: readonly string[]
  /** Those of the period, with what they cost; the newest RUNS_READ. */
  readonly recent: readonly ReportedRun[]
  /** What was done to links by hand or by a policy, within the period. */
  readonly journals: readonly { readonly link: string; readonly entries: Known<readonly JournalEntry[]> }[]
  readonly sets: readonly SetStatus[]
  readonly check: Known<CheckReport>
}

/** Each is a look at the journals of all clusters. */
export const RUNS_READ = 50

export async function gatherReport(app: App, config: Config, sinceMs: number): Promise<ReportFacts> {
  const { services, clock, signal } = app
  const at = clock.now()
  const links = Object.values(config.links)
  const silent: string[] = []
  const [standings, runs, journals, sets, check] = await Promise.all([
    Promise.all(
      links.map(async link => ({
        name: link.name,
        standing: await known(async () => await readStanding(app, config, link)),
      })),
    ),
    known(async () => {
      const { runs: all, silent: some = [] } = await knownRuns(app, config)
      silent.push(...some)
      return all
    }),
    Promise.all(
      links.map(async link => ({
        link: link.name,
        entries: await known(
          async () =>
            await services.withMemory(config, link, memory =>
              Promise.resolve(memory.journal().filter(entry => entry.at >= at - sinceMs)),
            ),
        ),
      })),
    ),
    Promise.all(Object.values(config.sets).map(async set => await services.readSetStatus(config, set))),
    known(
      async () =>
        await services.check(config, {
          clusters: [],
          links: [],
          compare: undefined,
          producers: false,
          signal,
        }),
    ),
  ])
  const recent: ReportedRun[] = []
  for (const summary of inPeriod(runs.value ?? [], at - sinceMs).slice(0, RUNS_READ))
    recent.push({ summary, cost: await known(async () => await costOf(app, config, summary)) })
  return {
    at,
    sinceMs,
    kdr: app.version,
    config,
    links: standings,
    runs,
    silent,
    recent,
    journals,
    sets,
    check,
  }
}

export const inPeriod = (runs: readonly RunSummary[], from: number): RunSummary[] =>
  runs.filter(({ startedAt }) => Date.parse(startedAt) >= from)

async function costOf({ services }: App, config: Config, { run, plan }: RunSummary): Promise<RunCost> {
  const ofPlan = plan === undefined ? undefined : await services.readPlanRun(config, run)
  const report = ofPlan ?? (await services.readRun(config, run))
  const { by, reason, acceptedSplitBrain, endedAt, rpo } = report
  return {
    by,
    ...(reason !== undefined && { reason }),
    acceptedSplitBrain,
    ...(endedAt !== undefined && { endedAt }),
    rpo: { records: rpo.records, ms: rpo.ms, basis: rpo.basis },
  }
}

/** Throws what is a bug. */
async function known<T>(look: () => Promise<T>): Promise<Known<T>> {
  try {
    return { value: await look() }
  } catch (error) {
    const found = findKdrError(error)
    if (found === undefined) throw error
    return { unknown: found.message }
  }
}
