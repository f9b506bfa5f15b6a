// The commands that sentences name, on real brokers: what is accepted as lost stands in the ledger and the link goes on;
// what is paused stays so over restarts; what is forgotten is left alone; all of it is in the journal.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { connectCluster } from '../../src/kafka/cluster.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { faultRow } from '../support/fault-rows.ts'
import { freshTopic, waitFor, withLab } from '../support/lab.ts'
import {
  adminOf,
  assertIdentical,
  type Link,
  makeLink,
  untilIdentical,
  whileRunning,
  withDaemon,
} from '../support/link.ts'
import { flipBit } from '../support/segments.ts'
import {
  linkStatus,
  partitionWith,
  type ShownPartition,
  statusOf,
  stoppedPartition,
} from '../support/status.ts'
import { takeWayOut } from '../support/ways-out.ts'

const context = withLab([{ name: 'east' }, { name: 'west' }])
const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
const east = () => adminOf(context.cluster('east'))
const west = () => adminOf(context.cluster('west'))

// Each has a topic and a link of its own, and most of them wait.
describe('ways out', { concurrency: 3 }, () => {
  faultRow('S05', 'what the source deleted while kdr was down is accepted as lost', async row => {
    const { judge } = context
    const { link, topic } = await linkWithTopic(10)
    await ends(link, 0)
    row.did('copied 10 records; while kdr was down 50 came, and the source deleted all before offset 40')
    await judge.produce({ ...east(), topic, count: 50 })
    await judge.deleteRecords({ ...east(), topic, partition: 0, before: 40 })
    await ends(link, 3)
    const [stopped] = await statusOf(link)
    assert.equal(stopped?.reason, 'lost-to-retention')
    assert.match(stopped?.sentence ?? '', new RegExp(`"${topic}/0".* offsets 10 to 39 \\(30\\)`))
    row.saw(`lost-to-retention: ${stopped?.sentence ?? ''}`)

    row.did('what the sentences say: kdr link accept-loss, then kdr link resume --accept-log-start')
    await obey(link, stopped, '--reason', 'it was old')
    // The mirror keeps what it has until a person says that it may go.
    const went = await ends(link, 3)
    assert.match(went.stdout, /--accept-log-start/)
    await sameFrom(topic, 40)
    await obey(link, (await statusOf(link))[0])
    await ends(link, 0)
    await assertIdentical(judge, sides(), [topic])
    row.saw('copied on; identical')

    const [now] = await statusOf(link)
    assert.deepEqual(
      now?.ledger?.map(({ from, to, cause, why }) => ({ from, to, cause, why })),
      [{ from: 10, to: 40, cause: 'retention', why: 'it was old' }],
    )
    assert.match(now?.ledger?.[0]?.by ?? '', /^.+@.+$/)
    assert.deepEqual([now?.offsets?.lost, now?.offsets?.records, now?.cursor], [30, 30, 60])
    assert.match((await link.run('status')).stdout, /the ledger: 30 offsets of 1 partition lost and accepted/)
    await verified(link, { identical: true, lost: 1 })
    const text = await link.run('verify', link.name)
    assert.match(text.stdout, /offsets 10 to 39 lost \(retention\), accepted by .*: it was old/)
    assert.deepEqual(
      (await journalOf(link)).map(({ verb, state, reason }) => [verb, state, reason]),
      [
        ['resume', 'done', undefined],
        ['accept-loss', 'done', 'it was old'],
      ],
    )
    row.saw('the ledger and kdr verify name offsets 10 to 39 with who accepted the loss, when and why')
  })

  test('accept-loss --accept-log-start: the older records go too, and the range is filled in one go', async () => {
    const { judge } = context
    const { link, topic } = await linkWithTopic(10, { 'cleanup.policy': 'compact,delete' })
    await ends(link, 0)
    await judge.produce({ ...east(), topic, count: 90, keys: 90 })
    await judge.deleteRecords({ ...east(), topic, partition: 0, before: 70 })
    await ends(link, 3)
    await obey(link, (await statusOf(link))[0], '--accept-log-start')
    await ends(link, 0)
    // Log starts and configs included: what was made ready for seeding is as it was.
    await assertIdentical(judge, sides(), [topic])
    assert.equal((await judge.describeConfigs({ ...west(), topic }))['cleanup.policy'], 'compact,delete')
    const [now] = await statusOf(link)
    assert.deepEqual([now?.offsets?.lost, now?.offsets?.seeded, now?.cursor], [60, 0, 100])
  })

  test('accept-loss: a batch that the target refuses as too large', async () => {
    const { judge } = context
    const topic = freshTopic('out')
    const overrides = [{ topics: '*', configs: { 'max.message.bytes': '3000' } }]
    const link = makeLink({ ...sides(), name: topic, settings: { topics: [topic], overrides } })
    await judge.createTopic({ ...east(), topic })
    await judge.produce({ ...east(), topic, count: 5, batchBytes: 2_000 })
    await judge.produce({ ...east(), topic, count: 1, sizeBytes: 9_000 })
    await judge.produce({ ...east(), topic, count: 5, batchBytes: 2_000 })
    await ends(link, 3)
    const [stopped] = await statusOf(link)
    assert.equal(stopped?.reason, 'too-large')
    assert.match(stopped.sentence ?? '', /at offset 5.*go on without offsets 5 to 5/)

    await obey(link, stopped)
    await ends(link, 0)
    const { object } = await link.json('verify', link.name)
    const [found] = (object as Verified).partitions
    assert.deepEqual(
      [object['identical'], found?.records, found?.onlySource, found?.ledger],
      [true, 10, 1, 1],
      JSON.stringify(object),
    )
  })

  test('corrupt: bytes on the source that do not match their checksum', async () => {
    const { judge } = context
    const topic = freshTopic('corrupt')
    await judge.createTopic({ ...east(), topic })
    await judge.produce({ ...east(), topic, count: 20, lingerMs: 200 })
    const flip = () => flipBit(context.cluster('east'), { topic }, 0)
    flip()
    const own = makeLink({ name: topic, ...sides(), settings: { topics: [topic] } })
    await withDaemon(own, async () => {
      const stopped = await stoppedPartition(own, topic, 'corrupt')
      assert.match(
        stopped.sentence,
        new RegExp(`"${topic}/0" at offset 0: the bytes that the source sends do not match their checksum`),
      )
      assert.equal((await judge.digest({ ...west(), topic }))[0]?.end, 0)
      // As from a replica that is well.
      flip()
      await takeWayOut(own, stopped.sentence, 'resume')
      await untilIdentical(judge, sides(), topic)
    })
  })

  test('corrupt, for good: what is accepted as lost stands in the ledger, and the rest is copied', async () => {
    const { judge } = context
    const topic = freshTopic('spoiled')
    await judge.createTopic({ ...east(), topic })
    for (let batch = 0; batch < 3; batch++)
      await judge.produce({ ...east(), topic, count: 10, lingerMs: 200, seed: batch })
    flipBit(context.cluster('east'), { topic }, 1)
    const own = makeLink({ name: topic, ...sides(), settings: { topics: [topic] } })
    await withDaemon(own, async () => {
      const stopped = await stoppedPartition(own, topic, 'corrupt')
      assert.match(
        stopped.sentence,
        new RegExp(
          `"${topic}/0" at offset 10: .*Or go on without offsets 10 to 19, and have that in the ledger`,
        ),
      )
      assert.equal((await judge.digest({ ...west(), topic }))[0]?.end, 10)
      await takeWayOut(own, stopped.sentence, 'accept-loss')
      const after = await partitionWith(own, ({ cursor, state }) => cursor === 30 && state === 'mirroring')
      assert.equal(after.offsets?.lost, 10)
      assert.deepEqual(
        after.ledger?.map(({ from, to, cause, why }) => ({ from, to, cause, why })),
        [{ from: 10, to: 20, cause: 'corrupt', why: 'a test' }],
      )
      // The batch still stands at the source as it is: verify reads it too, and the ledger explains it.
      const verified = await own.run('verify', own.name, '--topic', topic)
      assert.equal(verified.code, 0, verified.stdout)
      const list = async (at: ReturnType<typeof east>, from: number, to: number) =>
        await judge.list({ ...at, topic, from, to })
      for (const [from, to] of [
        [0, 10],
        [20, 30],
      ] as const)
        assert.deepEqual(await list(west(), from, to), await list(east(), from, to))
      assert.equal((await judge.digest({ ...west(), topic }))[0]?.count, 20)
    })
  })

  test('onOverfilled: recopy copies a topic anew by itself, and the journal says so', async () => {
    const { judge } = context
    const topic = freshTopic('out')
    const settings = { topics: [topic], onOverfilled: 'recopy' }
    const link = makeLink({ ...sides(), name: topic, settings })
    await judge.createTopic({ ...east(), topic })
    await judge.produce({ ...east(), topic, count: 10 })
    await ends(link, 0)
    await addMarkers(topic, 3)
    await judge.produce({ ...east(), topic, count: 5 })
    await ends(link, 0)
    await assertIdentical(judge, sides(), [topic])
    const [entry] = await journalOf(link)
    assert.deepEqual(
      [entry?.verb, entry?.state, entry?.by],
      ['recopy', 'done', 'policy onOverfilled: recopy'],
    )
    assert.match(entry?.reason ?? '', /3 marker\(s\) more than the source has gaps/)
  })

  test('pause holds over restarts and shows the lag; resume lifts it', async () => {
    const { judge } = context
    const { link, topic } = await linkWithTopic(10)
    await whileRunning(link, async daemon => {
      await mirrorEnds(topic, 10)
      assert.equal((await link.run('link', 'pause', link.name)).code, 20)
      const paused = await link.run('link', 'pause', link.name, '--yes', '--reason', 'maintenance')
      assert.equal(paused.code, 0, paused.stderr)
      await waitFor(async () => (await linkStatus(link)).state === 'paused', { what: 'the pause' })
      await daemon.says(/paused by .*: maintenance/)
    })
    await judge.produce({ ...east(), topic, count: 5 })

    const held = await ends(link, 3)
    assert.match(held.stdout, /paused by .*: maintenance\. To go on: kdr link resume/)
    await mirrorEnds(topic, 10)
    const [partition] = await statusOf(link)
    assert.deepEqual([partition?.state, partition?.lagRecords, partition?.cursor], ['paused', 5, 10])

    const part = await link.run('link', 'resume', link.name, '--topic', topic)
    assert.equal(part.code, 2, part.stdout)
    assert.match(part.stderr, /the whole link is paused/)
    await obey(link, partition)
    await ends(link, 0)
    await assertIdentical(judge, sides(), [topic])
    assert.deepEqual(
      (await journalOf(link)).map(({ verb, state }) => [verb, state]),
      [
        ['resume', 'done'],
        ['pause', 'done'],
      ],
    )
  })

  test('forget lets go of a mirror, which stays; adopt takes it back', async () => {
    const { judge } = context
    const { link, topic } = await linkWithTopic(10)
    await ends(link, 0)
    const plan = await link.run('link', 'forget', link.name, '--topic', topic, '--dry-run')
    assert.match(plan.stdout, /exclude it in the config: "!/)
    const forgotten = await link.run('link', 'forget', link.name, '--topic', topic, '--yes')
    assert.equal(forgotten.code, 0, forgotten.stderr)
    await judge.produce({ ...east(), topic, count: 5 })
    await ends(link, 0)

    await mirrorEnds(topic, 10)
    const { object } = await link.json('status')
    const [status] = object['links'] as { topics: unknown[]; forgotten: { topic: string }[] }[]
    assert.deepEqual([status?.topics, status?.forgotten.map(each => each.topic)], [[], [topic]])

    const adopted = await link.run('link', 'adopt', link.name, '--topic', topic, '--yes')
    assert.equal(adopted.code, 0, adopted.stderr)
    await ends(link, 0)
    await assertIdentical(judge, sides(), [topic])
  })
})

async function mirrorEnds(topic: string, end: number): Promise<void> {
  const { judge } = context
  await waitFor(async () => (await judge.digest({ ...west(), topic }).catch(() => []))[0]?.end === end, {
    what: `the mirror to end at ${end}`,
  })
}

/** What a coordinator that sends its markers again leaves at the end of a mirror. */
async function addMarkers(topic: string, count: number): Promise<void> {
  const { bootstrap } = context.cluster('west')
  const cluster = await connectCluster({ name: 'west', clientId: 'test', clock: systemClock, bootstrap })
  try {
    const leader = (await cluster.describe()).topics.get(topic)?.partitions[0]?.leader ?? -1
    const stamp = { producerId: 7n, producerEpoch: 0, coordinatorEpoch: 0 }
    const [answer] = await cluster.writeMarkers(leader, stamp, [{ topic, partition: 0, count }])
    assert.equal(answer?.code, 0)
  } finally {
    await cluster.close()
  }
}

/** A link of its own with a topic of `count` records. */
async function linkWithTopic(
  count: number,
  configs: Readonly<Record<string, string>> = {},
): Promise<{ link: Link; topic: string }> {
  const { judge } = context
  const topic = freshTopic('out')
  await judge.createTopic({ ...east(), topic, configs })
  await judge.produce({ ...east(), topic, count, keys: count })
  return { link: makeLink({ ...sides(), name: topic, settings: { topics: [topic] } }), topic }
}

async function ends(link: Link, code: number) {
  const result = await link.run('run', '--once', '--timeout', '60s')
  assert.equal(result.code, code, result.stdout + result.stderr)
  return result
}

/** Runs the last command that the sentence names. */
async function obey(link: Link, partition: ShownPartition | undefined, ...more: string[]): Promise<void> {
  const [, command] = /.*kdr (link [^;.]*)/.exec(partition?.sentence ?? '') ?? []
  assert.ok(command !== undefined, `no command in: ${partition?.sentence ?? 'nothing'}`)
  const result = await link.run(...command.split(' '), '--yes', ...more)
  assert.equal(result.code, 0, result.stderr)
}

/** Both sides hold the same from `from` on, as Java's consumer reads it. */
async function sameFrom(topic: string, from: number): Promise<void> {
  const { judge } = context
  const [a, b] = await Promise.all([
    judge.list({ ...east(), topic, from }),
    judge.list({ ...west(), topic, from }),
  ])
  assert.ok(a.length > 0)
  assert.deepEqual(b, a)
}

type Verified = {
  identical: boolean
  partitions: { lost?: unknown[]; records: number; onlySource: number; ledger?: number }[]
}

async function verified(link: Link, wanted: { identical: boolean; lost: number }): Promise<void> {
  const { object } = await link.json('verify', link.name)
  const { identical, partitions } = object as Verified
  assert.equal(identical, wanted.identical, JSON.stringify(object))
  assert.equal(partitions.flatMap(({ lost = [] }) => lost).length, wanted.lost)
}

type Entry = { verb: string; state: string; reason?: string; by: string; outcome?: string }

async function journalOf(link: Link): Promise<Entry[]> {
  const { object } = await link.json('link', 'log', link.name)
  return object['entries'] as Entry[]
}
