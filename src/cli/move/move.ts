// kdr switchover | failover | failback: applications move to the standby. Shows what that costs, asks by the name of the cluster that
// loses its writers, and says of each step what it did and how long it took.
import { type Command } from 'commander'
import type { LinkConfig } from '../../config/index.ts'
import { ERRORS, KdrError } from '../../model/errors.ts'
import type { Plan, RunKind, RunReport, StepRecord } from '../../model/runs.ts'
import { divergedTopics, missingFlags, strandedSentence } from '../../model/stranded.ts'
import {
  type App,
  type GlobalOptions,
  type OpenedRun,
  type OpenPlanOptions,
  type Writer,
  writeJson,
  writeJsonLine,
} from '../app.ts'
import { approve } from '../approve.ts'
import { assertReason } from '../link/link.ts'
import { tellFollowers } from '../link/follow.ts'
import { movePlan, planNamed } from './move-plan.ts'
import { collect, placeOf } from '../option-values.ts'
import { startProgress } from '../progress.ts'
import { planText } from './run-plan.ts'
import { progressLine, reportText, stepLine } from './run-text.ts'
import { visible } from './run-words.ts'
import { styleOf } from '../table.ts'

type MoveOptions = GlobalOptions & {
  readonly topic?: readonly string[]
  readonly acceptSplitBrain?: boolean
  readonly takeOver?: boolean
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly reason?: string
  readonly resume?: string
  readonly jsonLines?: boolean
  readonly export?: string
  readonly recopy?: readonly string[]
  readonly breakGlass?: boolean
}

const KINDS = [
  [
    'switchover',
    'move the writers to the standby, as planned',
    'Fences the applications, copies the rest, and makes the standby active: nothing is lost. Both clusters must be there.',
  ],
  [
    'failover',
    'promote the standby when the active cluster is lost',
    'Makes the standby active with what it has; what it lacks is lost, and named. The active cluster need not be there.',
  ],
  [
    'failback',
    'return to the home direction',
    'A switchover that makes the direction of the config true again. After a failover it first fences the cluster that has come back, exports what only that one has, and makes it a standby. Nothing to do: exit 0.',
  ],
] as const

export function registerMove(program: Command, app: App): void {
  for (const [kind, summary, description] of KINDS) {
    const command = program
      .command(kind)
      .argument('<link>', 'a link of the config, or a plan')
      .summary(summary)
      .description(`${description} Exit 17 when it must not begin, 21 when it stopped part-way.`)
      .helpGroup('Move')
      .option(
        '--topic <name>',
        'of a plan, only links with these topics; a pattern; may be repeated. All topics of a link must be named, as it moves as a whole',
        collect,
      )
      .option('--accept-split-brain', 'go on although applications may still write to the old active cluster')
      .option('--take-over', 'go on with a run that another controller seems to be at')
      .option('--resume <run>', 'go on with a run that was stopped')
      .option('--dry-run', 'show the plan and change nothing')
      .option('--yes', 'do not ask')
      .option('--reason <text>', 'why; kept in the journal')
      .option('--json-lines', 'steps as JSON lines on stdout, the report as the last one')
      .action(
        async (name: string, _options: unknown, command: Command) =>
          await move(app, kind, name, command.optsWithGlobals()),
      )
    if (kind === 'failover')
      command.option(
        '--break-glass',
        'go on where too few replicas of the standby would keep the journal of the run',
      )
    if (kind === 'failback')
      command
        .option('--export <dir>', 'where the stranded tail goes: a folder, or vault:NAME')
        .option(
          '--recopy <topic>',
          'delete this topic where it diverged, and copy it anew; a pattern; may be repeated',
          collect,
        )
  }
}

async function move(app: App, kind: RunKind, name: string, options: MoveOptions): Promise<void> {
  const { topic: topics = [], resume } = options
  assertReason(options)
  if (resume !== undefined && topics.length > 0)
    throw new KdrError('usage', 'a run that is resumed has its topics: `--topic` does not go with `--resume`')
  const config = await app.loadConfig(options.config)
  const plan = planNamed(config, name)
  const opening = openingOf(app, kind, options)
  if (plan !== undefined && options.breakGlass === true)
    throw new KdrError('usage', '`--break-glass` goes with one link', {
      hint: `Fail its links over one by one: ${plan.links.join(', ')}`,
    })
  if (plan !== undefined)
    return await movePlan(app, config, plan, {
      opening: topics.length === 0 ? opening : { ...opening, topics },
      options,
    })
  const [link] = app.services.chooseLinks(config, [name]) as [LinkConfig]
  if (kind === 'failback' && resume === undefined && (await app.services.isAtHome(config, link)))
    return atHome(app, link, options)
  const { active, standby } = await app.services.withRun(config, link, { ...opening, topics }, async run => {
    await carryOut(app, run, options)
    return run.plan
  })
  if (kind === 'failover' && options.dryRun !== true && app.exit === 0)
    tellFollowers(app, config, [{ name: link.name, source: active, target: standby }])
}

function openingOf(app: App, kind: RunKind, { reason, resume, ...options }: MoveOptions): OpenPlanOptions {
  return {
    kind,
    acceptSplitBrain: options.acceptSplitBrain === true,
    takeOver: options.takeOver === true,
    ...(reason !== undefined && { reason }),
    ...(resume !== undefined && { resume }),
    ...(options.export !== undefined && { exportTo: placeOf(options.export) }),
    ...(options.recopy !== undefined && { recopy: options.recopy }),
    // Nothing is changed by a dry run: it says what is in the way.
    ...(options.breakGlass === true &&
      options.dryRun !== true && {
        breakGlass: true,
        say: sentence => app.stderr.write(`${sentence}\n`),
      }),
    signal: app.signal,
  }
}

function atHome(app: App, { name, source, target }: LinkConfig, options: MoveOptions): void {
  const sentence = `link "${name}" is home: "${source}" is active, "${target}" its standby; nothing was changed`
  if (options.json === true || options.jsonLines === true)
    writeJsonLine(app, {
      link: name,
      kind: 'failback',
      home: true,
      sentence,
      dryRun: options.dryRun === true,
    })
  else app.stdout.write(`${sentence}\n`)
}

/** With --json and --json-lines all text goes to stderr: stdout is for objects. */
async function carryOut(app: App, run: OpenedRun, options: MoveOptions): Promise<void> {
  const isMachine = options.json === true || options.jsonLines === true
  const out = isMachine ? app.stderr : app.stdout
  const style = styleOf(out, app.env)
  const { plan, report } = run
  out.write(planText(plan, style))
  if (options.resume !== undefined) out.write(soFar(report, out, app))
  if (options.dryRun === true) {
    printReport(app, options, report, true)
    return
  }
  refuse(plan)
  if (options.resume === undefined) askForFlags(plan, options)
  await approve(app, { yes: options.yes === true, ...changeOf(plan) })
  const done = await execute(app, run, { out, isLines: options.jsonLines === true })
  printReport(app, options, done, false)
  app.exit = exitOf(done)
}

/** A run that did not begin, or that nothing fences, is told from one that is to be resumed. */
function exitOf({ state, stoppedBy, steps }: RunReport): number {
  if (state === 'done') return 0
  if (stoppedBy === 'not-fenced' || stoppedBy === 'would-lose') return ERRORS[stoppedBy].exit
  const hasBegun = steps.some(step => step.name !== 'preflight' && step.state !== 'waiting')
  return hasBegun ? 21 : ERRORS['not-ready'].exit
}

const REFUSALS_SHOWN = 5

/** Throws KdrError('would-lose') with the flags that are missing. */
function askForFlags({ stranded, kind, link }: Plan, options: MoveOptions): void {
  if (stranded === undefined) return
  const missing = missingFlags(stranded, { exportTo: options.export, recopy: options.recopy })
  if (missing.length === 0) return
  throw new KdrError('would-lose', strandedSentence(stranded), {
    hint: `Read the plan, then repeat the command: kdr ${kind} ${link} ${missing.join(' ')}`,
    facts: { missing },
  })
}

/** What is asked for, by the name of the cluster that loses something by it. */
function changeOf({ active, standby, isHome, stranded }: Plan): {
  readonly name: string
  readonly change: string
} {
  const deleted = stranded === undefined ? [] : divergedTopics(stranded)
  const anew =
    deleted.length === 0 ? '' : `${deleted.length} topic(s) of "${standby}" are deleted and copied anew`
  if (isHome === true)
    return { name: standby, change: `"${standby}" becomes a standby again${anew === '' ? '' : `: ${anew}`}` }
  const move = `"${active}" loses its writers, and "${standby}" becomes active`
  return { name: active, change: anew === '' ? move : `${anew}; then ${move}` }
}

function refuse({ kind, link, refusals }: Plan): void {
  if (refusals.length === 0) return
  const shown = refusals.slice(0, REFUSALS_SHOWN).map(visible).join('; ')
  const hidden = refusals.length - REFUSALS_SHOWN
  throw new KdrError(
    'not-ready',
    `${kind} of link "${link}" must not begin: ${shown}${hidden > 0 ? `; and ${hidden} more` : ''}`,
    { facts: { refusals } },
  )
}

function soFar({ run, steps }: RunReport, out: Writer, app: App): string {
  const style = styleOf(out, app.env)
  const done = steps.filter(({ state }) => state === 'done' || state === 'skipped')
  return `\nrun ${run} goes on; done so far:\n${done.map(step => stepLine(step, style)).join('')}`
}

async function execute(
  app: App,
  run: OpenedRun,
  { out, isLines }: { readonly out: Writer; readonly isLines: boolean },
): Promise<RunReport> {
  const style = styleOf(out, app.env)
  const progress = startProgress(app)
  const onStep = (step: StepRecord): void => {
    if (isLines) writeJsonLine(app, lineOf(run, step))
    if (step.state === 'running') return progress.update(progressLine(step))
    progress.clear()
    if (!isLines) out.write(stepLine(step, style))
  }
  out.write('\n')
  try {
    return await run.execute(onStep)
  } finally {
    progress.clear()
  }
}

function lineOf(
  { report }: OpenedRun,
  { name, state, startedAt, ms, what }: StepRecord,
): Record<string, unknown> {
  return { run: report.run, step: name, state, startedAt: new Date(startedAt).toISOString(), ms, what }
}

function printReport(app: App, options: MoveOptions, report: RunReport, isDry: boolean): void {
  const object = { ...report, dryRun: isDry }
  if (options.jsonLines === true) writeJsonLine(app, object)
  else if (options.json === true) writeJson(app, object)
  else
    app.stdout.write(
      isDry ? 'dry run: nothing was changed\n' : `\n${reportText(report, styleOf(app.stdout, app.env))}`,
    )
}
