// A run as one page to keep, to send and to print (A4): no scripts, nothing from elsewhere, so that it reads the same in ten
// years. All that comes from outside is escaped; a policy in the page forbids the rest. Times are UTC.
import { isPastReturn, type ReportedStep, type RunReport, STEPS } from '../../model/runs.ts'
import { formatCount, formatDuration, plural } from '../format.ts'
import { capital, escape, page, section, utc, whoAndWhy } from '../page.ts'
import { planText } from './run-plan.ts'
import { cautions, lossyPartitions } from './run-text.ts'
import {
  betweenSteps,
  isRedirected,
  lossWords,
  rtoWords,
  strandedWords,
  titleOf,
  verdictOf,
} from './run-words.ts'
import { PLAIN } from '../table.ts'

/** Partitions and groups that the page lists; the JSON has all. */
const ROWS = 200

export function reportHtml(report: RunReport): string {
  const title = `${report.kind} of ${report.scope.links.join(', ')}, ${report.startedAt.slice(0, 10)}`
  return page(
    title,
    [
      header(report),
      figures(report),
      notes(report),
      durations(report),
      loss(report),
      groups(report),
      fence(report),
      timeline(report),
      whoAndWhy(report, [['Topics', report.scope.topics?.join(', ') ?? 'all of the link']]),
      plan(report),
    ].filter(part => part !== ''),
  )
}

function header(report: RunReport): string {
  const { kind, scope, active, standby, state, run, startedAt, sentence } = report
  return `<header class="${state}">
<p>${escape(capital(kind))} of ${scope.links.map(link => `"${escape(link)}"`).join(', ')}: ${escape(active)} → ${escape(standby)}</p>
<h1>${escape(capital(verdictOf(report)))}</h1>${
    sentence === undefined
      ? ''
      : `
<p>${escape(capital(sentence))}</p>`
  }
<p class="quiet">Run ${escape(run)}, ${escape(utc(startedAt))} UTC</p>
</header>`
}

function figures(report: RunReport): string {
  const { rto, rpo, fence: fenced, groups: all, state } = report
  const repeating = all.filter(({ mayRepeat }) => mayRepeat > 0).length
  const lost = `${rpo.records === 0 ? '' : 'up to '}${formatCount(rpo.records)}`
  const basis = isPastReturn(report.steps)
    ? rpo.basis
    : state === 'aborted'
      ? 'nothing has moved'
      : 'as planned'
  const figure = (label: string, value: string, detail: string): string =>
    `<div><dt>${label}</dt><dd>${escape(value)}<small>${escape(detail)}</small></dd></div>`
  return `<dl class="figures">
${figure('RTO', formatDuration(rto.ms), isRedirected(report) ? 'until applications could write again' : 'so far')}
${figure('RPO', lost, `records lost, ${basis}`)}
${figure('Fence', fenced.state, 'of the old active against applications')}
${figure('Groups', formatCount(repeating), `of ${formatCount(all.length)} may see records again`)}
</dl>`
}

function notes(report: RunReport): string {
  const sentences = cautions(report)
  if (sentences.length === 0) return ''
  return `<ul class="notes">${sentences.map(sentence => `<li>${escape(capital(sentence))}</li>`).join('')}</ul>`
}

const BAR_WIDTH = 400
const BAR_HEIGHT = 12

/** Where the time went. Drawn, not coloured in by CSS: browsers leave backgrounds out when they print. */
function durations(report: RunReport): string {
  const begun = report.steps.filter(({ state, ms }) => state !== 'waiting' && (state !== 'skipped' || ms > 0))
  if (begun.length === 0) return ''
  const betweenMs = betweenSteps(report)
  const longest = Math.max(1, betweenMs, ...begun.map(({ ms }) => ms))
  const row = (label: string, ms: number, kind: string): string => {
    const width = Math.max(ms > 0 ? 1 : 0, Math.round((ms / longest) * BAR_WIDTH))
    return `<tr class="${kind}"><th scope="row">${escape(label)}</th><td class="bar"><svg viewBox="0 0 ${BAR_WIDTH} ${BAR_HEIGHT}" preserveAspectRatio="none" aria-hidden="true"><rect width="${width}" height="${BAR_HEIGHT}"/></svg></td><td class="number">${escape(formatDuration(ms))}</td></tr>`
  }
  const redirect = STEPS.indexOf('redirect')
  const isAfter = ({ name }: ReportedStep): boolean => isRedirected(report) && STEPS.indexOf(name) > redirect
  const kindOf = (step: ReportedStep): string => {
    if (step.state === 'failed') return 'failed'
    if (isAfter(step)) return 'aside'
    return step.name === report.rto.dominatedBy ? 'longest' : 'step'
  }
  const rows = [
    ...begun.map(step =>
      row(`${titleOf(step.name)}${isAfter(step) ? ', after that' : ''}`, step.ms, kindOf(step)),
    ),
    ...(betweenMs > 0 ? [row('between steps', betweenMs, 'aside')] : []),
  ]
  return section(
    'Where the time went',
    `<p>${escape(capital(rtoWords(report)))}.</p><table class="bars">${rows.join('')}</table>`,
  )
}

function loss(report: RunReport): string {
  const { rpo, active, steps } = report
  const { stranded, exported } = report
  const where = exported === undefined ? '' : `; exported to ${exported}`
  const tail =
    stranded === undefined ? '' : `<p>${escape(`Stranded: ${strandedWords(stranded)}${where}`)}.</p>`
  const sentence = `<p>${escape(capital(lossWords(report)))}.</p>${tail}`
  const lossy = lossyPartitions(rpo.partitions)
  if (lossy.length === 0) return section('What is lost', sentence)
  const number = (count: number): string => `<td class="number">${escape(formatCount(count))}</td>`
  const unknown = '<td class="number">not known</td>'
  const rows = lossy
    .slice(0, ROWS)
    .map(
      ({ topic, partition, cut, sourceEnd, lostRecords }) =>
        `<tr><td>${escape(topic)}</td>${number(partition)}${number(cut)}${sourceEnd < 0 ? unknown + unknown : number(sourceEnd) + number(lostRecords)}</tr>`,
    )
  const cut = isPastReturn(steps)
    ? `Cut: from this offset on the standby has nothing of "${active}"; the marker that fenced the link stands there.`
    : `Cut: what the standby had when this was planned.`
  const note = `${cut} Lost: offsets from there to the end of the source. Some of them may be markers of transactions, so it is at most so many records.`
  return section(
    'What is lost',
    `${sentence}<table>
<thead><tr><th>Topic</th><th class="number">Partition</th><th class="number">Cut</th><th class="number">Source end</th><th class="number">Lost, up to</th></tr></thead>
<tbody>${rows.join('\n')}${moreRow(lossy.length, 5)}</tbody>
<tfoot><tr><th scope="row" colspan="4">Total</th>${number(rpo.records)}</tr></tfoot>
</table><p class="quiet">${escape(note)}</p>`,
  )
}

function groups({ groups: all }: RunReport): string {
  const repeating = all
    .filter(({ mayRepeat }) => mayRepeat > 0)
    .toSorted((a, b) => b.mayRepeat - a.mayRepeat || a.group.localeCompare(b.group))
  if (repeating.length === 0) {
    const none = all.length === 0 ? 'None' : `${plural(all.length, 'group')}; none sees a record again`
    return section('Consumer groups', `<p>${escape(none)}.</p>`)
  }
  const rows = repeating
    .slice(0, ROWS)
    .map(
      ({ group, mayRepeat }) =>
        `<tr><td>${escape(group)}</td><td class="number">${escape(formatCount(mayRepeat))}</td></tr>`,
    )
  return section(
    'Consumer groups',
    `<p>${escape(`${formatCount(repeating.length)} of ${plural(all.length, 'group')} may see records again, below what they had committed.`)}</p><table>
<thead><tr><th>Group</th><th class="number">May repeat, up to</th></tr></thead><tbody>${rows.join('\n')}${moreRow(repeating.length, 2)}</tbody></table>`,
  )
}

const FENCE_MEANING = {
  proven: 'Proven: every leader was asked with the credentials of an application, and refused.',
  configured:
    'Configured: done as the config says; nobody tried to write with the credentials of an application.',
  none: 'None: nothing was seen to keep applications from writing to the old active.',
} as const

function fence({ fence: { state, what } }: RunReport): string {
  return section('Fence', `<p>${escape(FENCE_MEANING[state])}</p><p>${escape(capital(what))}.</p>`)
}

function timeline({ steps, startedAt: start }: RunReport): string {
  /** The day only where it is another one. */
  const time = (iso: string): string =>
    iso.slice(0, 10) === start.slice(0, 10) ? utc(iso).slice(11) : utc(iso)
  const rows = steps.map(
    ({ name, state, startedAt, ms, what }) =>
      `<tr class="${state}"><td class="time">${escape(startedAt === null ? '' : time(startedAt))}</td><td>${escape(titleOf(name))}</td><td>${escape(state)}</td><td class="number">${escape(state === 'waiting' ? '' : formatDuration(ms))}</td><td>${escape(what)}</td></tr>`,
  )
  return section(
    'Timeline',
    `<table class="timeline"><thead><tr><th>UTC</th><th>Step</th><th>State</th><th class="number">Took</th><th>What</th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`,
  )
}

function plan({ plan: shown }: RunReport): string {
  if (shown === undefined) return ''
  const at = new Date(shown.at).toISOString()
  return section(
    'The plan, as it was shown',
    `<p class="quiet">${escape(utc(at))} UTC</p><pre>${escape(planText(shown, PLAIN))}</pre>`,
  )
}

function moreRow(count: number, columns: number): string {
  if (count <= ROWS) return ''
  return `<tr><td colspan="${columns}" class="quiet">${escape(`... and ${formatCount(count - ROWS)} more (--json has all)`)}</td></tr>`
}
