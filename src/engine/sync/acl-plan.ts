// Pure: which rules of the source the target is to have, which are held back, what is to be added and taken away.
// A mirror has one writer, kdr. A rule that would let somebody else write to one, delete or alter it is held back until the
// mirror is promoted, whatever its pattern: `orders`, everything that begins with `ord`, or `*`. So is whatever would let its
// holder give himself such a rule, or write markers (ALTER and CLUSTER_ACTION on the cluster). What the target's
// own administrators have put there is theirs: kdr neither takes it away nor claims it.
import { type AclRule, aclKey, type AclMemory, type HeldAcl, type HeldWhy } from '../../model/rights.ts'

export type AclWorld = {
  readonly source: readonly AclRule[]
  readonly target: readonly AclRule[]
  /** What kdr has put at the target, by key. */
  readonly applied: ReadonlyMap<string, AclRule>
  /** How principals of the source are called at the target. */
  readonly principals: Readonly<Record<string, string>>
  /** kdr's own, at either side. */
  readonly own: ReadonlySet<string>
  /** Keys of rules that kdr itself has put at the source: for a link that leads there, or to fence applications. */
  readonly fromElsewhere: ReadonlySet<string>
  readonly mirrors: Mirrors
}

/** Names that only kdr may write to. */
export type Mirrors = {
  has(topic: string): boolean
  /** Whether one begins with this, now or when the source has it. */
  mayBegin(prefix: string): boolean
}

/** After a promotion of everything. */
export const NO_MIRRORS: Mirrors = { has: () => false, mayBegin: () => false }

export type AclPlan = {
  /** All that the target is to have of the source's. */
  readonly wanted: readonly AclRule[]
  /** Denials first. */
  readonly add: readonly AclRule[]
  readonly remove: readonly AclRule[]
  /** How things are when that is done. */
  readonly memory: AclMemory
}

export const EVERYBODY = 'User:*'
export const OWN_PREFIX = '_kdr.'
const ALL = 'ALL'

/** Of a topic; whatever is not here changes it, or is not known to be harmless. */
export const HARMLESS_ON_TOPICS: readonly string[] = ['READ', 'DESCRIBE', 'DESCRIBE_CONFIGS', 'CREATE']
/** ALTER may give itself any right; CLUSTER_ACTION (with ALTER, since 3.8) writes markers to any log. */
export const HARMLESS_ON_CLUSTER: readonly string[] = [
  'CREATE',
  'DESCRIBE',
  'DESCRIBE_CONFIGS',
  'ALTER_CONFIGS',
  'IDEMPOTENT_WRITE',
]
/** None of their operations reaches a topic by itself: a transaction needs WRITE on the topic too. */
const HARMLESS_TYPES = new Set(['GROUP', 'TRANSACTIONAL_ID', 'DELEGATION_TOKEN', 'USER'])
/** What kdr does with groups and transactional ids at the target. */
const DONE_WITH_GROUPS = new Set(['READ', 'DESCRIBE', ALL])
const DONE_WITH_TRANSACTIONS = new Set(['WRITE', 'DESCRIBE', ALL])
/** AclAuthorizer and StandardAuthorizer: whoever may do the one may do the other. */
const IMPLIES: Readonly<Record<string, readonly string[]>> = {
  DESCRIBE: ['READ', 'WRITE', 'DELETE', 'ALTER'],
  DESCRIBE_CONFIGS: ['ALTER_CONFIGS'],
}

export function planAcls(world: AclWorld): AclPlan {
  const rules = new Map<string, AclRule>()
  for (const rule of world.source) {
    const mapped = mapPrincipal(rule, world.principals)
    if (isCopied(rule, mapped, world)) rules.set(aclKey(mapped), mapped)
  }
  return settle([...rules.values()], world)
}

/**
 * What is to be done when topics are no mirrors any more, by what is remembered alone: the source may be gone. `mirrors`: what
 * still is one.
 */
export function planRelease(memory: AclMemory, target: readonly AclRule[], mirrors: Mirrors): AclPlan {
  const rules = [...memory.applied.values(), ...[...memory.held.values()].map(({ rule }) => rule)]
  return settle(rules, { target, applied: memory.applied, mirrors })
}

function settle(
  rules: readonly AclRule[],
  { target, applied, mirrors }: Pick<AclWorld, 'target' | 'applied' | 'mirrors'>,
): AclPlan {
  const held = heldBack(rules, mirrors)
  const wanted = rules.filter(rule => !held.has(aclKey(rule)))
  const there = new Set(target.map(aclKey))
  const isWanted = new Set(wanted.map(aclKey))
  const isNew = wanted.filter(rule => !there.has(aclKey(rule)))
  const ours = wanted.filter(rule => applied.has(aclKey(rule)) || !there.has(aclKey(rule)))
  return {
    wanted,
    add: [...isNew.filter(isDenial), ...isNew.filter(rule => !isDenial(rule))],
    // Whether or not it is seen there: what a broker shows may be a moment old.
    remove: [...applied].filter(([key]) => !isWanted.has(key)).map(([, rule]) => rule),
    memory: { applied: new Map(ours.map(rule => [aclKey(rule), rule])), held },
  }
}

/** Rules of kdr's principals and about kdr's own topics, groups and ids are each cluster's own business. */
function isCopied(rule: AclRule, mapped: AclRule, { own, fromElsewhere }: AclWorld): boolean {
  if (own.has(rule.principal) || own.has(mapped.principal) || fromElsewhere.has(aclKey(rule))) return false
  return !rule.name.startsWith(OWN_PREFIX)
}

function mapPrincipal(rule: AclRule, principals: Readonly<Record<string, string>>): AclRule {
  const principal = principals[rule.principal] ?? rule.principal
  // Tokens are asked for in the name of a user.
  const name = rule.type === 'USER' ? (principals[rule.name] ?? rule.name) : rule.name
  return principal === rule.principal && name === rule.name ? rule : { ...rule, principal, name }
}

/** By key. */
export function heldBack(rules: readonly AclRule[], mirrors: Mirrors): Map<string, HeldAcl> {
  const held = new Map<string, HeldAcl>()
  const hold = (rule: AclRule, why: HeldWhy) => held.set(aclKey(rule), { rule, why })
  const stopping = rules.filter(rule => isDenial(rule) && stopsKdr(rule, mirrors))
  for (const rule of stopping) hold(rule, 'stops-kdr')
  for (const rule of rules) {
    if (isDenial(rule)) continue
    // First: what a denial that is not in force takes away must not be given by a promotion either.
    if (stopping.some(denial => defeats(denial, rule))) hold(rule, 'denied-at-source')
    else if (writesToMirrors(rule, mirrors)) hold(rule, 'writes-to-mirrors')
  }
  return held
}

const isDenial = ({ permission }: AclRule): boolean => permission !== 'ALLOW'

function writesToMirrors(rule: AclRule, mirrors: Mirrors): boolean {
  const { type, operation } = rule
  if (type === 'TOPIC') return !HARMLESS_ON_TOPICS.includes(operation) && covers(rule, mirrors)
  if (type === 'CLUSTER') return !HARMLESS_ON_CLUSTER.includes(operation) && covers(EVERY_TOPIC, mirrors)
  return !HARMLESS_TYPES.has(type) && covers(EVERY_TOPIC, mirrors)
}

const EVERY_TOPIC = { pattern: 'LITERAL', name: '*' }

/** Whether the pattern meets a mirror. */
function covers({ pattern, name }: Pick<AclRule, 'pattern' | 'name'>, mirrors: Mirrors): boolean {
  if (pattern === 'LITERAL' && name !== '*') return mirrors.has(name)
  return mirrors.mayBegin(pattern === 'PREFIXED' ? name : '')
}

/**
 * One of a certain address meets kdr only if kdr has that address, and then it would have met it at the source too. A denial
 * wins over whatever allows, and has no "all but": where kdr's principal is not a super user, it would end the link.
 */
function stopsKdr(rule: AclRule, mirrors: Mirrors): boolean {
  const { type, principal, host, operation, name, pattern } = rule
  if (principal !== EVERYBODY || host !== '*') return false
  if (type === 'TOPIC') return covers(rule, mirrors) || coversOwn({ pattern, name })
  if (type === 'GROUP') return DONE_WITH_GROUPS.has(operation)
  if (type === 'TRANSACTIONAL_ID')
    return DONE_WITH_TRANSACTIONS.has(operation) && coversOwn({ pattern, name })
  return type === 'CLUSTER'
}

/** Whether the pattern meets names of kdr's own; those that are about nothing else are not copied at all. */
function coversOwn({ pattern, name }: Pick<AclRule, 'pattern' | 'name'>): boolean {
  return pattern === 'PREFIXED' ? OWN_PREFIX.startsWith(name) : name === '*'
}

/** Whether the denial takes away something of what `rule` allows. */
function defeats(denial: AclRule, rule: AclRule): boolean {
  if (denial.type !== rule.type || !overlap(denial, rule)) return false
  return (
    denial.operation === ALL ||
    rule.operation === ALL ||
    denial.operation === rule.operation ||
    IMPLIES[denial.operation]?.includes(rule.operation) === true
  )
}

function overlap(a: AclRule, b: AclRule): boolean {
  const isAll = ({ pattern, name }: AclRule) => pattern === 'LITERAL' && name === '*'
  if (isAll(a) || isAll(b)) return true
  if (a.pattern === 'PREFIXED' && b.pattern === 'PREFIXED')
    return a.name.startsWith(b.name) || b.name.startsWith(a.name)
  if (a.pattern === 'PREFIXED') return b.name.startsWith(a.name)
  if (b.pattern === 'PREFIXED') return a.name.startsWith(b.name)
  return a.name === b.name
}
