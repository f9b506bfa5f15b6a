// Objectives held against what is measured: the RPO of each link now and over the last days, the RTO of the last run of each link and plan,
// the age of each set now and over the last days.
import type { Config } from '../../config/index.ts'
import { dayOf, type RpoHistory } from '../../model/objective-days.ts'
import { objectiveFor } from '../../model/objectives.ts'
import type { RunSummary } from '../../model/runs.ts'
import type { App } from '../app.ts'
import type { LinkStanding } from './standing.ts'
import type { Statuses } from './status.ts'

/** Throws as `listRuns` does. */
export async function readObjectives(app: App, config: Config, { links, sets }: Statuses) {
  const runs = await app.services.listRuns(config)
  return {
    links: links.map(link => ofLink(config, link, runs, app.clock.now())),
    plans: Object.entries(config.plans).map(([name, { links: its, objectives }]) => ({
      name,
      links: its,
      rpoObjectiveMs: objectives.rpoMs ?? null,
      rtoObjectiveMs: objectives.rtoMs ?? null,
      lastRun: shownRun(lastRunOfPlan(runs, name), objectives.rtoMs),
    })),
    sets: sets.map(({ name, state, ageMs, objectiveMs, history }) => ({
      name,
      state,
      ageMs,
      objectiveMs,
      ...shownHistory(history, app.clock.now()),
    })),
  }
}

function ofLink(config: Config, link: LinkStanding, runs: readonly RunSummary[], now: number) {
  const { name, rpoMs, rpoObjectiveMs, rpoObjectiveState, beyondObjective = [], history } = link
  const rtoObjectiveMs = rtoObjectiveOf(config, name)
  return {
    name,
    rpoObjectiveMs: rpoObjectiveMs ?? null,
    rpoObjectiveState: rpoObjectiveState ?? null,
    rpoMs,
    beyondObjective,
    ...shownHistory(history, now),
    rtoObjectiveMs: rtoObjectiveMs ?? null,
    lastRun: shownRun(lastRunOfLink(runs, name), rtoObjectiveMs),
  }
}

const shownHistory = (history: RpoHistory | undefined, now: number) => ({
  worstRpoHourMs: history?.worstRpoHourMs ?? null,
  worstRpoDayMs: history?.worstRpoDayMs ?? null,
  withinTodayRatio: history?.days.find(({ day }) => day === dayOf(now))?.withinRatio ?? null,
  withinRatio: history?.withinRatio ?? null,
})

type Measured = RunSummary & { readonly rtoMs: number }

function shownRun(last: Measured | undefined, objectiveMs: number | undefined) {
  if (last === undefined) return null
  const { run, kind, startedAt, rtoMs } = last
  return { run, kind, startedAt, rtoMs, rtoObjectiveState: rtoVerdict(rtoMs, objectiveMs) ?? null }
}

/** Undefined: nothing is asked of it. */
export const rtoVerdict = (rtoMs: number, objectiveMs: number | undefined): 'met' | 'missed' | undefined =>
  objectiveMs === undefined ? undefined : rtoMs <= objectiveMs ? 'met' : 'missed'

/** The newest that led to where applications could write, of a link alone. */
export const lastRunOfLink = (runs: readonly RunSummary[], link: string): Measured | undefined =>
  runs.filter(isMeasured).find(run => run.plan === undefined && run.link === link)

export const lastRunOfPlan = (runs: readonly RunSummary[], plan: string): Measured | undefined =>
  runs.filter(isMeasured).find(run => run.plan === plan)

const isMeasured = (run: RunSummary): run is Measured => run.rtoMs !== undefined

/** The strictest that concerns the link. */
export function rtoObjectiveOf(
  { objectives: all, plans }: Pick<Config, 'objectives' | 'plans'>,
  link: string,
): number | undefined {
  const wanted = [
    objectiveFor(all, `link:${link}`)?.rtoMs,
    ...Object.values(plans).map(plan => (plan.links.includes(link) ? plan.objectives.rtoMs : undefined)),
  ].filter(each => each !== undefined)
  return wanted.length === 0 ? undefined : Math.min(...wanted)
}
