// Fault rows of the source's topics as wholes: made again, named badly, in old formats, read slowly. Brokers one each.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { KafkaCode } from '../../../src/model/kafka-codes.ts'
import type { AppendLane, FetchedPartition } from '../../../src/ports/cluster.ts'
import { faultRow } from '../../support/fault-rows.ts'
import { replicateHere } from '../../support/in-process.ts'
import { b64 } from '../../support/judge.ts'
import { messageSet } from '../../support/old-messages.ts'
import { freshTopic, waitFor, withLab } from '../../support/lab.ts'
import { adminOf, assertIdentical, type KdrResult, type Link, makeLink } from '../../support/link.ts'

const context = withLab([
  { name: 'east', properties: { 'max.incremental.fetch.session.cache.slots': '0' } },
  { name: 'west' },
])
const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
const east = () => adminOf(context.cluster('east'))
const west = () => adminOf(context.cluster('west'))

// Most of the time they wait for processes to start.
describe('topics of the source', { concurrency: 3 }, () => {
  faultRow('S09', 'a topic made again, with more records than were copied', async row => {
    const { judge } = context
    const topic = await topicWith(10)
    const link = linkOf(topic)
    await once(link, 0)
    row.did('copied 10 records; while kdr was down, deleted the topic, made it again and wrote 30 others')
    await judge.deleteTopic({ ...east(), topic })
    await judge.createTopic({ ...east(), topic })
    await judge.produce({ ...east(), topic, count: 30, seed: 9 })
    const result = await once(link, 3)
    const sentence = /✗ (".*deleted and created again at the source.*kdr link recopy.*)/.exec(
      result.stdout,
    )?.[1]
    assert.ok(sentence !== undefined, result.stdout)
    row.saw(`recreated: ${sentence}`)
    assert.deepEqual(await mirrorOf(topic), [10, 10])
    row.saw('the mirror still holds the 10 old records, and nothing else')

    row.did('what the sentence says: kdr link recopy')
    const recopied = await link.run('link', 'recopy', link.name, '--topic', topic, '--yes')
    assert.equal(recopied.code, 0, recopied.stderr)
    await once(link, 0)
    await assertIdentical(judge, sides(), [topic])
    row.saw('identical')
  })

  faultRow('S11', 'a topic made again with fewer partitions', async row => {
    const { judge } = context
    const [topic, other] = [await topicWith(10, 3), await topicWith(10)]
    const link = linkOf(topic, other)
    await once(link, 0)
    row.did('copied a topic of three partitions; deleted it at the source and made it again with two')
    await judge.deleteTopic({ ...east(), topic })
    await judge.createTopic({ ...east(), topic, partitions: 2 })
    for (const each of [topic, other]) await judge.produce({ ...east(), topic: each, count: 5, seed: 11 })
    const result = await once(link, 3)
    const sentence = /✗ (".*deleted and created again at the source.*kdr link recopy.*)/.exec(
      result.stdout,
    )?.[1]
    assert.ok(sentence !== undefined, result.stdout)
    row.saw(`recreated: ${sentence}`)
    assert.deepEqual((await judge.describeTopic({ ...west(), topic })).partitions.length, 3)
    await assertIdentical(judge, sides(), [other])
    row.saw('the mirror keeps its three partitions; the other topic went on')
  })

  faultRow('S28', 'names that collide, long names, internal topics', async row => {
    const { judge } = context
    const stem = freshTopic('names')
    const long = `${stem}-${'n'.repeat(249)}`.slice(0, 249)
    const [dotted, scored, internal] = [`${stem}.a`, `${stem}_a`, `__${stem}`]
    row.did(
      'made topics "names.a", one of 249 characters and "__names" at the source, and "names_a" at the target, and mirrored "*"',
    )
    for (const topic of [dotted, long, internal]) {
      await judge.createTopic({ ...east(), topic })
      await judge.produce({ ...east(), topic, count: 5 })
    }
    await judge.createTopic({ ...west(), topic: scored })
    // What other rows have left is none of this one's business.
    const link = makeLink({ name: stem, ...sides(), settings: { topics: ['*', '!topics-*'], groups: [] } })
    const result = await once(link, 3)
    const sentence = /✗ (".*\.a": .*)/.exec(result.stdout)?.[1]
    assert.match(sentence ?? '', /collides/, result.stdout)
    row.saw(`target-refuses, because a broker tells neither "." from "_" in its metrics: ${sentence ?? ''}`)
    await assertIdentical(judge, sides(), [long])
    const topics = await judge.listTopics(west())
    assert.deepEqual(
      topics.filter(each => [dotted, internal].includes(each)),
      [],
    )
    row.saw('the long one is identical; the internal one is left out; nothing was written to "names_a"')
    await judge.deleteTopic({ ...west(), topic: scored })
    row.did('deleted "names_a" at the target')
    await once(link, 0)
    await assertIdentical(judge, sides(), [dotted])
    row.saw('identical')
  })

  faultRow('S25', 'a quota slows the reading down', { suite: 'full' }, async row => {
    const { judge } = context
    const topic = await topicWith(0)
    await judge.produce({ ...east(), topic, count: 6000, sizeBytes: 2000, batchBytes: 100_000 })
    row.did("gave kdr's client id a quota of 1 MB a second at the source, and copied 12 MB")
    await judge.setQuota({ ...east(), clientId: 'kdr', quotas: { consumer_byte_rate: 1_000_000 } })
    try {
      const link = linkOf(topic)
      const result = await once(link, 0, '-v')
      assert.ok(result.ms > 4_000, `the quota held nothing up: ${result.ms} ms`)
      assert.doesNotMatch(result.stderr, /a fetch failed|did not answer|unreachable/)
    } finally {
      await judge.setQuota({ ...east(), clientId: 'kdr', quotas: { consumer_byte_rate: null } })
    }
    await assertIdentical(judge, sides(), [topic])
    row.saw('the broker held its answers back; no request was given up or sent again; identical')
  })

  faultRow('S26', 'the source keeps no fetch sessions', { suite: 'full' }, async row => {
    const { judge } = context
    const topic = await topicWith(10)
    row.did(
      'copied from a source without room for fetch sessions, waited until all was quiet, wrote 5 records',
    )
    const daemon = linkOf(topic).start('run', '-v')
    try {
      await copiedUpTo(topic, 10)
      // Quiet by now: kdr would watch over it in a session.
      await sleep(1_500)
      await judge.produce({ ...east(), topic, count: 5 })
      await copiedUpTo(topic, 15)
      row.saw('each round asked for all partitions instead: the records were copied')
      assert.ok(!daemon.hasEnded)
    } finally {
      daemon.signal('SIGTERM')
      assert.equal((await daemon.ended).code, 0, daemon.stderr)
    }
    await assertIdentical(judge, sides(), [topic])
  })
})

describe('answers that no broker of today gives', { concurrency: 2 }, () => {
  const options = { suite: 'full', kafka: '4.4.0, with one answer changed on the way' } as const
  faultRow('S23', 'a compression that the target does not take', options, async row => {
    const { judge } = context
    const [bad, good] = [await topicWith(10), await topicWith(10)]
    let isRefusing = true
    row.did(
      "answered each batch for one of two topics with UNSUPPORTED_COMPRESSION_TYPE in the target's place",
    )
    const link = linkOf(bad, good)
    const running = await replicateHere(link, {
      target: cluster => ({
        ...cluster,
        openAppendLane: async broker =>
          changeLane(await cluster.openAppendLane(broker), topic => isRefusing && topic === bad),
      }),
    })
    try {
      const report = await waitFor(
        () => {
          const now = running.report(bad)
          return now?.state === 'faulted' && now
        },
        { what: 'a fault' },
      )
      assert.equal(report.reason, 'target-refuses')
      assert.match(
        report.sentence ?? '',
        /at offset 0: .* UNSUPPORTED_COMPRESSION_TYPE.*kdr link resume \S+ --topic/,
      )
      row.saw(`target-refuses: ${report.sentence ?? ''}`)
      await copiedUpTo(good, 10)
      row.saw('the other topic was copied')
      isRefusing = false
      row.did('let the target take it, and what the sentence says: kdr link resume')
      const resumed = await link.run('link', 'resume', link.name, '--topic', bad, '--yes')
      assert.equal(resumed.code, 0, resumed.stderr)
      await copiedUpTo(bad, 10)
      row.saw('identical')
    } finally {
      await running.stop()
    }
    await assertIdentical(judge, sides(), [bad, good])
  })

  faultRow('S18', 'a bit that flips on the line', options, async row => {
    const { judge } = context
    const topic = await topicWith(10)
    let flips = 0
    const flipOnce = (answers: FetchedPartition[]): FetchedPartition[] =>
      answers.map(answer => {
        if (flips > 0 || answer.records.length === 0) return answer
        flips++
        const records = Buffer.from(answer.records)
        records.writeUInt8((records.at(-3) ?? 0) ^ 16, records.length - 3)
        return { ...answer, records }
      })
    row.did("flipped one bit of a batch in the source's first answer")
    const running = await replicateHere(linkOf(topic), {
      source: cluster => ({
        ...cluster,
        openFetchLane: async broker => {
          const lane = await cluster.openFetchLane(broker)
          return { ...lane, fetch: async request => flipOnce(await lane.fetch(request)) }
        },
        openFetchSession: async broker => {
          const session = await cluster.openFetchSession(broker)
          return { ...session, next: async request => flipOnce(await session.next(request)) }
        },
      }),
    })
    try {
      await copiedUpTo(topic, 10)
      assert.deepEqual([flips, running.report(topic)?.state], [1, 'mirroring'])
    } finally {
      await running.stop()
    }
    await assertIdentical(judge, sides(), [topic])
    row.saw('read again without a word: identical')
  })
})

describe('old formats', () => {
  // Last: it restarts the source.
  faultRow('S20', 'records in the formats before Kafka 0.11', { suite: 'full' }, async row => {
    const { judge } = context
    const cluster = context.cluster('east')
    const topic = await topicWith(0)
    row.did(
      "laid a segment of messages in the formats v0 and v1, plain and compressed, on the source's disk, as an upgraded cluster has them",
    )
    await cluster.stop(1)
    writeFileSync(join(cluster.logDir(1), `${topic}-0`, `${'0'.repeat(20)}.log`), messageSet())
    await cluster.start(1)
    await judge.produce({ ...east(), topic, count: 5 })
    const old = (await judge.list({ ...east(), topic })).map(({ value }) => value)
    assert.deepEqual(
      [old.length, old[0], old[4], old[8]],
      [14, b64('first'), b64('packed 4'), b64('packed 1')],
    )
    const link = linkOf(topic)
    await once(link, 0)
    await assertIdentical(judge, sides(), [topic])
    const verified = await link.run('verify', link.name)
    assert.equal(verified.code, 0, verified.stdout)
    row.saw('copied, framed anew in the present format: identical in offset, key, value and timestamp')
  })
})

/** With the target's answer replaced for batches of these topics, which are not sent. */
function changeLane(lane: AppendLane, refuses: (topic: string) => boolean): AppendLane {
  return {
    broker: lane.broker,
    get isClosed() {
      return lane.isClosed
    },
    close: () => lane.close(),
    append: async (entries, timeoutMs) => {
      const sent = entries.filter(({ topic }) => !refuses(topic))
      const answers = sent.length === 0 ? [] : await lane.append(sent, timeoutMs)
      return entries.map(entry => {
        const { topic, partition } = entry
        return (
          answers[sent.indexOf(entry)] ?? {
            topic,
            partition,
            code: KafkaCode.UNSUPPORTED_COMPRESSION_TYPE,
            baseOffset: -1,
          }
        )
      })
    },
  }
}

async function topicWith(count: number, partitions = 1): Promise<string> {
  const topic = freshTopic('topics')
  await context.judge.createTopic({ ...east(), topic, partitions })
  if (count > 0) await context.judge.produce({ ...east(), topic, count })
  return topic
}

function linkOf(...topics: readonly string[]): Link {
  return makeLink({ name: freshTopic('link'), ...sides(), settings: { topics, groups: [] } })
}

async function once(link: Link, code: number, ...more: readonly string[]): Promise<KdrResult> {
  const result = await link.run('run', '--once', '--timeout', '2m', ...more)
  assert.equal(result.code, code, result.stderr + result.stdout)
  return result
}

async function copiedUpTo(topic: string, end: number): Promise<void> {
  await waitFor(async () => (await mirrorOf(topic).catch(() => []))[0] === end, { what: `offset ${end}` })
}

async function mirrorOf(topic: string): Promise<readonly [end: number, count: number]> {
  const [found] = await context.judge.digest({ ...west(), topic })
  return [found?.end ?? -1, found?.count ?? -1]
}
