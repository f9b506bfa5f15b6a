// What `kdr check` says: the verdict, then the reasons, gravest first, each with what was seen and what mends it. In 80 columns; colour
// is never the only signal.
import type { AcceptedFinding } from '../../engine/check/accept.ts'
import type { CheckReport } from '../../engine/check/check.ts'
import type { RackLoss } from '../../engine/check/racks.ts'
import { type Finding, FINDINGS, type FindingSpec, type Severity } from '../../model/findings.ts'
import { formatCount, plural } from '../format.ts'
import { formatTable, type Style } from '../table.ts'
import { wrap, wrapCommand } from '../wrap.ts'

/** Findings of one kind that are shown; --json has all. */
const SHOWN = 5

export function checkText(report: CheckReport, style: Style): string {
  const groups = groupsOf(report.findings)
  const parts = [
    verdictLine(report, style),
    ...groups.map(group => groupText(group, style)),
    racksText(report.racks, style),
    acceptedText(report.accepted, style),
    groups.length === 0 ? '' : style.dim('what each means, and how it comes about: docs/findings\n'),
  ]
  return parts.filter(part => part !== '').join('\n')
}

const MARKS: Readonly<Record<Severity, string>> = { error: '✗', warning: '!', info: '·' }

function verdictLine(report: CheckReport, style: Style): string {
  const paint = { READY: style.green, 'AT RISK': style.yellow, 'NOT READY': style.red }[report.ready]
  return wrap(`${report.ready}: ${countsOf(report.findings)} in ${scopeOf(report)}`, '  ', '').replace(
    report.ready,
    style.bold(paint(report.ready)),
  )
}

export function countsOf(findings: readonly Pick<Finding, 'severity'>[]): string {
  const of = (severity: Severity): number => findings.filter(each => each.severity === severity).length
  const parts = [
    of('error') > 0 ? plural(of('error'), 'error') : '',
    of('warning') > 0 ? plural(of('warning'), 'warning') : '',
    of('info') > 0 ? plural(of('info'), 'note') : '',
  ].filter(part => part !== '')
  return parts.length === 0 ? 'nothing found' : parts.join(', ')
}

export function scopeOf({ looked: { clusters, links, sets } }: Pick<CheckReport, 'looked'>): string {
  const parts = [
    clusters.length > 0 ? plural(clusters.length, 'cluster') : '',
    links.length > 0 ? plural(links.length, 'link') : '',
    sets.length > 0 ? plural(sets.length, 'set') : '',
  ].filter(part => part !== '')
  return parts.length === 0 ? 'what was compared' : parts.join(', ')
}

export type Group = readonly [Finding, ...Finding[]]

/** Of one id and gravity, in the order of the findings. */
export function groupsOf(findings: readonly Finding[]): Group[] {
  return [...Map.groupBy(findings, ({ id, severity }) => `${severity} ${id}`).values()] as unknown as Group[]
}

export const titleOf = ({ id }: Pick<Finding, 'id'>): string => (FINDINGS[id] as FindingSpec).title

export const isCommand = (hint: string): boolean => /^(kdr|kafka-[a-z-]+\.sh) /.test(hint)

function groupText(group: Group, style: Style): string {
  const [first] = group
  const paint = { error: style.red, warning: style.yellow, info: style.dim }[first.severity]
  const heading = `${paint(`${MARKS[first.severity]} ${first.id}`)} ${style.bold(titleOf(first))}\n`
  const shown = group.slice(0, SHOWN)
  const bodies = shown.map((each, index) => {
    // A way out that is the same for all of them stands behind the last.
    const isLast = index === shown.length - 1 || shown[index + 1]?.hint !== each.hint
    return findingText(each, isLast, style)
  })
  const rest = group.length - shown.length
  const more = rest > 0 ? style.dim(`  ... and ${formatCount(rest)} more (--json has all)\n`) : ''
  return `${heading}${bodies.join('')}${more}`
}

function findingText({ message, where, evidence, hint }: Finding, hasHint: boolean, style: Style): string {
  const lines = evidence.map(line => wrap(line, '      ', '    - ')).join('')
  const out = isCommand(hint) ? wrapCommand(hint, '    ', '  → ') : wrap(hint, '    ', '  → ')
  return `${wrap(message, '  ')}${style.dim(`${wrap(where, '    ')}${lines}`)}${hasHint ? out : ''}`
}

function racksText(racks: readonly RackLoss[], style: Style): string {
  const byCluster = [...Map.groupBy(racks, ({ cluster }) => cluster)]
  return byCluster.map(([cluster, some]) => clusterRacks(cluster, some, style)).join('\n')
}

function clusterRacks(cluster: string, racks: readonly RackLoss[], style: Style): string {
  const rows = racks.map(rack => [
    rack.rack,
    rack.brokers.join(', '),
    formatCount(rack.leaders),
    formatCount(rack.withoutLeader.length),
    formatCount(rack.refusesAcksAll.length),
    formatCount(rack.losesAcksOne.length),
    rack.quorumSurvives === null ? 'not known' : rack.quorumSurvives ? 'go on' : style.red('stop'),
  ])
  const table = formatTable(
    [
      { title: 'RACK' },
      { title: 'BROKERS' },
      { title: 'LEADERS', align: 'right' },
      { title: 'NO LEADER', align: 'right' },
      { title: 'NO ACKS=ALL', align: 'right' },
      { title: 'ACKS=1 LOST', align: 'right' },
      { title: 'CONTROLLERS' },
    ],
    rows,
    style,
  )
  return `partitions of ${cluster} that would suffer without one rack:\n${table}`
}

function acceptedText(accepted: readonly AcceptedFinding[], style: Style): string {
  if (accepted.length === 0) return ''
  const lines = accepted.slice(0, SHOWN).map(({ id, message, accepted: { until, why } }) => {
    const when = until === null ? '' : ` until ${until.slice(0, 10)}`
    return wrap(`${id} ${message}; accepted${when}: ${why}`, '    ', '  · ')
  })
  const rest = accepted.length - lines.length
  const more = rest > 0 ? `  ... and ${formatCount(rest)} more (--json has all)\n` : ''
  return style.dim(`accepted, and not counted:\n${lines.join('')}${more}`)
}
