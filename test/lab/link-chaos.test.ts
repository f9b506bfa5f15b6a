// What breaks while a link runs, on a target of three brokers: kdr killed at random moments, target leaders restarted and
// killed one by one, a follower paused, source leaders moved and restarted; under load, with fresh records, records two days old
// (the brokers forget their producer at once) and transactions. Afterwards both sides are identical to Java's consumer.
// Each test prints its seed; KDR_SEED=N repeats its choices.

import assert from 'node:assert/strict'
import { before, describe, test, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LabCluster } from '../../src/lab/lab.ts'
import { faultRow } from '../support/fault-rows.ts'
import { freshTopic, patience, waitFor, withLab } from '../support/lab.ts'
import {
  adminOf,
  assertIdentical,
  BARE_TARGET_ACLS,
  type KdrProcess,
  type Link,
  makeLink,
  MARKER_ACL,
} from '../support/link.ts'
import { kafkaTransactions } from '../support/kafka-tools.ts'
import { type ShownPartition, statusOf } from '../support/status.ts'
import { suite } from '../support/suite.ts'
import { Random } from '../sim/random.ts'

const KILLS = { short: 1, full: 5, soak: 50 }[suite]
const ROUNDS = { short: 1, full: 1, soak: 6 }[suite]
const PARTITIONS = 4
const TWO_DAYS_MS = 2 * 86_400_000
const KINDS = {
  fresh: { rate: 300, keys: 50, lingerMs: 50 },
  // One record a batch now and then, as quiet topics have.
  quiet: { rate: 20, keys: 50, lingerMs: 0 },
  old: { rate: 150, keys: 50, lingerMs: 100, ageMs: TWO_DAYS_MS },
  transactional: { rate: 60, keys: 50, lingerMs: 20, perTransaction: 10, abortEvery: 4 },
} as const
type Kind = keyof typeof KINDS
const ALL_KINDS = Object.keys(KINDS) as Kind[]

const context = withLab([
  { name: 'east' },
  {
    name: 'west',
    brokers: 3,
    security: 'acl',
    properties: {
      // A restarted broker leads again soon, so that each round moves leaders.
      'leader.imbalance.check.interval.seconds': '2',
    },
  },
])

type Load = {
  readonly kinds: readonly Kind[]
  readonly sides: { readonly source: LabCluster; readonly target: LabCluster }
  readonly topics: Readonly<Record<string, string>>
  readonly workloads: Readonly<Record<string, string>>
}

describe('with cluster rights at the target', () => {
  before(async () => {
    const { judge } = context
    await judge.createAcls({
      ...adminOf(context.cluster('west')),
      acls: [...BARE_TARGET_ACLS, MARKER_ACL],
    })
  })

  // Neither breaks a broker.
  describe('at the same time', { concurrency: 2 }, () => {
    faultRow('P01', 'kill -9 of kdr at random moments under load', async (row, t) => {
      const random = seeded(t)
      const load = await startLoad()
      const link = linkOf(load)
      for (let kill = 0; kill < KILLS; kill++) {
        const daemon = link.start('run', '-v')
        // Some die while they take over or anchor, most while they copy.
        if (random.chance(0.8)) await daemon.says(/record.* behind/)
        await sleep(random.between(0, 2500))
        daemon.signal('SIGKILL')
        await daemon.ended
      }
      const daemon = link.start('run', '-v')
      row.did(
        'killed kdr at random moments, again and again, under load: fresh records, records two days old, transactions, single records',
      )
      await settle({ load, link, daemon })
      row.saw(
        'the last one catches up; identical to a Java consumer, and nothing that was acknowledged is missing',
      )
    })

    faultRow('S01', 'leaders move while they are read', async (row, t) => {
      const random = seeded(t)
      // The cluster of three brokers as the source.
      const load = await startLoad({ kinds: ['fresh'], from: 'west' })
      const link = linkOf(load)
      const daemon = link.start('run', '-v')
      await daemon.says(/record.* behind/)
      row.did(
        'moved the leaders of all partitions of a topic under load to the other two of three brokers, and back',
      )
      for (const replicas of [
        [2, 3, 1],
        [3, 1, 2],
        [1, 2, 3],
      ]) {
        for (let partition = 0; partition < PARTITIONS; partition++) {
          const at = { ...adminOf(load.sides.source), topic: load.topics['fresh'] ?? '', partition }
          await context.judge.reassign({ ...at, replicas })
        }
        await sleep(random.between(0, 500))
      }
      await settle({ load, link, daemon })
      row.saw(
        'it follows each of them; identical to a Java consumer, and nothing that was acknowledged is missing',
      )
    })
  })

  faultRow(
    'T01',
    'target leaders stopped and killed one by one, and a follower paused, under load',
    async (row, t) => {
      const random = seeded(t)
      const load = await startLoad()
      const link = linkOf(load)
      const daemon = link.start('run', '-v')
      await daemon.says(/record.* behind/)
      for (let round = 0; round < ROUNDS; round++) await breakTarget(random)
      row.did(
        'stopped one of three target brokers, killed another, and paused the third, one after the other, under load: fresh records, records two days old, transactions, single records',
      )
      await settle({ load, link, daemon })
      row.saw(
        'it goes on by itself; identical to a Java consumer, and nothing that was acknowledged is missing',
      )
    },
  )

  const isLonger = suite !== 'short'
  faultRow(
    'P02',
    'kdr stands still, another takes over, the first wakes',
    { suite: 'full' },
    async (row, t) => {
      const random = seeded(t)
      const load = await startLoad()
      const link = linkOf(load)
      let daemon = link.start('run', '-v')
      await daemon.says(/record.* behind/)
      for (let round = 0; round < ROUNDS; round++) {
        await sleep(random.between(0, 2000))
        daemon.signal('SIGSTOP')
        const next = link.start('run', '-v')
        // It wakes while the other takes over, or when that copies already.
        if (random.chance(0.7)) await next.says(/record.* behind/)
        else await sleep(random.between(4000, 8000))
        daemon.signal('SIGCONT')
        await sleep(random.between(0, 6000))
        assert.ok(!daemon.hasEnded && !next.hasEnded, `${daemon.stderr}\n${next.stderr}`)
        daemon.signal('SIGTERM')
        const { code, stderr } = await daemon.ended
        assert.equal(code, 0, stderr)
        daemon = next
      }
      row.did(
        'stopped kdr (SIGSTOP) under load, started another one for the link, let the first go on while or after the other took its slots, and ended it (SIGTERM) some seconds later',
      )
      await settle({ load, link, daemon })
      row.saw('both go on and share the link, until one is left; identical to a Java consumer')
    },
  )

  test('the source restarted and killed under load', { skip: !isLonger && 'in make test-full' }, async t => {
    const random = seeded(t)
    const load = await startLoad()
    const link = linkOf(load)
    const daemon = link.start('run', '-v')
    await daemon.says(/record.* behind/)
    const east = context.cluster('east')
    for (const how of ['stop', 'kill'] as const) {
      await sleep(random.between(500, 2000))
      await east[how](1)
      await east.start(1)
    }
    await settle({ load, link, daemon })
  })
})

describe('without cluster rights at the target', { skip: suite === 'short' && 'in make test-full' }, () => {
  before(async () => {
    const { judge } = context
    await judge.deleteAcls({ ...adminOf(context.cluster('west')), acls: [MARKER_ACL] })
  })

  test('kdr killed, target leaders stopped and killed, a follower paused: identical, or faulted as overfilled', async t => {
    const random = seeded(t)
    const load = await startLoad()
    const link = linkOf(load)
    const first = link.start('run', '-v')
    await first.says(/record.* behind/)
    await sleep(random.between(500, 2500))
    first.signal('SIGKILL')
    const daemon = link.start('run', '-v')
    await daemon.says(/record.* behind/)
    // A coordinator that stops is what writes a marker twice.
    for (let round = 0; round < ROUNDS; round++)
      await breakTarget(random, suite === 'short' ? ['stop', 'pause'] : WAYS)
    await settle({ load, link, daemon, mayOverfill: ['transactional'] })
  })
})

function seeded(t: TestContext): Random {
  const seed = Number(process.env['KDR_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  console.log(`${t.name}: KDR_SEED=${seed}`)
  return new Random(seed)
}

function shuffled<T>(random: Random, from: readonly T[]): T[] {
  return from
    .map(value => [random.fraction(), value] as const)
    .sort(([a], [b]) => a - b)
    .map(([, value]) => value)
}

type Loading = { readonly kinds?: readonly Kind[]; readonly from?: 'east' | 'west' }

async function startLoad({ kinds = ALL_KINDS, from = 'east' }: Loading = {}): Promise<Load> {
  const { judge } = context
  const source = context.cluster(from)
  const target = context.cluster(from === 'east' ? 'west' : 'east')
  const admin = adminOf(source)
  const topics: Record<string, string> = {}
  const workloads: Record<string, string> = {}
  for (const kind of kinds) {
    const topic = freshTopic(`chaos-${kind}`)
    topics[kind] = topic
    const rf = source.brokers.length
    await judge.createTopic({
      ...admin,
      topic,
      partitions: PARTITIONS,
      rf,
      configs: { 'retention.ms': '-1' },
    })
    const { workload } = await judge.startWorkload({
      ...admin,
      topic,
      ...KINDS[kind],
      ...(kind === 'transactional' && { transactionalId: topic }),
    })
    workloads[kind] = workload
  }
  return { kinds, sides: { source, target }, topics, workloads }
}

/** Its own state for each test, and its own topics. */
function linkOf({ sides, topics }: Load): Link {
  const replicas = sides.target.brokers.length
  const configs = { 'min.insync.replicas': Math.min(2, replicas) }
  return makeLink({
    name: freshTopic('chaos'),
    ...sides,
    settings: {
      topics: Object.values(topics),
      groups: [],
      overrides: [{ topics: '*', replicationFactor: replicas, configs }],
    },
  })
}

const WAYS = ['stop', 'kill', 'pause'] as const

/** Brokers of the target, one after the other: each in one of the ways, in any order. */
async function breakTarget(random: Random, ways: readonly (typeof WAYS)[number][] = WAYS): Promise<void> {
  const west = context.cluster('west')
  const brokers = shuffled(random, [1, 2, 3])
  for (const [index, way] of shuffled(random, ways).entries()) {
    const id = brokers[index] ?? 1
    await sleep(random.between(200, 1500))
    await west[way](id)
    // Around the broker's session and kdr's own patience, 5 s both: shorter, all wait; longer, the others go on without it.
    if (way === 'pause') await sleep(random.between(3000, 9000))
    else await sleep(random.between(0, 1000))
    if (way === 'pause') await west.resume(id)
    else await west.start(id)
    await inSync()
  }
}

/** Two brokers must never be away at once: min.insync.replicas is 2. */
async function inSync(): Promise<void> {
  const { judge } = context
  const admin = adminOf(context.cluster('west'))
  await waitFor(
    async () => {
      // Java's admin client may give up on a broker that hangs.
      const topics = await judge.listTopics(admin).catch(() => undefined)
      if (topics === undefined) return false
      const all = await Promise.all(
        topics.map(async topic => await judge.describeTopic({ ...admin, topic }).catch(() => undefined)),
      )
      return all.every(
        topic => topic?.partitions.every(({ isr, replicas }) => isr.length === replicas.length) === true,
      )
    },
    { what: 'every replica of the target to be in sync', timeoutMs: 180_000, everyMs: 200 },
  )
}

type Settling = {
  readonly load: Load
  readonly link: Link
  readonly daemon: KdrProcess
  readonly mayOverfill?: readonly Kind[]
}

/** The load ends, the running daemon catches up by itself, both sides are compared, the daemon ends cleanly. */
async function settle({ load, link, daemon, mayOverfill = [] }: Settling): Promise<void> {
  const { judge } = context
  const { sides } = load
  for (const workload of Object.values(load.workloads)) {
    const report = await judge.stopWorkload({ workload, timeoutMs: 30_000 })
    assert.ok(report.acknowledged > 0, `the load wrote nothing: ${report.lastError ?? ''}`)
  }
  try {
    const partitions = await caughtUp(link, daemon)
    const faulted = partitions.filter(({ state }) => state === 'faulted')
    const allowed = new Set(mayOverfill.map(kind => load.topics[kind]))
    for (const each of faulted) {
      assert.ok(allowed.has(each.topic), `${each.topic}/${each.partition}: ${each.sentence ?? ''}`)
      assert.equal(each.reason, 'overfilled', each.sentence)
    }
    const spoiled = new Set(faulted.map(({ topic }) => topic))
    const comparison = await judge.compare({
      a: adminOf(sides.source),
      b: adminOf(sides.target),
      topics: [...spoiled],
    })
    // What is faulted was seen in time: nothing was ever written at a wrong offset.
    for (const each of comparison.partitions) {
      const isFaulted = faulted.some(
        ({ topic, partition }) => topic === each.topic && partition === each.partition,
      )
      assert.ok(each.identical || isFaulted, JSON.stringify(each))
      assert.equal(each.different, 0, JSON.stringify(each))
      assert.equal(each.onlyB, 0, JSON.stringify(each))
    }
    await assertIdentical(
      judge,
      sides,
      Object.values(load.topics).filter(topic => !spoiled.has(topic)),
    )
    for (const kind of load.kinds) {
      const topic = load.topics[kind] ?? ''
      if (spoiled.has(topic)) continue
      // Not zero repeats: a source broker that dies may have forgotten the producer of old records, which sends them again.
      const of = { workload: load.workloads[kind] ?? '', topic }
      const audit = await judge.auditTopic({ ...adminOf(sides.target), ...of })
      assert.deepEqual(audit, await judge.auditTopic({ ...adminOf(sides.source), ...of }))
      assert.equal(audit.missing, 0, JSON.stringify(audit))
    }
  } catch (error) {
    console.error(`the end of what kdr said:\n${daemon.stderr.slice(-6000)}`)
    await tellHanging(load, link)
    throw error
  }
  daemon.signal('SIGTERM')
  const end = await daemon.ended
  assert.equal(end.code, 0, end.stderr)
}

/** What Kafka itself says of a transaction that kdr takes for hanging: one of the two is wrong. */
async function tellHanging({ sides }: Load, link: Link): Promise<void> {
  const hanging = (await statusOf(link)).filter(({ transaction }) => transaction?.kind === 'hanging')
  for (const { topic, partition } of hanging) {
    const at = ['--topic', topic, '--partition', String(partition)]
    for (const args of [['describe-producers', ...at], ['find-hanging', ...at], ['list']])
      console.error(`${args.join(' ')}:\n${await kafkaTransactions(sides.source, args)}`)
  }
}

/** How long a lag may stand still. How long it takes until it is gone depends on the machine and on what broke. */
const STANDSTILL_MS = 60_000

/** Every partition stands at its source's end, or has stopped. */
async function caughtUp(link: Link, daemon: KdrProcess): Promise<ShownPartition[]> {
  let last: ShownPartition[] = []
  let [least, movedAt] = [Infinity, performance.now()]
  await waitFor(
    async () => {
      if (daemon.hasEnded) throw new Error(`kdr ended by itself:\n${daemon.stderr.slice(-4000)}`)
      last = await statusOf(link)
      const behind = last.reduce((sum, { lagRecords }) => sum + lagRecords, 0)
      if (behind < least) [least, movedAt] = [behind, performance.now()]
      const standsFor = performance.now() - movedAt
      if (standsFor > STANDSTILL_MS && standsFor > patience(STANDSTILL_MS))
        throw new Error(
          `it has stood still for ${standsFor} ms: ${behindText(last)}\n${daemon.stderr.slice(-4000)}`,
        )
      const isDone = last.every(
        ({ state, lagRecords }) => state === 'faulted' || (state === 'mirroring' && lagRecords === 0),
      )
      return last.length > 0 && isDone
    },
    {
      what: () => `the link to catch up: ${behindText(last)}\n${daemon.stderr.slice(-4000)}`,
      timeoutMs: 600_000,
      everyMs: 300,
    },
  )
  return last
}

const behindText = (partitions: readonly ShownPartition[]): string =>
  JSON.stringify(partitions.filter(({ lagRecords, state }) => lagRecords > 0 || state !== 'mirroring'))
