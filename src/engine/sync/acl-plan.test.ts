import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { aclKey, type AclRule, type HeldAcl } from '../../model/rights.ts'
import { type AclWorld, NO_MIRRORS, planAcls, planRelease } from './acl-plan.ts'
import { mayTake, mirrorsOf } from './mirror-names.ts'

/** `ALLOW READ TOPIC LITERAL orders User:app [host]`. */
function rule(text: string): AclRule {
  const [permission = '', operation = '', type = '', pattern = '', name = '', principal = '', host = '*'] =
    text.split(' ')
  return { type, pattern, name, principal, host, operation, permission }
}
const show = ({ permission, operation, type, pattern, name, principal, host }: AclRule): string =>
  [permission, operation, type, pattern, name, principal, ...(host === '*' ? [] : [host])].join(' ')
const byKey = (rules: readonly string[]) => new Map(rules.map(text => [aclKey(rule(text)), rule(text)]))

const MIRRORS = mirrorsOf({
  topics: new Set(['orders', 'pay-1']),
  patterns: [['orders', 'pay-*', '!pay-tmp-*']],
  forgotten: new Set(),
})

function plan(
  source: readonly string[],
  {
    target = [],
    applied = [],
    ...rest
  }: { target?: string[]; applied?: string[] } & Partial<
    Omit<AclWorld, 'source' | 'target' | 'applied'>
  > = {},
) {
  const { add, remove, memory, wanted } = planAcls({
    source: source.map(rule),
    target: target.map(rule),
    applied: byKey(applied),
    principals: {},
    own: new Set(['User:kdr']),
    fromElsewhere: new Set(),
    mirrors: MIRRORS,
    ...rest,
  })
  const held = [...memory.held.values()].map(({ rule: each, why }: HeldAcl) => `${why}: ${show(each)}`)
  return {
    add: add.map(show),
    remove: remove.map(show),
    wanted: wanted.length,
    applied: [...memory.applied.values()].map(show),
    held,
    memory,
  }
}

const READ = 'ALLOW READ TOPIC LITERAL orders User:app'
const WRITE = 'ALLOW WRITE TOPIC LITERAL orders User:app'

describe('ACLs', () => {
  test('what the source has and the target has not is added and remembered', () => {
    const { add, remove, applied } = plan([READ, 'ALLOW READ GROUP PREFIXED app- User:app'])
    assert.deepEqual(add, [READ, 'ALLOW READ GROUP PREFIXED app- User:app'])
    assert.deepEqual(applied, add)
    assert.deepEqual(remove, [])
  })

  test('what the source no longer has is taken away, if kdr has put it there', () => {
    const own = 'ALLOW READ TOPIC LITERAL orders User:own'
    const { add, remove, applied } = plan([], { target: [READ, own], applied: [READ] })
    assert.deepEqual([add, remove, applied], [[], [READ], []])
  })

  test("the target's own rule stays its own, also when the source has it and drops it", () => {
    const both = plan([READ], { target: [READ] })
    assert.deepEqual([both.add, both.applied, both.wanted], [[], [], 1])
    assert.deepEqual(plan([], { target: [READ] }).remove, [])
  })

  test('what vanished at the target is put there again; what was about to be put is taken away even if unseen', () => {
    assert.deepEqual(plan([READ], { applied: [READ] }).add, [READ])
    assert.deepEqual(plan([], { applied: [READ] }).remove, [READ])
  })

  for (const operation of ['WRITE', 'ALL', 'DELETE', 'ALTER', 'ALTER_CONFIGS', '99'])
    test(`${operation} is held back wherever it reaches a mirror, now or later`, () => {
      const allow = (pattern: string, name: string) => `ALLOW ${operation} TOPIC ${pattern} ${name} User:app`
      const reaching = [
        allow('LITERAL', 'orders'),
        allow('LITERAL', '*'),
        // Not there yet.
        allow('LITERAL', 'pay-new'),
        allow('PREFIXED', 'o'),
        allow('PREFIXED', 'pay-eu'),
        allow('PREFIXED', 'orders'),
      ]
      const others = [
        allow('LITERAL', 'other'),
        allow('LITERAL', 'order'),
        allow('PREFIXED', 'other'),
        allow('PREFIXED', 'pay-tmp-x'),
      ]
      const { held, add } = plan([...reaching, ...others])
      assert.deepEqual(
        held,
        reaching.map(each => `writes-to-mirrors: ${each}`),
      )
      assert.deepEqual(add, others)
    })

  test('reading, describing and creating are not held back', () => {
    const harmless = ['READ', 'DESCRIBE', 'DESCRIBE_CONFIGS', 'CREATE'].map(
      operation => `ALLOW ${operation} TOPIC LITERAL * User:app`,
    )
    assert.deepEqual(plan(harmless).add, harmless)
  })

  test('of the cluster, what gives any right or writes markers is held back; idempotence is not', () => {
    const harmless = [
      'ALLOW IDEMPOTENT_WRITE CLUSTER LITERAL kafka-cluster User:app',
      'ALLOW DESCRIBE CLUSTER LITERAL kafka-cluster User:app',
      'ALLOW WRITE TRANSACTIONAL_ID LITERAL * User:app',
      'ALLOW ALL GROUP LITERAL * User:app',
    ]
    const strong = ['ALTER', 'CLUSTER_ACTION', 'ALL'].map(
      operation => `ALLOW ${operation} CLUSTER LITERAL kafka-cluster User:app`,
    )
    const { add, held } = plan([...harmless, ...strong])
    assert.deepEqual(add, harmless)
    assert.equal(held.length, 3)
  })

  test('a rule that comes to reach a mirror is taken away', () => {
    const { remove, held } = plan([WRITE], { target: [WRITE], applied: [WRITE] })
    assert.deepEqual([remove, held], [[WRITE], [`writes-to-mirrors: ${WRITE}`]])
  })

  test('principals are mapped, and tokens of mapped users too', () => {
    const { add } = plan(
      [READ, 'DENY READ TOPIC LITERAL x User:app', 'ALLOW CREATE_TOKENS USER LITERAL User:app User:b'],
      {
        principals: { 'User:app': 'User:app-west' },
      },
    )
    assert.deepEqual(add, [
      'DENY READ TOPIC LITERAL x User:app-west',
      'ALLOW READ TOPIC LITERAL orders User:app-west',
      'ALLOW CREATE_TOKENS USER LITERAL User:app-west User:b',
    ])
  })

  test("rules of kdr's principals, about its own topics, and put at the source by kdr are not copied", () => {
    const elsewhere = 'ALLOW READ TOPIC LITERAL other User:app'
    const { wanted, held } = plan(
      [
        'ALLOW READ TOPIC LITERAL * User:kdr',
        'ALLOW READ TOPIC LITERAL orders User:copier',
        'ALLOW READ TOPIC LITERAL _kdr.state User:app',
        'ALLOW ALL TRANSACTIONAL_ID PREFIXED _kdr. User:app',
        elsewhere,
      ],
      { principals: { 'User:copier': 'User:kdr' }, fromElsewhere: new Set([aclKey(rule(elsewhere))]) },
    )
    assert.deepEqual([wanted, held], [0, []])
  })

  test("a rule that reaches kdr's own topic is held back though it reaches no mirror", () => {
    assert.equal(plan(['ALLOW WRITE TOPIC PREFIXED _ User:app']).held.length, 1)
  })

  test('a denial for everybody that would stop kdr is held back, and so is what it takes away', () => {
    const denial = 'DENY READ TOPIC PREFIXED pay- User:*'
    const { held, add } = plan([
      denial,
      'ALLOW READ TOPIC LITERAL pay-1 User:app',
      'ALLOW READ TOPIC LITERAL orders User:app',
      'ALLOW DESCRIBE TOPIC LITERAL pay-1 User:app',
      'DENY READ TOPIC LITERAL pay-1 User:other',
      'DENY READ TOPIC LITERAL pay-1 User:* 10.0.0.7',
      'DENY READ TOPIC LITERAL other User:*',
    ])
    assert.deepEqual(held, [
      `stops-kdr: ${denial}`,
      'denied-at-source: ALLOW READ TOPIC LITERAL pay-1 User:app',
    ])
    assert.deepEqual(add, [
      'DENY READ TOPIC LITERAL pay-1 User:other',
      'DENY READ TOPIC LITERAL pay-1 User:* 10.0.0.7',
      'DENY READ TOPIC LITERAL other User:*',
      'ALLOW READ TOPIC LITERAL orders User:app',
      'ALLOW DESCRIBE TOPIC LITERAL pay-1 User:app',
    ])
  })
})

describe('promotion', () => {
  test('what was held back comes into force, without the source', () => {
    const { memory } = plan([READ, WRITE, 'ALLOW ALL CLUSTER LITERAL kafka-cluster User:app'])
    const released = planRelease(memory, [rule(READ)], NO_MIRRORS)
    assert.deepEqual(released.add.map(show), [WRITE, 'ALLOW ALL CLUSTER LITERAL kafka-cluster User:app'])
    assert.deepEqual(released.remove, [])
    assert.equal(released.memory.applied.size, 3)
    assert.equal(released.memory.held.size, 0)
  })

  test('what reaches a topic that stays a mirror stays held back', () => {
    const { memory } = plan([
      WRITE,
      'ALLOW WRITE TOPIC LITERAL pay-1 User:app',
      'ALLOW WRITE TOPIC LITERAL * User:app',
    ])
    const left = mirrorsOf({ topics: new Set(['pay-1']), patterns: [], forgotten: new Set() })
    assert.deepEqual(planRelease(memory, [], left).add.map(show), [WRITE])
  })

  test('what everybody was denied at the source is not allowed by a promotion', () => {
    const { memory } = plan([WRITE, 'DENY WRITE TOPIC LITERAL * User:*'])
    assert.deepEqual(planRelease(memory, [], NO_MIRRORS).add, [])
  })
})

describe('names that may become mirrors', () => {
  test('by their beginnings', () => {
    const list = ['*', '!tmp-*', 'tmp-kept-?', '!x']
    for (const prefix of ['', 'a', 'tmp', 'tmp-k', 'tmp-kept-1', 'x'])
      assert.ok(mayTake(list, prefix), prefix)
    assert.equal(mayTake(list, 'tmp-other'), false)
    assert.equal(mayTake(['orders', 'pay-*'], 'order'), true)
    assert.equal(mayTake(['orders', 'pay-*'], 'orders-'), false)
    assert.equal(mayTake(['re:a+'], 'b'), true)
    assert.equal(mayTake(['*'], '_kdr.'), false)
  })

  test('a topic that was let go of is none', () => {
    const mirrors = mirrorsOf({ topics: new Set(), patterns: [['*']], forgotten: new Set(['mine']) })
    assert.deepEqual(
      ['mine', 'other', '_kdr.state', '__consumer_offsets'].map(name => mirrors.has(name)),
      [false, true, true, false],
    )
  })
})
