// kdr switchover | failover | failback PLAN: several links as one run. One approval for all, by the names of the clusters that lose their
// writers; what stands in the way of any link is said before the first is touched.
import type { Config, PlanConfig } from '../../config/index.ts'
import { ERRORS, KdrError } from '../../model/errors.ts'
import type { PlannedLink, PlanRunReport, PlanStep } from '../../model/plan-runs.ts'
import type { StepRecord } from '../../model/runs.ts'
import { missingFlags, strandedSentence } from '../../model/stranded.ts'
import {
  type App,
  type GlobalOptions,
  type OpenedPlanRun,
  type OpenPlanOptions,
  writeJson,
  writeJsonLine,
} from '../app.ts'
import { approve } from '../approve.ts'
import { tellFollowers } from '../link/follow.ts'
import { planReportText, planStepLine, wholePlanText } from './plan-text.ts'
import { startProgress } from '../progress.ts'
import { progressLine, stepLine } from './run-text.ts'
import { visible } from './run-words.ts'
import { styleOf } from '../table.ts'

export type MovePlanOptions = GlobalOptions & {
  readonly topic?: readonly string[]
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly jsonLines?: boolean
}

/** Undefined: the name is a link's, or nobody's. */
export function planNamed(config: Config, name: string): PlanConfig | undefined {
  return config.links[name] === undefined ? config.plans[name] : undefined
}

export async function movePlan(
  app: App,
  config: Config,
  plan: PlanConfig,
  { opening, options }: { readonly opening: OpenPlanOptions; readonly options: MovePlanOptions },
): Promise<void> {
  await app.services.withPlanRun(config, plan, opening, async run => {
    const isMachine = options.json === true || options.jsonLines === true
    const out = isMachine ? app.stderr : app.stdout
    const style = styleOf(out, app.env)
    const { planned, refusals, losing, report } = run
    const { kind } = opening
    const isHome = planned.length > 0 && planned.every(({ passedBy }) => passedBy !== undefined)
    if (kind === 'failback' && opening.resume === undefined && isHome) return atHome(app, plan, options)
    out.write(wholePlanText({ kind, plan, planned, refusals }, style))
    if (opening.resume !== undefined) out.write(`\n${planReportText(report, style)}`)
    if (options.dryRun === true) return printDry(app, options, run)
    if (refusals.length > 0)
      throw new KdrError(
        'not-ready',
        `${kind} of plan "${plan.name}" must not begin: ${refusals.map(visible).join('; ')}`,
        { facts: { refusals } },
      )
    if (opening.resume === undefined) askForFlags(planned, plan, opening)
    const names = losing.join(' ')
    const change = `${losing.map(name => `"${name}"`).join(' and ')} ${losing.length === 1 ? 'loses its' : 'lose their'} writers, in ${plan.links.length} link(s) of plan "${plan.name}"`
    await approve(app, { yes: options.yes === true, name: names, change })
    const done = await execute(app, run, options)
    if (options.jsonLines === true) writeJsonLine(app, { ...done, dryRun: false })
    else if (options.json === true) writeJson(app, { ...done, dryRun: false })
    else app.stdout.write(`\n${planReportText(done, style)}`)
    app.exit = exitOf(done)
    if (kind === 'failover' && done.state === 'done')
      tellFollowers(app, config, app.services.chooseLinks(config, plan.links))
  })
}

function atHome(app: App, { name }: PlanConfig, options: MovePlanOptions): void {
  const sentence = `all links of plan "${name}" are home; nothing was changed`
  if (options.json === true || options.jsonLines === true)
    writeJsonLine(app, {
      plan: name,
      kind: 'failback',
      home: true,
      sentence,
      dryRun: options.dryRun === true,
    })
  else app.stdout.write(`${sentence}\n`)
}

/** What only a cluster that has come back has: of all links at once. Throws KdrError('would-lose') with the flags that are missing. */
function askForFlags(planned: readonly PlannedLink[], { name }: PlanConfig, opening: OpenPlanOptions): void {
  const stranded = planned.flatMap(each => each.plan?.stranded ?? [])
  const missing = [...new Set(stranded.flatMap(each => missingFlags(each, opening)))]
  if (missing.length === 0) return
  const sentences = stranded
    .filter(each => missingFlags(each, opening).length > 0)
    .map(each => strandedSentence(each))
  throw new KdrError('would-lose', sentences.join('; '), {
    hint: `Read the plan, then repeat the command: kdr ${opening.kind} ${name} ${missing.join(' ')}`,
    facts: { missing },
  })
}

function printDry(app: App, options: MovePlanOptions, { report, planned, refusals }: OpenedPlanRun): void {
  const object = { ...report, planned, refusals, dryRun: true }
  if (options.jsonLines === true) writeJsonLine(app, object)
  else if (options.json === true) writeJson(app, object)
  else app.stdout.write('dry run: nothing was changed\n')
}

/** Part-way as soon as something was done: the plan is resumed then, whatever stopped it. */
function exitOf({ state, stoppedBy, steps }: PlanRunReport): number {
  if (state === 'done') return 0
  const isMoved = steps.some(each => each.kind === 'link' && each.state === 'done')
  const isOfLink = stoppedBy === 'not-fenced' || stoppedBy === 'would-lose'
  return isOfLink && !isMoved ? ERRORS[stoppedBy].exit : 21
}

async function execute(app: App, run: OpenedPlanRun, options: MovePlanOptions): Promise<PlanRunReport> {
  const isLines = options.jsonLines === true
  const out = isLines || options.json === true ? app.stderr : app.stdout
  const style = styleOf(out, app.env)
  const progress = startProgress(app)
  const { run: id } = run.report
  const tell = (step: PlanStep): void => {
    if (isLines) writeJsonLine(app, planLineOf(id, step))
    if (step.state === 'running')
      return progress.update(`${step.kind === 'gate' ? 'gate before ' : ''}${step.link} ...`)
    progress.clear()
    if (!isLines) out.write(planStepLine(step, style))
  }
  const tellOfLink = (link: string, step: StepRecord): void => {
    if (isLines) writeJsonLine(app, linkLineOf(id, link, step))
    if (step.state === 'running') return progress.update(`${link}: ${progressLine(step)}`)
    progress.clear()
    if (!isLines) out.write(`${style.dim(`${link}: `)}${stepLine(step, style)}`)
  }
  out.write('\n')
  try {
    return await run.execute({
      onStep: tell,
      onLinkStep: tellOfLink,
      onWait: ({ link, until = 0 }) =>
        progress.update(`gate before ${link}: waits until ${new Date(until).toISOString()}`),
      ask: async question => {
        progress.clear()
        const answer = await app.ask(`${visible(question)} Type "yes" to go on: `)
        return answer === undefined ? undefined : answer.trim() === 'yes'
      },
    })
  } finally {
    progress.clear()
  }
}

const timeOf = (ms: number): string | null => (ms === 0 ? null : new Date(ms).toISOString())

function planLineOf(
  run: string,
  { kind, link, state, startedAt, ms, what }: PlanStep,
): Record<string, unknown> {
  return { run, [kind]: link, state, startedAt: timeOf(startedAt), ms, what }
}

function linkLineOf(
  run: string,
  link: string,
  { name, state, startedAt, ms, what }: StepRecord,
): Record<string, unknown> {
  return { run, link, step: name, state, startedAt: timeOf(startedAt), ms, what }
}
