// Where a link stands, held against the objectives of the config: what `kdr status` prints and its page shows.
import type { Config, LinkConfig } from '../../config/index.ts'
import type { LinkStatus } from '../../engine/status/status.ts'
import type { RpoHistory } from '../../model/objective-days.ts'
import { linkObjective, type LinkObjective } from '../../model/objectives.ts'
import type { App } from '../app.ts'
import { formatDuration, formatShare } from '../format.ts'

/** Without objectives that concern it, nothing is said of them. */
export type LinkStanding = LinkStatus & Partial<LinkObjective>

/** Throws as `readLinkStatus` does. */
export async function readStanding(app: App, config: Config, link: LinkConfig): Promise<LinkStanding> {
  const status = await app.services.readLinkStatus(config, link)
  return { ...status, ...linkObjective(config, status) }
}

/** Reasons of groups that are not in step, and of which nothing is missing at the target. */
export const QUIET_GROUPS: readonly (string | undefined)[] = ['nothing-committed', 'not-mirrored']

/** Exit 3 for it. */
export const isWrong = ({ state, rpoObjectiveState }: LinkStanding): boolean =>
  state === 'faulted' || rpoObjectiveState === 'missed'

/** Undefined where there is none. */
export function objectiveSentence(link: LinkStanding): string | undefined {
  const { rpoObjectiveMs, rpoObjectiveState, beyondObjective = [], rpoMs } = link
  if (rpoObjectiveMs === undefined) return undefined
  const limit = formatDuration(rpoObjectiveMs)
  if (rpoObjectiveState === 'unknown') return `RPO objective ${limit}: nobody can say now whether it is met`
  if (rpoObjectiveState === 'met') return `RPO objective ${limit}: met`
  const [worst, ...more] = beyondObjective
  if (worst === undefined) return `beyond its objective: RPO ${formatDuration(rpoMs ?? 0)}, ${limit} at most`
  const others = more.length === 0 ? '' : ` (and ${more.length} more)`
  return `beyond its objective: topic "${worst.topic}" is ${formatDuration(worst.rpoMs)} behind, ${formatDuration(worst.rpoObjectiveMs)} at most${others}`
}

/** How the RPO was; undefined where nothing is kept. */
export const historySentence = ({ history }: LinkStanding): string | undefined =>
  historyWords(history, { what: 'RPO', limits: 'its objectives' })

/** `what` was at worst so much, and within its `limits` for so long. */
export function historyWords(
  history: RpoHistory | undefined,
  { what, limits }: { readonly what: string; readonly limits: string },
): string | undefined {
  if (history === undefined) return undefined
  const { worstRpoHourMs, worstRpoDayMs, withinRatio, days } = history
  const worst = [
    ...(worstRpoHourMs === null ? [] : [`${formatDuration(worstRpoHourMs)} in the last hour`]),
    ...(worstRpoDayMs === null ? [] : [`${formatDuration(worstRpoDayMs)} in the last day`]),
  ]
  const within =
    withinRatio === null
      ? []
      : [
          `within ${limits} for ${formatShare(withinRatio)} of ${days.length === 1 ? 'the day' : `${days.length} days`}`,
        ]
  const parts = [...(worst.length === 0 ? [] : [`${what} at worst ${worst.join(', ')}`]), ...within]
  return parts.length === 0 ? undefined : parts.join('; ')
}
