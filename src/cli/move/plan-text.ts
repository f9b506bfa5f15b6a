// A plan of several links on the terminal: what it would do before it is approved, a line for each step, and what came of it.
import type { PlanConfig } from '../../config/index.ts'
import { assertNever } from '../../model/errors.ts'
import type { Gate, PlannedLink, PlanRunReport, PlanStep, ReportedPlanStep } from '../../model/plan-runs.ts'
import type { RunKind } from '../../model/runs.ts'
import { formatCount, formatDuration, plural } from '../format.ts'
import { planText } from './run-plan.ts'
import { visible } from './run-words.ts'
import { formatTable, type Style } from '../table.ts'

type Shown = {
  readonly kind: RunKind
  readonly plan: PlanConfig
  readonly planned: readonly PlannedLink[]
  readonly refusals: readonly string[]
}

/** All links' plans, and the order in which they and their gates are taken. */
export function wholePlanText({ kind, plan, planned, refusals }: Shown, style: Style): string {
  const known = new Map(planned.map(each => [each.link, each]))
  const order = plan.stages.flatMap((links, stage) => [
    ...plan.gates
      .filter(({ before }) => links.includes(before))
      .map(gate => `   gate before ${gate.before}: ${visible(gateWords(gate))}\n`),
    `${String(stage + 1).padStart(2)} ${links.map(link => linkWords(link, known.get(link))).join('\n   ')}${links.length > 1 ? '   (side by side)' : ''}\n`,
  ])
  const inTheWay =
    refusals.length === 0
      ? ''
      : `${style.red('it must not begin:')}\n${refusals.map(each => `${style.red('✗')} ${visible(each)}\n`).join('')}\n`
  const plans = planned.flatMap(each => (each.plan === undefined ? [] : [planText(each.plan, style)]))
  return `${style.bold(`${kind} of plan "${plan.name}"`)}: ${plural(plan.links.length, 'link')}\n\n${inTheWay}${order.join('')}\n${plans.join('\n')}`
}

function linkWords(link: string, planned: PlannedLink | undefined): string {
  if (planned?.passedBy !== undefined) return `${link}: passed by, ${visible(planned.passedBy)}`
  if (planned?.plan === undefined) return link
  return `${link}: ${planned.plan.active} → ${planned.plan.standby}`
}

export function gateWords(gate: Gate): string {
  switch (gate.kind) {
    case 'ask':
      return `a person says yes to "${gate.question}"`
    case 'command':
      return 'its command ends with 0'
    case 'wait':
      return `${formatDuration(gate.ms)} after what comes before it`
    case 'at':
      return `not before ${gate.at}${gate.at.includes('T') ? '' : ' (UTC)'}`
    default:
      return assertNever(gate)
  }
}

/** For a gate or a link that has ended. */
export function planStepLine({ kind, link, state, ms, what }: PlanStep, style: Style): string {
  const name = kind === 'gate' ? `gate before ${link}` : link
  const sentence = visible(what)
  const line = `${style.dim(formatDuration(ms).padStart(8))}  ${style.bold(name)}: `
  if (state === 'failed') return `${line}${style.red(sentence)}\n`
  return `${line}${state === 'skipped' ? style.dim(`passed by: ${sentence}`) : sentence}\n`
}

export function planReportText(report: PlanRunReport, style: Style): string {
  const paint = {
    done: style.green,
    stopped: style.red,
    aborted: style.yellow,
    running: style.yellow,
    planned: style.bold,
  }
  const { kind, scope, run, by, reason, startedAt, state, sentence, fence } = report
  const why = reason === undefined ? '' : `: ${visible(reason)}`
  return [
    `${style.bold(`${kind} of plan "${scope.plan}"`)}: ${paint[state](planVerdict(report))}${sentence === undefined ? '' : `: ${visible(sentence)}`}\n`,
    style.dim(`run ${run}, by ${visible(by)}, ${startedAt.slice(0, 19)}Z${why}\n`),
    '\n',
    line('RTO', planRtoWords(report)),
    line('RPO', planLossWords(report)),
    line('fence', `${fence.state}: ${visible(fence.what)}`),
    '\n',
    stepTable(report.steps, style),
    '\n',
    ...planNext(report).map((command, index) => line(index === 0 ? 'next' : '', command)),
  ].join('')
}

export function planVerdict({ state, steps }: Pick<PlanRunReport, 'state' | 'steps'>): string {
  const links = steps.filter(({ kind }) => kind === 'link')
  const moved = links.filter(each => each.state === 'done' || each.state === 'skipped').length
  const far = `${formatCount(moved)} of ${plural(links.length, 'link')} moved`
  switch (state) {
    case 'planned':
      return 'planned, nothing has changed'
    case 'running':
      return `under way, ${far}`
    case 'stopped':
      return `stopped, ${far}`
    case 'aborted':
      return `given up, ${far}`
    case 'done':
      return `done, ${far}`
  }
}

export function planRtoWords({ rto, objectives, steps }: PlanRunReport): string {
  const isWritable = steps.every(
    each => each.kind === 'gate' || each.state === 'done' || each.state === 'skipped',
  )
  const until = isWritable ? 'until the applications of the last link could write again' : 'so far'
  const gates = rto.gatesMs === 0 ? '' : `, of which gates took ${formatDuration(rto.gatesMs)}`
  const longest = rto.dominatedBy === null ? '' : `; longest: ${rto.dominatedBy}`
  const { rtoMs, rtoMet } = objectives
  return `${formatDuration(rto.ms)} ${until}${gates}${longest}${objectiveWords(rtoMs, rtoMet)}`
}

export function planLossWords({ rpo, objectives }: PlanRunReport): string {
  const { records, ms, basis } = rpo
  const seen = basis === 'exact' ? 'nothing is lost' : 'nothing that was seen is lost'
  const lost =
    records === 0 ? seen : `up to ${plural(records, 'record')} lost, at most ${formatDuration(ms)} old`
  const { rpoMs, rpoMet } = objectives
  return `${lost} (${basis})${objectiveWords(rpoMs, rpoMet)}`
}

function objectiveWords(ms: number | undefined, isMet: boolean | undefined): string {
  if (ms === undefined) return ''
  const verdict = isMet === undefined ? 'not known yet' : isMet ? 'met' : 'missed'
  return `; objective ${formatDuration(ms)}: ${verdict}`
}

/** Commands, most likely first. */
export function planNext({ run, kind, state, scope }: PlanRunReport): string[] {
  switch (state) {
    case 'planned':
    case 'running':
      return []
    case 'stopped':
      return [`kdr ${kind} ${scope.plan} --resume ${run}`, `kdr runs abort ${run}`]
    case 'aborted':
      return ['kdr status']
    case 'done':
      return ['kdr status', `kdr runs show ${run} --format html > ${run}.html`]
  }
}

function stepTable(steps: readonly ReportedPlanStep[], style: Style): string {
  const rows = steps.map(({ name, state, ms, what, active, standby, run }) => [
    `  ${name}`,
    active === undefined || active === '' ? '' : `${active} → ${standby ?? ''}`,
    state,
    state === 'waiting' ? '' : formatDuration(ms),
    run ?? visible(what),
  ])
  const columns = [
    { title: '  STEP' },
    { title: 'MOVES' },
    { title: 'STATE' },
    { title: 'TOOK', align: 'right' },
    { title: 'RUN' },
  ] as const
  return formatTable(columns, rows, style)
}

const line = (label: string, text: string): string => `  ${label.padEnd(6)}  ${text}\n`
