import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakeWatched } from '../../../test/support/watched-cluster.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import { GroupWatch } from './groups.ts'
import type { GroupSight } from './sight.ts'

const LOOK_MS = 10_000
const LIMITS = { windowMs: 60_000, maxOffsets: 250_000 }

/** Looks again and again, ten seconds apart. */
function watching(of: Partial<typeof LIMITS> = {}, isWanted: (group: string) => boolean = () => true) {
  const cluster = new FakeWatched()
  const watch = new GroupWatch({ ...LIMITS, ...of }, isWanted)
  const look = async (times = 1, before: (index: number) => void = () => undefined) => {
    let seen = { groups: [] as readonly GroupSight[], unwatched: 0 }
    for (let i = 0; i < times; i++) {
      cluster.now += LOOK_MS
      before(i)
      seen = await watch.look(cluster.port, cluster.view, () => cluster.now)
    }
    return { ...seen, of: (group: string) => seen.groups.find(each => each.group === group) }
  }
  return { cluster, look }
}

describe('a group', () => {
  test('is as its worst partition is, with the lag of all', async () => {
    const { cluster, look } = watching()
    cluster.topic('t', 3)
    const { of } = await look(10, i => {
      cluster.end('t', 0, 10)
      cluster.end('t', 1, 100 + i)
      cluster.end('t', 2, 500 + 2 * i)
      cluster.group('app', [
        ['t', 0, 10],
        ['t', 1, 50],
        ['t', 2, i],
      ])
    })
    assert.deepEqual(of('app'), {
      group: 'app',
      state: 'stalled',
      hasMembers: true,
      lagRecords: 0 + 59 + 509,
      // Both were behind when they were seen for the first time, 90 s ago.
      lagMs: 90_000,
      isLagAtLeast: true,
      partitions: 3,
      worst: { topic: 't', partition: 1, state: 'stalled', committed: 50, end: 109 },
    })
  })

  test('without members is stopped, and with them stalled', async () => {
    const { cluster, look } = watching()
    cluster.topic('t', 1)
    cluster.end('t', 0, 100)
    cluster.group('gone', [['t', 0, 50]], { state: 'Empty' })
    cluster.group('hangs', [['t', 0, 50]], { state: 'PreparingRebalance' })
    const { of } = await look(8)
    assert.equal(of('gone')?.state, 'stopped')
    assert.equal(of('hangs')?.state, 'stalled')
  })

  test('without commits is not there; partitions without one are not counted', async () => {
    const { cluster, look } = watching()
    cluster.topic('t', 2)
    cluster.end('t', 0, 100)
    cluster.end('t', 1, 100)
    cluster.group('new', [])
    cluster.group('app', [['t', 0, 100]])
    const { groups } = await look()
    assert.deepEqual(
      groups.map(({ group, lagRecords, partitions }) => [group, lagRecords, partitions]),
      [['app', 0, 1]],
    )
  })

  test('that has just come is not known, until it shows how it goes on', async () => {
    const { cluster, look } = watching()
    cluster.topic('t', 1)
    cluster.end('t', 0, 100)
    await look(10)
    cluster.group('app', [['t', 0, 50]])
    assert.equal((await look(6)).of('app')?.state, 'unknown')
    assert.equal((await look()).of('app')?.state, 'stalled')
  })

  test('that is not wanted, or a share group, is not asked', async () => {
    const { cluster, look } = watching({}, group => group !== 'console')
    cluster.topic('t', 1)
    for (const group of ['console', 'app']) cluster.group(group, [['t', 0, 0]])
    cluster.group('queue', [['t', 0, 0]], { type: 'share' })
    const { groups, unwatched } = await look()
    assert.deepEqual(
      groups.map(({ group }) => group),
      ['app'],
    )
    assert.equal(unwatched, 0)
  })

  test('that is deleted is forgotten: one of its name later is another', async () => {
    const { cluster, look } = watching()
    cluster.topic('t', 1)
    cluster.end('t', 0, 100)
    cluster.group('app', [['t', 0, 50]])
    assert.equal((await look(8)).of('app')?.state, 'stalled')
    cluster.groups.delete('app')
    assert.equal((await look()).of('app'), undefined)
    cluster.group('app', [['t', 0, 50]])
    assert.equal((await look()).of('app')?.state, 'unknown')
  })
})

describe('a lag in seconds', () => {
  test('counts from when the end was first seen beyond the commit', async () => {
    const { cluster, look } = watching()
    cluster.topic('t', 1)
    const { of } = await look(10, i => {
      cluster.end('t', 0, 100 * (i + 1))
      cluster.group('app', [['t', 0, 100 * Math.max(1, i - 1)]])
    })
    assert.equal(of('app')?.lagRecords, 200)
    // Of the ends 900 and 1,000 the first was seen one look ago.
    assert.equal(of('app')?.lagMs, LOOK_MS)
    assert.equal(of('app')?.isLagAtLeast, false)
  })

  test('is that of each group by itself, where two read the same', async () => {
    const { cluster, look } = watching()
    cluster.topic('t', 1)
    const { of } = await look(10, i => {
      cluster.end('t', 0, 100 * (i + 1))
      cluster.group('near', [['t', 0, 100 * i]])
      cluster.group('far', [['t', 0, 300]], { state: 'Empty' })
    })
    assert.equal(of('near')?.lagMs, 0)
    assert.equal(of('far')?.lagMs, 6 * LOOK_MS)
  })
})

describe('what is not seen says nothing', () => {
  test('of whose partitions no end was ever seen is not known to be well', async () => {
    const { cluster, look } = watching()
    cluster.topic('t', 2)
    cluster.refused.set('t/1', KafkaCode.LEADER_NOT_AVAILABLE)
    cluster.group('app', [
      ['t', 0, 0],
      ['t', 1, 5],
    ])
    const { of } = await look(3)
    assert.equal(of('app')?.state, 'unknown')
  })

  test('an end that a leader does not tell', async () => {
    const { cluster, look } = watching()
    cluster.topic('t', 1)
    const goOn = (i: number): void => {
      cluster.end('t', 0, 500 + 2 * i)
      cluster.group('app', [['t', 0, i]])
    }
    assert.equal((await look(8, goOn)).of('app')?.state, 'lagging')
    cluster.refused.set('t/0', KafkaCode.NOT_LEADER_OR_FOLLOWER)
    assert.equal((await look(3, i => goOn(8 + i))).of('app')?.state, 'lagging', 'it does not gain on the end')
  })

  test('offsets that a coordinator does not tell', async () => {
    const { cluster, look } = watching()
    cluster.topic('t', 1)
    await look(5, i => {
      cluster.end('t', 0, 100 + i)
      cluster.group('app', [['t', 0, 100 + i]])
    })
    cluster.group('app', [], { code: KafkaCode.COORDINATOR_NOT_AVAILABLE })
    cluster.end('t', 0, 400)
    const { of, unwatched } = await look(3)
    assert.equal(of('app')?.lagRecords, 0, 'as it was')
    assert.equal(unwatched, 0)
    const later = await look(4)
    assert.deepEqual([later.groups.length, later.unwatched], [0, 1], 'nobody knows how it is by now')
  })

  test('a commit of a transaction that is under way', async () => {
    const { cluster, look } = watching()
    cluster.topic('t', 1)
    cluster.end('t', 0, 100)
    cluster.group('app', [['t', 0, 90]])
    await look(2)
    cluster.group('app', [], { pending: [{ topic: 't', partition: 0 }] })
    assert.equal((await look(8)).of('app')?.state, 'unknown', 'it may have moved for all that is known')
    cluster.group('app', [['t', 0, 95]])
    assert.equal((await look()).of('app')?.state, 'ok', 'it has gained')
  })
})

describe('where a topic changes', () => {
  test('one that is made anew is another log', async () => {
    const { cluster, look } = watching()
    cluster.topic('t', 1)
    cluster.end('t', 0, 100)
    cluster.group('app', [['t', 0, 100]])
    await look(3)
    cluster.topic('t', 1, { id: 'another' })
    cluster.end('t', 0, 200)
    cluster.group('app', [['t', 0, 10]])
    assert.equal((await look()).of('app')?.state, 'unknown', 'not rewound: its consumer has begun anew')
    cluster.deleteTopic('t')
    assert.equal((await look()).of('app'), undefined)
  })

  test('a log that is truncated, and its consumer with it', async () => {
    const { cluster, look } = watching()
    cluster.topic('t', 1)
    cluster.end('t', 0, 100)
    cluster.group('app', [['t', 0, 100]])
    await look(3)
    cluster.end('t', 0, 60)
    assert.equal((await look()).of('app')?.lagRecords, 0, 'beyond the end there is nothing to read')
    cluster.end('t', 0, 70)
    cluster.group('app', [['t', 0, 60]])
    assert.equal((await look()).of('app')?.state, 'rewound', 'it reads again what stands there now')
    cluster.group('app', [['t', 0, 70]])
    assert.equal((await look()).of('app')?.state, 'ok')
  })

  test('a commit is seen when its topic is: a look at the topics may have come just before that', async () => {
    const { cluster, look } = watching()
    cluster.group('app', [['late', 0, 5]])
    assert.equal((await look()).of('app'), undefined)
    cluster.topic('late', 1)
    cluster.end('late', 0, 7)
    assert.equal((await look()).of('app')?.lagRecords, 2)
  })
})

test('what is too much is left out, and counted', async () => {
  const { cluster, look } = watching({ maxOffsets: 10 })
  cluster.topic('t', 8)
  const all = Array.from({ length: 8 }, (_, partition) => ['t', partition, 0] as const)
  cluster.group('a', all)
  cluster.group('too-much', all)
  cluster.group('b', all.slice(0, 2))
  const { groups, unwatched } = await look()
  assert.deepEqual(
    groups.map(({ group }) => group),
    ['a', 'b'],
  )
  assert.equal(unwatched, 1)
})

test('1,000 groups in 10,000 partitions: a look within 2 s, each partition asked once, 100 MB at most', async () => {
  const { cluster, look } = watching()
  const topics = 100
  for (let topic = 0; topic < topics; topic++) cluster.topic(`topic-${topic}`, 100)
  // 100,000 commits: each group reads a topic, and they all go on at every look.
  const move = (i: number): void => {
    for (let topic = 0; topic < topics; topic++)
      for (let partition = 0; partition < 100; partition++)
        cluster.end(`topic-${topic}`, partition, 100 * i + 1_000)
    for (let group = 0; group < 1_000; group++) {
      const topic = `topic-${group % topics}`
      cluster.group(
        `group-${group}`,
        Array.from({ length: 100 }, (_, partition) => [topic, partition, 100 * i + (group % 7)] as const),
      )
    }
  }
  move(0)
  await look()
  const before = process.memoryUsage().heapUsed
  let longest = 0
  for (let i = 1; i <= 2; i++) {
    move(i)
    const from = performance.now()
    const { groups } = await look()
    longest = Math.max(longest, performance.now() - from)
    assert.equal(groups.length, 1_000)
  }
  assert.ok(longest < 2_000, `${longest} ms`)
  assert.ok(process.memoryUsage().heapUsed - before < 100e6)
  assert.equal(cluster.asked.filter(what => what === 'ends').length, 3)
})
