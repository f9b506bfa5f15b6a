// The run of a plan as one page, in the manner of the page of a single run.
import type { PlanRunReport, ReportedPlanStep } from '../../model/plan-runs.ts'
import { formatDuration, formatCount } from '../format.ts'
import { capital, escape, page, section, utc, whoAndWhy } from '../page.ts'
import { planLossWords, planRtoWords, planVerdict } from './plan-text.ts'

export function planHtml(report: PlanRunReport): string {
  const title = `${report.kind} of plan ${report.scope.plan}, ${report.startedAt.slice(0, 10)}`
  return page(title, [header(report), figures(report), steps(report), links(report), whoAndWhy(report)])
}

function header({ kind, scope, state, sentence, run, startedAt, ...report }: PlanRunReport): string {
  const why = sentence === undefined ? '' : `\n<p>${escape(capital(sentence))}</p>`
  return `<header class="${state}">
<p>${escape(capital(kind))} of plan "${escape(scope.plan)}": ${escape(scope.links.join(', '))}</p>
<h1>${escape(capital(planVerdict({ state, steps: report.steps })))}</h1>${why}
<p class="quiet">Run ${escape(run)}, ${escape(utc(startedAt))} UTC</p>
</header>`
}

function figures(report: PlanRunReport): string {
  const { rto, rpo, fence, groups } = report
  const repeating = groups.filter(({ mayRepeat }) => mayRepeat > 0).length
  const figure = (label: string, value: string, detail: string): string =>
    `<div><dt>${label}</dt><dd>${escape(value)}<small>${escape(detail)}</small></dd></div>`
  return `<dl class="figures">
${figure('RTO', formatDuration(rto.ms), planRtoWords(report))}
${figure('RPO', formatCount(rpo.records), planLossWords(report))}
${figure('Fence', fence.state, fence.what)}
${figure('Groups', formatCount(repeating), `of ${formatCount(groups.length)} may see records again`)}
</dl>`
}

function steps({ steps: all }: PlanRunReport): string {
  const row = ({ name, state, startedAt, ms, what, active = '', standby = '' }: ReportedPlanStep): string =>
    `<tr class="${state}"><td class="time">${escape(startedAt === null ? '' : utc(startedAt))}</td><td>${escape(name)}</td><td>${escape(state)}</td><td class="number">${escape(state === 'waiting' ? '' : formatDuration(ms))}</td><td>${escape(active === '' ? what : `${active} → ${standby}: ${what}`)}</td></tr>`
  return section(
    'Links and gates, in their order',
    `<table class="timeline"><thead><tr><th>UTC</th><th>Step</th><th>State</th><th class="number">Took</th><th>What</th></tr></thead><tbody>${all.map(row).join('\n')}</tbody></table>`,
  )
}

/** Each has a page of its own. */
function links({ steps: all, runs }: PlanRunReport): string {
  const reports = new Map(runs.map(each => [each.run, each]))
  const rows = all.flatMap(({ link, run }) => {
    if (run === undefined) return []
    const report = reports.get(run)
    const lost =
      report === undefined ? 'not known' : `${formatCount(report.rpo.records)} (${report.rpo.basis})`
    const rto = report === undefined ? 'not known' : formatDuration(report.rto.ms)
    return [
      `<tr><td>${escape(link)}</td><td>${escape(run)}</td><td class="number">${escape(rto)}</td><td class="number">${escape(lost)}</td><td>${escape(`kdr runs show ${run}`)}</td></tr>`,
    ]
  })
  if (rows.length === 0) return ''
  return section(
    'Runs of the links',
    `<table><thead><tr><th>Link</th><th>Run</th><th class="number">RTO</th><th class="number">Records lost, up to</th><th>More</th></tr></thead><tbody>${rows.join('\n')}</tbody></table>`,
  )
}
