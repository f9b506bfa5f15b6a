import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { gathered, NOW, watchedCluster } from '../../../../test/support/metrics-world.ts'
import type { GroupSight } from '../../../engine/monitor/sight.ts'
import { clusterSamples, MAX_GROUPS } from './clusters.ts'
import { MetricsGatherer } from './gather.ts'
import { MAX_SERIES } from './levels.ts'

const names = (of: Parameters<typeof watchedCluster>[1]): string[] =>
  Object.entries(clusterSamples([watchedCluster('east', of)], NOW)).flatMap(([name, samples]) =>
    samples.some(({ value }) => value !== undefined) ? [name] : [],
  )

const group = (i: number, of: Partial<GroupSight> = {}): GroupSight => ({
  group: `group-${i}`,
  state: 'ok',
  hasMembers: true,
  lagRecords: 0,
  lagMs: 0,
  isLagAtLeast: false,
  partitions: 10,
  ...of,
})

describe('of a cluster', () => {
  test('that does not answer now only this is said: what was seen before is no answer', () => {
    const problem = 'no broker answers'
    assert.deepEqual(names({ problem }), ['kdr_cluster_up', 'kdr_cluster_seen_timestamp_seconds'])
    assert.deepEqual(names({ problem, seenAt: 0 }), ['kdr_cluster_up'])
    const [up] = clusterSamples([watchedCluster('east', { problem })], NOW).kdr_cluster_up ?? []
    assert.equal(up?.value, 0)
  })

  test('that was not looked at yet nothing is said', () => {
    assert.deepEqual(names({ seenAt: 0, groupsAt: 0 }), [])
  })

  test('whose groups do not answer, these are left out after two minutes', () => {
    assert.ok(names({ groupsAt: NOW - 119_000 }).includes('kdr_group_state'))
    const old = names({ groupsAt: NOW - 121_000 })
    assert.deepEqual(
      old.filter(name => /group/.test(name)),
      [],
    )
    assert.ok(old.includes('kdr_cluster_partitions_offline'))
  })

  test('what is not known is left out', () => {
    const partitions = { ...watchedCluster('east').partitions!, underMinIsr: undefined }
    const found = names({ partitions, brokers: [{ broker: 1, isThere: true }] })
    for (const name of ['under_min_isr', 'disk_free_ratio', 'log_dirs_offline'])
      assert.ok(!found.some(each => each.endsWith(name)), name)
  })
})

test('of more groups than a Prometheus should have, those that are not well are told, and all are counted', () => {
  const groups = Array.from({ length: 3 * MAX_GROUPS }, (_, i) =>
    group(i, i % 3 === 2 ? { state: 'stopped', lagRecords: i } : {}),
  )
  const { kdr_group_state: states = [], kdr_cluster_groups: counts = [] } = clusterSamples(
    [watchedCluster('east', { groups })],
    NOW,
  )
  assert.equal(states.length, MAX_GROUPS)
  assert.ok(states.every(({ labels }) => labels['state'] === 'stopped'))
  assert.deepEqual(
    counts.filter(({ value }) => value !== 0).map(({ labels, value }) => [labels['state'], value]),
    [
      ['ok', 2 * MAX_GROUPS],
      ['stopped', MAX_GROUPS],
    ],
  )
})

test('1,000 groups and 10,000 partitions at two clusters: within 2 s, and below the bound', () => {
  const groups = Array.from({ length: 1_000 }, (_, i) => group(i))
  const clusters = ['east', 'west'].map(name => watchedCluster(name, { groups }))
  const from = performance.now()
  const text = new MetricsGatherer().text(gathered({ clusters }))
  assert.ok(performance.now() - from < 2_000)
  const series = text.split('\n').filter(line => line !== '' && !line.startsWith('#'))
  assert.ok(series.length < MAX_SERIES / 2, String(series.length))
})
