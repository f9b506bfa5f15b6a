// Fault rows of a source of three brokers: leaders that die, replicas that fall behind, elections that lose records, a bad
// disk, and the loss of the whole cluster. Leaders that move cleanly: link-chaos.test.ts.

import assert from 'node:assert/strict'
import { describe } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { faultRow } from '../../support/fault-rows.ts'
import { freshTopic, waitFor, withLab } from '../../support/lab.ts'
import { adminOf, assertIdentical, type KdrProcess, type Link, makeLink } from '../../support/link.ts'
import { flipBit } from '../../support/segments.ts'
import { statusOf, stoppedPartition } from '../../support/status.ts'
import { suite } from '../../support/suite.ts'

/** A follower that stands still leaves the in-sync replicas after this long. */
const REPLICA_LAG_MS = 3_000

const properties = { 'replica.lag.time.max.ms': String(REPLICA_LAG_MS) }
const context = withLab(suite === 'short' ? [] : [{ name: 'east', brokers: 3, properties }, { name: 'west' }])
const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
const east = () => adminOf(context.cluster('east'))
const west = () => adminOf(context.cluster('west'))

describe('leaders of the source', () => {
  faultRow(['S01', 'S02'], 'leaders stop and die while they are read', { suite: 'full' }, async row => {
    const cluster = context.cluster('east')
    const topic = await topicOn([2, 3, 1])
    await underLoad(topic, async () => {
      for (const [how, id] of [
        ['stop', 2],
        ['kill', 3],
      ] as const) {
        row.did(
          `${how === 'stop' ? 'SIGTERM' : 'SIGKILL'} for broker ${id}, the leader, under load; started it again`,
        )
        await context.judge.reassign({ ...east(), topic, partition: 0, replicas: [id, 1, id === 2 ? 3 : 2] })
        await cluster[how](id)
        await sleep(1000)
        await cluster.start(id)
        await inSync(topic)
      }
    })
    row.saw('identical: nothing missing, nothing twice')
  })

  faultRow('S27', 'a follower stands still', { suite: 'full' }, async row => {
    const cluster = context.cluster('east')
    const topic = await topicOn([1, 2, 3])
    await underLoad(topic, async (link, daemon) => {
      row.did(
        `SIGSTOP for broker 3, a follower that counts as in sync for ${REPLICA_LAG_MS} ms more, under load`,
      )
      await cluster.pause(3)
      try {
        // What the leader had committed before is copied by then.
        await sleep(1_000)
        const before = await endAndCount(topic)
        await waitFor(async () => (await endAndCount(topic)).end > before.end + 100, { what: 'it to go on' })
        assert.ok(!daemon.hasEnded)
        const [partition] = await statusOf(link)
        assert.equal(partition?.state, 'mirroring')
      } finally {
        await cluster.resume(3)
      }
      row.saw('kdr fetches from leaders only: it went on with what the leader commits without that follower')
    })
    row.saw('identical: nothing missing, nothing twice')
  })

  faultRow('S29', 'too few replicas in sync', { suite: 'full' }, async row => {
    const { judge } = context
    const topic = await topicOn([2, 1], { 'min.insync.replicas': '2' })
    await judge.produce({ ...east(), topic, count: 10 })
    const link = linkOf(topic)
    const daemon = link.start('run', '-v')
    try {
      await copiedUpTo(topic, 10)
      row.did(
        'stopped one of two replicas of a partition with min.insync.replicas=2, and wrote 5 records with acks=1',
      )
      await context.cluster('east').stop(1)
      await judge.produce({ ...east(), topic, count: 5, acks: '1', idempotent: false })
      await sleep(2_000)
      const [standing] = await statusOf(link)
      assert.deepEqual(
        [standing?.state, standing?.cursor, standing?.sourceEnd, standing?.lagRecords],
        ['mirroring', 10, 10, 0],
      )
      row.saw(
        "the source's high watermark stays at 10, and so does kdr: no record that could still be lost is copied, no lag is reported",
      )
      await context.cluster('east').start(1)
      await copiedUpTo(topic, 15)
      row.saw('when the replica was back the 5 records followed')
    } finally {
      await end(daemon)
    }
    await assertIdentical(judge, sides(), [topic])
  })

  faultRow(['S03', 'S04'], 'an unclean election loses records', { suite: 'full' }, async row => {
    const { judge } = context
    const cluster = context.cluster('east')
    const configs = { 'min.insync.replicas': '1' }
    const [copied, behind] = [await topicOn([2, 1], configs), await topicOn([2, 1], configs)]
    const produce = async (count: number) => {
      for (const topic of [copied, behind]) await judge.produce({ ...east(), topic, count, seed: count })
    }
    await produce(10)
    const late = linkOf(behind)
    await once(late)
    const link = linkOf(copied)
    const daemon = link.start('run', '-v')
    try {
      await copiedUpTo(copied, 10)
      row.did(
        'of two replicas stopped one, wrote offsets 10 to 14 to the other; one topic was copied up to 15, the other only up to 10',
      )
      await cluster.stop(1)
      await produce(5)
      await copiedUpTo(copied, 15)
      // So that kdr has had answers without news.
      await sleep(1_500)
      row.did(
        'killed the second, started the first, elected it uncleanly, wrote 3 records to offsets 10 to 12',
      )
      await cluster.kill(2)
      await cluster.start(1)
      for (const topic of [copied, behind]) await electUncleanly(topic, 1)
      await produce(3)

      const fault = await stoppedPartition(link, copied, 'truncated')
      assert.equal(fault.state, 'faulted')
      assert.match(fault.sentence, /lost offsets 10 to 14.*kdr link recopy/)
      row.saw(`S03, copied up to 15: truncated: ${fault.sentence}`)
      assert.deepEqual(await endAndCount(copied), { end: 15, count: 15 })
      row.saw('nothing was appended: the mirror holds the 15 records of before')
      await once(late)
      await assertIdentical(judge, sides(), [behind])
      row.saw('S04, copied up to 10: copied on; identical, with the 3 records that stand there now')

      await cluster.start(2)
      row.did('what the sentence says: kdr link recopy')
      const recopied = await link.run('link', 'recopy', link.name, '--topic', copied, '--yes')
      assert.equal(recopied.code, 0, recopied.stderr)
      await copiedUpTo(copied, 13)
      row.saw('identical')
    } finally {
      await end(daemon)
    }
    await assertIdentical(judge, sides(), [copied])
  })

  faultRow('S18', 'a flipped bit on the disk of a leader', { suite: 'full' }, async row => {
    const { judge } = context
    const cluster = context.cluster('east')
    const [bad, good] = [await topicOn([2, 1, 3]), await topicOn([2, 1, 3])]
    for (const topic of [bad, good])
      for (let batch = 0; batch < 3; batch++)
        await judge.produce({ ...east(), topic, count: 10, lingerMs: 500, seed: batch })
    row.did("flipped one bit of the second of three batches on the leader's disk")
    await cluster.stop(2)
    flipBit(cluster, { broker: 2, topic: bad }, 1)
    await cluster.start(2)
    await inSync(bad)
    await judge.reassign({ ...east(), topic: bad, partition: 0, replicas: [2, 1, 3] })

    const link = linkOf(bad, good)
    const daemon = link.start('run', '-v')
    try {
      const fault = await stoppedPartition(link, bad, 'corrupt')
      assert.equal(fault.state, 'faulted')
      assert.match(fault.sentence, /offset 10.*Move the partition's leader.*kdr link resume/)
      row.saw(`corrupt: ${fault.sentence}`)
      assert.deepEqual(await endAndCount(bad), { end: 10, count: 10 })
      await copiedUpTo(good, 30)
      row.saw('the mirror ends before the batch; the other topic of the same leader was copied')
      row.did('what the sentence says: moved the leader to another replica, then kdr link resume')
      await judge.reassign({ ...east(), topic: bad, partition: 0, replicas: [1, 2, 3] })
      const resumed = await link.run('link', 'resume', link.name, '--topic', bad, '--yes')
      assert.equal(resumed.code, 0, resumed.stderr)
      await copiedUpTo(bad, 30)
      row.saw('identical')
    } finally {
      await end(daemon)
    }
    await assertIdentical(judge, sides(), [bad, good])
  })

  // Last: nothing is left of the source.
  faultRow(['S14', 'S17'], 'the source dies in the middle of transactions', { suite: 'full' }, async row => {
    const { judge } = context
    const cluster = context.cluster('east')
    const [open, cut] = [await topicOn([1, 2, 3]), freshTopic('leaders')]
    await judge.createTopic({ ...east(), topic: cut, partitions: 2, rf: 3 })
    await judge.reassign({ ...east(), topic: cut, partition: 0, replicas: [1, 2, 3] })
    // Without another replica nobody takes over.
    await judge.reassign({ ...east(), topic: cut, partition: 1, replicas: [3] })
    const link = linkOf(open, cut)
    const daemon = link.start('run', '-v')
    try {
      row.did('S14: wrote 10 records, then 5 in a transaction that stays open')
      await judge.produce({ ...east(), topic: open, count: 10 })
      await judge.produce({ ...east(), topic: open, transactionalId: open, end: 'open', count: 5 })
      row.did("S17: committed a transaction over two partitions while the second one's leader stood still")
      const producer = await judge.openProducer({ ...east(), transactionalId: await idNotLedBy(3) })
      await judge.begin(producer)
      for (const partition of [0, 1]) await judge.send({ ...producer, topic: cut, partition, count: 4 })
      await cluster.pause(3)
      await judge.commit(producer)
      await waitFor(async () => (await endAndCount(cut, 0)).count === 4, { what: 'the first partition' })
      await copiedUpTo(open, 10)
      row.did('killed all three brokers of the source')
      await cluster.kill()
    } finally {
      await end(daemon)
    }
    for (const isolation of ['committed', 'uncommitted'] as const)
      assert.deepEqual(await endAndCount(open, 0, isolation), { end: 10, count: 10 })
    row.saw(
      'S14: the target holds the 10 records, nothing of the open transaction; its last stable offset is its end',
    )
    // 4 records and the marker of the commit.
    for (const isolation of ['committed', 'uncommitted'] as const) {
      assert.deepEqual(await endAndCount(cut, 0, isolation), { end: 5, count: 4 })
      assert.deepEqual(await endAndCount(cut, 1, isolation), { end: 0, count: 0 })
    }
    row.saw(
      'S17: the transaction is whole in the first partition and absent in the second: each partition is cut at its own offset, none within',
    )
  })
})

/** A topic of one partition with these replicas; the first leads. */
async function topicOn(replicas: readonly number[], configs: Record<string, string> = {}): Promise<string> {
  const { judge } = context
  const topic = freshTopic('leaders')
  // What a test that failed has left.
  await context.cluster('east').start()
  await judge.createTopic({ ...east(), topic, rf: replicas.length, configs })
  await judge.reassign({ ...east(), topic, partition: 0, replicas })
  return topic
}

function linkOf(...topics: readonly string[]): Link {
  return makeLink({ name: freshTopic('link'), ...sides(), settings: { topics, groups: [] } })
}

async function once(link: Link): Promise<void> {
  const result = await link.run('run', '--once', '--timeout', '2m')
  assert.equal(result.code, 0, result.stderr + result.stdout)
}

async function end(daemon: KdrProcess): Promise<void> {
  daemon.signal('SIGTERM')
  const { code, stderr } = await daemon.ended
  assert.equal(code, 0, stderr.slice(-4000))
}

/** `act` happens while a link copies what a workload writes; afterwards nothing may be missing, or there twice. */
async function underLoad(
  topic: string,
  act: (link: Link, daemon: KdrProcess) => Promise<void>,
): Promise<void> {
  const { judge } = context
  const link = linkOf(topic)
  const daemon = link.start('run', '-v')
  try {
    const { workload } = await judge.startWorkload({ ...east(), topic, rate: 200, keys: 50, lingerMs: 20 })
    await waitFor(async () => ((await endAndCount(topic).catch(() => undefined))?.count ?? 0) > 0, {
      what: 'a record',
    })
    await act(link, daemon)
    const report = await judge.stopWorkload({ workload, timeoutMs: 30_000 })
    assert.ok(report.acknowledged > 0, report.lastError ?? '')
    const [[, , sourceEnd] = []] = await judge.ends({ ...east(), topics: [topic] })
    await copiedUpTo(topic, sourceEnd ?? -1)
    await assertIdentical(judge, sides(), [topic])
    const audit = await judge.auditTopic({ ...west(), workload, topic })
    assert.deepEqual([audit.missing, audit.repeated, audit.moved, audit.foreign], [0, 0, 0, 0])
  } finally {
    await end(daemon)
  }
}

async function copiedUpTo(topic: string, offset: number): Promise<void> {
  await waitFor(async () => (await endAndCount(topic).catch(() => undefined))?.end === offset, {
    what: `${topic} to be copied up to ${offset}`,
    timeoutMs: 120_000,
  })
}

/** Until it leads: the controller must see first that the leader is gone. */
async function electUncleanly(topic: string, broker: number): Promise<void> {
  const { judge } = context
  await waitFor(
    async () => {
      await judge.electUnclean({ ...east(), topic, partition: 0 }).catch(() => undefined)
      return (await judge.describeTopic({ ...east(), topic })).partitions[0]?.leader === broker
    },
    { what: `broker ${broker} to lead ${topic}`, everyMs: 500 },
  )
}

/** Of the mirror. */
async function endAndCount(
  topic: string,
  partition = 0,
  isolation: 'committed' | 'uncommitted' = 'uncommitted',
): Promise<{ end: number; count: number }> {
  const found = (await context.judge.digest({ ...west(), topic, isolation })).find(
    each => each.partition === partition,
  )
  return { end: found?.end ?? -1, count: found?.count ?? -1 }
}

async function inSync(topic: string): Promise<void> {
  await waitFor(
    async () => {
      const { partitions } = await context.judge.describeTopic({ ...east(), topic })
      return partitions.every(({ isr, replicas }) => isr.length === replicas.length)
    },
    { what: `every replica of ${topic}`, everyMs: 200 },
  )
}

/** A transactional id whose coordinator is another broker. */
async function idNotLedBy(broker: number): Promise<string> {
  const { judge } = context
  const { partitions } = await judge.describeTopic({ ...east(), topic: '__transaction_state' })
  for (let n = 0; ; n++) {
    const id = `cut-${n}`
    // Java's String.hashCode.
    const hash = Buffer.from(id).reduce((sum, char) => (Math.imul(sum, 31) + char) | 0, 0)
    const at = Math.abs(hash) % partitions.length
    if (partitions.find(({ partition }) => partition === at)?.leader !== broker) return id
  }
}
