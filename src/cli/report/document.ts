// A report as data: what whoever is responsible asks for, each figure with what it was held against. Pure; printed as text, as Markdown
// or as a page. What is not known is called so, and never left out.
import { rpoObjectiveOf } from '../../model/objectives.ts'
import type { RunSummary } from '../../model/runs.ts'
import { countsOf } from '../check/text.ts'
import { formatBytes, formatCount, formatDuration, plural } from '../format.ts'
import { silentSentence } from '../move/known-runs.ts'
import { NOT_KNOWN, type Section } from '../runbook/document.ts'
import { lastRunOfLink, lastRunOfPlan, rtoObjectiveOf, rtoVerdict } from '../status/objectives.ts'
import { isWrong } from '../status/standing.ts'
import { day, duration, list, minute, minuteOf, table, tableOr, text } from './blocks.ts'
import { history } from './history.ts'
import { inPeriod, type ReportedRun, type ReportFacts } from './facts.ts'

export type ReportDocument = {
  readonly title: string
  /** When, of what, and by what. */
  readonly origin: string
  readonly sections: readonly Section[]
}

export function reportDocument(facts: ReportFacts): ReportDocument {
  const { at, sinceMs, kdr } = facts
  return {
    title: `Disaster recovery of Kafka: ${day(at - sinceMs)} to ${day(at)}`,
    origin: `Written ${minute(at)} UTC by kdr ${kdr}. Runs and what was done by hand are those of the period; everything else is as it is now.`,
    sections: [
      summary(facts),
      objectives(facts),
      history(facts),
      runs(facts),
      stopped(facts),
      losses(facts),
      interventions(facts),
      backups(facts),
      readiness(facts),
      accepted(facts),
      unseen(facts),
    ].filter(each => each !== undefined),
  }
}

function summary(facts: ReportFacts): Section {
  const { links, sets, check, runs: all } = facts
  const seen = links.flatMap(({ standing }) => standing.value ?? [])
  const wrong = seen.filter(isWrong).length
  const dark = links.length - seen.length
  const late = sets.filter(({ state }) => state !== 'current' && state !== 'unscheduled').length
  const readinessLine =
    check.value === undefined
      ? `Readiness: ${NOT_KNOWN} (${check.unknown})`
      : `Readiness: ${check.value.ready}, ${countsOf(check.value.findings)}; ${plural(check.value.accepted.length, 'finding')} accepted`
  return {
    title: 'At a glance',
    blocks: [
      list([
        readinessLine,
        `${plural(links.length, 'link')}: ${wrong} faulted or beyond an objective${dark === 0 ? '' : `, ${dark} ${NOT_KNOWN}`}`,
        all.value === undefined ? `Runs: ${NOT_KNOWN} (${all.unknown})` : runsLine(facts),
        `Losses accepted in the period: ${plural(
          lossRows(facts).reduce((sum, { offsets }) => sum + offsets, 0),
          'offset',
        )}`,
        `${plural(sets.length, 'backup set')}: ${late === 0 ? 'none late or in trouble' : `${late} late or in trouble`}`,
      ]),
    ],
  }
}

function runsLine({ runs: all, at, sinceMs, recent }: ReportFacts): string {
  const some = inPeriod(all.value ?? [], at - sinceMs)
  // A run of a plan costs what the runs of its links do: those are counted.
  const counted = recent.filter(({ summary: { plan } }) => plan === undefined)
  const lost = counted.reduce((sum, { cost }) => sum + (cost.value?.rpo.records ?? 0), 0)
  const open = some.filter(({ state }) => state !== 'done' && state !== 'aborted').length
  const isAll = recent.length === some.length && counted.every(({ cost }) => cost.value !== undefined)
  return `${plural(some.length, 'run')}: ${open} not over, ${lost === 0 ? 'nothing' : `up to ${plural(lost, 'record')}`} lost${isAll ? '' : ', as far as is known'}`
}

function objectives(facts: ReportFacts): Section {
  const { links, config, runs: all } = facts
  const rows = [
    ...links.map(({ name, standing: { value } }) => {
      const rpo = value?.rpoObjectiveMs ?? rpoObjectiveOf(config, name)
      const last = lastRunOfLink(all.value ?? [], name)
      return [
        `link ${name}`,
        duration(rpo),
        duration(value?.rpoMs ?? null),
        rpo === undefined ? '-' : (value?.rpoObjectiveState ?? NOT_KNOWN),
        ...rtoCells(rtoObjectiveOf(config, name), last),
      ]
    }),
    ...Object.entries(config.plans).map(([name, plan]) => [
      `plan ${name}`,
      duration(plan.objectives.rpoMs),
      '-',
      '-',
      ...rtoCells(plan.objectives.rtoMs, lastRunOfPlan(all.value ?? [], name)),
    ]),
  ]
  return {
    title: 'Objectives, and what is measured',
    blocks: [
      ...tableOr(
        'The config has no links.',
        ['of', 'RPO at most', 'RPO now', 'RPO is', 'RTO at most', 'last RTO', 'RTO was', 'by run'],
        rows,
      ),
      text(
        'RPO: what would be lost if the active side died now, in time; a link is held against the strictest that concerns it, each topic against its own. RTO: from the start of the last run to when applications could write again. How the RPO was over the period stands below, as far as kdr has kept it; finer figures are with whoever stores `kdr_link_rpo_seconds`.',
      ),
    ],
  }
}

function rtoCells(limitMs: number | undefined, last: RunSummary | undefined): string[] {
  if (last?.rtoMs === undefined) return [duration(limitMs), 'never measured', '-', '-']
  return [
    duration(limitMs),
    formatDuration(last.rtoMs),
    rtoVerdict(last.rtoMs, limitMs) ?? '-',
    `${last.run} (${last.startedAt.slice(0, 10)})`,
  ]
}

function runs({ runs: all, silent, recent, at, sinceMs }: ReportFacts): Section {
  const title = 'Runs'
  if (all.value === undefined) return { title, blocks: [text(`Not known: ${all.unknown}.`)] }
  const more = inPeriod(all.value, at - sinceMs).length - recent.length
  return {
    title,
    blocks: [
      ...tableOr(
        'There was no switchover, failover or failback in the period.',
        ['started (UTC)', 'run', 'kind', 'of', 'moved', 'state', 'RTO', 'lost, up to', 'by', 'why'],
        recent.map(runRow),
      ),
      ...silent.map(cluster => text(`${silentSentence(cluster)}.`)),
      ...(more > 0 ? [text(`... and ${plural(more, 'older run')} (kdr runs list).`)] : []),
    ],
  }
}

function runRow({ summary: run, cost: { value: cost } }: ReportedRun): string[] {
  const lost =
    cost === undefined
      ? NOT_KNOWN
      : `${plural(cost.rpo.records, 'record')}${cost.rpo.records === 0 ? '' : `, ${formatDuration(cost.rpo.ms)}`} (${cost.rpo.basis})`
  return [
    minuteOf(run.startedAt),
    run.run,
    run.kind,
    run.plan === undefined ? run.link : `plan ${run.plan}`,
    `${run.active} → ${run.standby}`,
    run.state,
    duration(run.rtoMs),
    lost,
    cost?.by ?? NOT_KNOWN,
    cost === undefined ? NOT_KNOWN : whyOf(cost),
  ]
}

function whyOf({ reason, acceptedSplitBrain }: NonNullable<ReportedRun['cost']['value']>): string {
  return `${reason ?? 'none given'}${acceptedSplitBrain ? ' (without a fence: accepted)' : ''}`
}

function stopped({ links }: ReportFacts): Section {
  const rows = links.flatMap(({ name, standing }) =>
    (standing.value?.topics ?? []).flatMap(topic =>
      topic.partitions
        .filter(({ state }) => state === 'faulted')
        .map(({ partition, reason, sentence }) => [
          name,
          `${topic.name}/${partition}`,
          reason ?? NOT_KNOWN,
          sentence ?? '-',
        ]),
    ),
  )
  return {
    title: 'Partitions that are stopped now',
    blocks: tableOr('None.', ['link', 'partition', 'reason', 'what'], rows),
  }
}

type LossRow = { readonly offsets: number; readonly cells: readonly string[] }

/** Those of the period that the status still shows, newest first. */
function lossRows({ links, at, sinceMs }: ReportFacts): LossRow[] {
  return links
    .flatMap(({ name, standing }) =>
      (standing.value?.topics ?? []).flatMap(topic =>
        topic.partitions.flatMap(({ partition, ledger = [] }) =>
          ledger.map(loss => ({ loss, link: name, where: `${topic.name}/${partition}` })),
        ),
      ),
    )
    .filter(({ loss }) => Date.parse(loss.at) >= at - sinceMs)
    .toSorted((a, b) => Date.parse(b.loss.at) - Date.parse(a.loss.at))
    .map(({ loss: { from, to, cause, by, at: when, why }, link, where }) => ({
      offsets: to - from,
      cells: [
        minuteOf(when),
        link,
        where,
        `${formatCount(from)} to ${formatCount(to - 1)}`,
        cause,
        by,
        why ?? 'none given',
      ],
    }))
}

function losses(facts: ReportFacts): Section {
  const isCut = facts.links.some(({ standing }) =>
    standing.value?.topics.some(({ partitions }) =>
      partitions.some(({ ledger = [], lostRanges = 0 }) => lostRanges > ledger.length),
    ),
  )
  return {
    title: 'Losses that were accepted',
    blocks: [
      ...tableOr(
        'None in the period.',
        ['at (UTC)', 'link', 'partition', 'offsets', 'cause', 'by', 'why'],
        lossRows(facts).map(({ cells }) => cells),
      ),
      ...(isCut
        ? [text('Of some partitions only the newest are here; all are with `kdr verify LINK --json`.')]
        : []),
    ],
  }
}

function interventions({ journals }: ReportFacts): Section {
  const rows = journals
    .flatMap(({ link, entries }) => (entries.value ?? []).map(entry => ({ link, entry })))
    .toSorted((a, b) => b.entry.at - a.entry.at)
    .map(({ link, entry: { at, by, verb, state, what, outcome, reason } }) => [
      minute(at),
      link,
      verb,
      by,
      outcome ?? what,
      state,
      reason ?? 'none given',
    ])
  return {
    title: 'What was done to links by hand or by a policy',
    blocks: tableOr(
      'Nothing in the period.',
      ['at (UTC)', 'link', 'verb', 'by', 'what', 'state', 'why'],
      rows,
    ),
  }
}

function backups({ sets, at }: ReportFacts): Section {
  const rows = sets.map(set => [
    set.name,
    `${set.cluster} → ${set.vault}`,
    set.state,
    set.lastCommit === null ? '-' : String(set.lastCommit),
    duration(set.ageMs ?? undefined),
    duration(set.objectiveMs ?? undefined),
    set.verifiedAt === null ? 'never' : `${formatDuration(Math.max(0, at - Date.parse(set.verifiedAt)))} ago`,
    set.bytes === null ? '-' : formatBytes(set.bytes),
  ])
  return {
    title: 'Backups',
    blocks: tableOr(
      'The config has no backup sets.',
      ['set', 'of', 'state', 'last commit', 'age', 'at most', 'fully verified', 'stored'],
      rows,
    ),
  }
}

function readiness({ check }: ReportFacts): Section {
  const title = 'Readiness now (kdr check)'
  if (check.value === undefined) return { title, blocks: [text(`Not known: ${check.unknown}.`)] }
  const { ready, findings } = check.value
  return {
    title,
    blocks: [
      text(`${ready}: ${countsOf(findings)}.`),
      ...(findings.length === 0
        ? []
        : table(
            ['finding', 'severity', 'where', 'what'],
            findings.map(({ id, severity, where, message }) => [id, severity, where, message]),
          )),
    ],
  }
}

function accepted({ check }: ReportFacts): Section | undefined {
  if (check.value === undefined) return undefined
  return {
    title: 'Findings that were accepted, and do not count',
    blocks: tableOr(
      'None.',
      ['finding', 'where', 'what', 'until', 'why'],
      check.value.accepted.map(({ id, where, message, accepted: { until, why } }) => [
        id,
        where,
        message,
        until?.slice(0, 10) ?? 'for ever',
        why,
      ]),
    ),
  }
}

/** Undefined: everything was seen. */
function unseen({ links, journals, recent }: ReportFacts): Section | undefined {
  const items = [
    ...links.flatMap(({ name, standing: { unknown } }) =>
      unknown === undefined ? [] : [`link ${name}: ${unknown}`],
    ),
    ...journals.flatMap(({ link, entries: { unknown } }) =>
      unknown === undefined ? [] : [`what was done to link ${link}: ${unknown}`],
    ),
    ...recent.flatMap(({ summary: { run }, cost: { unknown } }) =>
      unknown === undefined ? [] : [`run ${run}: ${unknown}`],
    ),
  ]
  return items.length === 0 ? undefined : { title: 'What could not be looked at', blocks: [list(items)] }
}
