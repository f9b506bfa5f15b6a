// Which denials stop the writers of mirrored topics, and nobody else.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AclRule } from '../../model/rights.ts'
import { planDenials, planFence } from './plan-fence.ts'

const rule = (change: Partial<AclRule>): AclRule => ({
  type: 'TOPIC',
  pattern: 'LITERAL',
  name: 'orders',
  principal: 'User:app',
  host: '*',
  operation: 'WRITE',
  permission: 'ALLOW',
  ...change,
})
const shown = (rules: readonly AclRule[]): string[] =>
  rules.map(
    ({ permission, operation, type, pattern, name, principal }) =>
      `${permission} ${operation} ${type} ${pattern} ${name} ${principal}`,
  )
const plan = (
  rules: readonly AclRule[],
  {
    topics = ['orders', 'orders-eu'],
    others = [] as string[],
    last,
  }: { topics?: string[]; others?: string[]; last?: string } = {},
) => {
  const { denials, forEverybody } = planFence(rules, {
    own: new Set(['User:kdr']),
    topics: new Set(topics),
    others: new Set(others),
    last,
  })
  return { denials: shown(denials), forEverybody: shown(forEverybody) }
}

describe('a fence', () => {
  test('denies WRITE to whoever is allowed WRITE or ALL, by the pattern of the rule', () => {
    const { denials } = plan([
      rule({}),
      rule({ principal: 'User:all', operation: 'ALL', pattern: 'PREFIXED', name: 'ord' }),
      rule({ principal: 'User:any', name: '*' }),
      rule({ principal: 'User:reader', operation: 'READ' }),
      rule({ principal: 'User:elsewhere', name: 'payments' }),
      rule({ principal: 'User:denied', permission: 'DENY' }),
    ])
    assert.deepEqual(denials, [
      'DENY WRITE TOPIC LITERAL orders User:app',
      'DENY WRITE TOPIC PREFIXED ord User:all',
      'DENY WRITE TOPIC LITERAL * User:any',
    ])
  })

  test('leaves alone what does not move: one denial a topic where the pattern meets more', () => {
    const { denials } = plan([rule({ pattern: 'PREFIXED', name: 'ord' })], {
      others: ['orders-tmp', 'payments'],
    })
    assert.deepEqual(denials, [
      'DENY WRITE TOPIC LITERAL orders User:app',
      'DENY WRITE TOPIC LITERAL orders-eu User:app',
    ])
    const any = plan([rule({ name: '*' })], { others: ['__consumer_offsets', '_kdr.state'] })
    assert.deepEqual(any.denials, ['DENY WRITE TOPIC LITERAL * User:app'])
  })

  test('never denies kdr, and everybody only apart', () => {
    const { denials, forEverybody } = plan([
      rule({ principal: 'User:kdr', name: '*', operation: 'ALL' }),
      rule({ principal: 'User:*' }),
    ])
    assert.deepEqual(denials, [])
    assert.deepEqual(forEverybody, ['DENY WRITE TOPIC LITERAL orders User:*'])
  })

  test('a rule from one address is denied from all', () => {
    const { denials } = planFence([rule({ host: '10.0.0.7' })], {
      own: new Set(),
      topics: new Set(['orders']),
      others: new Set(),
      last: undefined,
    })
    assert.equal(denials[0]?.host, '*')
  })

  test('stops the transactional ids of writers, but not where they may write elsewhere too', () => {
    const id = (change: Partial<AclRule>) =>
      rule({ type: 'TRANSACTIONAL_ID', pattern: 'PREFIXED', name: 'app-', ...change })
    const rules = [
      rule({}),
      id({}),
      id({ principal: 'User:reader' }),
      id({ principal: 'User:*', name: 'any-' }),
    ]
    assert.deepEqual(plan(rules).denials, [
      'DENY WRITE TOPIC LITERAL orders User:app',
      'DENY WRITE TRANSACTIONAL_ID PREFIXED app- User:app',
      'DENY WRITE TRANSACTIONAL_ID PREFIXED any- User:app',
    ])
    const busy = plan([...rules, rule({ name: 'payments' })], { others: ['payments'] })
    assert.deepEqual(busy.denials, ['DENY WRITE TOPIC LITERAL orders User:app'])
  })

  test('the principal of the probe comes last, each rule once', () => {
    const { denials } = plan([rule({}), rule({ operation: 'ALL' }), rule({ principal: 'User:b' })], {
      last: 'User:app',
    })
    assert.deepEqual(denials, [
      'DENY WRITE TOPIC LITERAL orders User:b',
      'DENY WRITE TOPIC LITERAL orders User:app',
    ])
  })
})

test('groups are denied READ in the same way', () => {
  const { denials } = planDenials(
    [rule({ type: 'GROUP', operation: 'READ', name: '*' }), rule({ type: 'GROUP', operation: 'DESCRIBE' })],
    new Set(),
    { type: 'GROUP', operation: 'READ', names: new Set(['g']), others: new Set(['h']) },
  )
  assert.deepEqual(shown(denials), ['DENY READ GROUP LITERAL g User:app'])
})
