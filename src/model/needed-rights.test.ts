import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  EVERY,
  type Grant,
  grantsFor,
  NEEDED_RIGHTS,
  type ResourceName,
  type RightsScope,
} from './needed-rights.ts'

const named = (name: string): ResourceName => ({ pattern: 'LITERAL', name })
const beginning = (name: string): ResourceName => ({ pattern: 'PREFIXED', name })
const scope = (changes: Partial<RightsScope>): RightsScope => ({
  roles: ['source'],
  topics: [EVERY],
  groups: [EVERY],
  ownNames: [named('_kdr.link')],
  ...changes,
})
const short = ({ type, pattern, name, operation }: Grant): string =>
  `${operation} ${type} ${pattern === 'PREFIXED' ? `${name}…` : name}`
const shown = (scopes: readonly RightsScope[], hasClusterRights = true): string[] =>
  grantsFor(scopes, hasClusterRights).map(short)

describe('the rights that are needed', () => {
  test('no role has a line twice, nor one that another line of it brings along', () => {
    for (const clusterRights of ['with', 'without'] as const)
      for (const role of new Set(NEEDED_RIGHTS.map(each => each.role))) {
        const lines = NEEDED_RIGHTS.filter(
          each => each.role === role && [undefined, clusterRights].includes(each.clusterRights),
        )
        // Of names that nothing else covers, so that every line stands for itself.
        const apart = scope({ roles: [role], topics: [named('t')], groups: [named('g')] })
        assert.equal(
          grantsFor([apart], clusterRights === 'with').length,
          lines.length,
          `${role} ${clusterRights}`,
        )
      }
  })

  test('of a source: nothing that writes, but for its own memory', () => {
    assert.deepEqual(shown([scope({ topics: [named('orders'), beginning('pay-')] })]), [
      'READ TOPIC orders',
      'DESCRIBE_CONFIGS TOPIC orders',
      'READ TOPIC pay-…',
      'DESCRIBE_CONFIGS TOPIC pay-…',
      'DESCRIBE GROUP *',
      'DESCRIBE TRANSACTIONAL_ID *',
      'DESCRIBE CLUSTER kafka-cluster',
      'DESCRIBE_CONFIGS CLUSTER kafka-cluster',
      'CREATE TOPIC _kdr.state',
      'READ TOPIC _kdr.state',
      'WRITE TOPIC _kdr.state',
    ])
  })

  test('of a target that kdr may change', () => {
    const target = scope({ roles: ['target'], topics: [named('orders')], groups: [beginning('app-')] })
    assert.deepEqual(shown([target]), [
      'CREATE TOPIC orders',
      'READ TOPIC orders',
      'WRITE TOPIC orders',
      'DELETE TOPIC orders',
      'ALTER TOPIC orders',
      'ALTER_CONFIGS TOPIC orders',
      'CREATE TOPIC _kdr.state',
      'READ TOPIC _kdr.state',
      'WRITE TOPIC _kdr.state',
      'DESCRIBE_CONFIGS TOPIC _kdr.state',
      'READ GROUP app-…',
      'DELETE GROUP app-…',
      'READ GROUP _kdr.link',
      'ALTER CLUSTER kafka-cluster',
      'ALTER_CONFIGS CLUSTER kafka-cluster',
    ])
  })

  test('of one that it may not change: markers give way to empty transactions', () => {
    const lines = (hasClusterRights: boolean): string[] =>
      shown([scope({ roles: ['target'] })], hasClusterRights).filter(line => !/TOPIC|GROUP/.test(line))
    assert.deepEqual(lines(true), ['ALTER CLUSTER kafka-cluster', 'ALTER_CONFIGS CLUSTER kafka-cluster'])
    assert.deepEqual(lines(false), [
      'DESCRIBE_CONFIGS CLUSTER kafka-cluster',
      'WRITE TRANSACTIONAL_ID _kdr.link.…',
    ])
  })

  test('what all topics or groups have covers those of kdr itself', () => {
    const own = shown([scope({ roles: ['target', 'new-active'] })]).filter(line => line.includes('_kdr'))
    assert.deepEqual(own, [])
    assert.deepEqual(
      shown([scope({})]).filter(line => line.includes('_kdr')),
      ['CREATE TOPIC _kdr.state', 'WRITE TOPIC _kdr.state'],
    )
  })

  test('a beginning covers longer ones, and no shorter ones', () => {
    const topics = (...names: ResourceName[]): string[] =>
      shown([scope({ topics: names })]).filter(
        line => line.startsWith('READ TOPIC') && !line.includes('_kdr'),
      )
    assert.deepEqual(topics(beginning('pay-'), named('pay-eu'), beginning('pay-eu-')), ['READ TOPIC pay-…'])
    assert.deepEqual(topics(beginning('pay-'), named('pay'), EVERY), ['READ TOPIC *'])
    assert.deepEqual(topics(beginning('pay-'), named('pay')), ['READ TOPIC pay-…', 'READ TOPIC pay'])
  })

  test('a run at the old active: what its link reads, and what denies the applications', () => {
    const lines = shown([scope({ roles: ['source', 'old-active'] })])
    assert.ok(lines.includes('ALTER CLUSTER kafka-cluster'))
    assert.ok(lines.includes('WRITE TRANSACTIONAL_ID *'))
    // Brought along by these two.
    assert.ok(!lines.includes('DESCRIBE CLUSTER kafka-cluster'))
    assert.ok(!lines.includes('DESCRIBE TRANSACTIONAL_ID *'))
  })

  test('two links that share a cluster: each right once, for both reasons', () => {
    const grants = grantsFor(
      [scope({ ownNames: [named('_kdr.a')] }), scope({ roles: ['target'], ownNames: [named('_kdr.b')] })],
      true,
    )
    const lines = grants.map(short)
    assert.equal(new Set(lines).size, lines.length)
    const reading = grants.find(grant => short(grant) === 'READ TOPIC *')
    assert.deepEqual(reading?.whys, [
      'reads the records',
      'looks where each log ends before it writes; commits offsets of groups',
    ])
  })
})
