// RESULTS.md: the goals first, then what was measured, then how the contenders were set.

import { cpus, release, totalmem } from 'node:os'
import { type RunKind, STEPS } from '../src/model/runs.ts'
import type { MirrorJob } from './contenders/mirror.ts'
import { MIRRORMAKER_JVM, MIRRORMAKER_VERSION, propertiesOf } from './contenders/mirrormaker.ts'
import type { ContenderName } from './cases.ts'
import { type GoalResult, judgeGoals } from './goals.ts'
import { median } from './measure.ts'
import { type CaseReport, failuresOf, figuresOf, type MoveFigures } from './report.ts'
import type { Settings } from './settings.ts'
import { BROKER_JVM, FOLLOWER_THREADS, LINE, SLOW_MS } from './stage.ts'

export type Surroundings = {
  readonly commit: string
  readonly kafkaVersion: string
  readonly javaVersion: string
  /** Of one minute: at the start, when nothing of the bench runs yet. */
  readonly loadAtStart: number
  readonly startedAt: Date
  readonly endedAt: Date | undefined
}

export type Run = {
  readonly settings: Settings
  readonly surroundings: Surroundings
  readonly reports: readonly CaseReport[]
  /** Cases that are still to come. */
  readonly pending: readonly string[]
}

const NAMES: Readonly<Record<ContenderName, string>> = {
  kdr: 'kdr',
  mirrormaker: 'MirrorMaker 2',
  follower: 'follower',
  produce: 'Produce alone',
}

export function writeResults(run: Run): string {
  const { reports } = run
  return [
    '# Results of `make bench`',
    introduction(run),
    '## To reach',
    goalsTable(judgeGoals(reports)),
    ...sectionOf(reports, 'copy', '## Backlogs', BACKLOG_NOTE),
    ...sectionOf(reports, 'lag', '## Lag', LAG_NOTE),
    ...sectionOf(reports, 'idle', '## Idle partitions', IDLE_NOTE),
    ...sectionOf(reports, 'move', '## Moves', MOVE_NOTE),
    ...sectionOf(reports, 'backup', '## Backups', BACKUP_NOTE),
    ...sectionOf(reports, 'point', '## A point among commits', POINT_NOTE),
    ...sectionOf(reports, 'failed', '## Could not be measured', ''),
    '## How the contenders were set',
    contendersNote(),
  ]
    .filter(part => part !== '')
    .join('\n\n')
    .concat('\n')
}

function introduction({ settings, surroundings, pending }: Run): string {
  const { commit, kafkaVersion, javaVersion, loadAtStart, startedAt, endedAt } = surroundings
  const gib = (totalmem() / 2 ** 30).toFixed(0)
  return [
    `Machine: ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}, ${gib} GiB, Linux ${release()}; brokers, contenders and judge share it.`,
    `Load average before the start: ${loadAtStart.toFixed(2)}.`,
    `Versions: kdr at ${commit}, Node ${process.version}, Kafka brokers ${kafkaVersion}, MirrorMaker 2 ${MIRRORMAKER_VERSION}, Java ${javaVersion}.`,
    `Rounds: ${settings.rounds}; ${settings.sizeMb} MB of values a backlog (the smaller cases take a part of it). ${timesOf(startedAt, endedAt)}`,
    settings.isProfiling ? 'kdr ran under a profiler: its figures are worse than they are.' : '',
    pending.length === 0 ? '' : `Not run yet: ${pending.join(', ')}.`,
  ]
    .filter(line => line !== '')
    .join('\n')
}

function timesOf(startedAt: Date, endedAt: Date | undefined): string {
  return `From ${startedAt.toISOString()} to ${endedAt?.toISOString() ?? 'now'}.`
}

function goalsTable(results: readonly GoalResult[]): string {
  const rows = results.map(({ goal, ratios, ratio, verdict }) => {
    const sign = goal.as === 'rate' || goal.as === 'own rate' ? '≥' : '≤'
    const unit = goal.as === 'seconds' ? ' s' : '×'
    const wish = goal.wished === undefined ? '' : `, ${goal.wished} wished`
    return [
      goal.what,
      'against' in goal ? NAMES[goal.against] : '',
      goal.bound === undefined ? 'stated' : `${sign} ${goal.bound}${unit}${wish}`,
      ratio === undefined ? '-' : `${digits(ratio)}${unit}`,
      ratios.length < 2
        ? ''
        : `${ratios.map(each => `${each.name} ${digits(each.ratio)}`).join(', ')} (${goal.counts})`,
      verdict,
    ]
  })
  return table(['', 'against', 'to reach', 'reached', 'of', ''], rows)
}

const BACKLOG_NOTE = `*Seconds* run from the first look at which the target held something to the one at which it held everything (the judge looks every
20 ms at the high watermarks; the follower's log files are looked at instead), scaled to the whole backlog. They leave out the start of the
process, which for a JVM is several seconds and says nothing about a daemon; the column *from start* has it. *MB/s* are bytes of the source's
log. *CPU* is that of the contender's process in the same span, in seconds per GB of the source's log; *all CPU* from its start. The
follower works inside the brokers, so its CPU and memory cannot be told from theirs; *from start* is until all partitions were in sync. *Brokers' CPU* is that
of all brokers in the span, per GB. *Produce alone* is no mirror: a program sends the backlog, which lies in its memory, as fast as the target's brokers take it. They check every
record of a batch that a client sends, compressed or not, and a follower's they do not: whoever is not a broker cannot be faster than that.`

const LAG_NOTE = `Per record: readable at the target minus readable at the source, both seen by consumers of one process, by one clock.
What a round shows is a percentile over all its records; the table has the median of the rounds.`

const IDLE_NOTE = `*Ready*: from the start of the process until every mirror holds what its source holds. *CPU* of one core, while nothing happens.
*New record*: from its acknowledgement at the source until it can be read at the target.`

const MOVE_NOTE = `\`kdr run\` has mirrored everything and goes on; the groups are in step. A switchover; and, with topics of its own, a failover with a config in
which nothing listens where the active cluster should be. *RTO* is that of the run's report: from the approval to the end of the redirect
(there is none here, so that nothing else is measured). *Without the watch*: a fence by \`fence.command\` (\`true\` here) has the source's ends stand still for longer than the
brokers' session timeout, in a switchover; kdr can do nothing about that. *Command*: from the start of the process to its end.`

const BACKUP_NOTE = `One commit of the topic into a vault in a folder of the same disk, with every object synced; the follower is the broker's own, as above. *Seconds*
of kdr are the command's own, from the first request to the commit. The restore goes to the other cluster, its seconds are counted as those of a backlog, and so are those
of a link with the same topic and target. *Puts*: objects created for each GB of the source's log, what a bucket would charge as requests; besides these a backup
asks for the vault's record, a list of commits, and the commits since the last checkpoint.`

const POINT_NOTE = `From opening the vault's folder to the state of the set at a moment: the commit is found, and what is needed of the commits before it is read.
Nine moments spread over all commits; the median, and the slowest.`

function sectionOf(
  reports: readonly CaseReport[],
  kind: CaseReport['kind'],
  title: string,
  note: string,
): string[] {
  const some = reports.filter(report => report.kind === kind)
  return some.length === 0 ? [] : [title, note, ...some.map(textOf)]
}

function textOf(report: CaseReport): string {
  const heading = `### \`${report.of.name}\`: ${report.of.title}`
  switch (report.kind) {
    case 'failed':
      return `${heading}\n\n${report.failure}`
    case 'copy':
      return [heading, copyTable(report), roundsOf(report, 'seconds', 's'), failuresIn(report)]
        .filter(part => part !== '')
        .join('\n\n')
    case 'lag':
      return [heading, lagTable(report), roundsOf(report, 'p99', 'ms'), failuresIn(report)]
        .filter(part => part !== '')
        .join('\n\n')
    case 'idle':
      return [heading, idleTable(report), roundsOf(report, 'readySeconds', 's'), failuresIn(report)]
        .filter(part => part !== '')
        .join('\n\n')
    case 'backup':
      return [heading, backupTable(report), roundsOf(report, 'seconds', 's'), failuresIn(report)]
        .filter(part => part !== '')
        .join('\n\n')
    case 'point':
      return [heading, pointTable(report), roundsOf(report, 'pointSeconds', 's'), failuresIn(report)]
        .filter(part => part !== '')
        .join('\n\n')
    case 'move':
      return [
        heading,
        moveTable(report),
        stepsTable(report),
        roundsOf(report, 'switchoverOwnSeconds', 's'),
        roundsOf(report, 'failoverSeconds', 's'),
        failuresIn(report),
      ]
        .filter(part => part !== '')
        .join('\n\n')
  }
}

type Measured = Exclude<CaseReport, { kind: 'failed' }>
type Of<Kind> = Extract<CaseReport, { kind: Kind }>

function copyTable({ of, data, attempts }: Of<'copy'>): string {
  const gb = data.bytes / 1e9
  const own = middle(figuresOf(attempts, 'kdr'), 'seconds')
  const rows = of.contenders.map(contender => {
    const figures = figuresOf(attempts, contender)
    const seconds = middle(figures, 'seconds')
    return [
      NAMES[contender],
      digits((gb * 1000) / seconds),
      digits(seconds),
      spread(figures.map(each => each.seconds)),
      digits(middle(figures, 'wholeSeconds')),
      digits(middle(figures, 'cpuSeconds') / gb),
      digits(middle(figures, 'wholeCpuSeconds') / gb),
      digits(middle(figures, 'brokerCpuSeconds') / gb),
      digits(middle(figures, 'peakMb')),
      contender === 'kdr' ? '' : `${digits(seconds / own)}×`,
    ]
  })
  const titles = [
    '',
    'MB/s',
    'seconds',
    'spread',
    'from start',
    'CPU s/GB',
    'all CPU s/GB',
    "brokers' CPU s/GB",
    'peak MB',
    'kdr is faster by',
  ]
  const size = `${data.records} records, ${(data.bytes / 1e6).toFixed(0)} MB in ${data.partitions} partitions of the source's log.`
  return `${size}\n\n${table(titles, rows)}`
}

function lagTable({ of, attempts }: Of<'lag'>): string {
  const rows = of.contenders.map(contender => {
    const figures = figuresOf(attempts, contender)
    const columns = ['p50', 'p90', 'p99', 'max', 'cpuPercent', 'peakMb'] as const
    return [NAMES[contender], ...columns.map(name => digits(middle(figures, name)))]
  })
  return table(['', 'p50 ms', 'p90 ms', 'p99 ms', 'max ms', 'CPU %', 'peak MB'], rows)
}

function idleTable({ of, attempts }: Of<'idle'>): string {
  const rows = of.contenders.map(contender => {
    const figures = figuresOf(attempts, contender)
    const columns = ['readySeconds', 'cpuPercent', 'peakMb', 'newRecordMs'] as const
    return [NAMES[contender], ...columns.map(name => digits(middle(figures, name)))]
  })
  return table(['', 'ready s', 'CPU %', 'peak MB', 'new record ms'], rows)
}

function backupTable({ of, data, attempts }: Of<'backup'>): string {
  const mb = data.bytes / 1e6
  const rows = of.contenders.map(contender => {
    const figures = figuresOf(attempts, contender)
    const rate = (name: 'seconds' | 'restoreSeconds' | 'linkSeconds'): string =>
      digits(mb / middle(figures, name))
    const columns = ['cpuSeconds', 'peakMb', 'restorePeakMb', 'putsPerGb', 'storedMbPerGb'] as const
    return [
      NAMES[contender],
      rate('seconds'),
      rate('restoreSeconds'),
      rate('linkSeconds'),
      ...columns.map(name => digits(middle(figures, name))),
    ]
  })
  const titles = [
    '',
    'backup MB/s',
    'restore MB/s',
    'link MB/s',
    'CPU s',
    'peak MB',
    'restore peak MB',
    'puts a GB',
    'MB stored a GB',
  ]
  const size = `${data.records} records, ${mb.toFixed(0)} MB in ${data.partitions} partitions of the source's log.`
  return `${size}\n\n${table(titles, rows)}`
}

function pointTable({ of, attempts }: Of<'point'>): string {
  const figures = figuresOf(attempts, 'kdr')
  const row = [digits(middle(figures, 'pointSeconds')), digits(middle(figures, 'slowestPointSeconds'))]
  return table(['commits', 'found in s', 'slowest s'], [[String(of.commits), ...row]])
}

function moveTable({ attempts }: Of<'move'>): string {
  const figures = figuresOf(attempts, 'kdr')
  const row = (
    kind: RunKind,
    rto: keyof MoveFigures,
    own: keyof MoveFigures,
    command: keyof MoveFigures,
  ): string[] => [
    kind,
    digits(middle(figures, rto)),
    digits(middle(figures, own)),
    spread(figures.map(each => each[own] ?? NaN)),
    digits(middle(figures, command)),
    spread(figures.map(each => each[command] ?? NaN)),
  ]
  return table(
    ['', 'RTO s', 'without the watch s', 'spread', 'command s', 'spread'],
    [
      row('switchover', 'switchoverSeconds', 'switchoverOwnSeconds', 'switchoverCommandSeconds'),
      row('failover', 'failoverSeconds', 'failoverSeconds', 'failoverCommandSeconds'),
    ],
  )
}

function stepsTable({ attempts }: Of<'move'>): string {
  const figures = figuresOf(attempts, 'kdr')
  const rows = STEPS.map(step => [
    step,
    ...(['switchover', 'failover'] as const).flatMap(kind => [
      digits(middle(figures, `${kind} ${step}`)),
      spread(figures.map(each => each[`${kind} ${step}`] ?? NaN)),
    ]),
  ])
  return table(['step', 'switchover ms', 'spread', 'failover ms', 'spread'], rows)
}

/** The raw figures, so that a reader may take other means. */
function roundsOf(report: Measured, figure: string, unit: string): string {
  const lines = report.of.contenders.map(contender => {
    const all: readonly { contender: ContenderName }[] = report.attempts
    const values = all
      .filter(each => each.contender === contender)
      .map(each =>
        'figures' in each ? digits((each.figures as Record<string, number>)[figure] ?? NaN) : 'failed',
      )
    return `${NAMES[contender]} ${values.join(' ')}`
  })
  return `By round, ${figure} (${unit}): ${lines.join('; ')}.`
}

function failuresIn(report: Measured): string {
  return report.of.contenders
    .flatMap(contender =>
      failuresOf<object>(report.attempts, contender).map(
        failure => `- ${NAMES[contender]} failed in ${failure}`,
      ),
    )
    .join('\n')
}

function contendersNote(): string {
  const job: MirrorJob = {
    label: 'lz4-1',
    source: { bootstrap: 'SOURCE' },
    target: { bootstrap: 'TARGET' },
    topics: 'bench-lz4',
    partitions: 6,
    replicationFactor: 1,
    compression: 'lz4',
    aim: 'throughput',
    dir: '',
    workers: 1,
    isProfiled: false,
  }
  const properties = Object.entries(propertiesOf(job)).map(([key, value]) => `${key}=${value}`)
  return [
    'kdr: its defaults; `kdr run --once` for a backlog, `kdr run` for the rest and for several workers.',
    `MirrorMaker 2: \`java ${MIRRORMAKER_JVM.join(' ')}\`, started anew with fresh state in each round; compressed as the source is, and \`linger.ms=0\` where lag is measured. In the case \`lz4\`:`,
    `\`\`\`properties\n${properties.join('\n')}\n\`\`\``,
    `Follower: a second broker of the source cluster is made a replica of every partition; \`num.replica.fetchers=${FOLLOWER_THREADS}\`, otherwise the defaults.`,
    `Brokers: \`${BROKER_JVM.join(' ')}\`; one node each is broker and controller; logs on the machine's disk. Before the first round of theirs they take one backlog from kdr that is not counted: a JVM that has just begun is slow. The slow follower stands still (SIGSTOP) for ${SLOW_MS} ms of every ${SLOW_MS * 2}.`,
    `Long line: a proxy before the source's broker delays every byte by ${LINE.delayMs} ms each way and lets ${LINE.windowBytes / 1024} KiB of a connection be under way. It is part of the bench's own process.`,
  ].join('\n\n')
}

function middle<Figures extends object>(figures: readonly Figures[], name: keyof Figures & string): number {
  return median(figures.map(each => Number((each as Readonly<Record<string, unknown>>)[name] ?? NaN)))
}

function spread(values: readonly number[]): string {
  return values.length === 0 ? '-' : `${digits(Math.min(...values))} to ${digits(Math.max(...values))}`
}

/** Three that matter; `-` for what there is not. */
function digits(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const size = Math.abs(value)
  return value.toFixed(size >= 100 || value === 0 ? 0 : size >= 10 ? 1 : 2)
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n')
}
