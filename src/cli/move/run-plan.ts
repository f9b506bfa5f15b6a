// A plan as a person reads it before approving it, and as it is kept in the report: what is in the way first, then what moves,
// what it costs, what has to be done by hand, and from where on there is no way back.
import { isPlanned, type Plan, type PlannedGroup, POINT_OF_NO_RETURN } from '../../model/runs.ts'
import { formatCount, formatDuration, plural } from '../format.ts'
import { divergedTopics } from '../../model/stranded.ts'
import { strandedWords, titleOf, visible } from './run-words.ts'
import { type Column, formatTable, type Style } from '../table.ts'

/** Rows of a table and names of a list that a screen holds. */
const SHOWN = 10

export function planText(plan: Plan, style: Style): string {
  return [
    heading(plan, style),
    refusals(plan, style),
    summary(plan),
    losses(plan, style),
    stranded(plan, style),
    groups(plan, style),
    transactions(plan, style),
    producers(plan, style),
    byHand(plan, style),
    wayBack(plan),
  ]
    .filter(part => part !== '')
    .join('\n')
}

function heading({ kind, link, active, standby, isActiveThere, isHome }: Plan, style: Style): string {
  if (isHome === true)
    return `${style.bold(`${kind} of link "${link}"`)}: applications stay on "${active}", and "${standby}" becomes its standby again\n`
  const dark = isActiveThere ? '' : `, which does not answer,`
  return `${style.bold(`${kind} of link "${link}"`)}: applications move from "${active}"${dark} to "${standby}"\n`
}

function refusals({ refusals: found }: Plan, style: Style): string {
  if (found.length === 0) return ''
  const lines = found.map(sentence => `${style.red('✗')} ${visible(sentence)}\n`)
  return `${style.red('it must not begin:')}\n${lines.join('')}`
}

function summary(plan: Plan): string {
  if (plan.isHome === true) return `copies ${plural(plan.topics, 'topic')} to "${plan.standby}" again\n`
  const { topics, groups: all, heldBack, standby, expected } = plan
  const carried = all.filter(({ state }) => state !== 'not-carried').length
  const rules =
    heldBack === 0 ? '' : `; ${plural(heldBack, 'ACL')} held back so far will apply on "${standby}"`
  return [
    `moves  ${plural(topics, 'topic')}, ${plural(carried, 'group')}${rules}`,
    `loss   ${expectedLoss(plan)}`,
    `time   ${expectedTime(expected)}`,
    '',
  ].join('\n')
}

/** A tenth of a second of an estimate says nothing. */
function expectedTime(expected: Plan['expected']): string {
  if (expected === undefined) return 'not known'
  const { ms, run } = expected
  const about = ms < 60_000 ? `${Math.ceil(ms / 1_000)} s` : formatDuration(ms)
  const basis = run === undefined ? 'as in the lab; hooks and redirects come on top' : `as run ${run}`
  return `about ${about}, until applications can write again (${basis})`
}

function expectedLoss({ loss, active, isActiveThere }: Plan): string {
  const unknown = loss.partitions.filter(({ sourceEnd }) => sourceEnd < 0).length
  const blind = unknown === 0 ? '' : `; of ${plural(unknown, 'partition')} nothing is known`
  const basis = isActiveThere ? 'as of now' : `estimate: "${active}" does not answer`
  const what =
    loss.records === 0
      ? isActiveThere
        ? 'none'
        : 'none that is known of'
      : `up to ${plural(loss.records, 'record')}, at most ${formatDuration(loss.ms)} old`
  return `${what}${blind} (${basis})`
}

/** What the cluster that has come back has, and the active has not. */
function stranded({ stranded: found, standby }: Plan, style: Style): string {
  if (found === undefined) return ''
  const columns: Column[] = [
    { title: 'DIVERGED' },
    { title: 'FROM', align: 'right' },
    { title: 'END', align: 'right' },
    { title: 'RECORDS', align: 'right' },
    { title: 'OLDEST' },
    { title: 'NEWEST' },
  ]
  const diverged = found.partitions.filter(({ state }) => state === 'diverged')
  const rows = diverged.map(({ topic, partition, cut, end, records, from, to }) => [
    `${topic}/${partition}`,
    formatCount(cut),
    formatCount(end),
    formatCount(records),
    from ?? '-',
    to ?? '-',
  ])
  const whys = diverged
    .filter(({ why }) => why !== undefined)
    .slice(0, SHOWN)
    .map(({ topic, partition, why = '' }) => `${style.yellow('!')} "${topic}/${partition}": ${why}\n`)
  const topics = divergedTopics(found)
  const anew =
    topics.length === 0
      ? ''
      : `${style.yellow('!')} on "${standby}" these topics are exported, deleted, and copied anew: ${names(topics)}\n`
  return `tail   ${strandedWords(found)}\n${table({ columns, style }, rows)}${whys.join('')}${anew}`
}

function losses({ loss }: Plan, style: Style): string {
  const sorted = loss.topics.toSorted((a, b) => b.records - a.records || a.topic.localeCompare(b.topic))
  const columns: Column[] = [{ title: 'TOPIC' }, { title: 'MAY BE LOST', align: 'right' }]
  const unknown = new Set(loss.partitions.filter(each => each.sourceEnd < 0).map(({ topic }) => topic))
  return table(
    { columns, style },
    sorted.map(({ topic, records }) => [
      topic,
      records === 0 && unknown.has(topic) ? 'not known' : formatCount(records),
    ]),
  )
}

const GROUP_STATES = { 'in-step': 'in step', behind: 'behind', 'not-carried': 'not carried' } as const

function groups({ groups: all }: Plan, style: Style): string {
  const gravity = (each: PlannedGroup): number => (each.mayBeAhead ? 1e15 : 0) + each.mayRepeat
  const notable = all
    .filter(each => each.mayRepeat > 0 || each.mayBeAhead || each.state === 'not-carried')
    .toSorted((a, b) => gravity(b) - gravity(a) || a.group.localeCompare(b.group))
  const columns: Column[] = [
    { title: 'GROUP' },
    { title: 'STATE' },
    { title: 'MAY REPEAT', align: 'right' },
    { title: 'MEMBERS', align: 'right' },
  ]
  const rows = notable.map(({ group, state, mayRepeat, members }) => [
    visible(group),
    GROUP_STATES[state],
    formatCount(mayRepeat),
    members < 0 ? '-' : formatCount(members),
  ])
  const ahead = all.filter(({ mayBeAhead }) => mayBeAhead).map(({ group }) => visible(group))
  const warning =
    ahead.length === 0
      ? ''
      : `${style.yellow('!')} members of ${names(ahead)} may have read what is lost: restart them, or they do what their auto.offset.reset says\n`
  return `${table({ columns, style }, rows)}${warning}`
}

function transactions({ transactions: open }: Plan, style: Style): string {
  const columns: Column[] = [
    { title: 'OPEN TRANSACTION' },
    { title: 'STATE' },
    { title: 'AGE', align: 'right' },
    { title: 'PARTITIONS', align: 'right' },
  ]
  const rows = open
    .toSorted((a, b) => b.ageMs - a.ageMs)
    .map(({ transactionalId, state, ageMs, partitions }) => [
      visible(transactionalId),
      state,
      formatDuration(ageMs),
      formatCount(partitions),
    ])
  return table({ columns, style }, rows)
}

function producers({ producers: writing }: Plan, style: Style): string {
  if (writing.length === 0) return ''
  const columns: Column[] = [
    { title: 'PRODUCER ID', align: 'right' },
    { title: 'PARTITIONS', align: 'right' },
    { title: 'LAST WROTE', align: 'right' },
  ]
  const rows = writing
    .toSorted((a, b) => a.lastSeenMs - b.lastSeenMs)
    .map(({ producerId, partitions, lastSeenMs }) => [
      producerId,
      formatCount(partitions),
      `${formatDuration(lastSeenMs)} ago`,
    ])
  return `${plural(writing.length, 'producer')} at work: restart each one after the redirect; one that only reconnects may lose records\n${table({ columns, style }, rows)}`
}

function byHand({ missingUsers, leftBehind, warnings, active, standby }: Plan, style: Style): string {
  const lines = [
    missingUsers.length === 0 ? '' : `users that "${standby}" lacks: ${names(missingUsers)}`,
    leftBehind.length === 0 ? '' : `topics that stay behind on "${active}": ${names(leftBehind)}`,
    ...warnings,
  ].filter(line => line !== '')
  return lines.map(line => `${style.yellow('!')} ${visible(line)}\n`).join('')
}

function wayBack({ kind, standby, active, isHome }: Plan): string {
  if (isHome === true) return ''
  const step = titleOf(POINT_OF_NO_RETURN)
  if (isPlanned(kind))
    return (
      `giving up is free until the step "${step}", and until "promote" it costs one marker more in each\n` +
      `partition on "${active}". From there on the way back is \`kdr failback\`.\n`
    )
  return (
    `giving up is free until the step "${step}". From there on each partition on "${standby}" holds\n` +
    `one marker more than on "${active}", and the way back is \`kdr failback\`.\n`
  )
}

/** Nothing without rows. */
function table(
  { columns, style }: { readonly columns: readonly Column[]; readonly style: Style },
  rows: readonly (readonly string[])[],
): string {
  if (rows.length === 0) return ''
  return `${formatTable(columns, rows.slice(0, SHOWN), style)}${style.dim(more(rows.length))}`
}

function names(all: readonly string[]): string {
  const hidden = all.length - SHOWN
  const shown = all.slice(0, SHOWN).map(name => `"${name}"`)
  return `${shown.join(', ')}${hidden > 0 ? ` and ${formatCount(hidden)} more (--json has all)` : ''}`
}

function more(count: number): string {
  return count > SHOWN ? `... and ${formatCount(count - SHOWN)} more (--json has all)\n` : ''
}
