// ACLs, quotas and user names of a restore. Nothing that the target has is taken away or changed, and nobody gets more than he had: denials
// come first, and where one of them cannot be put there, or would reach further than the restore, what it takes something from is not allowed
// either. Passwords are in no backup.
import type { RestorePlan } from '../cli/app-vault.ts'
import { EVERYBODY, NO_MIRRORS, planAcls } from '../engine/sync/acl-plan.ts'
import { mirrorsOf } from '../engine/sync/mirror-names.ts'
import { planQuotas } from '../engine/sync/quotas.ts'
import { findKdrError } from '../model/errors.ts'
import { codeName, KafkaCode, lackingRight } from '../model/kafka-codes.ts'
import { aclKey, type AclRule } from '../model/rights.ts'
import { readLink, readTopics } from '../model/state-records.ts'
import type { SetState, VaultRights } from '../model/vault.ts'
import type { Cluster, Outcome } from '../ports/cluster.ts'
import type { QuotaChange } from '../ports/rights.ts'
import type { StateStore } from '../ports/state.ts'
import { CLIENT_ID } from './clusters.ts'

/** `all`: of the cluster. `named`: only ACLs that name a restored topic or group, and nothing else. */
export type RightsScope = 'all' | 'named' | 'none'

export type PlannedRights = {
  /** Denials first. */
  readonly acls: readonly AclRule[]
  readonly quotas: readonly QuotaChange[]
  readonly shown: NonNullable<RestorePlan['rights']>
}

type RightsInput = {
  readonly target: Cluster
  readonly rights: VaultRights
  /** Of the topics that are restored: their names in the set, each with the new one. */
  readonly names: ReadonlyMap<string, string>
  readonly groups: Pick<SetState['groups'], 'has'>
  readonly scope: RightsScope
  /** kdr's own principals: theirs is each cluster's own business. */
  readonly own: ReadonlySet<string>
  /** Topics of links that lead to the target. */
  readonly mirrors: ReadonlySet<string>
}

export async function planRights(input: RightsInput): Promise<PlannedRights | undefined> {
  if (input.scope === 'none') return undefined
  const cannot: string[] = []
  const acls = await planRules(input, cannot)
  const quotas = input.scope === 'all' ? await planLimits(input, cannot) : NO_QUOTAS
  const usersMissing = input.scope === 'all' ? await missingUsers(input, cannot) : []
  if (usersMissing.length > 0)
    cannot.push(
      `${usersMissing.length} user(s) are not at "${input.target.name}", and their passwords are in no backup: ${usersMissing.slice(0, 5).join(', ')}${usersMissing.length > 5 ? ', ...' : ''}`,
    )
  const shown = { acls: acls.length, quotas: quotas.values, usersMissing, cannot }
  return { acls, quotas: quotas.changes, shown }
}

async function planRules(input: RightsInput, cannot: string[]): Promise<readonly AclRule[]> {
  const { target, rights, scope, own, mirrors } = input
  const all = rights.acls ?? []
  const rules = scope === 'all' ? all : all.filter(rule => isNamed(rule, input))
  if (rules.length === 0) return []
  const answer = await asked(async () => await target.describeAcls())
  if (typeof answer === 'string' || answer.code !== KafkaCode.NONE) {
    const hasNone = typeof answer !== 'string' && answer.code === KafkaCode.SECURITY_DISABLED
    const why = hasNone ? 'it has no authorizer' : refusal(answer, TO_SET_ACLS)
    cannot.push(`${rules.length} ACL(s) cannot be put at "${target.name}": ${why}`)
    return []
  }
  const source =
    scope === 'all' ? rules : undefeated({ all, named: rules, there: answer.rules }, input, cannot)
  const plan = planAcls({
    source,
    target: answer.rules,
    applied: new Map(),
    principals: {},
    own,
    fromElsewhere: new Set(),
    // Where no link leads, there is nothing that only kdr may write to.
    mirrors:
      mirrors.size === 0 ? NO_MIRRORS : mirrorsOf({ topics: mirrors, patterns: [], forgotten: new Set() }),
  })
  const whys = { 'writes-to-mirrors': 0, 'stops-kdr': 0, 'denied-at-source': 0 }
  for (const { why } of plan.memory.held.values()) whys[why]++
  if (whys['writes-to-mirrors'] > 0)
    cannot.push(
      `${whys['writes-to-mirrors']} ACL(s) would let others write to mirrors of a link, and are left out`,
    )
  if (whys['stops-kdr'] > 0)
    cannot.push(
      `${whys['stops-kdr']} denial(s) for everybody would stop kdr itself, and are left out, with ${whys['denied-at-source']} ACL(s) that they take something from`,
    )
  return plan.add
}

/** A prefix, or `*`, would reach what is not restored. */
function isNamed({ type, pattern, name }: AclRule, { names, groups }: RightsInput): boolean {
  if (pattern !== 'LITERAL') return false
  return (type === 'TOPIC' && names.has(name)) || (type === 'GROUP' && groups.has(name))
}

type NamedRules = {
  readonly all: readonly AclRule[]
  readonly named: readonly AclRule[]
  /** At the target. */
  readonly there: readonly AclRule[]
}

/**
 * Under their new names, without what a denial takes something from that is not restored, because it would reach further: unless the
 * target has it, and it reaches the new name too.
 */
function undefeated({ all, named, there }: NamedRules, input: RightsInput, cannot: string[]): AclRule[] {
  const known = new Set(there.map(aclKey))
  const denials = all.filter(rule => rule.permission !== 'ALLOW' && !isNamed(rule, input))
  let left = 0
  const kept = named.flatMap(rule => {
    const renamed = rule.type === 'TOPIC' ? { ...rule, name: input.names.get(rule.name) ?? rule.name } : rule
    const isDefeated =
      rule.permission === 'ALLOW' &&
      denials.some(
        denial => takesFrom(denial, rule) && !(known.has(aclKey(denial)) && isReached(denial, renamed.name)),
      )
    if (isDefeated) left++
    return isDefeated ? [] : [renamed]
  })
  if (left > 0)
    cannot.push(
      `${left} ACL(s) are left out: a denial for a prefix or for all takes something from them, and would reach more than is restored`,
    )
  return kept
}

/** Whether the denial may take away something of what is allowed. Of what another right implies (DESCRIBE by READ) rather too much. */
function takesFrom(denial: AclRule, allowed: AclRule): boolean {
  const meet = (a: string, b: string, all: string): boolean => a === b || a === all || b === all
  return (
    denial.type === allowed.type &&
    isReached(denial, allowed.name) &&
    meet(denial.principal, allowed.principal, EVERYBODY) &&
    meet(denial.host, allowed.host, '*') &&
    (meet(denial.operation, allowed.operation, 'ALL') || denial.operation.startsWith('DESCRIBE'))
  )
}

function isReached({ pattern, name }: AclRule, by: string): boolean {
  return pattern === 'PREFIXED' ? by.startsWith(name) : name === '*' || name === by
}

const NO_QUOTAS = { changes: [], values: 0 } as const

async function planLimits(
  { target, rights, own }: RightsInput,
  cannot: string[],
): Promise<{ readonly changes: readonly QuotaChange[]; readonly values: number }> {
  const source = rights.quotas ?? []
  if (source.length === 0) return NO_QUOTAS
  const answer = await asked(async () => await target.describeQuotas())
  if (typeof answer === 'string' || answer.code !== KafkaCode.NONE) {
    cannot.push(
      `${source.length} quota(s) cannot be put at "${target.name}": ${refusal(answer, TO_SET_QUOTAS)}`,
    )
    return NO_QUOTAS
  }
  const plan = planQuotas({
    source,
    target: answer.quotas,
    applied: new Map(),
    principals: {},
    own,
    ownClientId: CLIENT_ID,
  })
  if (plan.different.length > 0)
    cannot.push(`${plan.different.length} quota(s) have another value at "${target.name}", which stays`)
  const changes = [...plan.changes].map(([text, value]) => {
    const [entity, key] = JSON.parse(text) as [[string, string | null][], string]
    return { entity: entity.map(([type, name]) => ({ type, name })), values: { [key]: value } }
  })
  // An entity at a time, since that is what the answer is about.
  const grouped = [...Map.groupBy(changes, ({ entity }) => JSON.stringify(entity)).values()].map(some => ({
    entity: some[0]!.entity,
    values: Object.assign({}, ...some.map(({ values }) => values)) as Record<string, number | null>,
  }))
  return { changes: grouped, values: changes.length }
}

async function missingUsers({ target, rights }: RightsInput, cannot: string[]): Promise<string[]> {
  const users = rights.users ?? []
  if (users.length === 0) return []
  const answer = await asked(async () => await target.describeScramUsers())
  if (typeof answer === 'string' || answer.code !== KafkaCode.NONE) {
    cannot.push(
      `whether the ${users.length} user(s) are at "${target.name}" is not known, and their passwords are in no backup: ${refusal(answer, TO_SEE_USERS)}`,
    )
    return []
  }
  const there = new Set(answer.users.map(({ name }) => name))
  return users.map(({ name }) => name).filter(name => !there.has(name))
}

const TO_SET_ACLS = 'ALTER on the cluster'
const TO_SET_QUOTAS = 'ALTER_CONFIGS on the cluster'
const TO_SEE_USERS = 'DESCRIBE on the cluster'

/** Of what `asked` returns, where it is no success. */
const refusal = (answer: Outcome | string, right: string): string =>
  typeof answer === 'string' ? answer : `${codeName(answer.code)}${lackingRight(answer.code, right)}`

/** What is missing, as a sentence. */
async function asked<T extends Outcome>(ask: () => Promise<T>): Promise<T | string> {
  try {
    return await ask()
  } catch (error) {
    const known = findKdrError(error)
    if (known?.code === 'cluster-lacks' || known?.code === 'not-allowed') return known.message
    throw error
  }
}

/** Returns what could not be done. Throws KdrError('unreachable'). */
export async function giveRights(target: Cluster, { acls, quotas }: PlannedRights): Promise<string[]> {
  const denials = acls.filter(({ permission }) => permission !== 'ALLOW')
  const left = await createRules(target, denials)
  if (left.length > 0) return [...left, 'nothing was allowed, since something could not be denied']
  left.push(
    ...(await createRules(
      target,
      acls.filter(({ permission }) => permission === 'ALLOW'),
    )),
  )
  const outcomes = quotas.length === 0 ? [] : await target.alterQuotas(quotas)
  for (const [index, { entity }] of quotas.entries()) {
    const { code, message = '' } = outcomes[index]!
    const name = entity.map(each => `${each.type}=${each.name ?? '<default>'}`).join(',')
    if (code !== KafkaCode.NONE)
      left.push(`quota of ${name}: ${refusal({ code }, TO_SET_QUOTAS)} ${message}`.trim())
  }
  return left
}

async function createRules(target: Cluster, rules: readonly AclRule[]): Promise<string[]> {
  const outcomes = rules.length === 0 ? [] : await target.createAcls(rules)
  return rules.flatMap((rule, index) => {
    const { code, message = '' } = outcomes[index]!
    return code === KafkaCode.NONE
      ? []
      : [`ACL ${aclKey(rule)}: ${refusal({ code }, TO_SET_ACLS)} ${message}`.trim()]
  })
}

/** Of links that lead to this cluster, other than the restore's own. */
export function mirrorsAt(store: StateStore, clusterId: string, own: string): Set<string> {
  const links = store
    .entries('link/')
    .map(([key]) => key.slice('link/'.length))
    .filter(name => name !== own && readLink(store, name)?.targetClusterId === clusterId)
  return new Set(links.flatMap(name => [...readTopics(store, name).keys()]))
}
