// How the RPO of each link and set was, day by day, as far as kdr has kept it. Pure.
import { type DaySummary, withinRatio } from '../../model/objective-days.ts'
import { formatDuration, formatShare, plural } from '../format.ts'
import type { Section } from '../runbook/document.ts'
import { day, duration, table, text } from './blocks.ts'
import type { ReportFacts } from './facts.ts'

/** Undefined: nothing is kept of any link or set. */
export function history({ links, sets, at, sinceMs }: ReportFacts): Section | undefined {
  const all = [
    ...links.map(({ name, standing: { value } }) => ({ of: `link ${name}`, kept: value?.history })),
    ...sets.map(({ name, history: kept }) => ({ of: `set ${name}`, kept })),
  ]
  const rows = all.flatMap(({ of, kept }) => {
    const days = (kept?.days ?? []).filter(each => each.day >= day(at - sinceMs))
    if (days.length === 0) return []
    const ofAll = days.length === 1 ? [] : [historyRow(of, plural(days.length, 'day'), summedUp(days))]
    return [...ofAll, ...days.toReversed().map(each => historyRow(of, each.day, each))]
  })
  if (rows.length === 0) return undefined
  return {
    title: 'How the RPO was',
    blocks: [
      ...table(['of', 'day (UTC)', 'worst RPO', 'within the objectives', 'seen for'], rows),
      text(
        'Of a link as the process saw it that did its control work, every 10 s: time of which nobody knows how far behind a partition was, or when no kdr ran, is left out. Kept for 30 days, at the target that the link has now. Of a set the RPO is the age of its newest commit, held against its schedule; the times of its commits tell it, whoever ran.',
      ),
    ],
  }
}

function historyRow(
  of: string,
  when: string,
  { worstRpoMs, withinRatio: ratio, knownMs }: DaySummary,
): string[] {
  return [
    of,
    when,
    duration(worstRpoMs),
    ratio === null ? '-' : formatShare(ratio),
    ratio === null ? '-' : formatDuration(knownMs),
  ]
}

function summedUp(days: readonly DaySummary[]): DaySummary {
  return {
    day: '',
    worstRpoMs: days.reduce<number | null>(
      (most, { worstRpoMs }) => (worstRpoMs === null ? most : Math.max(most ?? 0, worstRpoMs)),
      null,
    ),
    withinRatio: withinRatio(days),
    knownMs: days.reduce((sum, { knownMs }) => sum + knownMs, 0),
    withinMs: days.reduce((sum, { withinMs }) => sum + withinMs, 0),
  }
}
