// kdr check --fix: shows what it would mend, asks, does it, and looks again until it is seen, or until it has waited long enough.
import type { Config } from '../../config/index.ts'
import type { CheckReport } from '../../engine/check/check.ts'
import { fixable, fixSentence, stillFixable } from '../../model/fixes.ts'
import type { Finding } from '../../model/findings.ts'
import type { App, FixOutcome } from '../app.ts'
import { approve } from '../approve.ts'
import { plural } from '../format.ts'
import type { Style } from '../table.ts'
import { wrap } from '../wrap.ts'

/** Brokers learn of a change one after the other, within a second or so. */
const SEEN_WITHIN_MS = 15_000
const LOOK_EVERY_MS = 500

export type FixOptions = {
  readonly yes: boolean
  readonly isDry: boolean
  readonly reason: string | undefined
  /** Where the plan is shown. */
  readonly tell: (text: string) => void
}

/** `planned`: a dry run. `gone`: it was mended, or not there any more, before anything was done. */
export type FixResult = Pick<Finding, 'id' | 'where'> & {
  readonly what: string
  readonly state: 'planned' | 'mended' | 'refused' | 'not seen yet' | 'gone'
  readonly why?: string
}

export type Fixed = { readonly report: CheckReport; readonly fixes: readonly FixResult[] }

/** Throws KdrError('approval-needed'), and what `look` throws. */
export async function fixAll(
  app: App,
  config: Config,
  look: () => Promise<CheckReport>,
  { yes, isDry, reason, tell }: FixOptions,
): Promise<Fixed> {
  const first = await look()
  const planned = fixable(first.findings)
  const results = (state: FixResult['state']): FixResult[] =>
    planned.map(({ id, where, fix }) => ({ id, where, what: fixSentence(fix), state }))
  tell(planText(results('planned')))
  if (planned.length === 0) return { report: first, fixes: [] }
  if (isDry) return { report: first, fixes: results('planned') }
  const name = [...new Set(planned.map(({ fix }) => fix.cluster))].join(',')
  await approve(app, { yes, name, change: `${plural(planned.length, 'change')} to ${name}` })
  const now = stillFixable(planned, (await look()).findings)
  const outcomes = await app.services.fixFindings(config, now, reason)
  const report = await lookUntilSeen(app, look, outcomes)
  return { report, fixes: results('gone').map(each => resultOf(each, outcomes, report)) }
}

const isSame = (a: Pick<Finding, 'id' | 'where'>, b: Pick<Finding, 'id' | 'where'>): boolean =>
  a.id === b.id && a.where === b.where

async function lookUntilSeen(
  app: App,
  look: () => Promise<CheckReport>,
  outcomes: readonly FixOutcome[],
): Promise<CheckReport> {
  const done = outcomes.filter(({ refusedBy }) => refusedBy === undefined)
  const until = app.clock.monotonic() + SEEN_WITHIN_MS
  for (;;) {
    const report = await look()
    const isSeen = !done.some(each => report.findings.some(found => isSame(found, each)))
    if (isSeen || app.clock.monotonic() >= until) return report
    await app.clock.sleep(LOOK_EVERY_MS, app.signal)
  }
}

function resultOf(planned: FixResult, outcomes: readonly FixOutcome[], { findings }: CheckReport): FixResult {
  const outcome = outcomes.find(each => isSame(each, planned))
  if (outcome === undefined) return planned
  if (outcome.refusedBy !== undefined) return { ...planned, state: 'refused', why: outcome.refusedBy }
  return { ...planned, state: findings.some(found => isSame(found, planned)) ? 'not seen yet' : 'mended' }
}

export const isUnmended = ({ state }: FixResult): boolean => state === 'refused' || state === 'not seen yet'

function planText(fixes: readonly FixResult[]): string {
  if (fixes.length === 0) return 'nothing of what was found is safe to mend without a closer look\n\n'
  return `to be mended:\n${fixes.map(({ id, what }) => wrap(`${id} ${what}`, '    ', '  - ')).join('')}\n`
}

const WORDS: Readonly<Record<FixResult['state'], string>> = {
  planned: 'not done: a dry run',
  mended: 'mended, and seen so',
  refused: 'refused',
  'not seen yet': 'accepted by the cluster, and not seen yet: look again',
  gone: 'not needed any more: nothing was done',
}

export function fixesText(fixes: readonly FixResult[], style: Style): string {
  if (fixes.length === 0) return ''
  const lines = fixes.map(each => {
    const paint = isUnmended(each) ? style.red : style.green
    const said = `${each.id} ${each.where}: ${WORDS[each.state]}${each.why === undefined ? '' : ` (${each.why})`}`
    return wrap(said, '    ', '  - ').replace(WORDS[each.state], paint(WORDS[each.state]))
  })
  return `${lines.join('')}\n`
}
