// What was promoted kdr has no business to write to, or to delete: at a cluster with an authorizer it takes these rights from
// itself, so that a worker which was stopped before the fence, and wakes, can change nothing there that no epoch would stop (a
// trim). It gives them back before that cluster becomes a standby again. A super user is above all rules.
import { findKdrError } from '../../model/errors.ts'
import type { AclRule } from '../../model/rights.ts'
import type { RunContext } from './context.ts'
import { deniedAt, deny, type FenceSite, lift, refresh, rulesAt, siteOf } from './denials.ts'

const OPERATIONS = ['WRITE', 'DELETE'] as const
/** Of rules in one request: a controller writes 10,000 records at once at most. */
const AT_ONCE = 2_000

/** Nothing that fails here holds a promotion up. Returns what to say of it, empty where there is nothing to take away. */
export async function takeOwnRights(
  context: Pick<RunContext, 'own'>,
  site: FenceSite,
  topics: readonly string[],
): Promise<string> {
  try {
    const rules = context.own.size === 0 ? undefined : await rulesAt(site)
    if (rules === undefined) return ''
    await refresh(site)
    const wanted = topics.flatMap(topic => ownRules(context.own, topic))
    for (let at = 0; at < wanted.length; at += AT_ONCE)
      await deny(site, rules, wanted.slice(at, at + AT_ONCE))
    return "; kdr's own rights to write there are taken away"
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined || known.code === 'other-controller') throw error
    return `; kdr's own rights to write there are left to it: ${known.message}`
  }
}

/** At the old active, which is about to be copied to. Throws KdrError: not-allowed, unreachable. */
export async function giveOwnRightsBack(context: RunContext): Promise<void> {
  const site = siteOf(context)
  if (site === undefined) return
  await refresh(site)
  const taken = deniedAt(site).filter(({ principal }) => context.own.has(principal))
  for (let at = 0; at < taken.length; at += AT_ONCE) await lift(site, taken.slice(at, at + AT_ONCE))
}

function ownRules(own: ReadonlySet<string>, topic: string): AclRule[] {
  return [...own].flatMap(principal =>
    OPERATIONS.map(operation => ({
      type: 'TOPIC',
      pattern: 'LITERAL',
      name: topic,
      principal,
      host: '*',
      operation,
      permission: 'DENY',
    })),
  )
}
