// The page of `kdr status --watch`: from what was seen last to the lines of a terminal. Pure. What needs a look comes first; a mark and
// a word say what a colour says.
import type { CheckReport } from '../../../engine/check/check.ts'
import type { GroupStatus } from '../../../engine/status/groups.ts'
import type { RunSummary } from '../../../model/runs.ts'
import type { SetStatus } from '../../../model/set-status.ts'
import { countsOf } from '../../check/text.ts'
import { formatCount, formatDuration, plural } from '../../format.ts'
import { visible } from '../../move/run-words.ts'
import { isWrong, type LinkStanding, objectiveSentence, QUIET_GROUPS } from '../standing.ts'
import { type Column, formatTable, type Style } from '../../table.ts'
import { type Sample, sparkline } from './history.ts'
import { clip, fit, fold, type Line, painted, type Section, type Size, type Tone } from './lines.ts'
import type { Seen } from './poll.ts'

export type WatchView = {
  /** ms since 1970. */
  readonly now: number
  readonly links: readonly Seen<LinkStanding>[]
  /** Of a link, by its name. */
  readonly history: (link: string) => readonly Sample[]
  readonly runs: Seen<readonly RunSummary[]>
  readonly sets: readonly Seen<SetStatus>[]
  /** Undefined: only some links are watched. */
  readonly check: Seen<CheckReport> | undefined
}

/** A picture that is older than it should be says so. */
const OLD_MS = { links: 6_000, runs: 30_000, sets: 180_000, check: 600_000 } as const
/** A source that was seen before that may be in trouble. */
const UNSEEN_MS = 10_000
const NAME_WIDTH = 16
const RUN_WIDTH = 30
const SPARK_TITLE = 'RPO, LAST 5 MIN'
/** Lines of what is said of one thing. */
const NOTE_LINES = 3
const GROUPS_NAMED = 3

/** No line is longer than the terminal is wide, and there are no more than it is high. */
export function watchPage(view: WatchView, size: Size, style: Style): string[] {
  const sections = [
    linksSection(view, size),
    groupsSection(view, size),
    runsSection(view, size),
    setsSection(view, size),
    checkSection(view, size),
  ]
  const head = [header(view, size), { text: '', tone: 'plain' as const }]
  const lines = [
    ...head,
    ...fit(
      sections.filter(each => each !== undefined),
      size.rows - head.length,
    ),
  ]
  return lines.slice(0, size.rows).map(line => painted(line, size.columns, style))
}

function header({ now }: WatchView, { columns }: Size): Line {
  const left = 'kdr status --watch'
  const right = `${new Date(now).toISOString().slice(0, 19).replace('T', ' ')} UTC   q ends`
  return {
    text: `${left}${' '.repeat(Math.max(2, columns - left.length - right.length))}${right}`,
    tone: 'plain',
  }
}

const MARKS: Readonly<Record<Tone, string>> = { good: '✓', watch: '!', bad: '✗', plain: ' ', quiet: '·' }
const GRAVITY: Readonly<Record<Tone, number>> = { bad: 0, watch: 1, quiet: 2, good: 3, plain: 3 }

type Row = { readonly tone: Tone; readonly cells: readonly string[]; readonly notes: readonly string[] }

/** What needs a look first; what is said of a row stands below it. */
function tableSection(columns: readonly Column[], rows: readonly Row[], { columns: width }: Size): Section {
  const sorted = rows.toSorted((a, b) => GRAVITY[a.tone] - GRAVITY[b.tone])
  const cells = sorted.map(row => [MARKS[row.tone], ...row.cells])
  const [title = '', ...texts] = formatTable([{ title: '' }, ...columns], cells)
    .trimEnd()
    .split('\n')
  return {
    title: { text: title, tone: 'quiet' },
    items: sorted.map(({ tone, notes }, index) => [
      { text: texts[index] ?? '', tone },
      ...notes.flatMap(note => noteLines(note, tone, width)),
    ]),
  }
}

const INDENT = '   '

const noteLines = (note: string, tone: Tone, width: number): Line[] =>
  fold(visible(note), width - INDENT.length, NOTE_LINES).map(text => ({ text: `${INDENT}${text}`, tone }))

const right = (title: string): Column => ({ title, align: 'right' })
const name = (text: string): string => clip(text, NAME_WIDTH)

/** What is said of a picture that nobody could bring up to date. */
function pictureNotes({ value, at, problem }: Seen<unknown>, now: number, oldMs: number): string[] {
  if (problem !== undefined)
    return [
      value === undefined
        ? `cannot be looked at: ${problem}`
        : `as it was ${formatDuration(now - at)} ago; since then it cannot be looked at: ${problem}`,
    ]
  const isOld = value !== undefined && now - at > oldMs
  return isOld ? [`as it was ${formatDuration(now - at)} ago: whoever is asked takes long to answer`] : []
}

/** Nothing was seen yet. */
const unseen = ({ problem }: Seen<unknown>, cells: readonly string[]): Pick<Row, 'tone' | 'cells'> =>
  problem === undefined
    ? { tone: 'quiet', cells: [cells[0] ?? '', 'looking', ...cells.slice(1)] }
    : { tone: 'bad', cells: [cells[0] ?? '', 'not seen', ...cells.slice(1)] }

function linksSection(view: WatchView, size: Size): Section | undefined {
  if (view.links.length === 0) return undefined
  const columns = [
    { title: 'LINK' },
    { title: 'STATE' },
    right('BEHIND'),
    right('RPO'),
    right('AT MOST'),
    { title: SPARK_TITLE },
  ]
  return tableSection(
    columns,
    view.links.map(seen => linkRow(seen, view)),
    size,
  )
}

function linkRow(seen: Seen<LinkStanding>, { now, history }: WatchView): Row {
  const spark = sparkline(history(seen.name), now, SPARK_TITLE.length)
  const picture = pictureNotes(seen, now, OLD_MS.links)
  const { value: link } = seen
  if (link === undefined) return { ...unseen(seen, [name(seen.name), '', '', '', spark]), notes: picture }
  const { lagRecords, rpoMs, rpoObjectiveMs } = link
  const cells = [
    name(link.name),
    link.state,
    lagRecords === null ? '?' : formatCount(lagRecords),
    rpoMs === null ? '?' : formatDuration(rpoMs),
    rpoObjectiveMs === undefined ? '-' : formatDuration(rpoObjectiveMs),
    spark,
  ]
  const notes = [...picture, ...linkNotes(link, seen.at)]
  const tone = isWrong(link) || seen.problem !== undefined ? 'bad' : notes.length > 0 ? 'watch' : 'good'
  return { tone, cells, notes }
}

function linkNotes(link: LinkStanding, at: number): string[] {
  const { home, source, target, sentence, warnings, rpoObjectiveState } = link
  const [warning] = warnings
  const more = warnings.length > 1 ? ` (and ${plural(warnings.length - 1, 'more warning')})` : ''
  const objective = objectiveSentence(link)
  return [
    ...(isSmooth(link, at) ? [] : [sentence]),
    ...(objective === undefined || rpoObjectiveState === 'met' ? [] : [objective]),
    ...(home ? [] : [`leads from "${source}" to "${target}": not as the config says`]),
    ...(warning === undefined ? [] : [`${warning.kind}: ${warning.sentence}${more}`]),
  ]
}

/** Its sentence has nothing that the table does not say. */
function isSmooth({ state, topics, sourceSeenAt }: LinkStanding, at: number): boolean {
  const isSeen = sourceSeenAt !== null && at - Date.parse(sourceSeenAt) < UNSEEN_MS
  return state === 'mirroring' && isSeen && topics.every(topic => topic.state === 'mirroring')
}

function groupsSection({ links }: WatchView, { columns }: Size): Section | undefined {
  const some = links.flatMap(({ value }) => (value === undefined || value.groups.length === 0 ? [] : [value]))
  if (some.length === 0) return undefined
  return {
    title: { text: '   GROUPS', tone: 'quiet' },
    items: some.map(link => groupLines(link.name, link.groups, columns)),
  }
}

function groupLines(link: string, groups: readonly GroupStatus[], columns: number): Line[] {
  const synced = groups.filter(({ state }) => state === 'synced')
  const behind = groups.filter(({ state, reason }) => state !== 'synced' && !QUIET_GROUPS.includes(reason))
  const age =
    synced.length === 0 ? '' : `, as of ${formatDuration(Math.max(...synced.map(each => each.ageMs)))} ago`
  const tone: Tone = behind.length === 0 ? 'good' : 'watch'
  const counts = `${formatCount(synced.length)} of ${plural(groups.length, 'group')} in step${age}`
  const notes = behind
    .slice(0, GROUPS_NAMED)
    .map(
      ({ group, state, reason, sentence }) =>
        `"${group}": ${state}, ${sentence ?? reason ?? 'no reason known'}`,
    )
  const more = behind.length - notes.length
  const all = more > 0 ? [...notes, `and ${plural(more, 'group')} more`] : notes
  return [
    { text: `${MARKS[tone]}  ${link}: ${counts}`, tone },
    ...all.map(note => ({ text: `${INDENT}${clip(visible(note), columns - INDENT.length)}`, tone })),
  ]
}

/** Those that are not over. */
function runsSection({ runs, now }: WatchView, size: Size): Section {
  const open = (runs.value ?? []).filter(({ state }) => state !== 'done' && state !== 'aborted')
  const notes = pictureNotes(runs, now, OLD_MS.runs)
  if (open.length === 0) {
    const none = runs.value === undefined ? 'not known yet' : 'none known to be under way'
    const tone = runs.problem === undefined ? 'quiet' : 'bad'
    return { title: { text: `   RUNS   ${[none, ...notes].join('; ')}`, tone }, items: [] }
  }
  const rows = open.map(
    ({ run, kind, active, standby, state, startedAt, sentence }): Row => ({
      tone: state === 'stopped' ? 'bad' : 'watch',
      cells: [
        clip(run, RUN_WIDTH),
        kind,
        `${name(active)} → ${name(standby)}`,
        state,
        formatDuration(Math.max(0, now - Date.parse(startedAt))),
      ],
      notes: [...notes, ...(sentence === undefined ? [] : [sentence])],
    }),
  )
  const columns = [
    { title: 'RUN' },
    { title: 'KIND' },
    { title: 'MOVES' },
    { title: 'STATE' },
    right('SINCE'),
  ]
  return tableSection(columns, rows, size)
}

function setsSection({ sets, now }: WatchView, size: Size): Section | undefined {
  if (sets.length === 0) return undefined
  const columns = [
    { title: 'SET' },
    { title: 'STATE' },
    right('COMMIT'),
    right('AGE'),
    right('AT MOST'),
    right('VERIFIED'),
  ]
  return tableSection(
    columns,
    sets.map(seen => setRow(seen, now)),
    size,
  )
}

const SET_TONES: Readonly<Record<SetStatus['state'], Tone>> = {
  current: 'good',
  unscheduled: 'quiet',
  waiting: 'watch',
  late: 'bad',
  unverified: 'bad',
  unreachable: 'bad',
  faulted: 'bad',
}

function setRow(seen: Seen<SetStatus>, now: number): Row {
  const picture = pictureNotes(seen, now, OLD_MS.sets)
  const { value: set } = seen
  if (set === undefined) return { ...unseen(seen, [name(seen.name)]), notes: picture }
  // It has grown older since it was looked at.
  const sinceMs = Math.max(0, now - seen.at)
  const cells = [
    name(set.name),
    set.state,
    set.lastCommit === null ? '-' : String(set.lastCommit),
    set.ageMs === null ? '-' : formatDuration(set.ageMs + sinceMs),
    set.objectiveMs === null ? '-' : formatDuration(set.objectiveMs),
    set.verifiedAt === null ? '-' : `${formatDuration(Math.max(0, now - Date.parse(set.verifiedAt)))} ago`,
  ]
  const tone = picture.length > 0 ? 'bad' : SET_TONES[set.state]
  return { tone, cells, notes: [...picture, ...(tone === 'bad' ? [set.sentence] : [])] }
}

const CHECK_TONES: Readonly<Record<CheckReport['ready'], Tone>> = {
  READY: 'good',
  'AT RISK': 'watch',
  'NOT READY': 'bad',
}

/** How many findings, and the gravest: `kdr check` has all of them. */
function checkSection({ check, now }: WatchView, { columns }: Size): Section | undefined {
  if (check === undefined) return undefined
  const notes = pictureNotes(check, now, OLD_MS.check)
  const { value: report } = check
  if (report === undefined) {
    const tone = check.problem === undefined ? 'quiet' : 'bad'
    return { title: { text: `${MARKS[tone]}  CHECK  ${notes[0] ?? 'looking'}`, tone }, items: [] }
  }
  const tone = notes.length > 0 ? 'bad' : CHECK_TONES[report.ready]
  const said = `${report.ready}: ${countsOf(report.findings)}, ${formatDuration(now - check.at)} ago`
  const [worst, ...others] = report.findings
  const more = others.length === 0 ? '' : ` (and ${plural(others.length, 'more finding')}: kdr check)`
  const all = worst === undefined ? notes : [...notes, `${worst.id} ${worst.message}${more}`]
  return {
    title: { text: `${MARKS[tone]}  CHECK  ${said}`, tone },
    items: all.map(note => noteLines(note, tone, columns)),
  }
}
