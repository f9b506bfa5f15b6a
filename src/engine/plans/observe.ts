// What a plan would do, link by link, as both sides of each say now: nothing is changed. All links are looked at before the first
// is touched, so that what stands in the way of the last is known while there is still nothing to undo.
import { findKdrError } from '../../model/errors.ts'
import type { PlannedLink, PlanShape } from '../../model/plan-runs.ts'
import type { RunKind } from '../../model/runs.ts'
import type { Links } from './world.ts'

/** What a failback finds done. */
export const AT_HOME = 'it is home'

export type Observing = {
  readonly kind: RunKind
  readonly links: Pick<Links, 'withRun' | 'isAtHome'>
  /** Source of each link in the config. */
  readonly home: Readonly<Record<string, string>>
}

/** In the order of the plan. `only`: links that are left. */
export async function observeLinks(
  { stages, topics }: PlanShape,
  observing: Observing,
  only: (link: string) => boolean = () => true,
): Promise<PlannedLink[]> {
  const all = stages
    .flatMap((links, stage) => links.map(link => ({ link, stage })))
    .filter(each => only(each.link))
  // At once: of a cluster that keeps silent nobody waits for the time-out twice.
  return await Promise.all(
    all.map(async each => await observeLink({ ...each, topics: topics[each.link] ?? [] }, observing)),
  )
}

async function observeLink(
  {
    link,
    stage,
    topics,
  }: { readonly link: string; readonly stage: number; readonly topics: readonly string[] },
  { kind, links }: Observing,
): Promise<PlannedLink> {
  try {
    if (kind === 'failback' && (await links.isAtHome(link)))
      return { link, stage, passedBy: AT_HOME, refusals: [] }
    return await links.withRun(
      { link, topics },
      async ({ plan }) => await Promise.resolve({ link, stage, plan, refusals: plan.refusals }),
    )
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined) throw error
    // What a failover has moved already is where the plan wants it.
    if (kind === 'failover' && known.code === 'moved')
      return { link, stage, passedBy: known.message, refusals: [] }
    return { link, stage, refusals: [`${known.message}. ${known.hint}`] }
  }
}

/** Of the plan as a whole, with the link that each is about. Empty: it may begin. */
export function refusalsOf(planned: readonly PlannedLink[], { kind, home }: Observing): string[] {
  const own = planned.flatMap(({ link, refusals }) => refusals.map(refusal => `link "${link}": ${refusal}`))
  const seen = planned.filter(({ plan }) => plan !== undefined)
  const [away, atHome] = [seen.filter(each => !isHome(each, home)), seen.filter(each => isHome(each, home))]
  // A switchover goes to the other side, wherever that is: half of the links would move back.
  const mixed =
    kind === 'switchover' && away.length > 0 && atHome.length > 0
      ? [
          `its links lead different ways: ${named(atHome)} as the config says, ${named(away)} the other way; move one of these by itself first`,
        ]
      : []
  const nothing = kind !== 'failback' && isNothing(planned) ? ['there is nothing left to move'] : []
  return [...own, ...mixed, ...nothing]
}

/** All of its links have been moved already. */
const isNothing = (planned: readonly PlannedLink[]): boolean =>
  planned.length > 0 && planned.every(({ passedBy }) => passedBy !== undefined)

const isHome = ({ link, plan }: PlannedLink, home: Observing['home']): boolean => plan?.active === home[link]
const named = (links: readonly PlannedLink[]): string => links.map(({ link }) => `"${link}"`).join(', ')

/** Those that lose their writers, each once, in the order of the plan: what is typed to approve it. */
export function losing(planned: readonly PlannedLink[]): string[] {
  const names = planned.flatMap(({ plan }) => {
    if (plan === undefined) return []
    // Nothing moves: what loses something is the cluster that becomes a standby again.
    return [plan.isHome === true ? plan.standby : plan.active]
  })
  return [...new Set(names)]
}
