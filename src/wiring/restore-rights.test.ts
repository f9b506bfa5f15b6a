// ACLs, quotas and users of a restore: nothing of the target's is touched, and nobody gets more than he had.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { AclRule } from '../model/rights.ts'
import type { VaultRights } from '../model/vault.ts'
import type { Cluster, Outcome } from '../ports/cluster.ts'
import type { Quota, QuotaChange } from '../ports/rights.ts'
import { giveRights, planRights, type RightsScope } from './restore-rights.ts'

const rule = (change: Partial<AclRule> = {}): AclRule => ({
  type: 'TOPIC',
  pattern: 'LITERAL',
  name: 'orders',
  principal: 'User:app',
  host: '*',
  operation: 'WRITE',
  permission: 'ALLOW',
  ...change,
})
const quota = (client: string, value: number): Quota => ({
  entity: [{ type: 'client-id', name: client }],
  values: { producer_byte_rate: value },
})

type World = {
  readonly aclsCode?: number
  readonly rules?: readonly AclRule[]
  readonly quotas?: readonly Quota[]
  readonly users?: readonly string[]
  /** What the target answers to a rule that is to be made. */
  readonly answer?: (made: AclRule) => Outcome
}

function targetOf({ aclsCode = 0, rules = [], quotas = [], users = [], answer }: World) {
  const made: AclRule[] = []
  const changed: QuotaChange[] = []
  const target = {
    name: 'west',
    describeAcls: async () => ({ code: aclsCode, rules }),
    describeQuotas: async () => ({ code: 0, quotas }),
    describeScramUsers: async () => ({ code: 0, users: users.map(name => ({ name, mechanisms: [] })) }),
    createAcls: async (asked: readonly AclRule[]) =>
      asked.map(each => {
        const outcome = answer?.(each) ?? { code: 0 }
        if (outcome.code === 0) made.push(each)
        return outcome
      }),
    alterQuotas: async (asked: readonly QuotaChange[]) => {
      changed.push(...asked)
      return asked.map(() => ({ code: 0 }))
    },
  } as unknown as Cluster
  return { target, made, changed }
}

const NAMES = new Map([['orders', 'orders']])
const planned = async (
  target: Cluster,
  rights: Partial<VaultRights>,
  scope: RightsScope = 'all',
  mirrors: readonly string[] = ['mirrored'],
  names: ReadonlyMap<string, string> = NAMES,
) =>
  (await planRights({
    target,
    rights: { acls: null, quotas: null, users: null, ...rights },
    names,
    groups: new Set(['billing']),
    scope,
    own: new Set(['User:kdr']),
    mirrors: new Set(mirrors),
  }))!

describe('rights of a restore', () => {
  test('what may not be seen is not called missing, and the right is named', async () => {
    const { CLUSTER_AUTHORIZATION_FAILED: code } = KafkaCode
    const { target } = targetOf({ aclsCode: code })
    const refusing = Object.assign(target, {
      describeScramUsers: async () => ({ code, users: [] }),
      describeQuotas: async () => ({ code, quotas: [] }),
    })
    const users = [{ name: 'app', mechanisms: [] }]
    const { shown } = await planned(refusing, { acls: [rule()], quotas: [quota('a', 1)], users })
    assert.deepEqual(shown.usersMissing, [])
    const [acls, quotas, whether, ...others] = shown.cannot
    assert.match(acls ?? '', /1 ACL\(s\) cannot be put at "west": .*kdr needs ALTER on the cluster/)
    assert.match(quotas ?? '', /1 quota\(s\) cannot be put .*kdr needs ALTER_CONFIGS on the cluster/)
    assert.match(whether ?? '', /whether the 1 user\(s\) are at "west" is not known.*DESCRIBE on the cluster/)
    assert.deepEqual(others, [])
  })

  test('are what the target lacks, denials first', async () => {
    const there = rule({ operation: 'READ' })
    const denial = rule({ principal: 'User:eve', permission: 'DENY' })
    const { target, made } = targetOf({ rules: [there] })
    const plan = await planned(target, { acls: [rule(), there, denial, rule({ principal: 'User:kdr' })] })
    assert.deepEqual([plan.acls, plan.shown.cannot], [[denial, rule()], []])
    assert.deepEqual(await giveRights(target, plan), [])
    assert.deepEqual(made, [denial, rule()])
  })

  test('are all of them where no link leads', async () => {
    const acls = [
      rule({ name: '*' }),
      rule({ type: 'CLUSTER', name: 'kafka-cluster', principal: 'User:root', operation: 'ALTER' }),
    ]
    const { target } = targetOf({})
    assert.deepEqual((await planned(target, { acls }, 'all', [])).acls, acls)
    const held = await planned(target, { acls })
    assert.deepEqual(held.acls, [])
    assert.match(held.shown.cannot.join(), /2 ACL\(s\) would let others write to mirrors/)
  })

  test('allow nothing where something could not be denied', async () => {
    const denial = rule({ principal: 'User:eve', permission: 'DENY' })
    const answer = ({ permission }: AclRule): Outcome => ({
      code: permission === 'DENY' ? KafkaCode.UNKNOWN_SERVER_ERROR : 0,
    })
    const { target, made } = targetOf({ answer })
    const left = await giveRights(target, await planned(target, { acls: [rule(), denial] }))
    assert.deepEqual(made, [])
    assert.match(left.join(), /nothing was allowed/)
  })

  test('of single topics are only those that name them or their groups', async () => {
    const { target } = targetOf({})
    const group = rule({ type: 'GROUP', name: 'billing', operation: 'READ' })
    const acls = [
      rule(),
      group,
      rule({ name: 'ord', pattern: 'PREFIXED' }),
      rule({ name: '*' }),
      rule({ name: 'other' }),
      rule({ type: 'GROUP' }),
    ]
    const plan = await planned(
      target,
      { acls, quotas: [quota('a', 1)], users: [{ name: 'app', mechanisms: [] }] },
      'named',
    )
    assert.deepEqual(plan.acls, [rule(), group])
    assert.deepEqual([plan.quotas, plan.shown.usersMissing], [[], []])
  })

  test('of single topics give nobody what a denial that is not restored took from him', async () => {
    const denials = [
      rule({ name: '*', principal: 'User:bob', permission: 'DENY' }),
      rule({ name: 'ord', pattern: 'PREFIXED', principal: 'User:eve', operation: 'ALL', permission: 'DENY' }),
      rule({ name: 'pay', pattern: 'PREFIXED', permission: 'DENY' }),
    ]
    const named = rule({ principal: 'User:dan', permission: 'DENY' })
    const allowed = ['User:app', 'User:bob', 'User:eve', 'User:*', 'User:dan'].map(principal =>
      rule({ principal }),
    )
    const read = rule({ principal: 'User:bob', operation: 'READ' })
    const acls = [...denials, named, ...allowed, read]
    const plan = await planned(targetOf({}).target, { acls }, 'named')
    assert.deepEqual(plan.acls, [named, allowed[0], allowed[4], read])
    assert.match(plan.shown.cannot.join(), /3 ACL\(s\) are left out: a denial for a prefix or for all/)
    // The target has them: they are in force there.
    const there = await planned(targetOf({ rules: denials }).target, { acls }, 'named')
    assert.deepEqual(there.acls, [named, ...allowed, read])
    assert.deepEqual(there.shown.cannot, [])
  })

  test('of a topic with a new name are those of the old one', async () => {
    const acls = [
      rule(),
      rule({ name: 'copy', principal: 'User:other' }),
      rule({ name: 'ord', pattern: 'PREFIXED', principal: 'User:eve', permission: 'DENY' }),
      rule({ principal: 'User:eve' }),
    ]
    const names = new Map([['orders', 'copy']])
    // The target's denial does not reach the new name.
    const { target } = targetOf({ rules: acls.slice(2, 3) })
    const plan = await planned(target, { acls }, 'named', [], names)
    assert.deepEqual(plan.acls, [rule({ name: 'copy' })])
  })

  test('that cannot be given are said, with the reason', async () => {
    const rights: Partial<VaultRights> = {
      acls: [
        rule(),
        rule({ name: 'mirrored' }),
        rule({ type: 'CLUSTER', name: 'kafka-cluster', principal: 'User:*', permission: 'DENY' }),
      ],
      quotas: [quota('same', 1), quota('other', 2), quota('new', 3)],
      users: [
        { name: 'app', mechanisms: [] },
        { name: 'gone', mechanisms: [] },
      ],
    }
    const { target, changed } = targetOf({ quotas: [quota('same', 1), quota('other', 9)], users: ['app'] })
    const plan = await planned(target, rights)
    assert.deepEqual(plan.acls, [rule()])
    const text = plan.shown.cannot.join('\n')
    assert.match(text, /1 ACL\(s\) would let others write to mirrors/)
    assert.match(text, /1 denial\(s\) for everybody would stop kdr/)
    assert.match(text, /1 quota\(s\) have another value at "west", which stays/)
    assert.match(text, /1 user\(s\) are not at "west"[^]*gone/)
    await giveRights(target, plan)
    assert.deepEqual(changed, [quota('new', 3)])
    const open = await planned(targetOf({ aclsCode: KafkaCode.SECURITY_DISABLED }).target, rights)
    assert.match(open.shown.cannot.join(), /3 ACL\(s\) cannot be put at "west": it has no authorizer/)
  })
})
