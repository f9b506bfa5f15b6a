// What `kdr restore` says before and after, as text and as JSON.
import type { RestorePlan, RestoreProgress, RestoreReport } from '../app-vault.ts'
import { formatBytes, formatCount, formatDuration, formatTime, plural } from '../format.ts'
import { formatTable, type Style } from '../table.ts'

const SHOWN = 30

export function progressText({ offsets, offsetsLeft, records, bytes }: RestoreProgress): string {
  const percent = offsets === 0 ? 100 : Math.floor(((offsets - offsetsLeft) / offsets) * 100)
  return `restoring: ${percent} % of ${plural(offsets, 'offset')}, ${plural(records, 'record')}, ${formatBytes(bytes)}`
}

export function planJson({
  asOf,
  isResumed,
  rights,
  conflicts: _conflicts,
  notes: _notes,
  ...plan
}: RestorePlan) {
  return {
    ...plan,
    asOf: new Date(asOf).toISOString(),
    rights: rights ?? null,
    cannot: cannotOf({ ...plan, rights }),
    resumed: isResumed,
  }
}

/** What cannot be restored, and why. */
function cannotOf({
  rights,
  groupsOccupied,
  target,
}: Pick<RestorePlan, 'rights' | 'groupsOccupied' | 'target'>): string[] {
  return [
    ...(rights?.cannot ?? []),
    ...groupsOccupied.map(
      group => `group "${group}" has members at "${target}": it is left alone, unless they are stopped first`,
    ),
  ]
}

export function planText(plan: RestorePlan, style: Style): string {
  const columns = [
    { title: 'TOPIC' },
    { title: 'PARTITIONS', align: 'right' },
    { title: 'OFFSETS', align: 'right' },
    { title: 'RECORDS', align: 'right' },
    { title: 'BYTES', align: 'right' },
  ] as const
  const rows = plan.topics
    .slice(0, SHOWN)
    .map(({ name, partitions, offsets, records, bytes }) => [
      name,
      formatCount(partitions),
      formatCount(offsets),
      formatCount(records),
      formatBytes(bytes),
    ])
  const more = plan.topics.length - rows.length
  const notes = plan.notes
    .filter(({ kind }) => kind === 'lost' || kind === 'unread')
    .map(({ topic, what }) => `${topic === undefined ? '' : `"${topic}": `}${what}`)
  const went = plan.wentBack.map(
    ({ topic, partition, from, to }) =>
      `"${topic}" partition ${partition} goes back from offset ${from} to ${to}`,
  )
  const said = [...notes, ...cannotOf(plan), ...plan.remarks, ...went, ...retentionLines(plan)]
  const bytes = plan.topics.reduce((sum, each) => sum + each.bytes, 0)
  const rights =
    plan.rights === undefined
      ? ''
      : `, ${plural(plan.rights.acls, 'ACL')}, ${plural(plan.rights.quotas, 'quota')}`
  const all = `${plural(plan.topics.length, 'topic')}, ${formatBytes(bytes)}, ${plural(plan.groups, 'group')}${rights}`
  return [
    formatTable(columns, rows, style),
    more > 0 ? style.dim(`... and ${plural(more, 'topic')} more (--json has all)\n`) : '',
    ...said.slice(0, SHOWN).map(what => `${style.yellow('!')} ${what}\n`),
    said.length > SHOWN ? style.dim(`... and ${said.length - SHOWN} more (--json has all)\n`) : '',
    ...plan.conflicts.slice(0, SHOWN).map(({ what }) => `${style.red('✗')} ${what}\n`),
    `\n${plan.set}, commit ${plan.commit}, as of ${formatTime(plan.asOf)} → "${plan.target}": ${all}, in about ${formatDuration(plan.expectedMs)} (${basisOf(plan)})${plan.isResumed ? '; goes on with what was begun' : ''}\n`,
  ].join('')
}

function basisOf({ expectedBy }: RestorePlan): string {
  if (expectedBy === null)
    return 'a guess: no backup of the set was large enough to tell how fast it goes here'
  return `as fast as commit ${expectedBy.commit} was backed up, ${formatBytes(expectedBy.bytesPerMs * 1_000)} a second`
}

function retentionLines({ retention, keepsRetention }: RestorePlan): string[] {
  return retention.map(({ topic, config, value, records }) => {
    const had = value === null ? `${config} of its brokers` : `${config}=${value}`
    return keepsRetention
      ? `"${topic}" stays at ${config}=-1: ${had} would take about ${plural(records, 'record')} at once (--original-retention lets it)`
      : `"${topic}" gets ${had} back, which takes about ${plural(records, 'record')} at once`
  })
}

export function reportText(
  plan: RestorePlan,
  report: RestoreReport,
  { ms, style }: { readonly ms: number; readonly style: Style },
): string {
  const written = `${plural(report.records, 'record')}, ${formatBytes(report.bytes)}, ${plural(report.groups, 'group')} in ${formatDuration(ms)}`
  const left = [...report.groupsLeft.map(({ what }) => what), ...report.rightsLeft, ...report.configsLeft]
  return [
    ...left.slice(0, SHOWN).map(what => `${style.yellow('!')} ${what}\n`),
    ...report.problems.slice(0, SHOWN).map(what => `${style.red('✗')} ${what}\n`),
    ...(plan.keepsRetention && report.verified ? plan.retention.map(releaseLine) : []),
    report.verified
      ? `${style.green(`"${plan.target}" holds what ${plan.set} held`)}, verified record by record: ${written}\n`
      : `${style.red(`"${plan.target}" does not hold what ${plan.set} held`)}: ${plural(report.problems.length, 'problem')}; ${written}\n`,
  ].join('')
}

function releaseLine({ topic, config, value }: RestorePlan['retention'][number]): string {
  const change = value === null ? `--delete-config ${config}` : `--add-config ${config}=${value}`
  return `to give "${topic}" its retention back: kafka-configs.sh --alter --entity-type topics --entity-name ${topic} ${change}\n`
}
