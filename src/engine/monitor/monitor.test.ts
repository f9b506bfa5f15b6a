import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakeWatched } from '../../../test/support/watched-cluster.ts'
import { KdrError } from '../../model/errors.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import { MONITOR_LIMITS } from './limits.ts'
import { ClusterMonitor } from './monitor.ts'
import type { WatchedCluster } from './sight.ts'

const DARK = new KdrError('unreachable', 'no broker of "east" answers')

function monitoring() {
  const cluster = new FakeWatched()
  const stopping = new AbortController()
  const state = { isMine: true, opened: 0, isOpen: true }
  const rounds: WatchedCluster[] = []
  const monitor = new ClusterMonitor({
    name: 'east',
    open: () => {
      if (!state.isOpen) return Promise.reject(DARK)
      state.opened++
      return Promise.resolve(cluster.port)
    },
    clock: {
      now: () => 1_000_000 + cluster.now,
      monotonic: () => cluster.now,
      sleep: () => Promise.resolve(),
    },
    limits: { ...MONITOR_LIMITS, everyMs: 10_000, windowMs: 60_000 },
    isWanted: () => true,
    isMine: () => state.isMine,
    onRound: seen => {
      rounds.push(seen)
      stopping.abort()
    },
  })
  const round = async (ms = 10_000): Promise<WatchedCluster> => {
    cluster.now += ms
    await monitor.round()
    return monitor.sight!
  }
  return { cluster, monitor, state, round, rounds, stopping }
}

const dir = (broker: number, usableBytes: number, code: number = KafkaCode.NONE) => ({
  broker,
  code,
  path: `/data/${usableBytes}`,
  totalBytes: 1_000,
  usableBytes,
})

describe('of a cluster', () => {
  test('brokers, disks, controllers, partitions and groups are seen', async () => {
    const { cluster, round } = monitoring()
    cluster.topic('t', 1, { isr: [1] })
    cluster.end('t', 0, 5)
    cluster.group('app', [['t', 0, 2]])
    cluster.brokers.pop()
    cluster.logDirs = [dir(1, 900), dir(1, 100), dir(2, -1, KafkaCode.KAFKA_STORAGE_ERROR)]
    cluster.quorum = {
      leader: 1,
      highWatermark: 9,
      voters: [
        { id: 1, logEnd: 9, caughtUpAt: 60_000 },
        { id: 2, logEnd: 2, caughtUpAt: 1_000 },
      ],
    }
    const { partitions, groups, ...seen } = await round()
    assert.deepEqual(seen, {
      name: 'east',
      seenAt: 1_010_000,
      brokers: [
        { broker: 1, isThere: true, logDirsOffline: 0, freeShare: 0.1 },
        { broker: 2, isThere: true, logDirsOffline: 1 },
        { broker: 3, isThere: false },
      ],
      controllers: { leader: 1, voters: 2, votersBehind: [2] },
      groupsAt: 1_010_000,
      groupsUnwatched: 0,
      notSeen: [],
    })
    assert.deepEqual([partitions?.underReplicated, partitions?.underMinIsr], [1, 1])
    assert.deepEqual(
      groups.map(({ group, lagRecords }) => [group, lagRecords]),
      [['app', 3]],
    )
  })

  test('disks and controllers are asked for once a minute, configs of topics when these are new', async () => {
    const { cluster, round } = monitoring()
    cluster.topic('t', 1)
    for (let i = 0; i < 3; i++) await round()
    const count = (what: string): number => cluster.asked.filter(each => each === what).length
    assert.deepEqual(['describe', 'groups', 'disks', 'quorum', 'configs of 1'].map(count), [3, 3, 1, 1, 1])
    cluster.topic('new', 1)
    await round()
    assert.equal(count('configs of 1'), 2, 'of the new one alone')
    await round(MONITOR_LIMITS.slowMs)
    assert.equal(count('disks'), 2)
    await round(MONITOR_LIMITS.configsMs)
    assert.equal(count('configs of 2'), 1)
  })

  test('what changes is counted anew', async () => {
    const { cluster, round } = monitoring()
    cluster.topic('t', 1)
    assert.equal((await round()).partitions?.underReplicated, 0)
    cluster.topic('t', 1, { isr: [1, 2] })
    assert.equal((await round()).partitions?.underReplicated, 1)
    cluster.minInSync = '3'
    assert.equal((await round(MONITOR_LIMITS.configsMs)).partitions?.underMinIsr, 1)
  })
})

describe('what cannot be seen', () => {
  test('is said, and the rest is seen', async () => {
    const { cluster, round } = monitoring()
    cluster.topic('t', 1)
    cluster.group('app', [['t', 0, 0]])
    for (const what of ['groups', 'disks', 'configs of 1'])
      cluster.failing.set(what, new KdrError('not-allowed', `no ${what}`))
    const seen = await round()
    assert.deepEqual(seen.notSeen, [
      { what: 'disks', why: 'no disks' },
      { what: 'topic configs', why: 'no configs of 1' },
      { what: 'groups', why: 'no groups' },
    ])
    assert.equal(seen.problem, undefined)
    assert.equal(seen.partitions?.underMinIsr, undefined)
    assert.equal(seen.partitions?.underReplicated, 0)
    cluster.failing.clear()
    assert.deepEqual((await round(MONITOR_LIMITS.configsMs)).notSeen, [])
  })

  test('a refusal names the right', async () => {
    const { cluster, round } = monitoring()
    cluster.logDirs = [dir(1, -1, KafkaCode.CLUSTER_AUTHORIZATION_FAILED)]
    const seen = await round()
    assert.deepEqual(seen.notSeen, [
      { what: 'disks', why: 'CLUSTER_AUTHORIZATION_FAILED (31) (DESCRIBE on the cluster)' },
    ])
    assert.deepEqual(seen.brokers[0], { broker: 1, isThere: true })
  })

  test('a cluster that is away is a problem, and looked for again; what was seen stays, with its time', async () => {
    const { cluster, state, round } = monitoring()
    state.isOpen = false
    assert.deepEqual([(await round()).problem, (await round()).seenAt], [DARK.message, 0])
    state.isOpen = true
    assert.equal((await round()).problem, undefined)
    cluster.failing.set('describe', DARK)
    const dark = await round()
    assert.deepEqual([dark.problem, dark.seenAt, dark.brokers.length], [DARK.message, 1_030_000, 3])
    cluster.failing.clear()
    const back = await round()
    assert.deepEqual([back.problem, back.seenAt, state.opened], [undefined, 1_050_000, 1])
  })

  test('a bug is no problem of the cluster', async () => {
    const { cluster, round } = monitoring()
    cluster.failing.set('groups', new TypeError('a bug'))
    await assert.rejects(round(), TypeError)
  })
})

describe('who watches', () => {
  test('tells of each round, and closes the cluster in the end', async () => {
    const { cluster, monitor, rounds, stopping } = monitoring()
    await monitor.run(stopping.signal)
    assert.equal(rounds.length, 1)
    assert.equal(cluster.isClosed, true)
  })

  test('asks nothing while it is another process that watches, and then knows nothing of before', async () => {
    const { cluster, monitor, state, round, stopping } = monitoring()
    const sight = (): WatchedCluster | undefined => monitor.sight
    await round()
    state.isMine = false
    assert.equal(sight(), undefined)
    cluster.asked.length = 0
    const running = monitor.run(stopping.signal)
    while (!cluster.isClosed) await Promise.resolve()
    stopping.abort()
    await running
    assert.deepEqual(cluster.asked, [])
    state.isMine = true
    assert.equal(sight()?.seenAt, 0)
  })
})
