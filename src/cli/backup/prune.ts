// kdr backup prune: drops commits that are older than a set is kept, and deletes what nothing needs any more. Shows its plan first.
import type { Command } from 'commander'
import { KdrError } from '../../model/errors.ts'
import type { PrunePlan, PruneReport } from '../../model/vault-reports.ts'
import { type App, type GlobalOptions, writeJson } from '../app.ts'
import { approve } from '../approve.ts'
import { formatBytes, formatCount, plural } from '../format.ts'
import { startProgress } from '../progress.ts'
import { type Style, styleOf } from '../table.ts'

type PruneFlags = GlobalOptions & {
  readonly days?: string
  readonly dryRun?: boolean
  readonly yes?: boolean
}

const SHOWN = 30

export function registerBackupPrune(backup: Command, app: App): void {
  backup
    .command('prune')
    .argument('<set>', 'a set of the config')
    .description(
      'Drops the commits that `keep` of the set does not need any more; every moment of its days stays restorable. What they alone need is deleted by the first prune a day later. Exit 17 unless a full verification of what is left has passed within 7 days.',
    )
    .option('--days <number>', 'instead of `keep: { days: ... }` of the set')
    .option('--dry-run', 'show the plan and change nothing')
    .option('--yes', 'do not ask')
    .action(
      async (set: string, _options: unknown, command: Command) =>
        await prune(app, set, command.optsWithGlobals()),
    )
}

async function prune(app: App, name: string, options: PruneFlags): Promise<void> {
  const days = readDays(options.days)
  const config = await app.loadConfig(options.config)
  const { signal } = app
  const isJson = options.json === true
  const style = styleOf(app.stdout, app.env)
  const progress = startProgress(app)
  const onProgress = ({ objects, objectsDone }: { readonly objects: number; readonly objectsDone: number }) =>
    progress.update(`deleting: ${objectsDone} of ${plural(objects, 'object')}`)
  await app.services.withSet(config, name, async set => {
    const opened = await set.prune({ days, signal, onProgress })
    const { plan } = opened
    const isDry = options.dryRun === true
    const isIdle = plan.nextFirst === plan.first && plan.doomed.length === 0 && plan.due.length === 0
    if (!isJson || (!isDry && options.yes !== true))
      (isJson ? app.stderr : app.stdout).write(planText(plan, style))
    if (plan.refusal !== undefined) {
      if (!isJson || !isDry) throw plan.refusal
      app.exit = plan.refusal.exit
      return writeJson(app, { ...planJson(plan), refusal: plan.refusal.message })
    }
    if (isDry || isIdle) {
      if (isJson) writeJson(app, planJson(plan))
      return
    }
    const what = plan.nextFirst > plan.first ? `drops ${commitsOf(plan)} and ` : ''
    const change = `this ${what}deletes ${plural(plan.due.length, 'object')} of set "${name}" for good`
    await approve(app, { yes: options.yes === true, name, change })
    const report = await opened.execute().finally(() => progress.clear())
    if (isJson) writeJson(app, { ...planJson(plan), ...report })
    else app.stdout.write(reportText(plan, report, style))
  })
}

function readDays(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,5}(\.\d+)?$/.test(text) && Number(text) > 0) return Number(text)
  throw new KdrError('usage', `"${text}" is no number of days`, { hint: 'Write it like `--days 35`.' })
}

const sizeOf = (objects: readonly { readonly bytes: number }[]): number =>
  objects.reduce((sum, { bytes }) => sum + bytes, 0)

function commitsOf({ first, nextFirst }: PrunePlan): string {
  const count = nextFirst - first
  return count === 1 ? `commit ${first}` : `${plural(count, 'commit')} (${first} to ${nextFirst - 1})`
}

function planJson(plan: PrunePlan) {
  const { set, days, first, nextFirst, last, begins, doomed, rest, due, waiting, until, verified } = plan
  return {
    set,
    days,
    commits: nextFirst - first,
    first: nextFirst,
    last,
    begins,
    dropped: { objects: doomed.length + rest, bytes: sizeOf(doomed) },
    due: { objects: due.length, bytes: sizeOf(due) },
    waiting: {
      objects: waiting.length,
      bytes: sizeOf(waiting),
      ...(until !== undefined && { until: new Date(until).toISOString() }),
    },
    ...(verified !== undefined && { verified: { commit: verified.number, at: verified.at } }),
  }
}

function planText(plan: PrunePlan, style: Style): string {
  const { set, days, first, nextFirst, last, begins, doomed, rest, due, waiting, until, verified } = plan
  const objects = (some: readonly { readonly bytes: number }[]): string =>
    `${plural(some.length, 'object')} (${formatBytes(sizeOf(some))})`
  return [
    nextFirst > first
      ? `drops ${commitsOf(plan)}: ${set} then begins with commit ${nextFirst} of ${last}, as of ${begins}\n`
      : `drops no commit: ${set} begins with commit ${first} of ${last}, as of ${begins}, and is kept for ${formatCount(days)} days\n`,
    doomed.length > 0 ? `needed by nothing from now on: ${objects(doomed)}; to be deleted in a day\n` : '',
    rest > 0 ? `${plural(rest, 'object')} more will be named by the next prune\n` : '',
    due.length > 0 ? `${style.yellow('deletes for good')}: ${objects(due)}\n` : '',
    until === undefined
      ? ''
      : `dropped before, and not deleted until ${new Date(until).toISOString()}: ${objects(waiting)}\n`,
    verified === undefined ? '' : `verified in full: commit ${verified.number}, at ${verified.at}\n`,
  ].join('')
}

function reportText(plan: PrunePlan, { commit, deleted, kept }: PruneReport, style: Style): string {
  const done = commit === undefined ? plan.set : `commit ${commit} of ${plan.set}`
  const begins = commit === undefined ? '' : `it begins with commit ${plan.nextFirst}, `
  return [
    ...kept.slice(0, SHOWN).map(({ object, what }) => `${style.yellow('!')} ${object} is kept: ${what}\n`),
    kept.length > SHOWN ? style.dim(`... and ${kept.length - SHOWN} more (--json has all)\n`) : '',
    `${style.green(done)}: ${begins}${plural(deleted.objects, 'object')} deleted (${formatBytes(deleted.bytes)})${kept.length > 0 ? `, ${kept.length} kept` : ''}\n`,
  ].join('')
}
