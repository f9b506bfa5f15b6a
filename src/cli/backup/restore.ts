// kdr restore: a point of a set into a cluster, at identical offsets. Shows its plan first.
import type { Command } from 'commander'
import { type Choice, parseRename, parseUntilOffset } from '../../model/choice.ts'
import { KdrError } from '../../model/errors.ts'
import { parseSetPoint } from '../../model/vault.ts'
import type { Log } from '../../ports/log.ts'
import { type App, type GlobalOptions, writeJson } from '../app.ts'
import { NOT_EMPTY_HINT, type RestoreProgress, type RestoreReport } from '../app-vault.ts'
import { approve } from '../approve.ts'
import { plural } from '../format.ts'
import { collect } from '../option-values.ts'
import { startProgress } from '../progress.ts'
import { planJson, planText, progressText, reportText } from './restore-text.ts'
import { styleOf } from '../table.ts'

type RestoreFlags = GlobalOptions & {
  readonly to: string
  readonly topic?: readonly string[]
  readonly partition?: readonly string[]
  readonly rename?: readonly string[]
  readonly untilOffset?: readonly string[]
  readonly consistent?: boolean
  readonly byTimestamp?: boolean
  readonly groups: boolean
  /** Undefined: as fits what is restored. */
  readonly rights?: boolean
  readonly originalRetention?: boolean
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly verbose?: boolean
}

export function registerRestore(program: Command, app: App): void {
  program
    .command('restore')
    .argument('<set[@point]>', 'a set, and a commit, `latest` or a time')
    .summary('restore a set into a cluster, at identical offsets')
    .description(
      'Restores topics with their configs and records, the groups of that point, ACLs and quotas, and verifies what it wrote. Exit 12 when a topic at the target is not empty, unless it is the unfinished work of the same restore, which it goes on with.',
    )
    .helpGroup('Back up')
    .requiredOption('--to <cluster>', 'a cluster of the config')
    .option('--topic <name>', 'only this topic; may be repeated', collect)
    .option(
      '--partition <number>',
      'only this partition of each topic, the others stay empty; may be repeated',
      collect,
    )
    .option(
      '--rename <from=to>',
      'restore this topic under another name, with its groups; `pay-*=old-pay-*` for all that begin so; may be repeated',
      collect,
    )
    .option(
      '--until-offset <topic/partition=offset>',
      'only what stands before this offset of a partition; may be repeated',
      collect,
    )
    .option('--consistent', 'every transaction whole or not at all, in all its partitions and group offsets')
    .option('--by-timestamp', 'only records with a timestamp up to the time; no state that ever existed')
    .option('--no-groups', 'without the offsets of consumer groups')
    .option(
      '--rights',
      'with ACLs that name a restored topic or group, also where single topics are restored',
    )
    .option('--no-rights', 'without ACLs and quotas')
    .option(
      '--original-retention',
      'topics get their retention back also where it takes restored records at once',
    )
    .option('--dry-run', 'show the plan and change nothing')
    .option('--yes', 'do not ask')
    .option('-v, --verbose', 'more of what happens')
    .action(
      async (of: string, _options: unknown, command: Command) =>
        await restore(app, of, command.optsWithGlobals()),
    )
}

function choiceOf({
  topic = [],
  partition = [],
  rename = [],
  untilOffset = [],
  groups,
}: RestoreFlags): Choice {
  return {
    topics: topic,
    partitions: partition.map(readPartition),
    renames: rename.map(parseRename),
    untilOffsets: untilOffset.map(parseUntilOffset),
    withGroups: groups,
  }
}

function readPartition(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new KdrError('usage', `"${text}" is no number of a partition`)
}

function cutOf({ consistent, byTimestamp }: RestoreFlags): 'as-of' | 'consistent' | 'by-timestamp' {
  if (consistent === true && byTimestamp === true)
    throw new KdrError('usage', '`--consistent` and `--by-timestamp` are two different cuts: choose one')
  if (consistent === true) return 'consistent'
  return byTimestamp === true ? 'by-timestamp' : 'as-of'
}

const isDone = ({ verified, groupsLeft, rightsLeft }: RestoreReport): boolean =>
  verified && groupsLeft.length + rightsLeft.length === 0

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
    choice: choiceOf(options),
    cut: cutOf(options),
    rights: options.rights === undefined ? 'fitting' : options.rights ? 'asked' : 'none',
    keepsRetention: options.originalRetention !== true,
    signal,
    log,
    onProgress,
    onStep,
  } as const
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
    app.exit = isDone(report) ? 0 : 3
    if (isJson) writeJson(app, { ...planJson(plan), ...report, ms })
    else app.stdout.write(reportText(plan, report, { ms, style }))
  })
}
