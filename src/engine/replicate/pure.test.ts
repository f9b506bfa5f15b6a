// The decisions of replication that need no world: configs of a mirror, topics, log starts, estimates, lag.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ClusterView, ConfigEntry, TopicView } from '../../ports/cluster.ts'
import type { TopicRecord } from '../../model/state-records.ts'
import { estimateFilling, isSurelySmall } from './estimate.ts'
import { LagRing } from './lag.ts'
import { configChanges, configDrift, mirrorConfigs } from './mirror-configs.ts'
import { planTopics } from './plan-topics.ts'
import { planTrim } from './trim.ts'

const entry = (value: string, isOverride = true): ConfigEntry => ({
  value,
  isOverride,
  isReadOnly: false,
  isSensitive: false,
})
const KNOWN = new Set([
  'cleanup.policy',
  'retention.ms',
  'retention.bytes',
  'compression.type',
  'min.insync.replicas',
  'max.message.bytes',
  'segment.bytes',
])
const input = (
  source: Record<string, ConfigEntry>,
  more: Partial<Parameters<typeof mirrorConfigs>[0]> = {},
) => ({
  source: new Map(Object.entries(source)),
  knownAtTarget: KNOWN,
  replicationFactor: 3,
  overrides: {},
  isSeeding: false,
  ...more,
})

describe('mirrorConfigs', () => {
  test("takes the source's overrides, holds retention and compression, and leaves out what the target does not know", () => {
    const configs = mirrorConfigs(
      input({ 'segment.bytes': entry('1000'), 'retention.ms': entry('5'), 'x.y': entry('1') }),
    )
    assert.equal(configs['segment.bytes'], '1000')
    assert.equal(configs['retention.ms'], '-1')
    assert.equal(configs['compression.type'], 'producer')
    assert.equal('x.y' in configs, false)
  })

  test('never copies tiered storage or throttles, even where the target knows them', () => {
    const known = new Set([...KNOWN, 'remote.storage.enable', 'leader.replication.throttled.replicas'])
    const configs = mirrorConfigs(
      input(
        { 'remote.storage.enable': entry('true'), 'leader.replication.throttled.replicas': entry('*') },
        { knownAtTarget: known },
      ),
    )
    assert.equal('remote.storage.enable' in configs, false)
    assert.equal('leader.replication.throttled.replicas' in configs, false)
  })

  test("a compacted topic is delete while it is seeded, also when compaction is the source broker's default", () => {
    const source = { 'cleanup.policy': entry('compact', false) }
    assert.equal(mirrorConfigs(input(source))['cleanup.policy'], 'compact')
    assert.equal(mirrorConfigs(input(source, { isSeeding: true }))['cleanup.policy'], 'delete')
  })

  test("what the source deletes by its broker's default is not compacted by the target's", () => {
    assert.equal(
      mirrorConfigs(input({ 'cleanup.policy': entry('delete', false) }))['cleanup.policy'],
      'delete',
    )
  })

  test('min.insync.replicas is at most the replication factor', () => {
    assert.equal(
      mirrorConfigs(input({ 'min.insync.replicas': entry('3') }, { replicationFactor: 1 }))[
        'min.insync.replicas'
      ],
      '1',
    )
  })

  test("the config's overrides win", () => {
    assert.equal(
      mirrorConfigs(input({ 'segment.bytes': entry('1') }, { overrides: { 'segment.bytes': '2' } }))[
        'segment.bytes'
      ],
      '2',
    )
  })
})

test('configChanges sets what differs from what was applied, and removes what the source no longer has', () => {
  assert.deepEqual(configChanges({ a: '1', b: '2', c: '3' }, { a: '1', b: '9' }), { b: '9', c: null })
})

test('configDrift names what somebody else changed at the target', () => {
  const drift = configDrift(
    { a: '1', b: '2' },
    new Map([
      ['a', entry('1')],
      ['b', entry('7')],
    ]),
  )
  assert.deepEqual(drift, [{ name: 'b', applied: '2', found: '7' }])
})

const topic = (name: string, id: string, partitions: number): TopicView => ({
  name,
  id,
  isInternal: false,
  partitions: Array.from({ length: partitions }, (_none, partition) => ({
    partition,
    leader: 0,
    leaderEpoch: 0,
    replicas: [0],
    isr: [0],
  })),
})
const view = (...topics: TopicView[]): ClusterView => ({
  clusterId: 'c',
  brokers: [],
  topics: new Map(topics.map(each => [each.name, each])),
})
const record = (sourceTopicId: string, targetTopicId: string | undefined): TopicRecord => ({
  phase: targetTopicId === undefined ? 'creating' : 'mirroring',
  sourceTopicId,
  targetTopicId,
  applied: {},
  adoptedUpTo: [],
})

describe('planTopics', () => {
  const decide = (
    source: TopicView | undefined,
    target: TopicView | undefined,
    known?: TopicRecord,
    gone: Partial<Parameters<typeof planTopics>[0]> = {},
  ): string => {
    const [action] = planTopics({
      link: 'l',
      missing: new Map(),
      missingMirrors: new Map([['t', 'deleted']]),
      onSourceDelete: 'keep',
      now: 1_000,
      ...gone,
      isWanted: () => true,
      source: view(...(source === undefined ? [] : [source])),
      target: view(...(target === undefined ? [] : [target])),
      records: new Map(known === undefined ? [] : [['t', known]]),
    })
    return action === undefined ? 'nothing' : action.kind === 'stop' ? action.reason : action.kind
  }

  test('a new topic is created, also after a crash in the middle of that', () => {
    assert.equal(decide(topic('t', 's1', 1), undefined), 'create')
    assert.equal(decide(topic('t', 's1', 1), undefined, record('s1', undefined)), 'create')
  })

  test('a topic that was made anew before its mirror was known has no mirror that could hold the old one', () => {
    assert.equal(decide(topic('t', 's2', 1), undefined, record('s1', undefined)), 'create')
    assert.equal(decide(topic('t', 's2', 1), topic('t', 't1', 1), record('s1', undefined)), 'take-over')
  })

  test('a topic that kdr does not know at the target is looked at before anything else', () => {
    assert.equal(decide(topic('t', 's1', 1), topic('t', 't1', 1)), 'take-over')
  })

  test('a known mirror goes on, and grows with its source', () => {
    assert.equal(decide(topic('t', 's1', 2), topic('t', 't1', 2), record('s1', 't1')), 'mirror')
    assert.equal(decide(topic('t', 's1', 3), topic('t', 't1', 2), record('s1', 't1')), 'add-partitions')
  })

  test('a name that leads to another topic stops it, on either side', () => {
    assert.equal(decide(topic('t', 's2', 1), topic('t', 't1', 1), record('s1', 't1')), 'recreated')
    assert.equal(decide(topic('t', 's1', 1), topic('t', 't2', 1), record('s1', 't1')), 'recreated')
    assert.equal(decide(topic('t', 's1', 1), undefined, record('s1', 't1')), 'recreated')
  })

  test('a mirror that kdr may not see is not taken for deleted, nor one of which the target says nothing', () => {
    const mirrored = record('s1', 't1')
    for (const [says, decision] of [
      ['hidden', 'no-rights'],
      ['unknown', 'nothing'],
    ] as const) {
      const missingMirrors = new Map([['t', says]])
      assert.equal(decide(topic('t', 's1', 1), undefined, mirrored, { missingMirrors }), decision)
    }
  })

  test('a target with more partitions is refused', () => {
    assert.equal(decide(topic('t', 's1', 1), topic('t', 't1', 2), record('s1', 't1')), 'target-refuses')
  })

  describe('a topic that the source does not show', () => {
    const mirror = topic('t', 't1', 1)
    const deletedAt = (sourceDeletedAt?: number): TopicRecord => ({ ...record('s1', 't1'), sourceDeletedAt })
    const gone = new Map([['t', 'deleted' as const]])
    const afterMs = (deleteAfterMs: number) => ({ missing: gone, onSourceDelete: { deleteAfterMs } })

    test('keeps its mirror, however long it is gone, unless the policy says otherwise', () => {
      assert.equal(decide(undefined, mirror, deletedAt(1), { missing: gone, now: 1e13 }), 'source-deleted')
    })
    test('is deleted when its time has come, and not before', () => {
      assert.equal(decide(undefined, mirror, deletedAt(500), afterMs(501)), 'source-deleted')
      assert.equal(decide(undefined, mirror, deletedAt(500), afterMs(500)), 'delete')
    })
    test('is not taken for deleted when kdr may not see it, or the source does not say', () => {
      for (const [says, decision] of [
        ['hidden', 'no-rights'],
        ['unknown', 'nothing'],
      ] as const) {
        const missing = new Map([['t', says]])
        assert.equal(decide(undefined, mirror, deletedAt(1), { ...afterMs(1), missing }), decision)
        assert.equal(decide(undefined, mirror, deletedAt(), { missing }), decision)
      }
    })
    test('and that stands there again under another id is recreated, whatever the policy', () => {
      assert.equal(decide(topic('t', 's2', 1), mirror, deletedAt(1), afterMs(1)), 'recreated')
    })
  })
})

describe('planTrim', () => {
  const at = (sourceLogStart: number, targetLogStart: number, appended: number, acceptedLogStart = 0) =>
    planTrim({ sourceLogStart, targetLogStart, appended, acceptedLogStart })

  test('follows a small step, and never passes what was copied', () => {
    assert.deepEqual(at(10, 0, 100), { kind: 'move', before: 10 })
    assert.deepEqual(at(10, 10, 100), { kind: 'none' })
    assert.deepEqual(at(500, 0, 100, 500), { kind: 'move', before: 100 })
  })

  test('a jump over more than half of the mirror is explained by retention, or waits for a person', () => {
    assert.deepEqual(at(60, 0, 100), { kind: 'ask-retention', before: 60 })
    assert.deepEqual(at(60, 0, 100, 60), { kind: 'move', before: 60 })
    // What was decided before does not wait with it.
    assert.deepEqual(at(60, 0, 100, 5), { kind: 'move', before: 5 })
    assert.deepEqual(at(60, 5, 100, 5), { kind: 'ask-retention', before: 60 })
  })
})

test('estimateFilling: offsets that hold no record, at the rate of the way they are filled', () => {
  assert.deepEqual(estimateFilling(40_000_000, 0.25, 'markers'), { offsets: 30_000_000, seconds: 750 })
  assert.equal(isSurelySmall(100_000, 'transactions'), true)
  assert.equal(isSurelySmall(200_000, 'transactions'), false)
})

describe('LagRing', () => {
  test('is the age of the oldest end that the cursor has not reached', () => {
    const ring = new LagRing()
    ring.observe(10, 1_000)
    ring.observe(20, 2_000)
    assert.equal(ring.lagMs(5, 3_000), 2_000)
    assert.equal(ring.lagMs(10, 3_000), 1_000)
    assert.equal(ring.lagMs(20, 3_000), 0)
  })

  test('many samples never make it smaller than it is', () => {
    const ring = new LagRing()
    for (let i = 1; i <= 1_000; i++) ring.observe(i, i)
    for (const cursor of [0, 250, 500, 999])
      assert.ok(ring.lagMs(cursor, 1_000) >= 1_000 - (cursor + 1), `cursor ${cursor}`)
  })
})
