// kdr report: what was wanted, what is measured, what happened and who accepted what, for whoever is responsible. Only reads.
import { type Command, Option } from 'commander'
import { KdrError } from '../../model/errors.ts'
import { parseDuration } from '../../model/units.ts'
import { type App, type GlobalOptions, writeJson } from '../app.ts'
import { entryObject } from '../link/log.ts'
import { documentHtml, documentMarkdown } from '../runbook/print.ts'
import { styleOf } from '../table.ts'
import { reportDocument } from './document.ts'
import { gatherReport, type Known, type ReportFacts } from './facts.ts'
import { reportText } from './text.ts'

type ReportOptions = GlobalOptions & {
  readonly since: string
  readonly format: 'text' | 'markdown' | 'html'
}

export function registerReport(program: Command, app: App): void {
  program
    .command('report')
    .summary('objectives, runs, losses, backups and readiness, to hand over')
    .description(
      'Writes down objectives and what is measured, runs (who, why, how long, what was lost), losses that were accepted, what was done by hand, backups, and what `kdr check` finds or somebody has accepted. Only reads. What does not answer is called not known. The page of `--format html` needs nothing but itself, and prints well.',
    )
    .helpGroup('Replicate')
    .option('--since <duration>', 'runs and what was done in the last 24h, 30d, ...', '30d')
    .addOption(new Option('--format <format>', 'how').choices(['text', 'markdown', 'html']).default('text'))
    .action(async (_options: unknown, command: Command) => await report(app, command.optsWithGlobals()))
}

async function report(app: App, options: ReportOptions): Promise<void> {
  const sinceMs = parseDuration(options.since)
  if (sinceMs === undefined)
    throw new KdrError('usage', `"${options.since}" is not a duration`, { hint: 'Write it like 24h or 30d.' })
  const config = await app.loadConfig(options.config)
  const facts = await gatherReport(app, config, sinceMs)
  if (options.json === true) {
    writeJson(app, objectOf(facts))
    return
  }
  const document = reportDocument(facts)
  switch (options.format) {
    case 'markdown':
      return app.stdout.write(documentMarkdown(document))
    case 'html':
      return app.stdout.write(documentHtml(document))
    case 'text':
      return app.stdout.write(reportText(document, styleOf(app.stdout, app.env)))
  }
}

/** As other commands print the same things with --json; instead of what is not known it says why. */
function objectOf(facts: ReportFacts): Record<string, unknown> {
  const { at, sinceMs, links, recent, journals, sets, check } = facts
  const shown = <T>({ value, unknown }: Known<T>, show: (value: T) => unknown = same => same): unknown =>
    value === undefined ? { unknown } : show(value)
  return {
    at: new Date(at).toISOString(),
    since: new Date(at - sinceMs).toISOString(),
    links: links.map(({ name, standing }) => ({ name, status: shown(standing) })),
    runs: recent.map(({ summary, cost }) => ({ ...summary, cost: shown(cost) })),
    journals: journals.map(({ link, entries }) => ({
      link,
      entries: shown(entries, all => all.map(entryObject)),
    })),
    sets,
    check: shown(check, ({ moves: _moves, ...found }) => found),
  }
}
