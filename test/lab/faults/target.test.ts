// Fault rows of a target of three brokers: what it loses, refuses and forgets. One after the other: each needs brokers.
// T01 (leaders that stop and die under load) is in link-chaos.test.ts.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { describe, test } from 'node:test'
import { faultRow } from '../../support/fault-rows.ts'
import { freshTopic, patience, waitFor, withLab } from '../../support/lab.ts'
import { adminOf, type KdrProcess, type Link, makeLink, untilIdentical } from '../../support/link.ts'
import { suite } from '../../support/suite.ts'
import { partitionsOf, stoppedPartition } from '../../support/status.ts'
import { appendAs, connectTo, freshLink } from '../../support/ways-out.ts'

const context = withLab(
  suite === 'short'
    ? []
    : [
        { name: 'east' },
        {
          name: 'west',
          brokers: 3,
          // T13: the brokers look often for producers to forget.
          properties: { 'producer.id.expiration.check.interval.ms': '500' },
        },
      ],
)
const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
const east = () => adminOf(context.cluster('east'))
const west = () => adminOf(context.cluster('west'))

describe('a target of three brokers', { concurrency: 1 }, () => {
  faultRow('T02', 'an unclean election at the target', { suite: 'full' }, async row => {
    const { judge } = context
    const target = context.cluster('west')
    await whileMirroring({ replicationFactor: 2, minInSync: 1 }, async ({ topic, link, daemon }) => {
      const { leader, follower } = await replicasOf(topic)
      row.did('stopped the follower of a mirror of 10 records, and wrote 10 more at the source')
      await target.stop(follower)
      await judge.produce({ ...east(), topic, count: 10 })
      await waitFor(async () => (await partitionsOf(link, topic))[0]?.cursor === 20, {
        what: 'them to be copied',
        everyMs: 300,
      })
      row.did('killed the leader, started the follower, and made it the leader')
      await target.kill(leader)
      await target.start(follower)
      await waitFor(
        async () =>
          await judge.electUnclean({ ...west(), topic, partition: 0 }).then(
            () => true,
            () => false,
          ),
        {
          what: 'the election',
          everyMs: 500,
          timeoutMs: patience(60_000),
        },
      )
      await daemon.says(
        new RegExp(`"${topic}/0": the target lost offsets 10 to 19 that it had acknowledged`),
        patience(60_000),
      )
      row.saw('it says that the target lost offsets 10 to 19 that it had acknowledged')
      await target.start(leader)
      await inSync(topic)
      await copied(topic)
      row.saw('it copies them again: identical')
    })
  })

  faultRow('T03', 'too few replicas in sync at the target', { suite: 'full' }, async row => {
    const { judge } = context
    const target = context.cluster('west')
    await whileMirroring({ replicationFactor: 3, minInSync: 3 }, async ({ topic, link, daemon }) => {
      const { follower } = await replicasOf(topic)
      row.did(
        'stopped a follower of a mirror that wants three replicas in sync, and wrote 10 records at the source',
      )
      await target.stop(follower)
      await judge.produce({ ...east(), topic, count: 10 })
      const waiting = await waitFor(
        async () =>
          (await partitionsOf(link, topic)).find(({ sentence }) =>
            /NOT_ENOUGH_REPLICAS/.test(sentence ?? ''),
          ),
        { what: 'it to say what it waits for', everyMs: 300 },
      )
      assert.equal(waiting.state, 'waiting')
      assert.equal(daemon.hasEnded, false)
      row.saw(`waiting: ${waiting.sentence ?? ''}`)
      await target.start(follower)
      await inSync(topic)
      await copied(topic)
      row.saw('it goes on by itself when the follower is back: identical')
    })
  })

  test('unreachable: the broker of a mirror hangs; it goes on by itself', {
    skip: suite === 'short' && 'in make test-full',
  }, async () => {
    const { judge } = context
    const target = context.cluster('west')
    await whileMirroring({}, async ({ topic, link, daemon }) => {
      const { partitions } = await judge.describeTopic({ ...west(), topic })
      const leader = partitions[0]?.leader ?? 0
      await target.pause(leader)
      await judge.produce({ ...east(), topic, count: 10 })
      const stopped = await stoppedPartition(link, topic, 'unreachable')
      assert.equal(stopped.state, 'waiting')
      assert.match(stopped.sentence, /trying again/)
      assert.equal(daemon.hasEnded, false)
      await target.resume(leader)
      await copied(topic)
    })
  })

  faultRow('T08', "a quota at the target slows kdr's writing down", { suite: 'full' }, async row => {
    const { judge } = context
    await whileMirroring({}, async ({ topic, link, daemon }) => {
      row.did('a quota of 20 KB a second for the client id kdr at the target; wrote 600 KB at the source')
      await judge.setQuota({ ...west(), clientId: 'kdr', quotas: { producer_byte_rate: 20_000 } })
      await judge.produce({ ...east(), topic, count: 600, sizeBytes: 1_000, batchBytes: 20_000 })
      // Reports are seconds apart: the first one may be older than the first record.
      const isBehind = async () => {
        const [shown] = await partitionsOf(link, topic)
        return shown?.state === 'mirroring' && shown.lagRecords > 100
      }
      await waitFor(isBehind, { what: 'it to mirror on with a lag', everyMs: 300 })
      assert.equal(daemon.hasEnded, false)
      row.saw('the lag grows, and nothing else: the partition mirrors on')
      await judge.setQuota({ ...west(), clientId: 'kdr', quotas: { producer_byte_rate: null } })
      await copied(topic)
      row.saw('identical after the quota was taken away')
    })
  })

  faultRow('T13', 'the target forgets the producer', { suite: 'full' }, async row => {
    const { judge } = context
    await whileMirroring({}, async ({ topic, link, daemon }) => {
      row.did(
        'producer.id.expiration.ms at the target: one second instead of a day; records a few seconds apart, before and after a restart of kdr',
      )
      await judge.alterConfigs({ ...west(), broker: '', configs: { 'producer.id.expiration.ms': '1000' } })
      try {
        await forgotten(topic)
        await judge.produce({ ...east(), topic, count: 5 })
        await copied(topic)
        await forgotten(topic)
        daemon.signal('SIGTERM')
        assert.equal((await daemon.ended).code, 0)
        await judge.produce({ ...east(), topic, count: 5 })
        const result = await link.run('run', '--once')
        assert.equal(result.code, 0, result.stderr)
        await copied(topic)
      } finally {
        await judge.alterConfigs({ ...west(), broker: '', configs: { 'producer.id.expiration.ms': null } })
      }
    })
    row.saw('identical each time')
  })

  faultRow('T14', 'a source with very many producer ids', { suite: 'full' }, async row => {
    const { judge } = context
    const MANY = 500
    await whileMirroring({}, async ({ topic }) => {
      row.did(`${MANY} producers wrote a record each at the source`)
      const source = await connectTo(context.cluster('east'))
      const target = await connectTo(context.cluster('west'))
      try {
        for (let i = 0; i < MANY; i++) {
          const producer = { producerId: 4_000_000_000_000_000_000n + BigInt(i), producerEpoch: 0 }
          assert.equal((await appendAs(source, topic, { producer, count: 1, isNew: true })).code, 0)
        }
        await judge.produce({ ...east(), topic, count: 1 })
        await copied(topic)
        const [state] = await target.producers([{ topic, partition: 0 }])
        assert.equal(state?.producers.length, 1, JSON.stringify(state?.producers.length))
      } finally {
        await Promise.all([source.close(), target.close()])
      }
    })
    row.saw('identical, and the target keeps the state of one producer for the mirror')
  })

  faultRow('T09', "a target broker's disk is full", { suite: 'full' }, async row => {
    const { judge } = context
    const target = context.cluster('west')
    await whileMirroring({ replicationFactor: 1, partitions: 3 }, async ({ topic, daemon }) => {
      const { partitions } = await judge.describeTopic({ ...west(), topic })
      const [full] = partitions
      assert.ok(full !== undefined)
      const { pid } = target.brokers.find(({ id }) => id === full.leader) ?? { pid: 0 }
      row.did(
        'no file of one target broker may grow beyond 3 MB (as on a full disk); wrote 6 MB into each of three partitions, each led by another broker',
      )
      execFileSync('prlimit', ['--pid', String(pid), '--fsize=3000000'])
      for (const { partition } of partitions)
        await judge.produce({ ...east(), topic, partition, count: 3_000, sizeBytes: 2_000 })
      await waitFor(() => target.brokers.find(({ id }) => id === full.leader)?.state === 'stopped', {
        what: 'the broker to give up its log folder',
        timeoutMs: patience(60_000),
      })
      const others = partitions
        .filter(({ leader }) => leader !== full.leader)
        .map(({ partition }) => partition)
      const ends = async (at: ReturnType<typeof east>) =>
        new Map(
          (await judge.ends({ ...at, topics: [topic] }).catch(() => [])).map(([, partition, end]) => [
            partition,
            end,
          ]),
        )
      const wanted = await ends(east())
      await waitFor(
        async () => {
          // Java's client does not answer for a topic of which one partition has no leader: each is looked at by itself.
          const found = await Promise.all(
            others.map(
              async partition =>
                (await judge.digest({ ...west(), topic, partition }).catch(() => []))[0]?.end,
            ),
          )
          return others.every((partition, index) => found[index] === wanted.get(partition))
        },
        { what: 'the other partitions', everyMs: 500, timeoutMs: patience(60_000) },
      )
      assert.equal(daemon.hasEnded, false)
      row.saw(
        'the broker takes its log folder offline and ends; the other two partitions are copied to their end',
      )
      await target.start(full.leader)
      await copied(topic)
      row.saw('after it was started again with room, the third goes on by itself: identical')
    })
  })
})

type Mirroring = { readonly topic: string; readonly link: Link; readonly daemon: KdrProcess }
type Shape = {
  readonly replicationFactor?: number
  readonly minInSync?: number
  readonly partitions?: number
}

/** A topic of 10 records that a daemon of its own has copied. */
async function whileMirroring(
  { replicationFactor = 1, minInSync = 1, partitions = 1 }: Shape,
  act: (mirroring: Mirroring) => Promise<void>,
): Promise<void> {
  const { judge } = context
  const topic = freshTopic('target')
  await judge.createTopic({ ...east(), topic, partitions })
  await judge.produce({ ...east(), topic, count: 10, keys: 0 })
  const overrides = [{ topics: '*', replicationFactor, configs: { 'min.insync.replicas': minInSync } }]
  const link = makeLink({
    name: freshLink(),
    ...sides(),
    settings: { topics: [topic], groups: [], overrides },
  })
  const daemon = link.start('run', '-v')
  try {
    await copied(topic)
    await act({ topic, link, daemon })
  } catch (error) {
    console.error(`the end of what kdr said:\n${daemon.stderr.slice(-4000)}`)
    throw error
  } finally {
    daemon.signal('SIGKILL')
  }
}

async function replicasOf(topic: string): Promise<{ leader: number; follower: number }> {
  const { partitions } = await context.judge.describeTopic({ ...west(), topic })
  const [first] = partitions
  assert.ok(first !== undefined)
  const follower = first.replicas.find(id => id !== first.leader)
  assert.ok(follower !== undefined)
  return { leader: first.leader, follower }
}

async function inSync(topic: string): Promise<void> {
  await waitFor(
    async () => {
      const seen = await context.judge.describeTopic({ ...west(), topic }).catch(() => undefined)
      return seen?.partitions.every(({ isr, replicas }) => isr.length === replicas.length)
    },
    { what: `the replicas of ${topic} to be in sync`, everyMs: 300, timeoutMs: patience(90_000) },
  )
}

/** The target's leader knows no producer of the mirror any more. */
async function forgotten(topic: string): Promise<void> {
  const target = await connectTo(context.cluster('west'))
  try {
    await waitFor(
      async () => (await target.producers([{ topic, partition: 0 }]))[0]?.producers.length === 0,
      {
        what: 'the producer to be forgotten',
        everyMs: 300,
      },
    )
  } finally {
    await target.close()
  }
}

async function copied(topic: string): Promise<void> {
  await untilIdentical(context.judge, sides(), topic)
}
