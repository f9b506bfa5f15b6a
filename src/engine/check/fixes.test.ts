// What `--fix` would do of each finding, and where it keeps its hands off.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clusterOf, health, NOW, type TopicSpec } from '../../../test/support/sights.ts'
import { FINDINGS, type FindingSpec } from '../../model/findings.ts'
import { type CheckedCluster, type CheckInput, judge } from './check.ts'
import { fixable, fixSentence } from '../../model/fixes.ts'
import type { SeenCluster } from './observation.ts'
import type { DriftSight } from './rules/drift.ts'

const told = new Set<string>()
const fixesOf = (changes: Partial<CheckInput>): string[] => {
  const report = judge({
    clusters: [],
    links: [],
    drifts: [],
    sets: [],
    compared: undefined,
    notSeen: [],
    accepts: [],
    now: NOW,
    isWhole: false,
    ...changes,
  })
  return fixable(report.findings).map(({ id, fix }) => {
    told.add(id)
    return `${id} ${fixSentence(fix)}`
  })
}
const inCluster = (
  topics: Readonly<Record<string, TopicSpec>>,
  changes: Partial<SeenCluster> = {},
  isMirror: CheckedCluster['isMirror'] = () => false,
): string[] => {
  const sight = clusterOf({ topics }, changes)
  return fixesOf({
    clusters: [{ sight, rpoMs: 60_000, rack: undefined, certificates: [], sets: [], isMirror }],
  })
}

describe('a topic', () => {
  const weak = { 'min.insync.replicas': '1' }
  const unclean = { 'unclean.leader.election.enable': 'true' }

  test('with all in sync asks for two', () => {
    assert.deepEqual(inCluster({ a: { configs: weak } }), [
      'C013 set min.insync.replicas=2 on topic "a" of "east"',
    ])
  })

  for (const [what, spec] of [
    ['with a replica behind', { configs: weak, isr: [[1, 2]] }],
    ['without a leader', { configs: weak, leaders: [-1] }],
    ['that would take less from then on', { configs: { 'min.insync.replicas': '3' } }],
    ['that asks for more than there are', { configs: { 'min.insync.replicas': '4' } }],
    ['of two replicas', { configs: { 'min.insync.replicas': '2' }, replicas: [[1, 2]] }],
    ['of one replica', { configs: weak, replicas: [[1]] }],
  ] as const satisfies readonly (readonly [string, TopicSpec])[])
    test(`${what} is left alone`, () => assert.deepEqual(inCluster({ a: spec }), []))

  test('keeps what it has been given', () => {
    assert.deepEqual(inCluster({ a: { configs: unclean } }), [
      'C017 set unclean.leader.election.enable=false on topic "a" of "east"',
    ])
  })

  test('that is a mirror is left to its source', () => {
    const topics = { a: { configs: { ...weak, ...unclean } }, b: { configs: unclean } }
    assert.deepEqual(
      inCluster(topics, {}, topic => topic === 'a'),
      ['C017 set unclean.leader.election.enable=false on topic "b" of "east"'],
    )
  })

  test('is led by the replica that is meant to', () => {
    assert.deepEqual(inCluster({ a: { leaders: [3] } }), ['C018 elect the preferred leader of a/0 of "east"'])
  })
})

describe('unclean elections of all brokers', () => {
  const name = 'unclean.leader.election.enable'
  const brokers = (from: 'file' | 'this-broker') =>
    [1, 2, 3].map(id => {
      const own = health(id)
      assert.ok(!('unseen' in own.configs))
      const configs = new Map([...own.configs, [name, { value: 'true', from: id === 3 ? from : 'file' }]])
      return { ...own, configs }
    })

  test('are turned off', () => {
    assert.deepEqual(inCluster({}, { health: brokers('file') }), [
      `C025 set ${name}=false for all brokers of "east"`,
    ])
  })

  test('are left alone where one broker has a value of its own, which would win', () => {
    assert.deepEqual(inCluster({}, { health: brokers('this-broker') }), [])
  })
})

describe('a mirror that somebody has changed', () => {
  const drifted = (applied: Record<string, string>, now: Record<string, string>): string[] => {
    const target = clusterOf({ name: 'west', topics: { orders: { configs: now } } })
    const mirror = { topic: 'orders', wanted: applied, applied, replicas: undefined }
    const drift: DriftSight = { link: 'ew', source: clusterOf(), target, mirrors: [mirror] }
    return fixesOf({ drifts: [drift] })
  }
  const kept = { 'retention.ms': '-1', 'max.message.bytes': '104857600', 'segment.bytes': '9' }

  test('is set back where it would delete or refuse by itself', () => {
    assert.deepEqual(drifted(kept, { ...kept, 'retention.ms': '5', 'max.message.bytes': '1000' }), [
      'C076 set retention.ms=-1, max.message.bytes=104857600 on topic "orders" of "west"',
    ])
  })

  for (const [what, now] of [
    ['of another config', { ...kept, 'segment.bytes': '10' }],
    ['of another config too', { ...kept, 'retention.ms': '5', 'segment.bytes': '10' }],
    ['to what takes more', { ...kept, 'max.message.bytes': '200000000' }],
  ] as const)
    test(`is left alone where it was changed ${what}`, () => assert.deepEqual(drifted(kept, now), []))

  test('is left alone where it keeps more than kdr had set', () => {
    assert.deepEqual(drifted({ 'retention.ms': '1000' }, { 'retention.ms': '-1' }), [])
  })
})

test('every finding that the table calls safe is mended somewhere', () => {
  const safe = Object.entries(FINDINGS).filter(([, spec]: [string, FindingSpec]) => spec.safeFix)
  assert.deepEqual([...told].toSorted(), safe.map(([id]) => id).toSorted())
})
