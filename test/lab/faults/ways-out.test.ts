// Each reason for which a partition stops: reached on real brokers, with a sentence that names topic, partition, offsets
// and cause; then the command that the sentence names is run as it stands there, and both sides are identical again.
// Elsewhere: corrupt and lost-to-retention in link-ways-out.test.ts, log-start-jump in link-daemon.test.ts, truncated in
// source-leaders.test.ts, wrong-cluster in network.test.ts, unreachable in target.test.ts.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { LAB_USERS } from '../../../src/lab/lab.ts'
import { faultRow } from '../../support/fault-rows.ts'
import { beforeAppends, replicateHere } from '../../support/in-process.ts'
import { type Acl, b64 } from '../../support/judge.ts'
import { freshTopic, waitFor, withLab } from '../../support/lab.ts'
import {
  adminOf,
  assertIdentical,
  BARE_TARGET_ACLS,
  type KdrProcess,
  type Link,
  makeLink,
  MARKER_ACL,
  untilIdentical,
  withDaemon,
} from '../../support/link.ts'
import { partitionsOf, stoppedPartition } from '../../support/status.ts'
import {
  appendAs,
  connectTo,
  freshLink,
  producerOf,
  SOMEBODY,
  takeWayOut,
  writeMarkers,
} from '../../support/ways-out.ts'
import { suite } from '../../support/suite.ts'

const context = withLab([
  { name: 'east' },
  {
    name: 'west',
    security: 'acl',
    // T06: a target that makes topics by itself, with its own defaults.
    properties: { 'auto.create.topics.enable': 'true', 'log.retention.ms': '3600000' },
  },
])
const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
const east = () => adminOf(context.cluster('east'))
const west = () => adminOf(context.cluster('west'))

/** May do everything at the target but write markers and, unless a test gives the right, write to mirrors. */
const BARE_USER = { username: 'app', password: LAB_USERS.app }

let link: Link
let daemon: KdrProcess

const STATE_TOPIC = '_kdr.state'
const isWritingTopics = ({ type, operation }: Acl) => type === 'TOPIC' && operation === 'WRITE'

let given: Promise<void> | undefined

/** Once, by whichever group of tests comes first: each may run alone. */
function giveRights(): Promise<void> {
  const principal = `User:${BARE_USER.username}`
  const bare = BARE_TARGET_ACLS.map(acl => ({ ...acl, principal })).map(acl =>
    isWritingTopics(acl) ? { ...acl, name: STATE_TOPIC } : acl,
  )
  given ??= context.judge.createAcls({ ...west(), acls: [...BARE_TARGET_ACLS, MARKER_ACL, ...bare] })
  return given
}
after(() => daemon?.signal('SIGKILL'))

// Each has topics of its own, and most of them wait.
describe('a partition stops, and the way out that is named ends it', { concurrency: 6 }, () => {
  before(async () => {
    await giveRights()
    // T07: what somebody sets at a mirror must stand until a record meets it.
    link = makeLink({ name: 'ways', ...sides(), settings: { topics: ['way-*'], sync: { configs: '1h' } } })
    daemon = link.start('run', '-v')
    await daemon.says(/behind/)
  })

  // These first: kdr asks again after 15 s.
  test('no-rights: the others go on, and it goes on by itself when the right is back', async () => {
    const { judge } = context
    const [topic, other] = [await mirrored(), await mirrored()]
    const deny = {
      type: 'TOPIC',
      name: topic,
      principal: 'User:kdr',
      operation: 'WRITE',
      permission: 'DENY',
    } as const
    await judge.createAcls({ ...west(), acls: [deny] })
    // The rule reaches the broker some time after it was made: what is copied until then is allowed.
    let isStopped = false
    const writing = (async () => {
      while (!isStopped) {
        for (const each of [topic, other]) await judge.produce({ ...east(), topic: each, count: 3 })
        await sleep(500)
      }
    })()
    const waiting = await stoppedPartition(link, topic, 'no-rights').finally(() => {
      isStopped = true
    })
    await writing
    assert.equal(waiting.state, 'waiting')
    assert.match(
      waiting.sentence,
      new RegExp(
        `TOPIC_AUTHORIZATION_FAILED.*at "west".*kafka-acls --add .*--operation Write --topic ${topic}`,
      ),
    )
    await copied(other)
    await judge.deleteAcls({ ...west(), acls: [deny] })
    await copied(topic)
  })

  test('no-rights: the command that the sentence names gives the right', async () => {
    const { judge } = context
    const topic = freshTopic('unwritten')
    await judge.createTopic({ ...east(), topic })
    await judge.produce({ ...east(), topic, count: 3 })
    const own = makeLink({ name: freshLink(), ...sides(), user: BARE_USER, settings: { topics: [topic] } })
    await withDaemon(own, async () => {
      const waiting = await stoppedPartition(own, topic, 'no-rights')
      const command = /kafka-acls --add --allow-principal User:PRINCIPAL (.* --topic \S+)\. It then/.exec(
        waiting.sentence,
      )?.[1]
      assert.equal(command, `--operation Read --operation Write --topic ${topic}`)
      const operations = [...command.matchAll(/--operation (\w+)/g)].map(([, name = '']) =>
        name.toUpperCase(),
      )
      const principal = `User:${BARE_USER.username}`
      const acls = operations.map(
        operation => ({ type: 'TOPIC', name: topic, principal, operation }) as const,
      )
      await judge.createAcls({ ...west(), acls })
      await copied(topic)
    })
  })

  faultRow('T04', 'somebody else writes to a mirror', async row => {
    const { judge } = context
    const [idle, other] = [await mirrored(), await mirrored()]
    row.did('wrote 2 records to the mirror of a topic that has nothing to copy (its log ends at 10)')
    await judge.produce({ ...west(), topic: idle, count: 2, lingerMs: 100 })
    const foreign = await stoppedPartition(link, idle, 'foreign-write')
    assert.match(
      foreign.sentence,
      /offsets 10 to 11 of the target were written by another producer \(id -?\d+\)/,
    )
    row.saw(`foreign-write: ${foreign.sentence.replace(/id -?\d+/, 'id ID')}`)
    await judge.produce({ ...east(), topic: other, count: 3 })
    await copied(other)
    row.saw('another topic was copied meanwhile')
    await takeWayOut(link, foreign.sentence, 'recopy')
    await copied(idle)
    row.saw('after that command both sides are identical')
  })

  test('unexpected-offset: a batch lands where somebody else has just written', async () => {
    const { judge } = context
    const topic = freshTopic('raced')
    await judge.createTopic({ ...east(), topic })
    await judge.produce({ ...east(), topic, count: 10, lingerMs: 100 })
    const own = makeLink({ name: freshLink(), ...sides(), settings: { topics: [topic] } })
    const other = await connectTo(context.cluster('west'))
    let isRacing = false
    // Between kdr's last look at the log and its append: only from within can a test hit that moment each time.
    const running = await replicateHere(own, {
      target: cluster =>
        beforeAppends(cluster, async () => {
          if (!isRacing) return
          isRacing = false
          await appendAs(other, topic, { producer: SOMEBODY, count: 1, isNew: true })
        }),
    })
    try {
      await copied(topic)
      isRacing = true
      await judge.produce({ ...east(), topic, count: 1 })
      const stopped = await stoppedPartition(own, topic, 'unexpected-offset')
      assert.match(stopped.sentence, /the batch of source offset 10 landed at offset 11 of the target/)
      await takeWayOut(own, stopped.sentence, 'recopy')
      await copied(topic)
    } finally {
      await running.stop()
      await other.close()
    }
  })

  faultRow('T05', 'a topic of the same name stands at the target', async row => {
    const { judge } = context
    const [same, differs, shape] = [
      freshTopic('own-same'),
      freshTopic('own-differs'),
      freshTopic('own-shape'),
    ]
    const timestamp = Date.now()
    const equal = [{ value: b64('equal'), timestamp }]
    row.did(
      'made topics at both sides: one that holds the same record, one another record, one more partitions',
    )
    for (const topic of [same, differs, shape]) await judge.createTopic({ ...east(), topic })
    for (const topic of [same, differs]) await judge.createTopic({ ...west(), topic, partitions: 1 })
    await judge.createTopic({ ...west(), topic: shape, partitions: 3 })
    for (const topic of [same, differs]) await judge.produce({ ...east(), topic, records: equal })
    await judge.produce({ ...west(), topic: same, records: equal })
    await judge.produce({ ...west(), topic: differs, records: [{ value: b64('theirs'), timestamp }] })
    await judge.produce({ ...east(), topic: same, count: 5 })
    await judge.produce({ ...east(), topic: shape, count: 5 })

    const own = makeLink({ name: freshLink(), ...sides(), settings: { topics: ['own-*'] } })
    await withDaemon(own, async () => {
      const equalSoFar = await stoppedPartition(own, same, 'not-empty')
      assert.match(equalSoFar.sentence, /what it holds equals the source so far/)
      const different = await stoppedPartition(own, differs, 'not-empty')
      assert.match(different.sentence, /partition 0 offset 0, .*differ/)
      const refused = await stoppedPartition(own, shape, 'target-refuses')
      assert.match(refused.sentence, /the target's topic has 3 partitions, the source's 1/)
      for (const each of [equalSoFar, different, refused])
        row.saw(`${each.reason}: ${each.sentence.replaceAll(own.name, 'link')}`)
      assert.equal((await judge.digest({ ...west(), topic: differs }))[0]?.count, 1)

      await takeWayOut(own, equalSoFar.sentence, 'adopt')
      const wrong = await own.run('link', 'adopt', own.name, '--topic', differs, '--yes')
      assert.equal(wrong.code, 12, wrong.stderr)
      row.saw('kdr link adopt takes the first, and refuses the second')
      row.did('deleted the other two at the target, as their sentences say')
      for (const topic of [differs, shape]) await judge.deleteTopic({ ...west(), topic })
      for (const topic of [same, differs, shape]) await copied(topic)
      row.saw('all three are identical')
    })
  })

  faultRow('T06', 'the target creates topics by itself, with its own defaults', async row => {
    const { judge } = context
    const [late, early] = [freshTopic('way-late'), freshTopic('way-early')]
    row.did(
      'auto.create.topics.enable at the target, with a retention of an hour; made a topic of two partitions at the source',
    )
    await judge.createTopic({ ...east(), topic: late, partitions: 2 })
    await judge.produce({ ...east(), topic: late, count: 5 })
    await copied(late)
    assert.equal((await judge.describeConfigs({ ...west(), topic: late }))['retention.ms'], '-1')
    row.saw('its mirror has two partitions and keeps its records for ever')

    row.did(
      'a consumer at the target asked for a topic before the source had it: the target made it, of one partition',
    )
    const { consumer } = await judge.startConsumer({ ...west(), group: freshTopic('group'), topics: [early] })
    await waitFor(async () => (await judge.listTopics(west())).includes(early), {
      what: 'the topic to be made',
    })
    await judge.stopConsumer({ consumer })
    await judge.createTopic({ ...east(), topic: early, partitions: 2 })
    await judge.produce({ ...east(), topic: early, count: 5 })
    await copied(early)
    assert.equal((await judge.describeConfigs({ ...west(), topic: early }))['retention.ms'], '-1')
    row.saw(
      'it is taken over as it is empty: it gets its second partition and its configs, then the records; identical',
    )
  })

  faultRow('T07', 'the target refuses a batch as too large', async row => {
    const { judge } = context
    const topic = await mirrored()
    row.did(
      'somebody set max.message.bytes of the mirror to 2,000; wrote a record of 5,000 bytes at the source',
    )
    await judge.alterConfigs({ ...west(), topic, configs: { 'max.message.bytes': '2000' } })
    await judge.produce({ ...east(), topic, count: 1, sizeBytes: 5_000 })
    const stopped = await stoppedPartition(link, topic, 'too-large')
    assert.match(
      stopped.sentence,
      /at offset 10: the target refuses the batch as too large \(MESSAGE_TOO_LARGE \(10\)\).*max\.message\.bytes/,
    )
    row.saw(`too-large: ${stopped.sentence}`)
    await judge.alterConfigs({ ...west(), topic, configs: { 'max.message.bytes': '1000000' } })
    await takeWayOut(link, stopped.sentence, 'resume')
    await copied(topic)
    row.saw('after the config was changed and that command run, both sides are identical')
  })

  faultRow('T15', 'somebody deletes a mirror topic, or deletes it and creates it again', async row => {
    const { judge } = context
    const [gone, anew] = [await mirrored(), await mirrored()]
    row.did('deleted two mirrors at the target, and made the second one again')
    for (const topic of [gone, anew]) await judge.deleteTopic({ ...west(), topic })
    await judge.createTopic({ ...west(), topic: anew, partitions: 1 })
    for (const topic of [gone, anew]) await judge.produce({ ...east(), topic, count: 2 })
    for (const topic of [gone, anew]) {
      const stopped = await stoppedPartition(link, topic, 'recreated')
      row.saw(`recreated: ${stopped.sentence}`)
      if (topic === anew) assert.equal((await judge.digest({ ...west(), topic }))[0]?.end, 0)
      await takeWayOut(link, stopped.sentence, 'recopy')
      await copied(topic)
    }
    row.saw('nothing was written to the new topic; after the commands both sides are identical')
  })

  test('recreated at the source', async () => {
    const { judge } = context
    const topic = await mirrored()
    await judge.deleteTopic({ ...east(), topic })
    await judge.createTopic({ ...east(), topic })
    // More than were copied of the old one: offsets alone could not tell.
    await judge.produce({ ...east(), topic, count: 15 })
    const stopped = await stoppedPartition(link, topic, 'recreated')
    assert.match(stopped.sentence, /was deleted and created again at the source \(id .+, now .+\)/)
    await takeWayOut(link, stopped.sentence, 'recopy')
    await copied(topic)
  })

  test('source-deleted: the mirror is kept, and let go of', async () => {
    const { judge } = context
    const topic = await mirrored()
    await judge.deleteTopic({ ...east(), topic })
    const stopped = await stoppedPartition(link, topic, 'source-deleted')
    assert.match(stopped.sentence, /was deleted at the source \(seen at .+\); the mirror is kept as it is/)
    await takeWayOut(link, stopped.sentence, 'forget')
    await waitFor(async () => (await partitionsOf(link, topic)).length === 0, {
      what: 'it to be let go',
      everyMs: 300,
    })
    assert.equal((await judge.digest({ ...west(), topic }))[0]?.count, 10)
  })

  test('overfilled: the target holds a marker more than the source has gaps', async () => {
    const { judge } = context
    const topic = freshTopic('surplus')
    await judge.createTopic({ ...east(), topic })
    await judge.produce({ ...east(), topic, count: 10 })
    const own = makeLink({ name: freshLink(), ...sides(), settings: { topics: [topic] } })
    assert.equal((await own.run('run', '--once')).code, 0)
    const target = await connectTo(context.cluster('west'))
    try {
      // As a coordinator leaves one that sends a marker twice; records come before kdr is back.
      const producer = await producerOf(own, target)
      assert.equal(await writeMarkers(target, topic, { producer, count: 1 }), 11)
    } finally {
      await target.close()
    }
    const longer = await own.run('run', '--once')
    assert.equal(longer.code, 3, longer.stderr)
    assert.match(
      longer.stdout + longer.stderr,
      /log ends at 11, 1 marker\(s\) beyond all that the source shows, which ends at 10/,
    )
    await judge.produce({ ...east(), topic, count: 3 })
    await withDaemon(own, async () => {
      const stopped = await stoppedPartition(own, topic, 'overfilled')
      assert.match(stopped.sentence, /1 marker.* more than the source has gaps: its log ends at 11/)
      assert.match(stopped.sentence, /the source has a record at 10/)
      await takeWayOut(own, stopped.sentence, 'recopy')
      await copied(topic)
    })
  })

  faultRow('T12', "another producer has the link's producer id, or fences it", async row => {
    const { judge } = context
    const topic = freshTopic('same-id')
    await judge.createTopic({ ...east(), topic })
    await judge.produce({ ...east(), topic, count: 10 })
    const own = makeLink({ name: freshLink(), ...sides(), settings: { topics: [topic] } })
    const target = await connectTo(context.cluster('west'))
    try {
      await withDaemon(own, async running => {
        await copied(topic)
        const producer = await producerOf(own, target)
        row.did("somebody else appended to the mirror with the link's producer id, in its sequence")
        const answer = await appendAs(target, topic, { producer, count: 2 })
        assert.deepEqual([answer.code, answer.baseOffset], [0, 10])
        await judge.produce({ ...east(), topic, count: 3 })
        const stopped = await stoppedPartition(own, topic)
        assert.ok(
          ['unexpected-offset', 'foreign-write', 'target-refuses'].includes(stopped.reason),
          stopped.sentence,
        )
        assert.match(stopped.sentence, /offset 10|offsets 10|ends at 12/)
        row.saw(`${stopped.reason}: ${stopped.sentence.replaceAll(own.name, 'link')}`)
        await takeWayOut(
          own,
          /recopy/.test(stopped.sentence) ? stopped.sentence : `kdr link recopy ${own.name} --topic ${topic}`,
          'recopy',
        )
        await copied(topic)
        row.saw('after kdr link recopy both sides are identical')

        row.did('somebody else appended with that producer id and the next epoch')
        const fencing = await appendAs(target, topic, {
          producer: { ...producer, producerEpoch: producer.producerEpoch + 1 },
          count: 1,
        })
        assert.equal(fencing.code, 0)
        await judge.produce({ ...east(), topic, count: 3 })
        const end = await running.ended
        assert.equal(end.code, 13, end.stderr)
        assert.match(end.stderr, new RegExp(`this kdr was fenced at the target, seen at "${topic}/0"`))
        row.saw('kdr ends with 13: it was fenced at the target, and names the partition')
      })
    } finally {
      await target.close()
    }
  })
})

describe('gap-too-large', () => {
  const MANY = 151_000
  before(giveRights)

  test('stops before anything is filled; the right to write markers, or tombstones, end it', {
    skip: suite === 'short' && 'in make test-full',
  }, async () => {
    const { judge } = context
    const [plain, compacted] = [freshTopic('gap'), freshTopic('gap-compacted')]
    await judge.createTopic({ ...east(), topic: plain })
    await judge.createTopic({ ...east(), topic: compacted, configs: { 'cleanup.policy': 'compact' } })
    const source = await connectTo(context.cluster('east'))
    for (const topic of [plain, compacted]) {
      await judge.produce({ ...east(), topic, count: 10, keys: 5 })
      assert.equal(await writeMarkers(source, topic, { producer: SOMEBODY, count: MANY }), MANY + 10)
      await judge.produce({ ...east(), topic, count: 10, keys: 5 })
    }
    await source.close()

    const writing = BARE_TARGET_ACLS.filter(isWritingTopics)
    const principal = `User:${BARE_USER.username}`
    await judge.createAcls({ ...west(), acls: writing.map(acl => ({ ...acl, principal })) })

    const name = freshLink()
    const topics = [plain, compacted]
    const without = makeLink({ name, ...sides(), user: BARE_USER, settings: { topics } })
    await withDaemon(without, async running => {
      await running.says(/empty transactions/)
      for (const topic of topics) {
        const stopped = await stoppedPartition(without, topic, 'gap-too-large')
        assert.match(
          stopped.sentence,
          new RegExp(
            `"${topic}/0": of source offsets 0 to 151,?019 about 15\\d,\\d{3} hold no record; filling them would take about 10 minutes`,
          ),
        )
        assert.match(stopped.sentence, /ALTER on the cluster.*`largeGap: markers`.*`largeGap: tombstones`/)
        assert.equal((await judge.digest({ ...west(), topic }))[0]?.end, 0)
      }
      // `largeGap: tombstones`, read again at SIGHUP: the compacted one goes on, with what a reader sees until the cleaner has run.
      without.configure({ topics, largeGap: 'tombstones' })
      running.signal('SIGHUP')
      await waitFor(async () => (await partitionsOf(without, compacted))[0]?.cursor === MANY + 20, {
        what: 'the tombstones',
      })
      const verified = await without.run('verify', name, '--topic', compacted)
      assert.equal(verified.code, 0, verified.stdout)
    })

    // The right to write markers.
    await judge.createAcls({ ...west(), acls: [{ ...MARKER_ACL, principal: 'User:app' }] })
    const withRight = makeLink({ name, ...sides(), user: BARE_USER, settings: { topics: [plain] } })
    const result = await withRight.run('run', '--once', '--timeout', '2m')
    assert.equal(result.code, 0, result.stderr + result.stdout)
    await assertIdentical(judge, sides(), [plain])
  })
})

/** A topic of one partition with 10 records that the running link has copied. */
async function mirrored(): Promise<string> {
  const { judge } = context
  const topic = freshTopic('way')
  await judge.createTopic({ ...east(), topic })
  await judge.produce({ ...east(), topic, count: 10, lingerMs: 100 })
  await copied(topic)
  return topic
}

async function copied(topic: string): Promise<void> {
  await untilIdentical(context.judge, sides(), topic)
}
