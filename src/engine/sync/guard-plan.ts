// Pure: the denials that keep everybody from the mirrors of a link (`denyWrites`), and what is to be done for them. The authorizer lets
// super users pass by any rule; for all others a denial wins over whatever allows. What is denied is what ACL sync holds back: WRITE,
// and what else changes a mirror: DELETE (which also moves log starts), ALTER (adds partitions) and ALTER_CONFIGS (shortens retention).
import { type AclRule, aclKey } from '../../model/rights.ts'
import { EVERYBODY } from './acl-plan.ts'

/** Nothing depends on it: there kdr looks whether it is a super user. */
export const GUARD_TOPIC = '_kdr.guard'
const OPERATIONS = ['WRITE', 'DELETE', 'ALTER', 'ALTER_CONFIGS'] as const

/** By `aclKey`. */
export type Keyed = ReadonlyMap<string, AclRule>
export const keyed = (rules: readonly AclRule[]): Keyed => new Map(rules.map(rule => [aclKey(rule), rule]))

export type GuardWorld = {
  /** That it is to have: for topics of this link that are mirrors, and for the topic of the proof. */
  readonly wanted: Keyed
  /** What is at the cluster. */
  readonly there: Keyed
  /** What this link has put there, or was about to. */
  readonly known: Keyed
  /** The same of other links to that cluster. */
  readonly knownElsewhere: Keyed
  /** Mirrors of other links that deny as well: a topic that was handed over to one stays denied. */
  readonly elsewhere: ReadonlySet<string>
}

export type GuardPlan = {
  readonly add: readonly AclRule[]
  readonly remove: readonly AclRule[]
  /** How things are remembered when that is done. */
  readonly memory: Keyed
}

/** At a cluster, what may be such a rule. */
export const mayBeGuard = ({ permission, principal, type }: AclRule): boolean =>
  permission === 'DENY' && principal === EVERYBODY && type === 'TOPIC'

export const proofRule = (): AclRule => denial(GUARD_TOPIC, 'WRITE')

export const guardRules = (topics: readonly string[]): AclRule[] =>
  topics.flatMap(topic => OPERATIONS.map(operation => denial(topic, operation)))

/** Rules that somebody else has put there are never claimed. */
export function planGuard({ wanted, there, known, knownElsewhere, elsewhere }: GuardWorld): GuardPlan {
  const own = [...wanted].filter(([key]) => !there.has(key) || known.has(key) || knownElsewhere.has(key))
  const past = [...known].filter(([key]) => !wanted.has(key))
  // Until the other link has it as its own.
  const kept = past.filter(([key, { name }]) => elsewhere.has(name) && !knownElsewhere.has(key))
  return {
    add: [...wanted].flatMap(([key, rule]) => (there.has(key) ? [] : [rule])),
    remove: past.flatMap(([, rule]) => (elsewhere.has(rule.name) ? [] : [rule])),
    memory: new Map([...own, ...kept]),
  }
}

const denial = (name: string, operation: string): AclRule => ({
  type: 'TOPIC',
  pattern: 'LITERAL',
  name,
  principal: EVERYBODY,
  host: '*',
  operation,
  permission: 'DENY',
})
