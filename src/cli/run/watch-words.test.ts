import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { watchedCluster } from '../../../test/support/metrics-world.ts'
import type { GroupSight, WatchedCluster } from '../../engine/monitor/sight.ts'
import { changesOf, clusterSummary } from './watch-words.ts'

const said = (before: WatchedCluster | undefined, now: WatchedCluster): string[] =>
  changesOf(before, now).map(({ level, message }) => `${level}: ${message}`)

/** In which all is well. */
const well = (of: Partial<WatchedCluster> = {}): WatchedCluster =>
  watchedCluster('east', {
    partitions: {
      topics: 1,
      partitions: 3,
      offline: 0,
      underReplicated: 0,
      underMinIsr: 0,
      notPreferred: 0,
      brokersMissing: [],
      troubled: [],
    },
    brokers: [{ broker: 3, isThere: true }],
    controllers: { leader: 1, voters: 3, votersBehind: [] },
    groups: [],
    notSeen: [],
    ...of,
  })

const ill = watchedCluster('east')
const group = (state: GroupSight['state'], name = 'app'): GroupSight => ({
  ...ill.groups[0]!,
  group: name,
  state,
})

test('the first look tells what is not well', () => {
  assert.deepEqual(said(undefined, well()), [])
  assert.deepEqual(said(undefined, ill), [
    'error: broker 3 of "east" is not there',
    'warn: 1 partition of "east" without a leader: of "orders"',
    'warn: 2 partitions of "east" with fewer replicas in sync than writes with acks=all ask for: of "orders"',
    'warn: 4 partitions of "east" with replicas that are not in sync: of "orders"',
    'warn: disks of "east" cannot be seen: CLUSTER_AUTHORIZATION_FAILED',
    'warn: group "app" of "east" is STALLED: has members, and commits nothing new; 90 records, 1m 00s behind; worst in "orders"/1, at offset 10 of 100',
  ])
})

test('a later one what has changed, also for the better', () => {
  assert.deepEqual(said(ill, ill), [])
  assert.deepEqual(said(ill, well({ groups: [group('ok')] })), [
    'info: broker 3 of "east" is there again',
    'info: no partition of "east" is without a leader any more',
    'info: no partition of "east" is with fewer replicas in sync than writes with acks=all ask for any more',
    'info: no partition of "east" is with replicas that are not in sync any more',
    'info: group "app" of "east" is well again (was STALLED)',
  ])
})

describe('it tells', () => {
  test('of a cluster that is away once, and when it is back', () => {
    const dark = well({ problem: 'no broker answers' })
    assert.deepEqual(said(well(), dark), ['error: cluster "east" cannot be looked at: no broker answers'])
    assert.deepEqual(said(dark, dark), [])
    assert.deepEqual(said(dark, well()), ['info: cluster "east" answers again'])
  })

  test('of controllers without a leader', () => {
    const headless = well({ controllers: { leader: -1, voters: 3, votersBehind: [] } })
    assert.deepEqual(said(well(), headless), ['error: no controller of "east" leads'])
    assert.deepEqual(said(headless, well()), ['info: controller 1 of "east" leads'])
  })

  test('of log directories that fail', () => {
    const failed = well({ brokers: [{ broker: 3, isThere: true, logDirsOffline: 2 }] })
    assert.deepEqual(said(well(), failed), ['error: broker 3 of "east" cannot use 2 of its log directories'])
    assert.deepEqual(said(failed, failed), [])
  })

  test('nothing of a group that is not known yet, nor that it is well after that', () => {
    const unknown = well({ groups: [group('unknown')] })
    assert.deepEqual(said(well(), unknown), [])
    assert.deepEqual(said(unknown, well({ groups: [group('ok')] })), [])
  })

  test('of many groups the first few, and how many there are', () => {
    const many = well({ groups: Array.from({ length: 25 }, (_, i) => group('stopped', `g${i}`)) })
    const lines = said(well(), many)
    assert.equal(lines.length, 11)
    assert.equal(lines.at(-1), 'warn: and the states of 15 more groups of "east" have changed')
  })
})

test('now and then one line tells how it stands', () => {
  assert.equal(clusterSummary(well()), 'cluster "east": 1 broker, 3 partitions, all well; 0 groups')
  const groups = [group('ok', 'a'), group('stalled'), group('ok', 'b')]
  assert.equal(
    clusterSummary(watchedCluster('east', { groups })),
    'cluster "east": 1 broker, 9 partitions, 1 broker not there, 1 without a leader, 2 with fewer replicas in sync than writes with ' +
      'acks=all ask for, 4 with replicas that are not in sync; 3 groups: 2 OK, 1 STALLED',
  )
  assert.equal(clusterSummary(well({ problem: 'no broker answers' })), 'cluster "east": no broker answers')
  const { partitions: _none, ...unseen } = well({ seenAt: 0 })
  assert.equal(clusterSummary(unseen), 'cluster "east": not looked at yet')
})
