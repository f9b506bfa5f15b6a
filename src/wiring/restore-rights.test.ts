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

const STATE = {
  topics: new Map([['orders', {} as never]]),
  groups: new Map([['billing', {} as never]]),
}
const planned = async (
  target: Cluster,
  rights: Partial<VaultRights>,
  scope: RightsScope = 'all',
  mirrors: readonly string[] = ['mirrored'],
) =>
  (await planRights({
    target,
    rights: { acls: null, quotas: null, users: null, ...rights },
    state: STATE,
    scope,
    own: new Set(['User:kdr']),
    mirrors: new Set(mirrors),
  }))!

describe('rights of a restore', () => {
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
