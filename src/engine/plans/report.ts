// What the run of a plan was, for people and scripts. Pure: its steps say what each link came to; the reports of their runs, where
// those can be read, say more.
import type {
  LinkResult,
  LinkStep,
  PlanRunRecord,
  PlanRunReport,
  PlanStep,
  ReportedPlanStep,
} from '../../model/plan-runs.ts'
import { endOf, type RunReport, type RunSummary } from '../../model/runs.ts'
import { isLink, isOver } from './steps.ts'

export function resultOf(report: RunReport): LinkResult {
  const { rpo, steps, groups, fence, stoppedBy } = report
  const redirect = steps.find(({ name }) => name === 'redirect')
  const isRedirected = redirect?.state === 'done' || redirect?.state === 'skipped'
  return {
    ...(isRedirected && { writableAt: Date.parse(redirect.endedAt ?? '') }),
    rpo: { records: rpo.records, ms: rpo.ms, basis: rpo.basis },
    repeating: groups.filter(({ mayRepeat }) => mayRepeat > 0).length,
    fence: fence.state,
    ...(stoppedBy !== undefined && { stoppedBy }),
  }
}

/** `runs`: those of its links, as far as they can be read. */
export function planReportOf(
  record: PlanRunRecord,
  steps: readonly PlanStep[],
  runs: readonly RunReport[] = [],
): PlanRunReport {
  const links = steps.filter(isLink)
  const { reason, sentence, stoppedBy, endedAt } = record
  const topics = Object.fromEntries(
    links.flatMap(each => (each.topics === undefined ? [] : [[each.link, each.topics]])),
  )
  const rto = rtoOf(record, steps)
  const rpo = rpoOf(links, runs)
  return {
    run: record.run,
    kind: record.kind,
    scope: {
      plan: record.plan,
      links: links.map(({ link }) => link),
      ...(Object.keys(topics).length > 0 && { topics }),
    },
    state: record.state,
    ...(sentence !== undefined && { sentence }),
    ...(stoppedBy !== undefined && { stoppedBy }),
    by: record.by,
    ...(reason !== undefined && { reason }),
    startedAt: timeOf(record.startedAt),
    ...(endedAt !== undefined && { endedAt: timeOf(endedAt) }),
    versions: record.versions,
    acceptedSplitBrain: record.acceptSplitBrain,
    steps: steps.map(reported),
    rto,
    rpo,
    groups: runs.flatMap(({ scope, groups }) =>
      groups.map(group => ({ link: scope.links[0] ?? '', ...group })),
    ),
    fence: fenceOf(links),
    objectives: objectivesOf(record, links, { rtoMs: rto.ms, rpoMs: rpo.ms }),
    runs,
  }
}

export function planSummaryOf(record: PlanRunRecord, steps: readonly PlanStep[]): RunSummary {
  const links = steps.filter(isLink)
  const { ms } = rtoOf(record, steps)
  return {
    run: record.run,
    kind: record.kind,
    plan: record.plan,
    link: links.map(({ link }) => link).join(','),
    active: clusters(links, 'active'),
    standby: clusters(links, 'standby'),
    state: record.state,
    startedAt: timeOf(record.startedAt),
    ...(isWritable(links) && { rtoMs: ms }),
    ...(record.sentence !== undefined && { sentence: record.sentence }),
  }
}

export const planStepName = (step: Pick<PlanStep, 'kind' | 'link'>): string =>
  step.kind === 'gate' ? `gate before ${step.link}` : step.link

const clusters = (links: readonly LinkStep[], side: 'active' | 'standby'): string =>
  [...new Set(links.map(each => each[side]).filter(name => name !== ''))].join(', ')

function reported(step: PlanStep): ReportedPlanStep {
  const { kind, link, stage, state, startedAt, ms, what } = step
  return {
    name: planStepName(step),
    kind,
    link,
    stage,
    state,
    startedAt: startedAt === 0 ? null : timeOf(startedAt),
    ms,
    what,
    ...(isLink(step) && step.run !== undefined && { run: step.run }),
    ...(isLink(step) && { active: step.active, standby: step.standby }),
  }
}

/** Applications of all links can write again; of one that was only taken up again they never stopped. */
const isWritable = (links: readonly LinkStep[]): boolean =>
  links.length > 0 && links.every(each => isOver(each) || each.result?.writableAt !== undefined)

/** From the start to when the last link could be written to; until then, to the end of the last step. */
function rtoOf({ startedAt }: PlanRunRecord, steps: readonly PlanStep[]): PlanRunReport['rto'] {
  const links = steps.filter(isLink)
  const begun = steps.filter(step => step.startedAt > 0)
  const ends = isWritable(links) ? links.flatMap(({ result }) => result?.writableAt ?? []) : begun.map(endOf)
  const longest = begun.toSorted((a, b) => b.ms - a.ms)[0]
  return {
    ms: Math.max(startedAt, ...ends) - startedAt,
    dominatedBy: longest === undefined || longest.ms === 0 ? null : planStepName(longest),
    gatesMs: steps.filter(step => !isLink(step)).reduce((sum, { ms }) => sum + ms, 0),
  }
}

/** Of links that have not been cut yet nothing is lost so far. */
function rpoOf(links: readonly LinkStep[], runs: readonly RunReport[]): PlanRunReport['rpo'] {
  const results = links.flatMap(({ result }) => (result === undefined ? [] : [result.rpo]))
  return {
    records: results.reduce((sum, { records }) => sum + records, 0),
    ms: Math.max(0, ...results.map(({ ms }) => ms)),
    basis: results.some(({ basis }) => basis === 'estimate') ? 'estimate' : 'exact',
    partitions: runs.flatMap(({ scope, rpo }) =>
      rpo.partitions.map(each => ({ link: scope.links[0] ?? '', ...each })),
    ),
  }
}

const WORST_FIRST = ['none', 'configured', 'proven'] as const

/** No better than that of the link that is fenced least. */
function fenceOf(links: readonly LinkStep[]): PlanRunReport['fence'] {
  const known = links.flatMap(({ link, result }) =>
    result === undefined ? [] : [{ link, state: result.fence }],
  )
  const state = WORST_FIRST.find(each => known.some(one => one.state === each)) ?? 'none'
  return {
    state,
    what: known.length === 0 ? 'not begun' : known.map(one => `"${one.link}" ${one.state}`).join(', '),
  }
}

function objectivesOf(
  { objectives: { rpoMs, rtoMs }, state }: PlanRunRecord,
  links: readonly LinkStep[],
  found: { readonly rtoMs: number; readonly rpoMs: number },
): PlanRunReport['objectives'] {
  const isWhole = links.every(each => isOver(each))
  return {
    ...(rpoMs !== undefined && { rpoMs }),
    ...(rtoMs !== undefined && { rtoMs }),
    ...(rpoMs !== undefined && (isWhole || found.rpoMs > rpoMs) && { rpoMet: found.rpoMs <= rpoMs }),
    ...(rtoMs !== undefined &&
      state !== 'aborted' &&
      (isWritable(links) || found.rtoMs > rtoMs) && { rtoMet: found.rtoMs <= rtoMs }),
  }
}

const timeOf = (ms: number): string => new Date(ms).toISOString()
