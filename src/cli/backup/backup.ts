// kdr backup run | list | show | cat: makes commits of a set, and looks at what is there.
import type { Command } from 'commander'
import type { BackupProgress, BackupResult } from '../../engine/backup/backup.ts'
import { KdrError } from '../../model/errors.ts'
import { recordAsJson } from '../../model/record-text.ts'
import { type Note, parseSetPoint, parseTime, spellPoint } from '../../model/vault.ts'
import { type App, type GlobalOptions, writeJson, writeJsonLine } from '../app.ts'
import type { CatRecord, CommitSummary, LogPlace } from '../app-vault.ts'
import { registerExport } from './export.ts'
import { registerBackupPrune } from './prune.ts'
import { registerBackupVerify } from './verify.ts'
import { formatBytes, formatCount, formatDuration, formatRate, plural } from '../format.ts'
import { startProgress } from '../progress.ts'
import { formatTable, type Style, styleOf } from '../table.ts'

type RunOptions = GlobalOptions & { readonly jsonLines?: boolean }
type CatFlags = GlobalOptions & { readonly partition?: string; readonly from?: string; readonly to?: string }

/** Of a list, of notes: --json has all. */
const SHOWN = 30
const JSON_LINE_EVERY_MS = 1_000

export function registerBackup(program: Command, app: App): void {
  const backup = program
    .command('backup')
    .summary('back up to a vault, and look at what is there')
    .description(
      'A set is what is backed up: an entry of `sets:` in the config. A point is a commit, `latest` or a time.',
    )
    .helpGroup('Back up')
    .helpCommand(false)
  backup
    .command('run')
    .argument('<set>', 'a set of the config')
    .description(
      'Makes one commit: all that is new since the one before. Exit 3 when something could not be read.',
    )
    .option('--json-lines', 'progress as JSON lines on stdout')
    .action(
      async (set: string, _options: unknown, command: Command) =>
        await run(app, set, command.optsWithGlobals()),
    )
  backup
    .command('list')
    .argument('[set]', 'a set of the config; all if absent')
    .description('Lists commits, newest first.')
    .action(
      async (set: string | undefined, _options: unknown, command: Command) =>
        await list(app, set, command.optsWithGlobals()),
    )
  backup
    .command('show')
    .argument('<set[@point]>', 'a set, and a commit, `latest` or a time')
    .description('Shows what a set holds at a point.')
    .action(
      async (of: string, _options: unknown, command: Command) =>
        await show(app, of, command.optsWithGlobals()),
    )
  registerBackupVerify(backup, app)
  registerBackupPrune(backup, app)
  registerExport(backup, app)
  backup
    .command('cat')
    .argument('<set[@point]>', 'a set, and a commit, `latest` or a time')
    .argument('<topic>', 'a topic of the set')
    .description('Prints records as JSON lines, without a restore. What is no UTF-8 is `{ "base64": ... }`.')
    .option('--partition <number>', 'only this partition')
    .option('--from <place>', 'an offset, or a time: the first record at or behind it')
    .option('--to <place>', 'an offset, or a time: up to there, without it')
    .action(
      async (of: string, topic: string, _options: unknown, command: Command) =>
        await cat(app, of, topic, command.optsWithGlobals()),
    )
}

async function run(app: App, name: string, options: RunOptions): Promise<void> {
  const config = await app.loadConfig(options.config)
  const { signal } = app
  const progress = startProgress(app)
  const onProgress = options.jsonLines === true ? jsonLines(app, name) : showOn(progress)
  const { ms, ...result } = await app.services
    .withSet(config, name, async set => {
      // Of the backup alone: what the program needs to load is no part of how fast a set goes.
      const startedAt = app.clock.monotonic()
      const made = await set.backUp({ signal, onProgress })
      return { ...made, ms: Math.round(app.clock.monotonic() - startedAt) }
    })
    .finally(() => progress.clear())
  app.exit = result.notes.some(({ kind }) => kind === 'unread') ? 3 : 0
  if (options.json === true) return writeJson(app, { set: name, ...result, ms })
  app.stdout.write(commitText(name, { ...result, ms }, styleOf(app.stdout, app.env)))
}

/** What a commit holds, and what it could not take. */
export function commitText(
  set: string,
  result: BackupResult & { readonly ms: number },
  style: Style,
): string {
  const { commit, records, partitions, groups, bytes, storedBytes, objects, notes, notSeen, ms } = result
  const all = `${plural(records, 'record')} of ${plural(partitions, 'partition')}, ${plural(groups, 'group')}`
  const stored = `${formatBytes(bytes)} read, ${formatBytes(storedBytes)} stored in ${plural(objects, 'object')}`
  const head = style.green(`commit ${commit} of ${set}`)
  const unseen = notSeen.map(sentence => `${style.yellow('!')} ${sentence}\n`).join('')
  return `${notesText(notes, style)}${unseen}${head}: ${all}; ${stored}, ${formatDuration(ms)} (${formatRate(bytes, ms)})\n`
}

function showOn(progress: { update(text: string): void }): (now: BackupProgress) => void {
  return ({ partitions, partitionsDone, offsets, offsetsDone, bytes }) => {
    const percent = offsets === 0 ? 100 : Math.min(100, Math.floor((offsetsDone / offsets) * 100))
    progress.update(
      `backing up: ${percent} % of ${plural(offsets, 'offset')}, ${partitionsDone} of ${plural(partitions, 'partition')}, ${formatBytes(bytes)}`,
    )
  }
}

function jsonLines(app: App, set: string): (now: BackupProgress) => void {
  let nextAt = 0
  return now => {
    const at = app.clock.monotonic()
    if (at < nextAt && now.partitionsDone < now.partitions) return
    nextAt = at + JSON_LINE_EVERY_MS
    writeJsonLine(app, { set, ...now })
  }
}

function notesText(notes: readonly Note[], style: Style): string {
  const lines = notes.slice(0, SHOWN).map(({ what, topic, partition }) => {
    const where = topic === undefined || partition === undefined ? '' : `"${topic}" partition ${partition}: `
    return `${style.yellow('!')} ${where}${what}\n`
  })
  const more = notes.length - lines.length
  return lines.join('') + (more > 0 ? style.dim(`... and ${more} more (--json has all)\n`) : '')
}

async function list(app: App, name: string | undefined, options: GlobalOptions): Promise<void> {
  const config = await app.loadConfig(options.config)
  const names = name === undefined ? Object.keys(config.sets) : [name]
  const sets: { readonly set: string; readonly commits: readonly CommitSummary[] }[] = []
  for (const each of names)
    await app.services.withSet(config, each, async set => {
      sets.push({ set: each, commits: (await set.list()).toReversed() })
    })
  if (options.json === true) return writeJson(app, { sets })
  const style = styleOf(app.stdout, app.env)
  const rows = sets.flatMap(({ set, commits }) =>
    commits.slice(0, SHOWN).map(commit => [set, ...commitRow(commit)]),
  )
  if (rows.length === 0) return app.stdout.write('there is no commit yet\n')
  const columns = [
    { title: 'SET' },
    { title: 'COMMIT', align: 'right' },
    { title: 'AS OF' },
    { title: 'RECORDS', align: 'right' },
    { title: 'STORED', align: 'right' },
    { title: 'NOTES', align: 'right' },
  ] as const
  app.stdout.write(formatTable(columns, rows, style))
}

function commitRow({ number, endsAt, isPrune, records, storedBytes, notes }: CommitSummary): string[] {
  return [
    isPrune ? `${number} (prune)` : String(number),
    endsAt,
    records === undefined ? '-' : formatCount(records),
    storedBytes === undefined ? '-' : formatBytes(storedBytes),
    notes === 0 ? '' : String(notes),
  ]
}

async function show(app: App, of: string, options: GlobalOptions): Promise<void> {
  const { set: name, point } = parseSetPoint(of)
  const config = await app.loadConfig(options.config)
  const { state, asOf, notes } = await app.services.withSet(config, name, async set => await set.show(point))
  const topics = [...state.topics.values()].map(topic => ({
    name: topic.name,
    id: topic.id,
    replicationFactor: topic.replicationFactor,
    partitions: topic.partitions.map(({ partition, start, end, segments }) => ({
      partition,
      start,
      end,
      segments: segments.length,
      bytes: segments.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
      storedBytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
    })),
  }))
  if (options.json === true)
    return writeJson(app, {
      set: name,
      commit: state.number,
      point: spellPoint(point),
      ...(asOf !== undefined && { asOf: new Date(asOf).toISOString() }),
      cluster: state.cluster,
      groupsAt: state.groupsAt,
      endsAt: state.endsAt,
      topics,
      groups: [...state.groups.values()].map(({ group, type, offsets }) => ({
        group,
        type,
        offsets: offsets.length,
      })),
      acls: state.rights.acls?.length ?? null,
      quotas: state.rights.quotas?.length ?? null,
      users: state.rights.users?.length ?? null,
      notes,
    })
  const style = styleOf(app.stdout, app.env)
  const columns = [
    { title: 'TOPIC' },
    { title: 'PARTITIONS', align: 'right' },
    { title: 'OFFSETS', align: 'right' },
    { title: 'BYTES', align: 'right' },
    { title: 'STORED', align: 'right' },
  ] as const
  const rows = topics.map(({ name: topic, partitions }) => [
    topic,
    formatCount(partitions.length),
    formatCount(partitions.reduce((sum, { start, end }) => sum + end - start, 0)),
    formatBytes(partitions.reduce((sum, { bytes }) => sum + bytes, 0)),
    formatBytes(partitions.reduce((sum, { storedBytes }) => sum + storedBytes, 0)),
  ])
  const at =
    asOf === undefined
      ? `as of ${state.endsAt}`
      : `as of ${new Date(asOf).toISOString()}, from commit ${state.number} on`
  app.stdout.write(
    `${formatTable(columns, rows, style)}\n${notesText(notes, style)}${name}, commit ${state.number} of cluster "${state.cluster.name}", ${at}; ${plural(state.groups.size, 'group')}\n`,
  )
}

async function cat(app: App, of: string, topic: string, options: CatFlags): Promise<void> {
  const { set: name, point } = parseSetPoint(of)
  const partition = options.partition === undefined ? undefined : readNumber(options.partition, 'partition')
  const [from, to] = [readPlace(options.from), readPlace(options.to)]
  const config = await app.loadConfig(options.config)
  const records: unknown[] = []
  const onRecord = (record: CatRecord): void => {
    if (options.json === true) records.push(recordAsJson(record))
    else app.stdout.write(`${JSON.stringify(recordAsJson(record))}\n`)
  }
  await app.services.withSet(
    config,
    name,
    async set => await set.cat(point, { topic, partition, from, to }, onRecord),
  )
  if (options.json === true) writeJson(app, { set: name, point: spellPoint(point), topic, records })
}

function readNumber(text: string, what: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new KdrError('usage', `"${text}" is no number of a ${what}`)
}

function readPlace(text: string | undefined): LogPlace | undefined {
  if (text === undefined) return undefined
  if (/^\d{1,15}$/.test(text)) return { offset: Number(text) }
  const time = parseTime(text)
  if (time !== undefined) return { time }
  throw new KdrError('usage', `"${text}" is neither an offset nor a time`, {
    hint: 'Write it like 1200 or 2026-01-31T12:00:00Z.',
  })
}
