// Pure: which denials stop whoever the ACLs of a cluster let write to its mirrored topics (or read as its groups). One principal
// after the other, because a denial wins over whatever allows and has no "all but": one for everybody stops kdr too.
// A denial follows the pattern of the rule that allows, so that it is short and holds for what is created later; where that
// pattern also meets names that do not move, each name gets a denial of its own.
import { isNeverMatched } from '../../model/patterns.ts'
import { type AclRule, aclKey } from '../../model/rights.ts'

export const EVERYBODY = 'User:*'
const ALL = 'ALL'

/** `names`: what moves; `others`: what is there beside it. */
export type Scope = {
  readonly type: 'TOPIC' | 'GROUP'
  readonly operation: 'WRITE' | 'READ'
  readonly names: ReadonlySet<string>
  readonly others: ReadonlySet<string>
}

/** `forEverybody`: what it would take where everybody is allowed; never among `denials`. */
export type Denials = { readonly denials: readonly AclRule[]; readonly forEverybody: readonly AclRule[] }

/** `own`: kdr's principals, which are left alone. */
export function planDenials(rules: readonly AclRule[], own: ReadonlySet<string>, scope: Scope): Denials {
  const allowing = rules.filter(rule => allows(rule, scope) && !own.has(rule.principal))
  const isForEverybody = ({ principal }: AclRule): boolean => principal === EVERYBODY
  return {
    denials: distinct(
      allowing.filter(rule => !isForEverybody(rule)).flatMap(rule => denialsFor(rule, scope)),
    ),
    forEverybody: distinct(allowing.filter(isForEverybody).flatMap(rule => denialsFor(rule, scope))),
  }
}

/**
 * Writers of mirrored topics: beside their topics the transactional ids that they may use, so that no commit comes after the fence.
 * Not of those who may write to other topics as well: a denial cannot tell for which of them an id is used. The denials of
 * `last` are the last: brokers learn of rules in their order, so whoever refuses `last` refuses all others too.
 */
export function planFence(
  rules: readonly AclRule[],
  {
    own,
    topics,
    others,
    last,
  }: {
    readonly own: ReadonlySet<string>
    readonly topics: ReadonlySet<string>
    readonly others: ReadonlySet<string>
    readonly last: string | undefined
  },
): Denials {
  const scope: Scope = { type: 'TOPIC', operation: 'WRITE', names: topics, others: withoutInternal(others) }
  const { denials, forEverybody } = planDenials(rules, own, scope)
  const writers = new Set(denials.map(({ principal }) => principal))
  const mayElsewhere = new Set(
    rules.filter(rule => allowsWrite(rule) && meets(rule, scope.others)).map(({ principal }) => principal),
  )
  const ids = [...writers]
    .filter(principal => !mayElsewhere.has(principal) && !mayElsewhere.has(EVERYBODY))
    .flatMap(principal => transactionalIdsOf(principal, rules))
  const all = distinct([...denials, ...ids])
  const isLast = ({ principal }: AclRule): boolean => principal === last
  return { denials: [...all.filter(rule => !isLast(rule)), ...all.filter(isLast)], forEverybody }
}

/** Kafka's own topics and kdr's are nobody's to write to. */
function withoutInternal(topics: ReadonlySet<string>): ReadonlySet<string> {
  return new Set([...topics].filter(topic => !isNeverMatched(topic)))
}

function transactionalIdsOf(principal: string, rules: readonly AclRule[]): AclRule[] {
  return rules
    .filter(
      rule =>
        rule.type === 'TRANSACTIONAL_ID' &&
        rule.permission === 'ALLOW' &&
        (rule.principal === principal || rule.principal === EVERYBODY) &&
        (rule.operation === 'WRITE' || rule.operation === ALL),
    )
    .map(({ type, pattern, name }) => denial(type, pattern, name, principal, 'WRITE'))
}

function allows(rule: AclRule, { type, operation, names }: Scope): boolean {
  if (rule.type !== type || rule.permission !== 'ALLOW') return false
  return (rule.operation === operation || rule.operation === ALL) && meets(rule, names)
}

function allowsWrite({ type, permission, operation }: AclRule): boolean {
  return type === 'TOPIC' && permission === 'ALLOW' && (operation === 'WRITE' || operation === ALL)
}

function denialsFor(rule: AclRule, { type, operation, names, others }: Scope): AclRule[] {
  const { pattern, name, principal } = rule
  if (!meets(rule, others)) return [denial(type, pattern, name, principal, operation)]
  return [...names]
    .filter(each => covers(rule, each))
    .map(each => denial(type, 'LITERAL', each, principal, operation))
}

/** From any address: whoever is let in from one only must not get in from another by a rule that comes later. */
function denial(type: string, pattern: string, name: string, principal: string, operation: string): AclRule {
  return { type, pattern, name, principal, host: '*', operation, permission: 'DENY' }
}

const meets = (rule: AclRule, names: ReadonlySet<string>): boolean =>
  [...names].some(name => covers(rule, name))

/** Of what kdr has no word for nothing is known: it counts as all. */
export function covers({ pattern, name }: AclRule, of: string): boolean {
  if (pattern === 'LITERAL') return name === '*' || name === of
  return pattern !== 'PREFIXED' || of.startsWith(name)
}

function distinct(rules: readonly AclRule[]): AclRule[] {
  return [...new Map(rules.map(rule => [aclKey(rule), rule])).values()]
}
