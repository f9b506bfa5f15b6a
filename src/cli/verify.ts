// kdr verify: whether both sides of a link hold the same.

import type { Command } from 'commander'
import type { PartitionVerdict, Verification, VerifyProgress } from '../engine/verify/verify.ts'
import type { LinkConfig } from '../config/index.ts'
import { KdrError } from '../model/errors.ts'
import { parseDuration } from '../model/units.ts'
import { type App, type GlobalOptions, writeJson, writeJsonLine } from './app.ts'
import { formatCount, formatDuration, plural } from './format.ts'
import { collect } from './option-values.ts'
import { startProgress } from './progress.ts'
import { formatTable, type Style, styleOf } from './table.ts'

type VerifyOptions = GlobalOptions & {
  readonly topic?: readonly string[]
  readonly since?: string
  readonly sample?: string
  readonly jsonLines?: boolean
}

const LINES_SHOWN = 50
const JSON_LINE_EVERY_MS = 1_000

export function registerVerify(program: Command, app: App): void {
  program
    .command('verify')
    .argument('<link>', 'a link of the config')
    .summary('compare what both sides of a link hold')
    .description(
      'Compares offset, key, value, headers and timestamp of every record that both sides still hold. Only reads. Exit 3 when something differs.',
    )
    .helpGroup('Replicate')
    .option('--topic <name>', 'only this topic; may be repeated', collect)
    .option('--since <duration>', 'only records of the last 30s, 5m, 7d, ...')
    .option('--sample <percent>', 'only this share of the offsets, in ranges spread over each log')
    .option('--json-lines', 'progress as JSON lines on stdout')
    .action(
      async (name: string, _options: unknown, command: Command) =>
        await runVerify(app, name, command.optsWithGlobals()),
    )
}

async function runVerify(app: App, name: string, options: VerifyOptions): Promise<void> {
  const sinceMs = readSince(options.since)
  const samplePercent = readPercent(options.sample)
  const config = await app.loadConfig(options.config)
  const [link] = app.services.chooseLinks(config, [name]) as [LinkConfig]
  const { signal } = app
  const startedAt = app.clock.monotonic()
  const progress = startProgress(app)
  const onProgress = options.jsonLines === true ? jsonLines(app, name) : showOn(progress)
  const result = await app.services
    .withLink(
      config,
      link,
      async opened =>
        await opened.verify({ topics: options.topic ?? [], sinceMs, samplePercent, signal, onProgress }),
    )
    .finally(() => progress.clear())
  const elapsedMs = Math.round(app.clock.monotonic() - startedAt)
  app.exit = result.identical ? 0 : 3
  if (options.json === true)
    writeJson(app, { ...result, ...(samplePercent !== undefined && { samplePercent }), ms: elapsedMs })
  else app.stdout.write(render(result, { samplePercent, elapsedMs, style: styleOf(app.stdout, app.env) }))
}

function readSince(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = parseDuration(text)
  if (ms !== undefined) return ms
  throw new KdrError('usage', `"${text}" is not a duration`, { hint: 'Write it like 30s, 5m or 7d.' })
}

/** Throws KdrError('usage'). */
export function readPercent(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const percent = /^\d+(\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN
  if (percent > 0 && percent <= 100) return percent
  throw new KdrError('usage', `"${text}" is not a percentage above 0 and up to 100`, {
    hint: 'Write it like `--sample 5`.',
  })
}

function showOn(progress: { update(text: string): void }): (now: VerifyProgress) => void {
  return ({ partitions, partitionsDone, offsets, offsetsDone, differences }) => {
    const percent = offsets === 0 ? 100 : Math.floor((offsetsDone / offsets) * 100)
    const found = differences === 0 ? '' : `, ${plural(differences, 'difference')}`
    progress.update(
      `comparing: ${percent} % of ${plural(offsets, 'offset')}, ${partitionsDone} of ${plural(partitions, 'partition')}${found}`,
    )
  }
}

function jsonLines(app: App, link: string): (now: VerifyProgress) => void {
  let nextAt = 0
  return now => {
    const at = app.clock.monotonic()
    if (at < nextAt && now.partitionsDone < now.partitions) return
    nextAt = at + JSON_LINE_EVERY_MS
    writeJsonLine(app, { link, ...now })
  }
}

type Rendering = {
  readonly samplePercent: number | undefined
  readonly elapsedMs: number
  readonly style: Style
}

function render(result: Verification, rendering: Rendering): string {
  const { style } = rendering
  if (result.partitions.length === 0) return `nothing to compare: the source has no topic of this link\n`
  const table = formatTable(
    [
      { title: 'TOPIC' },
      { title: 'PARTITIONS', align: 'right' },
      { title: 'RECORDS', align: 'right' },
      { title: 'OFFSETS', align: 'right' },
      { title: 'VERDICT' },
    ],
    [...byTopic(result.partitions)].map(([topic, partitions]) => [
      topic,
      formatCount(partitions.length),
      formatCount(sum(partitions, 'records')),
      offsets(partitions),
      verdict(partitions, style),
    ]),
    style,
  )
  const parts = [
    table,
    differences(result, style),
    explained(result, style),
    lost(result, style),
    gaps(result, rendering),
  ]
  return `${parts.filter(part => part !== '').join('')}${sentence(result, rendering)}\n`
}

function byTopic(partitions: readonly PartitionVerdict[]): Map<string, PartitionVerdict[]> {
  return Map.groupBy(partitions, ({ topic }) => topic)
}

type Count = 'records' | 'different' | 'onlySource' | 'onlyTarget' | 'unexplained'

function sum(partitions: readonly PartitionVerdict[], of: Count): number {
  return partitions.reduce((total, partition) => total + partition[of], 0)
}

/** Of several partitions, the widest range. */
function offsets(partitions: readonly PartitionVerdict[]): string {
  const from = Math.min(...partitions.map(partition => partition.from))
  const to = Math.max(...partitions.map(partition => partition.to))
  return `${formatCount(from)}–${formatCount(to)}`
}

function verdict(partitions: readonly PartitionVerdict[], style: Style): string {
  const wrong = partitions.filter(({ identical }) => !identical).length
  if (wrong === 0) return style.green('identical')
  return style.red(
    partitions.length === 1 ? 'differs' : `${wrong} of ${plural(partitions.length, 'partition')} differ`,
  )
}

function differences({ partitions }: Verification, style: Style): string {
  const wrong = partitions.filter(({ identical }) => !identical)
  if (wrong.length === 0) return ''
  const lines = wrong
    .slice(0, LINES_SHOWN)
    .map(each => `${style.red('✗')} ${each.topic} partition ${each.partition}${difference(each)}\n`)
  const hidden = wrong.length - lines.length
  const more = hidden > 0 ? style.dim(`... and ${plural(hidden, 'partition')} more (--json has all)\n`) : ''
  return `\n${lines.join('')}${more}`
}

function difference({ firstDifference, different, unexplained }: PartitionVerdict): string {
  const first =
    firstDifference === undefined ? '' : ` offset ${firstDifference.offset}: ${firstDifference.what}`
  const counts = [
    different > 0 ? `${plural(different, 'record')} not equal` : '',
    unexplained > 0 ? `${plural(unexplained, 'record')} on one side only` : '',
  ].filter(text => text !== '')
  return different + unexplained > 1 ? `${first}; in all ${counts.join(', ')}` : first
}

function explained({ partitions }: Verification, style: Style): string {
  const total = (of: (partition: PartitionVerdict) => number) =>
    partitions.reduce((all, partition) => all + of(partition), 0)
  const ledger = total(each => each.ledger ?? 0)
  const fillers = total(each => each.fillers ?? 0)
  const compaction = total(each => each.onlySource + each.onlyTarget - each.unexplained) - ledger - fillers
  const line = (count: number, by: string) =>
    count > 0 ? style.dim(`\n${plural(count, 'record')} on one side only, explained by ${by}\n`) : ''
  return `${line(compaction, 'compaction')}${line(ledger, 'the ledger')}${line(fillers, 'what kdr fills gaps with')}`
}

/** What was lost and accepted: it makes no difference between the sides, and nobody should forget it. */
function lost({ partitions }: Verification, style: Style): string {
  const lines = partitions.flatMap(({ topic, partition, lost: ranges = [] }) =>
    ranges.map(({ from, to, cause, by, at, why }) => {
      const reason = why === undefined ? '' : `: ${why}`
      return `${style.yellow('!')} ${topic} partition ${partition}: offsets ${from} to ${to - 1} lost (${cause}), accepted by ${by} at ${at}${reason}\n`
    }),
  )
  const hidden = lines.length - LINES_SHOWN
  const more = hidden > 0 ? style.dim(`... and ${plural(hidden, 'range')} more (--json has all)\n`) : ''
  return lines.length === 0 ? '' : `\n${lines.slice(0, LINES_SHOWN).join('')}${more}`
}

/** What a consumer should know that no comparison of records shows. */
function gaps({ partitions }: Verification, { samplePercent, style }: Rendering): string {
  if (samplePercent !== undefined) return ''
  const topics = new Set(
    partitions
      .filter(({ from, to, records, logEnd }) => logEnd !== undefined && to - from > records)
      .map(({ topic }) => topic),
  )
  if (topics.size === 0) return ''
  return style.dim(
    `\n${plural(topics.size, 'topic')} with gaps (transactions, compaction): there a lookup by time at the target may answer too early, never too late\n`,
  )
}

function sentence({ link, partitions, identical }: Verification, rendering: Rendering): string {
  const { samplePercent, elapsedMs, style } = rendering
  const wrong = partitions.filter(each => !each.identical).length
  const records = plural(sum(partitions, 'records'), 'record')
  const scope = samplePercent === undefined ? records : `a sample of ${samplePercent} % (${records})`
  const all = plural(partitions.length, 'partition')
  const result = identical
    ? style.green(`${link} is identical`)
    : style.red(`${link} is not identical: ${wrong} of ${all} ${wrong === 1 ? 'differs' : 'differ'}`)
  return `\n${result}, judged by ${scope} in ${all}, ${formatDuration(elapsedMs)}`
}
