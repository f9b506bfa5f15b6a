// A run on the terminal: a line for each step that has ended, and what came of it on one screen.
import { type ReportedLoss, type RunReport, type StepRecord, STEPS } from '../../model/runs.ts'
import { formatCount, formatDuration, plural } from '../format.ts'
import {
  lossWords,
  loweredWords,
  nextOf,
  rtoWords,
  strandedWords,
  titleOf,
  unfencedWords,
  verdictOf,
  visible,
} from './run-words.ts'
import { formatTable, type Style } from '../table.ts'

const STEP_WIDTH = Math.max(...STEPS.map(name => titleOf(name).length))
/** Rows of a table, and names of a list: the report fits on a screen. */
const SHOWN = 5

/** For a step that has ended. */
export function stepLine(
  { name, state, ms, what }: Pick<StepRecord, 'name' | 'state' | 'ms' | 'what'>,
  style: Style,
): string {
  const duration = style.dim(formatDuration(ms).padStart(8))
  const title = titleOf(name).padEnd(STEP_WIDTH)
  const sentence = visible(what)
  if (state === 'skipped') return `${duration}  ${style.dim(`${title}  skipped: ${sentence}`)}\n`
  if (state === 'failed') return `${duration}  ${style.red(title)}  ${sentence}\n`
  return `${duration}  ${title}  ${sentence}\n`
}

/** While a step takes long: `what` says how far it is. */
export function progressLine({ name, what }: Pick<StepRecord, 'name' | 'what'>): string {
  return `${titleOf(name)}${what === '' ? ' ...' : `: ${visible(what)}`}`
}

export function reportText(report: RunReport, style: Style): string {
  const paint = {
    done: style.green,
    stopped: style.red,
    aborted: style.yellow,
    running: style.yellow,
    planned: style.bold,
  }
  const { kind, scope, run, by, reason, startedAt, state, sentence } = report
  const links = scope.links.map(link => `"${link}"`).join(', ')
  const why = reason === undefined ? '' : `: ${visible(reason)}`
  return [
    `${style.bold(`${kind} of ${links}`)}: ${paint[state](verdictOf(report))}${sentence === undefined ? '' : `: ${visible(sentence)}`}\n`,
    style.dim(`run ${run}, by ${visible(by)}, ${startedAt.slice(0, 19)}Z${why}\n`),
    '\n',
    line('RTO', rtoWords(report)),
    line('RPO', lossWords(report)),
    line('fence', `${report.fence.state}: ${visible(report.fence.what)}`),
    line('groups', groupWords(report)),
    strandedLines(report),
    lossTable(report, style),
    ...cautions(report).map(sentence => `  ${style.yellow('!')} ${visible(sentence)}\n`),
    ...nextOf(report).map((command, index) => line(index === 0 ? 'next' : '', command)),
  ].join('')
}

/** With the steps, for whoever was not there. */
export function fullReportText(report: RunReport, style: Style): string {
  const begun = report.steps.filter(({ state }) => state !== 'waiting')
  const waiting = report.steps.filter(({ state }) => state === 'waiting').map(({ name }) => titleOf(name))
  const rest =
    waiting.length === 0 || begun.length === 0
      ? ''
      : style.dim(`          not begun: ${waiting.join(', ')}\n`)
  const steps = begun.map(step =>
    step.state === 'running' ? `${' '.repeat(10)}${progressLine(step)}\n` : stepLine(step, style),
  )
  return `${reportText(report, style)}${begun.length === 0 ? '' : '\n'}${steps.join('')}${rest}`
}

function line(label: string, text: string): string {
  return `  ${label.padEnd(6)}  ${text}\n`
}

/** What was found at a cluster that a failover had left. */
function strandedLines({ stranded, exported }: RunReport): string {
  if (stranded === undefined) return ''
  const where = exported === undefined ? '' : `; exported to ${exported}`
  return line('tail', `${strandedWords(stranded)}${where}`)
}

function groupWords({ groups, rpo }: RunReport): string {
  const repeating = groups
    .filter(({ mayRepeat }) => mayRepeat > 0)
    .toSorted((a, b) => b.mayRepeat - a.mayRepeat)
  if (groups.length === 0) return 'none'
  if (repeating.length === 0) return `${plural(groups.length, 'group')}, none sees a record again`
  const shown = repeating
    .slice(0, SHOWN)
    .map(({ group, mayRepeat }) => `"${visible(group)}" ${formatCount(mayRepeat)}`)
  const hidden = repeating.length - shown.length
  const more = hidden > 0 ? `, and ${formatCount(hidden)} more (--json has all)` : ''
  return `${formatCount(repeating.length)} of ${plural(groups.length, 'group')} may see records again${rpo.basis === 'estimate' ? ', at most' : ''}: ${shown.join(', ')}${more}`
}

function lossTable({ rpo }: RunReport, style: Style): string {
  const lossy = lossyPartitions(rpo.partitions)
  if (lossy.length === 0) return ''
  const rows = lossy
    .slice(0, SHOWN)
    .map(({ topic, partition, cut, sourceEnd, lostRecords }) => [
      `  ${topic}/${partition}`,
      formatCount(cut),
      sourceEnd < 0 ? 'not known' : formatCount(sourceEnd),
      sourceEnd < 0 ? 'not known' : formatCount(lostRecords),
    ])
  const columns = [
    { title: '  PARTITION' },
    { title: 'CUT AT', align: 'right' },
    { title: 'SOURCE END', align: 'right' },
    { title: 'UP TO LOST', align: 'right' },
  ] as const
  const hidden = lossy.length - rows.length
  const more = hidden > 0 ? style.dim(`  ... and ${formatCount(hidden)} more (--json has all)\n`) : ''
  return `\n${formatTable(columns, rows, style)}${more}\n`
}

/** Where something is lost or not known, the most first. */
export function lossyPartitions(partitions: readonly ReportedLoss[]): ReportedLoss[] {
  return partitions
    .filter(({ lostRecords, sourceEnd }) => lostRecords > 0 || sourceEnd < 0)
    .toSorted(
      (a, b) => b.lostRecords - a.lostRecords || a.topic.localeCompare(b.topic) || a.partition - b.partition,
    )
}

export function cautions(report: RunReport): string[] {
  const { stillWriting, active } = report
  const hidden = stillWriting.length - SHOWN
  const more = hidden > 0 ? ` and ${formatCount(hidden)} more (--json has all)` : ''
  const unfenced = unfencedWords(report)
  return [
    stillWriting.length === 0
      ? ''
      : `may still write to "${active}": ${stillWriting.slice(0, SHOWN).join(', ')}${more}`,
    unfenced ?? '',
    ...loweredWords(report),
  ].filter(sentence => sentence !== '')
}
