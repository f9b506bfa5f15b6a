// kdr restore: a point of a set into a cluster, at identical offsets. Shows its plan first.
import type { Command } from 'commander'
import { KdrError } from '../model/errors.ts'
import { parseSetPoint } from '../model/vault.ts'
import type { Log } from '../ports/log.ts'
import { type App, type GlobalOptions, writeJson } from './app.ts'
import { NOT_EMPTY_HINT, type RestorePlan, type RestoreProgress, type RestoreReport } from './app-vault.ts'
import { approve } from './approve.ts'
import { formatBytes, formatCount, formatDuration, formatTime, plural } from './format.ts'
import { startProgress } from './progress.ts'
import { formatTable, type Style, styleOf } from './table.ts'

type RestoreFlags = GlobalOptions & {
  readonly to: string
  readonly topic: readonly string[]
  readonly groups: boolean
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly verbose?: boolean
}

const SHOWN = 30

export function registerRestore(program: Command, app: App): void {
  program
    .command('restore')
    .argument('<set[@point]>', 'a set, and a commit, `latest` or a time')
    .summary('restore a set into a cluster, at identical offsets')
    .description(
      'Restores topics with their configs and records, and the groups of that point, and verifies what it wrote. Exit 12 when a topic at the target is not empty, unless it is the unfinished work of the same restore, which it goes on with.',
    )
    .helpGroup('Back up')
    .requiredOption('--to <cluster>', 'a cluster of the config')
    .option('--topic <name>', 'only this topic; may be repeated', collect, [])
    .option('--no-groups', 'without the offsets of consumer groups')
    .option('--dry-run', 'show the plan and change nothing')
    .option('--yes', 'do not ask')
    .option('-v, --verbose', 'more of what happens')
    .action(
      async (of: string, _options: unknown, command: Command) =>
        await restore(app, of, command.optsWithGlobals()),
    )
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value]
}

async function restore(app: App, of: string, options: RestoreFlags): Promise<void> {
  const { set, point } = parseSetPoint(of)
  const config = await app.loadConfig(options.config)
  const { signal } = app
  const progress = startProgress(app)
  const log: Log = {
    event: (level, message) => {
      if (options.verbose !== true && level !== 'error') return
      progress.clear()
      app.stderr.write(`${message}\n`)
    },
  }
  const onProgress = (now: RestoreProgress): void => progress.update(progressText(now))
  const onStep = (step: 'groups' | 'verify' | 'done'): void =>
    step === 'done'
      ? progress.clear()
      : progress.update(step === 'groups' ? 'groups' : 'verifying what was written')
  const how = {
    set,
    point,
    to: options.to,
    topics: options.topic,
    withGroups: options.groups,
    signal,
    log,
    onProgress,
    onStep,
  }
  await app.services.withRestore(config, how, async opened => {
    const { plan } = opened
    const isJson = options.json === true
    const style = styleOf(app.stdout, app.env)
    if (!isJson) app.stdout.write(planText(plan, style))
    if (options.dryRun === true) {
      app.exit = plan.conflicts.length > 0 ? 12 : 0
      if (isJson)
        writeJson(app, { ...planJson(plan), dryRun: true, notes: plan.notes, conflicts: plan.conflicts })
      return
    }
    const [conflict] = plan.conflicts
    if (conflict !== undefined) throw new KdrError('not-empty', conflict.what, { hint: NOT_EMPTY_HINT })
    const change = `${plural(plan.topics.length, 'topic')} will be written to "${plan.target}"`
    await approve(app, { yes: options.yes === true, name: plan.target, change })
    const startedAt = app.clock.monotonic()
    const report = await opened.execute().finally(() => progress.clear())
    const ms = Math.round(app.clock.monotonic() - startedAt)
    app.exit = report.verified && report.groupsLeft.length === 0 ? 0 : 3
    if (isJson) writeJson(app, { ...planJson(plan), ...report, ms })
    else app.stdout.write(reportText(plan, report, { ms, style }))
  })
}

function progressText({ offsets, offsetsLeft, records, bytes }: RestoreProgress): string {
  const percent = offsets === 0 ? 100 : Math.floor(((offsets - offsetsLeft) / offsets) * 100)
  return `restoring: ${percent} % of ${plural(offsets, 'offset')}, ${plural(records, 'record')}, ${formatBytes(bytes)}`
}

function planJson({ set, commit, point, asOf, target, topics, groups, isResumed }: RestorePlan) {
  return {
    set,
    commit,
    point,
    asOf: new Date(asOf).toISOString(),
    target,
    topics,
    groups,
    resumed: isResumed,
  }
}

function planText(plan: RestorePlan, style: Style): string {
  const columns = [
    { title: 'TOPIC' },
    { title: 'PARTITIONS', align: 'right' },
    { title: 'OFFSETS', align: 'right' },
    { title: 'BYTES', align: 'right' },
  ] as const
  const rows = plan.topics
    .slice(0, SHOWN)
    .map(({ name, partitions, offsets, bytes }) => [
      name,
      formatCount(partitions),
      formatCount(offsets),
      formatBytes(bytes),
    ])
  const more = plan.topics.length - rows.length
  const notes = plan.notes.filter(({ kind }) => kind === 'lost' || kind === 'unread')
  return [
    formatTable(columns, rows, style),
    more > 0 ? style.dim(`... and ${plural(more, 'topic')} more (--json has all)\n`) : '',
    ...notes
      .slice(0, SHOWN)
      .map(({ topic, what }) => `${style.yellow('!')} ${topic === undefined ? '' : `"${topic}": `}${what}\n`),
    ...plan.conflicts.slice(0, SHOWN).map(({ what }) => `${style.red('✗')} ${what}\n`),
    `\n${plan.set}, commit ${plan.commit}, as of ${formatTime(plan.asOf)} → "${plan.target}": ${plural(plan.topics.length, 'topic')}, ${plural(plan.groups, 'group')}${plan.isResumed ? '; goes on with what was begun' : ''}\n`,
  ].join('')
}

function reportText(
  plan: RestorePlan,
  report: RestoreReport,
  { ms, style }: { readonly ms: number; readonly style: Style },
): string {
  const written = `${plural(report.records, 'record')}, ${formatBytes(report.bytes)}, ${plural(report.groups, 'group')} in ${formatDuration(ms)}`
  return [
    ...report.groupsLeft.slice(0, SHOWN).map(({ what }) => `${style.yellow('!')} ${what}\n`),
    ...report.problems.slice(0, SHOWN).map(what => `${style.red('✗')} ${what}\n`),
    report.verified
      ? `${style.green(`"${plan.target}" holds what ${plan.set} held`)}, verified record by record: ${written}\n`
      : `${style.red(`"${plan.target}" does not hold what ${plan.set} held`)}: ${plural(report.problems.length, 'problem')}; ${written}\n`,
  ].join('')
}
