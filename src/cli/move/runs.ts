// kdr runs list | show | replay | abort: what was moved, when and at what cost; stranded records, brought back; and giving up a run that has promoted nothing yet.
import { type Command, Option } from 'commander'
import { KdrError } from '../../model/errors.ts'
import { mayGiveUp, type RunReport, type RunSummary } from '../../model/runs.ts'
import { type App, type GlobalOptions, writeJson } from '../app.ts'
import { approve } from '../approve.ts'
import { formatCount, formatDuration, plural } from '../format.ts'
import { assertReason } from '../link/link.ts'
import { collect, placeOf } from '../option-values.ts'
import { startProgress } from '../progress.ts'
import { knownRuns, silentSentence } from './known-runs.ts'
import { reportHtml } from './run-html.ts'
import { fullReportText, reportText } from './run-text.ts'
import { abortPlanRun, showPlanRun } from './runs-of-plans.ts'
import { visible } from './run-words.ts'
import { formatTable, type Style, styleOf } from '../table.ts'

export type Format = 'text' | 'json' | 'html'
type ShowOptions = GlobalOptions & { readonly format?: Format }
type ReplayFlags = GlobalOptions & {
  readonly into: 'original' | 'stranded'
  readonly topic?: readonly string[]
  readonly key?: readonly string[]
  readonly from?: string
  readonly takeOver?: boolean
  readonly dryRun?: boolean
  readonly yes?: boolean
}
export type AbortOptions = GlobalOptions & {
  readonly takeOver?: boolean
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly reason?: string
}

/** Runs that a screen holds; --json has all. */
const SHOWN = 30

export function registerRuns(program: Command, app: App): void {
  const runs = program
    .command('runs')
    .summary('list, show or abort runs; replay what was stranded')
    .description('Switchovers and failovers: those under way, those stopped, and those that are over.')
    .helpGroup('Move')
    .helpCommand(false)
  runs
    .command('list')
    .description('Lists the runs of all links and plans, newest first.')
    .action(async (_options: unknown, command: Command) => await list(app, command.optsWithGlobals()))
  runs
    .command('show')
    .argument('<run>', 'its id')
    .description(
      'Shows what a run did and cost. The page of `--format html` needs nothing but itself, and prints well.',
    )
    .addOption(new Option('--format <format>', 'how').choices(['text', 'json', 'html']))
    .action(
      async (run: string, _options: unknown, command: Command) =>
        await show(app, run, command.optsWithGlobals()),
    )
  runs
    .command('replay')
    .argument('<run>', 'the failback that has exported them, or the failover')
    .description(
      'Replays the stranded records that a failback has exported: into their topics, or into TOPIC.stranded. Headers say where each came from. Each once: what was interrupted is taken up by the same command.',
    )
    .addOption(
      new Option('--into <place>', 'their own topics, or topics beside them')
        .choices(['original', 'stranded'])
        .makeOptionMandatory(),
    )
    .option('--topic <pattern>', 'only these topics; may be repeated', collect)
    .option('--key <pattern>', 'only records with such a key; may be repeated', collect)
    .option('--from <dir>', 'where the export is now: a folder, or vault:NAME')
    .option('--take-over', 'also when another controller seems to be at it')
    .option('--dry-run', 'show the plan and change nothing')
    .option('--yes', 'do not ask')
    .action(
      async (run: string, _options: unknown, command: Command) =>
        await replay(app, run, command.optsWithGlobals()),
    )
  runs
    .command('abort')
    .argument('<run>', 'its id')
    .description(
      'Gives a run up, and undoes what it has done. Not once it may have promoted the standby, nor a failover that may have fenced the link: exit 17.',
    )
    .option('--take-over', 'also when another controller seems to be at it')
    .option('--dry-run', 'show the plan and change nothing')
    .option('--yes', 'do not ask')
    .option('--reason <text>', 'why; kept in the journal')
    .action(
      async (run: string, _options: unknown, command: Command) =>
        await abort(app, run, command.optsWithGlobals()),
    )
}

async function replay(app: App, run: string, options: ReplayFlags): Promise<void> {
  const { into, topic: topics = [], key: keys = [], from } = options
  const config = await app.loadConfig(options.config)
  const asked = {
    into,
    topics,
    keys,
    takeOver: options.takeOver === true,
    ...(from !== undefined && { from: placeOf(from) }),
    signal: app.signal,
  }
  await app.services.withReplay(config, run, asked, async opened => {
    const { cluster } = opened
    const out = options.json === true ? app.stderr : app.stdout
    const total = opened.topics.reduce((sum, { records }) => sum + records, 0)
    const change = `${plural(total, 'record')} of ${plural(opened.topics.length, 'topic')} go into topics of "${cluster}"`
    out.write(`${change}\n`)
    const rows = opened.topics.map(each => [each.topic, each.into, formatCount(each.records)])
    const columns = [{ title: 'TOPIC' }, { title: 'INTO' }, { title: 'RECORDS', align: 'right' }] as const
    out.write(formatTable(columns, rows, styleOf(out, app.env)))
    for (const warning of opened.warnings) out.write(`${styleOf(out, app.env).yellow('!')} ${warning}\n`)
    const isDry = options.dryRun === true
    if (!isDry) await approve(app, { yes: options.yes === true, name: cluster, change })
    const progress = startProgress(app)
    const topicsDone = isDry
      ? opened.topics
      : await opened.execute(sentence => progress.update(sentence)).finally(() => progress.clear())
    const records = topicsDone.reduce((sum, each) => sum + each.records, 0)
    if (options.json === true)
      writeJson(app, { run: opened.run, cluster, into, topics: topicsDone, records, dryRun: isDry })
    else
      app.stdout.write(
        isDry ? 'dry run: nothing was changed\n' : `${plural(records, 'record')} stand there, each once\n`,
      )
  })
}

async function list(app: App, options: GlobalOptions): Promise<void> {
  const config = await app.loadConfig(options.config)
  const known = await knownRuns(app, config)
  const { runs, silent = [] } = known
  for (const cluster of silent)
    app.stderr.write(`${styleOf(app.stderr, app.env).yellow('!')} ${silentSentence(cluster)}\n`)
  if (options.json === true) writeJson(app, known)
  else if (runs.length > 0) app.stdout.write(renderList(runs, styleOf(app.stdout, app.env)))
  else if (silent.length === 0) app.stdout.write('there was no switchover or failover yet\n')
}

function renderList(runs: readonly RunSummary[], style: Style): string {
  const paint = {
    done: style.green,
    stopped: style.red,
    aborted: style.dim,
    running: style.yellow,
    planned: style.dim,
  }
  const rows = runs
    .slice(0, SHOWN)
    .map(({ run, kind, link, plan, active, standby, state, startedAt, rtoMs }) => [
      run,
      kind,
      plan === undefined ? link : `plan ${plan}`,
      `${active} → ${standby}`,
      paint[state](state),
      startedAt.slice(0, 19),
      rtoMs === undefined ? '-' : formatDuration(rtoMs),
    ])
  const columns = [
    ...['RUN', 'KIND', 'LINK', 'MOVES', 'STATE', 'STARTED (UTC)'].map(title => ({ title })),
    { title: 'RTO', align: 'right' },
  ] as const
  const hidden = runs.length - SHOWN
  const more = hidden > 0 ? style.dim(`... and ${formatCount(hidden)} more (--json has all)\n`) : ''
  const stopped = runs
    .filter(({ state, sentence }) => state === 'stopped' && sentence !== undefined)
    .map(({ run, sentence }) => `${style.red('✗')} ${run}: ${visible(sentence ?? '')}\n`)
  return `${formatTable(columns, rows, style)}${more}${stopped.slice(0, SHOWN).join('')}`
}

async function show(app: App, run: string, options: ShowOptions): Promise<void> {
  const format = formatOf(options)
  const config = await app.loadConfig(options.config)
  if (await showPlanRun(app, config, { run, format })) return
  const report = await app.services.readRun(config, run)
  switch (format) {
    case 'json':
      return writeJson(app, report)
    case 'html':
      return app.stdout.write(reportHtml(report))
    case 'text':
      return app.stdout.write(fullReportText(report, styleOf(app.stdout, app.env)))
  }
}

function formatOf({ format, json }: ShowOptions): Format {
  if (json !== true) return format ?? 'text'
  if (format === undefined || format === 'json') return 'json'
  throw new KdrError('usage', `\`--json\` does not go with \`--format ${format}\``)
}

async function abort(app: App, run: string, options: AbortOptions): Promise<void> {
  assertReason(options)
  const config = await app.loadConfig(options.config)
  if (await abortPlanRun(app, config, { run, options })) return
  const before = await app.services.readRun(config, run)
  assertMayAbort(before)
  const { active } = before
  const change = `run "${run}" is given up: applications stay on "${active}", and what keeps them out there by now is taken away`
  ;(options.json === true ? app.stderr : app.stdout).write(`${change}\n`)
  const { reason } = options
  if (options.dryRun === true) {
    if (options.json === true) writeJson(app, { ...before, dryRun: true })
    else app.stdout.write('dry run: nothing was changed\n')
    return
  }
  await approve(app, { yes: options.yes === true, name: active, change: `run "${run}" is given up` })
  const report = await app.services.abortRun(config, run, {
    takeOver: options.takeOver === true,
    ...(reason !== undefined && { reason }),
    signal: app.signal,
  })
  if (options.json === true) writeJson(app, { ...report, dryRun: false })
  else app.stdout.write(`\n${reportText(report, styleOf(app.stdout, app.env))}`)
  app.exit = report.state === 'aborted' ? 0 : 21
}

/** The service asks again, of the journal as it is then. */
function assertMayAbort({ run, kind, scope, state, steps }: RunReport): void {
  if (state === 'done' || state === 'aborted')
    throw new KdrError('usage', `run "${run}" is over: ${state === 'done' ? 'done' : 'given up'}`, {
      hint: `See what it did: kdr runs show ${run}`,
    })
  if (!mayGiveUp(kind, steps))
    throw new KdrError('not-ready', `run "${run}" has gone too far, and can only go forward`, {
      hint: `Let it go on: kdr ${kind} ${scope.links.join(' ')} --resume ${run}. Afterwards: kdr failback.`,
    })
}
