// How the demo looks: a line for each stage, with its time in front; on a terminal the line of the current stage and the
// table of the lag change in place, elsewhere only what has ended is printed, and now and then how far the mirror is.

import type { DemoReport, Watcher } from '../demo/report.ts'
import type { HomeReport } from '../demo/home.ts'
import type { LagRow } from '../demo/observe.ts'
import { DEMO_TOPICS } from '../demo/topics.ts'
import type { App, Writer } from './app.ts'
import { formatCount, formatDuration, plural } from './format.ts'
import { reportText } from './move/run-text.ts'
import { formatTable, type Style, styleOf } from './table.ts'

export interface ClosableWatcher extends Watcher {
  /** Leaves nothing half-drawn. */
  close(): void
}

const REDRAW_MS = 80
const REPEAT_MS = 2_000
const INDENT = ' '.repeat(10)

export function watchOn(out: Writer, app: App): ClosableWatcher {
  const style = styleOf(out, app.env)
  out.write(`${INTRODUCTION}\n\n`)
  return out.isTerminal ? new LiveWatcher(out, app, style) : new PlainWatcher(out, app, style)
}

const INTRODUCTION =
  'A Kafka cluster dies, its consumers go on at the standby that kdr keeps; it comes back, and all go home. Under two minutes.'

class LiveWatcher implements ClosableWatcher {
  readonly #out: Writer
  readonly #app: App
  readonly #style: Style
  #text = ''
  #rows: readonly LagRow[] = []
  #drawn = 0
  #nextAt = 0

  constructor(out: Writer, app: App, style: Style) {
    this.#out = out
    this.#app = app
    this.#style = style
  }

  begin(text: string): void {
    this.#nextAt = 0
    this.update(text)
  }

  update(text: string): void {
    this.#text = text
    this.#drawCurrent()
  }

  note(text: string): void {
    this.#nextAt = 0
    this.update(text)
  }

  lag(rows: readonly LagRow[]): void {
    this.#rows = rows
    this.#drawCurrent()
  }

  end(text: string, ms: number): void {
    this.#draw([stageLine(text, ms, this.#style), ...this.#table()])
    this.#out.write('\n')
    this.#drawn = 0
    this.#rows = []
  }

  close(): void {
    if (this.#drawn > 0) this.#out.write('\n')
    this.#drawn = 0
  }

  #drawCurrent(): void {
    const now = this.#app.clock.monotonic()
    if (now < this.#nextAt) return
    this.#nextAt = now + REDRAW_MS
    const line = `${INDENT}${this.#text} ...`.slice(0, (this.#out.columns ?? 80) - 1)
    this.#draw([this.#style.dim(line), ...this.#table()])
  }

  #table(): string[] {
    return this.#rows.length === 0 ? [] : lagTable(this.#rows, this.#style)
  }

  /** Over what was drawn last; the cursor stays on the last line. */
  #draw(lines: readonly string[]): void {
    const up = this.#drawn > 1 ? `\u001b[${this.#drawn - 1}A` : ''
    this.#out.write(`\r${up}\u001b[J${lines.join('\n')}`)
    this.#drawn = lines.length
  }
}

class PlainWatcher implements ClosableWatcher {
  readonly #out: Writer
  readonly #app: App
  readonly #style: Style
  #rows: readonly LagRow[] = []
  #nextAt = 0

  constructor(out: Writer, app: App, style: Style) {
    this.#out = out
    this.#app = app
    this.#style = style
  }

  begin(): void {
    this.#nextAt = this.#app.clock.monotonic() + REPEAT_MS
  }

  update(): void {}

  note(text: string): void {
    this.#out.write(`${INDENT}${text}\n`)
  }

  lag(rows: readonly LagRow[]): void {
    this.#rows = rows
    if (this.#app.clock.monotonic() < this.#nextAt) return
    this.#nextAt += REPEAT_MS
    const behind = rows.map(row => `${row.topic} ${formatCount(row.behind)}`).join(', ')
    this.#out.write(`${INDENT}records behind: ${behind}\n`)
  }

  end(text: string, ms: number): void {
    const table = this.#rows.length === 0 ? [] : lagTable(this.#rows, this.#style)
    this.#out.write(`${[stageLine(text, ms, this.#style), ...table].join('\n')}\n`)
    this.#rows = []
  }

  close(): void {}
}

function stageLine(text: string, ms: number, style: Style): string {
  return `${style.dim(formatDuration(ms).padStart(8))}  ${text}`
}

function lagTable(rows: readonly LagRow[], style: Style): string[] {
  const table = formatTable(
    [
      { title: 'TOPIC' },
      { title: 'KIND' },
      { title: 'EAST', align: 'right' },
      { title: 'WEST', align: 'right' },
      { title: 'BEHIND', align: 'right' },
    ],
    rows.map(({ topic, source, target, behind }) => [
      topic,
      DEMO_TOPICS.find(({ name }) => name === topic)?.kind ?? '',
      formatCount(source),
      formatCount(target),
      behind === 0 ? style.green('0') : style.yellow(formatCount(behind)),
    ]),
    style,
  )
  return table
    .trimEnd()
    .split('\n')
    .map(line => `${INDENT}  ${line}`)
}

export function printReport(out: Writer, app: App, report: DemoReport): void {
  const style = styleOf(out, app.env)
  const { repeated } = report
  const line = (title: string, text: string) => out.write(`${style.bold(title.padStart(8))}  ${text}\n`)
  out.write('\n')
  line('lost', lostText(report))
  line('repeated', repeated === 0 ? 'nothing' : `${plural(repeated, 'record')} reached the group twice`)
  line('at west', presentText(report))
  if (report.home !== undefined) line('at home', homeText(report.home))
  // What was broken on purpose took its time as well.
  if (report.broken === undefined) line('took', tookText(report))
  out.write(`\n${indented(reportText(report.run, style))}`)
  out.write(report.ok ? goodEnd(report, style) : badEnd(report, style))
}

function indented(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map(line => (line === '' ? '\n' : `  ${line}\n`))
    .join('')
}

function lostText({ lost }: DemoReport): string {
  if (lost.records === 0) return 'nothing: all that east had acknowledged was copied before it died'
  const last = lost.ms < 1 ? 'in the last millisecond' : `the last ${formatDuration(lost.ms)}`
  return `${plural(lost.records, 'record')}, ${last} before the crash: acknowledged by east, and not copied yet`
}

function presentText({ present, superseded, unacknowledged, problems }: DemoReport): string {
  const where = problems === 0 ? ', each at the offset that east had acknowledged' : ''
  const notes = [
    ...(superseded > 0
      ? [`${formatCount(superseded)} more were compacted away: their keys were written again`]
      : []),
    ...(unacknowledged > 0
      ? [`${formatCount(unacknowledged)} came whose acknowledgement the crash cut off`]
      : []),
  ]
  return [`${plural(present, 'record')}${where}`, ...notes].join(`\n${INDENT}`)
}

function homeText({ stranded, exported, rpo, present, problems }: HomeReport): string {
  const found = `${plural(stranded.records, 'record')} came back with east that nobody else had: ${plural(exported.records, 'record')} exported`
  const held = `${plural(present, 'record')} at east again${problems === 0 ? ', each at its offset' : `, and ${plural(problems, 'problem')}`}`
  return `${found}\n${INDENT}${held}; the failover's report says: ${formatCount(rpo.records)} lost (${rpo.basis})`
}

function tookText({ seconds }: DemoReport): string {
  return (
    `${seconds.firstRecord} s from the kill to the first record read at west; ${seconds.total} s in all\n` +
    `${INDENT}(here nobody had to notice and to decide: with your clusters that comes on top)`
  )
}

function goodEnd({ lost }: DemoReport, style: Style): string {
  const held = 'nothing was repeated, and no offset has moved.'
  const sentence =
    lost.records === 0 ? `Nothing was lost, ${held}` : `Only what was in flight was lost, ${held}`
  return `\n${style.green('✓')} ${sentence}\n\n${nextSteps()}`
}

function badEnd({ problems, firstProblems, broken, repeated }: DemoReport, style: Style): string {
  const lines = firstProblems.map(
    ({ topic, partition, offset, what }) =>
      `${style.red('✗')} ${style.bold(`${topic}/${partition} offset ${offset}`)} ${what}`,
  )
  if (problems > firstProblems.length)
    lines.push(`  and ${formatCount(problems - firstProblems.length)} more`)
  if (problems === 0 && repeated > 0) lines.push(`${style.red('✗')} the group has read records twice`)
  if (broken !== undefined) {
    const { topic, partition, offset } = broken
    const isFound = firstProblems.some(
      each => each.topic === topic && each.partition === partition && each.offset === offset,
    )
    lines.push(
      `  That is the record that BREAK=lose-one has cut out of west's disk, at ${topic}/${partition} offset ${offset}: ` +
        (isFound ? 'found, as it must be.' : style.red('it was not found.')),
    )
  }
  return `\n${lines.join('\n')}\n`
}

/** From a checkout the program is `./kdr`. */
const KDR = import.meta.url.endsWith('.ts') ? './kdr' : 'kdr'

function nextSteps(): string {
  return [
    'Next, with your own clusters:',
    `  ${KDR} init --from east-1:9092 --from west-1:9092    writes kdr.yaml, with what it finds there`,
    `  ${KDR} run                                           mirrors, until you stop it`,
    `  ${KDR} status --watch                                shows where every topic stands`,
    `  ${KDR} verify LINK                                   compares both sides, record by record`,
    '',
  ].join('\n')
}
