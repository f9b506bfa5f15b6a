// How the RPO of each link was, day by day, as far as kdr has kept it. Pure.
import { type DaySummary, withinRatio } from '../../model/objective-days.ts'
import { formatDuration, formatShare, plural } from '../format.ts'
import type { Section } from '../runbook/document.ts'
import { day, duration, table, text } from './blocks.ts'
import type { ReportFacts } from './facts.ts'

/** Undefined: nothing is kept of any link. */
export function history({ links, at, sinceMs }: ReportFacts): Section | undefined {
  const rows = links.flatMap(({ name, standing: { value } }) => {
    const days = (value?.history?.days ?? []).filter(each => each.day >= day(at - sinceMs))
    if (days.length === 0) return []
    const ofAll = days.length === 1 ? [] : [historyRow(name, plural(days.length, 'day'), summedUp(days))]
    return [...ofAll, ...days.toReversed().map(each => historyRow(name, each.day, each))]
  })
  if (rows.length === 0) return undefined
  return {
    title: 'How the RPO was',
    blocks: [
      ...table(['link', 'day (UTC)', 'worst RPO', 'within the objectives', 'of'], rows),
      text(
        'As the process saw it that did the control work of the link, every 10 s: time of which nobody knows how far behind a partition was, or when no kdr ran, is left out. Kept for 30 days, at the target that the link has now.',
      ),
    ],
  }
}

function historyRow(
  link: string,
  when: string,
  { worstRpoMs, withinRatio: ratio, knownMs }: DaySummary,
): string[] {
  return [
    link,
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
