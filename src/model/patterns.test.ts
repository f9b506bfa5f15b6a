import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { compilePatterns, internalTopicOf, patternProblem } from './patterns.ts'

const takes = (patterns: readonly string[], name: string) => compilePatterns(patterns, 'topics').matches(name)

describe('patterns', () => {
  test('the last pattern that matches wins', () => {
    const filter = compilePatterns(['*', '!tmp-*', 'tmp-keep'], 'topics')

    assert.equal(filter.matches('orders'), true)
    assert.equal(filter.matches('tmp-x'), false)
    assert.equal(filter.matches('tmp-keep'), true)
    assert.equal(filter.decidedBy('tmp-x'), '!tmp-*')
  })

  test('a glob matches the whole name, with every other character as it stands', () => {
    assert.equal(takes(['pay.*'], 'pay.eu'), true)
    assert.equal(takes(['pay.*'], 'payXeu'), false)
    assert.equal(takes(['a?c'], 'abc'), true)
    assert.equal(takes(['a?c'], 'abbc'), false)
    assert.equal(takes(['orders'], 'orders-2'), false)
  })

  test('a regular expression matches the whole name', () => {
    assert.equal(takes(['re:pay-(eu|us)'], 'pay-eu'), true)
    assert.equal(takes(['re:pay-(eu|us)'], 'my-pay-eu'), false)
    assert.equal(takes(['re:a|b'], 'ab'), false)
  })

  const internal = [
    '_schemas',
    '_schemas_backup',
    'connect-configs',
    'connect-cluster-offsets',
    'docker-connect-status',
    'my_connect_configs',
    'mm2-configs.east.internal',
    'heartbeats',
    'east.heartbeats',
    'east.checkpoints.internal',
    '_confluent-command',
  ]

  for (const name of internal) {
    test(`a broad pattern passes "${name}" by, one that names it takes it`, () => {
      for (const broad of ['*', '?*', '*-*', '*.*', 're:.*', 're:^(?!tmp-).*$'])
        assert.equal(takes([broad], name), false, broad)
      assert.equal(takes(['*', name], name), true)
      assert.equal(takes(['*', `${name.slice(0, 4)}*`], name), true)
    })
  }

  test('ordinary names that look a little like internal ones are taken', () => {
    for (const name of [
      'orders',
      'connections',
      'order-status',
      'connect',
      'heartbeats-of-cows',
      'app-store-changelog',
      '_internal',
    ]) {
      assert.equal(internalTopicOf(name), undefined, name)
      assert.equal(takes(['*'], name), true, name)
    }
  })

  test('`__x` needs its full name, and what belongs to the cluster is never taken', () => {
    assert.equal(takes(['*', '__*', 're:__.*'], '__amazon_msk_canary'), false)
    assert.equal(takes(['__amazon_msk_canary'], '__amazon_msk_canary'), true)
    for (const name of ['__consumer_offsets', '__transaction_state', '_kdr.state']) {
      assert.equal(takes(['*', name, `re:${name}`], name), false, name)
      assert.match(patternProblem(name, 'topics') ?? '', /never copied/)
    }
  })

  test("of groups, `*` passes by only kdr's own and `__x`", () => {
    const filter = compilePatterns(['*'], 'groups')

    assert.equal(filter.matches('connect-sink-orders'), true)
    assert.equal(filter.matches('a group / with: odd characters'), true)
    assert.equal(filter.matches('_kdr.east-west'), false)
    assert.equal(filter.matches('__anything'), false)
  })

  test('a pattern that cannot be right is a sentence', () => {
    assert.match(patternProblem('re:(', 'topics') ?? '', /not a regular expression/)
    assert.match(patternProblem('a|b', 'topics') ?? '', /no topic name/)
    assert.match(patternProblem('!', 'topics') ?? '', /empty/)
    assert.equal(patternProblem('!tmp-*', 'topics'), undefined)
    assert.equal(patternProblem('a|b', 'groups'), undefined)
  })

  const topicName = fc
    .stringMatching(/^[a-z][a-zA-Z0-9._-]{0,30}$/)
    .filter(name => internalTopicOf(name) === undefined)

  test('a name is a pattern that matches itself alone', () => {
    fc.assert(
      fc.property(topicName, topicName, (one, other) => {
        assert.equal(takes([one], one), true)
        assert.equal(takes([one], other), one === other)
        assert.equal(takes(['*', `!${one}`], one), false)
      }),
    )
  })

  test('what follows decides, whatever stood before', () => {
    fc.assert(
      fc.property(topicName, fc.array(topicName), (name, before) => {
        assert.equal(takes([...before, name], name), true)
        assert.equal(takes([...before, `!${name}`], name), false)
      }),
    )
  })
})
