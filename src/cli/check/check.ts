// kdr check: would we survive tonight? One answer, with reasons.
import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { Config } from '../../config/index.ts'
import type { CheckReport } from '../../engine/check/check.ts'
import { KdrError } from '../../model/errors.ts'
import { type App, type GlobalOptions, writeJson } from '../app.ts'
import { assertReason } from '../link/link.ts'
import { fixAll, fixesText, isUnmended } from './fix.ts'
import { checkMarkdown } from './markdown.ts'
import { runProbe } from './probe.ts'
import { shownReport } from './report-json.ts'
import { checkText } from './text.ts'
import { formatCount, plural } from '../format.ts'
import { collect } from '../option-values.ts'
import { formatTable, type Style, styleOf } from '../table.ts'

type CheckCommandOptions = GlobalOptions & {
  readonly cluster?: readonly string[]
  readonly link?: readonly string[]
  readonly compare?: string
  readonly producers?: boolean
  readonly format?: string
  readonly plan?: string
  readonly fix?: boolean
  readonly probe?: boolean
  readonly yes?: boolean
  readonly dryRun?: boolean
  readonly reason?: string
}

export function registerCheck(program: Command, app: App): void {
  program
    .command('check')
    .summary('whether everything would survive tonight')
    .description(
      'Looks at every cluster, link and set, and only reads (but for `--fix` and `--probe`). READY, AT RISK (warnings), NOT READY (errors; exit 3), with the reasons, gravest first. What cannot be looked at is a finding. What was accepted (`accept:` in the config) is shown and does not count.',
    )
    .helpGroup('Replicate')
    .option('--cluster <name>', 'only this cluster; may be repeated', collect)
    .option('--link <name>', 'only this link; may be repeated', collect)
    .option('--compare <a,b>', 'hold two clusters against each other: topics, configs, ACLs, quotas, users')
    .option(
      '--producers',
      'read the last batches of each partition too: who writes without a producer id, or always with another',
    )
    .option('--format <format>', '`text` or `markdown`', 'text')
    .option(
      '--plan <file>',
      'write what would give partitions the replicas they should have, spread over racks, for `kafka-reassign-partitions.sh`',
    )
    .option('--fix', 'show what is safe to mend, ask, do it, and look again; docs/findings has the list')
    .option(
      '--probe',
      'instead of a check: by how much followers delay a write, leader by leader; makes a topic `_kdr.probe`, and deletes it',
    )
    .option('--yes', 'with --fix or --probe: do not ask')
    .option('--dry-run', 'with --fix or --probe: show what would be done, and change nothing')
    .option('--reason <text>', 'with --fix: why; kept in the journal of a link whose mirror is set back')
    .action(async (_options: unknown, command: Command) => await runCheck(app, command.optsWithGlobals()))
}

async function runCheck(app: App, options: CheckCommandOptions): Promise<void> {
  const { format = 'text' } = options
  assertFix(options)
  if (format !== 'text' && format !== 'markdown')
    throw new KdrError('usage', `"${format}" is not a format`, { hint: 'Use `text` or `markdown`.' })
  const pair = readPair(options.compare)
  const config = await app.loadConfig(options.config)
  if (options.probe === true) {
    await runProbe(app, config, {
      clusters: options.cluster ?? [],
      yes: options.yes === true,
      isDry: options.dryRun === true,
      isJson: options.json === true,
    })
    return
  }
  const look = async (): Promise<CheckReport> =>
    await app.services.check(config, {
      clusters: options.cluster ?? [],
      links: options.link ?? [],
      compare: pair,
      producers: options.producers === true,
      isToFix: options.fix === true,
      signal: app.signal,
    })
  if (options.fix === true) {
    await fix(app, config, look, options)
    return
  }
  const report = await look()
  if (options.plan !== undefined) {
    writePlan(app, report, { file: options.plan, isJson: options.json === true })
    return
  }
  if (options.json === true) writeJson(app, shownReport(report))
  else if (format === 'markdown') app.stdout.write(checkMarkdown(report, app.clock.now()))
  else app.stdout.write(checkText(report, styleOf(app.stdout, app.env)))
  app.exit = report.ready === 'NOT READY' ? 3 : 0
}

/** With --json the plan goes to stderr: stdout is for the one object. */
async function fix(
  app: App,
  config: Config,
  look: () => Promise<CheckReport>,
  options: CheckCommandOptions,
): Promise<void> {
  const isJson = options.json === true
  const { report, fixes } = await fixAll(app, config, look, {
    yes: options.yes === true,
    isDry: options.dryRun === true,
    reason: options.reason,
    tell: text => (isJson ? app.stderr : app.stdout).write(text),
  })
  const style = styleOf(app.stdout, app.env)
  if (isJson) writeJson(app, { ...shownReport(report), dryRun: options.dryRun === true, fixes })
  else app.stdout.write(`${fixesText(fixes, style)}${checkText(report, style)}`)
  app.exit = report.ready === 'NOT READY' || fixes.some(isUnmended) ? 3 : 0
}

function assertFix(options: CheckCommandOptions): void {
  const { fix: isFix, probe, yes, dryRun, reason, plan, format, link, compare, producers } = options
  const given = (those: Readonly<Record<string, unknown>>): string | undefined =>
    Object.entries(those).find(([, value]) => value !== undefined)?.[0]
  const alone = given({ '--yes': yes, '--dry-run': dryRun })
  if (isFix !== true && probe !== true && alone !== undefined)
    throw new KdrError('usage', `\`${alone}\` goes with \`--fix\` or \`--probe\``)
  if (isFix !== true && reason !== undefined) throw new KdrError('usage', '`--reason` goes with `--fix`')
  const other =
    probe === true
      ? given({
          '--fix': isFix,
          '--plan': plan,
          '--link': link,
          '--compare': compare,
          '--producers': producers,
        })
      : undefined
  if (other !== undefined)
    throw new KdrError('usage', `\`--probe\` and \`${other}\` do not go together`, {
      hint: 'A probe says nothing but how long followers take: `kdr check --probe --cluster NAME`.',
    })
  if (isFix === true && plan !== undefined)
    throw new KdrError('usage', '`--fix` and `--plan` do not go together', {
      hint: 'A plan moves replicas, which `--fix` never does: use one after the other.',
    })
  if ((isFix === true || probe === true) && format === 'markdown')
    throw new KdrError('usage', `\`--${isFix === true ? 'fix' : 'probe'}\` has no page of Markdown`, {
      hint: 'A check has one: `kdr check --format markdown`.',
    })
  assertReason({ ...(reason !== undefined && { reason }) })
}

function readPair(text: string | undefined): readonly [string, string] | undefined {
  if (text === undefined) return undefined
  const [a = '', b = '', ...more] = text.split(',').map(part => part.trim())
  if (a !== '' && b !== '' && a !== b && more.length === 0) return [a, b]
  throw new KdrError('usage', `"${text}" does not name two clusters`, {
    hint: 'Write `--compare east,west`.',
  })
}

/** A plan is about one cluster. What it would do is shown; whether to do it is for a person to say. */
function writePlan(
  app: App,
  { moves }: CheckReport,
  { file, isJson }: { readonly file: string; readonly isJson: boolean },
): void {
  const [only, ...more] = Object.entries(moves)
  if (more.length > 0)
    throw new KdrError('usage', 'replicas of several clusters are to be moved, and a plan is about one', {
      hint: `Name it: ${Object.keys(moves)
        .map(name => `--cluster ${name}`)
        .join(', or ')}.`,
    })
  if (only === undefined) {
    if (isJson) writeJson(app, { plan: null, moves: [] })
    else app.stdout.write('nothing to move: replicas are where they should be, or a broker is missing\n')
    return
  }
  const [cluster, planned] = only
  const partitions = planned.map(({ topic, partition, to }) => ({ topic, partition, replicas: to }))
  writeFileSync(file, `${JSON.stringify({ version: 1, partitions }, null, 2)}\n`)
  if (isJson) writeJson(app, { plan: file, cluster, moves: planned })
  else app.stdout.write(planText(cluster, planned, file, styleOf(app.stdout, app.env)))
}

const MOVES_SHOWN = 30

function planText(cluster: string, moves: CheckReport['moves'][string], file: string, style: Style): string {
  const rows = moves
    .slice(0, MOVES_SHOWN)
    .map(({ topic, partition, from, to }) => [topic, String(partition), from.join(', '), to.join(', ')])
  const columns = [{ title: 'TOPIC' }, { title: 'PARTITION' }, { title: 'REPLICAS NOW' }, { title: 'THEN' }]
  const rest = moves.length - rows.length
  const more = rest > 0 ? style.dim(`... and ${formatCount(rest)} more\n`) : ''
  return `${formatTable(columns, rows, style)}${more}\n${file}: ${plural(moves.length, 'partition')} of ${cluster}\n`
}
