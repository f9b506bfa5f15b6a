// What `kdr run` does while it runs: topics, partitions, configs and log starts follow the source; what does not fit is
// refused or stopped with a reason, and the rest goes on; it ends cleanly and starts again at once.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { findPort } from '../../src/lab/ports.ts'
import { b64, type Judge } from '../support/judge.ts'
import { faultRow } from '../support/fault-rows.ts'
import { freshTopic, patience, waitFor, withLab } from '../support/lab.ts'
import {
  adminOf,
  assertIdentical,
  type KdrProcess,
  type Link,
  makeLink,
  untilIdentical,
} from '../support/link.ts'
import { isThere, promtool } from '../support/promtool.ts'
import { stoppedPartition } from '../support/status.ts'
import { suite } from '../support/suite.ts'

const context = withLab([{ name: 'east' }, { name: 'west' }])

const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
const east = () => adminOf(context.cluster('east'))
const west = () => adminOf(context.cluster('west'))

let link: Link
let daemon: KdrProcess
let listen: string

after(() => daemon?.signal('SIGKILL'))

// Each test has topics of its own, so that they can wait at the same time.
describe('while kdr runs', { concurrency: 4 }, () => {
  before(async () => {
    listen = `127.0.0.1:${await findPort()}`
    link = makeLink({
      ...sides(),
      settings: { topics: ['live-*'], sync: { configs: '1s', groups: '1s' } },
      server: { listen },
    })
    daemon = link.start('run', '-v')
    await daemon.says(/behind/)
  })

  test('a topic that is created later is there within 5 s, and identical', async () => {
    const { judge } = context
    const topic = freshTopic('live')
    await judge.createTopic({ ...east(), topic, partitions: 3 })
    await judge.produce({ ...east(), topic, count: 30 })

    await waitFor(async () => (await judge.listTopics(west())).includes(topic), {
      what: `the mirror of ${topic}`,
      timeoutMs: patience(5_000),
    })
    await copied(judge, topic)
  })

  test('its metrics say what was copied, how far it is and how long brokers take', async () => {
    const topic = await mirrored(context.judge, 25)
    const metrics = async (): Promise<string> => await (await fetch(`http://${listen}/metrics`)).text()
    const valueOf = (text: string, name: string, labels = ''): number | undefined => {
      const line = text.split('\n').find(each => each.startsWith(`${name}{`) && each.includes(labels))
      return line === undefined ? undefined : Number(line.split(' ').at(-1))
    }
    const ofTopic = `topic="${topic}"`
    const text = await waitFor(
      async () => {
        const now = await metrics()
        return valueOf(now, 'kdr_lag_records', ofTopic) === 0 && now
      },
      { what: 'a lag of 0' },
    )
    assert.equal(valueOf(text, 'kdr_copied_records_total', ofTopic), 25)
    assert.equal(valueOf(text, 'kdr_mirror_offsets', `${ofTopic},kind="records"`), 25)
    assert.equal(valueOf(text, 'kdr_link_control'), 1)
    assert.equal(valueOf(text, 'kdr_slots_held'), valueOf(text, 'kdr_slots'))
    assert.ok((valueOf(text, 'kdr_link_rpo_seconds') ?? 99) < patience(10_000) / 1_000, text)
    for (const [cluster, kind] of [
      ['east', 'fetch'],
      ['west', 'append'],
    ] as const) {
      assert.ok((valueOf(text, 'kdr_connections', `cluster="${cluster}",kind="${kind}"`) ?? 0) > 0, text)
    }
    assert.ok((valueOf(text, 'kdr_appended_batches_total', 'cluster="west"') ?? 0) > 0)
    assert.ok((valueOf(text, 'kdr_append_duration_seconds_count', 'cluster="west"') ?? 0) > 0)
    // Also what has come where kdr only waits for news.
    assert.ok((valueOf(text, 'kdr_fetched_bytes_total', 'cluster="east"') ?? 0) > 0)
    if (isThere) assert.deepEqual(promtool(['check', 'metrics'], text), { code: 0, output: '' })
  })

  faultRow('S10', 'partitions that are added are there within 5 s', async row => {
    const { judge } = context
    const topic = await mirrored(judge)
    row.did('gave a topic of one partition three more while kdr ran, and wrote to each')
    await judge.createPartitions({ ...east(), topic, count: 4 })

    await waitFor(async () => (await judge.describeTopic({ ...west(), topic })).partitions.length === 4, {
      what: 'the added partitions',
      timeoutMs: patience(5_000),
    })
    for (const partition of [1, 2, 3]) await judge.produce({ ...east(), topic, partition, count: 5 })
    await copied(judge, topic)
    row.saw('the mirror had them within 5 s; all four partitions are identical')
  })

  test('configs follow, those held on a mirror do not', async () => {
    const { judge } = context
    const topic = await mirrored(judge)
    await judge.alterConfigs({
      ...east(),
      topic,
      configs: {
        'retention.ms': '3600000',
        'max.compaction.lag.ms': '7200000',
        'cleanup.policy': 'compact,delete',
      },
    })

    const at = async () => await judge.describeConfigs({ ...west(), topic })
    await waitFor(async () => (await at())['max.compaction.lag.ms'] === '7200000', { what: 'the configs' })
    const configs = await at()
    assert.equal(configs['retention.ms'], '-1')
    assert.match(configs['cleanup.policy'] ?? '', /compact/)

    await judge.alterConfigs({ ...east(), topic, configs: { 'max.compaction.lag.ms': null } })
    await waitFor(async () => (await at())['max.compaction.lag.ms'] === undefined, { what: 'one to go away' })
  })

  faultRow('S06', 'the log start follows a small step, and a large jump waits for a person', async row => {
    const { judge } = context
    const topic = await mirrored(judge, 100)
    // While it moves, a consumer may be sent to where nothing is any more.
    const logStart = async () =>
      (await judge.digest({ ...west(), topic }).catch(() => undefined))?.[0]?.logStart
    row.did('DeleteRecords at the source before offset 13 of 100 copied records')
    await judge.deleteRecords({ ...east(), topic, partition: 0, before: 13 })
    await waitFor(async () => (await logStart()) === 13, { what: 'log start 13' })
    row.saw("the mirror's log starts at 13 too; no loss is reported")

    row.did('the same before offset 90')
    await judge.deleteRecords({ ...east(), topic, partition: 0, before: 90 })
    const held = await stoppedPartition(link, topic, 'log-start-jump')
    assert.match(held.sentence, /from 13 to 90.*kdr link resume .* --accept-log-start/)
    assert.equal(held.state, 'waiting')
    assert.equal(await logStart(), 13)
    row.saw(`log-start-jump: ${held.sentence}`)
    // Copying goes on meanwhile.
    await judge.produce({ ...east(), topic, count: 7 })
    await waitFor(async () => (await judge.digest({ ...west(), topic }))[0]?.end === 107, {
      what: 'the records',
    })

    const accept = ['link', 'resume', link.name, '--topic', topic, '--accept-log-start', '--yes']
    const accepted = await link.run(...accept)
    assert.equal(accepted.code, 0, accepted.stderr)
    await waitFor(async () => (await logStart()) === 90, { what: 'log start 90' })
    await copied(judge, topic)
    row.saw('records that came meanwhile were copied; after that command both sides are identical')
  })

  test('an empty topic of the right shape is taken over', async () => {
    const { judge } = context
    const topic = freshTopic('live-empty')
    await judge.createTopic({ ...west(), topic, partitions: 2 })
    await judge.createTopic({ ...east(), topic, partitions: 2, configs: { 'retention.bytes': '123456789' } })
    await judge.produce({ ...east(), topic, count: 10 })
    await copied(judge, topic)
    assert.equal((await judge.describeConfigs({ ...west(), topic }))['retention.bytes'], '-1')
  })

  faultRow('S11', 'a topic with more partitions than its source is refused, the others go on', async row => {
    const { judge } = context
    const topic = freshTopic('live-shape')
    row.did('made a topic of two partitions at the source, where the target has one of three')
    await judge.createTopic({ ...west(), topic, partitions: 3 })
    await judge.createTopic({ ...east(), topic, partitions: 2 })
    const refused = await stoppedPartition(link, topic)
    assert.equal(refused.reason, 'target-refuses')
    assert.match(refused.sentence, /has 3 partitions, the source's 2/)
    row.saw(`target-refuses: ${refused.sentence}`)
    await mirrored(judge)
    row.saw('another topic was mirrored meanwhile')
  })

  faultRow(
    'S08',
    'a topic that was deleted and created again at the source is stopped as recreated',
    async row => {
      const { judge } = context
      const topic = await mirrored(judge)
      row.did(
        'deleted a topic of 10 copied records at the source, made it again at once, and wrote 3 records',
      )
      await judge.deleteTopic({ ...east(), topic })
      await judge.createTopic({ ...east(), topic })
      await judge.produce({ ...east(), topic, count: 3 })
      const stopped = await stoppedPartition(link, topic, 'recreated')
      assert.equal(stopped.state, 'faulted')
      row.saw(`recreated: ${stopped.sentence}`)
      // The mirror still holds the old one, whole.
      assert.equal((await judge.digest({ ...west(), topic }))[0]?.count, 10)
      row.saw('the mirror holds the 10 records of the old topic, and nothing else')
    },
  )

  faultRow('S07', 'a topic that is deleted at the source keeps its mirror', async row => {
    const { judge } = context
    const topic = await mirrored(judge)
    row.did('deleted a topic of 10 copied records at the source')
    await judge.deleteTopic({ ...east(), topic })
    const stopped = await stoppedPartition(link, topic, 'source-deleted')
    row.saw(`source-deleted: ${stopped.sentence}`)
    assert.equal((await judge.digest({ ...west(), topic }))[0]?.count, 10)
    row.saw('the mirror keeps its 10 records')
  })

  test('somebody else who writes to a mirror stops its partition, with both offsets; the others go on', async () => {
    const { judge } = context
    const topic = await mirrored(judge)
    await judge.createPartitions({ ...east(), topic, count: 2 })
    await waitFor(async () => (await judge.describeTopic({ ...west(), topic })).partitions.length === 2, {
      what: 'the added partition',
    })
    await judge.produce({ ...west(), topic, partition: 0, count: 1 })
    await judge.produce({ ...east(), topic, partition: 0, count: 1 })
    await judge.produce({ ...east(), topic, partition: 1, count: 4 })
    const stopped = await stoppedPartition(link, topic)
    assert.ok(['unexpected-offset', 'foreign-write'].includes(stopped.reason), JSON.stringify(stopped))
    assert.match(stopped.sentence, /10/)
    assert.match(stopped.sentence, /11|offsets 10 to 10/)
    await waitFor(async () => (await judge.digest({ ...west(), topic }))[1]?.end === 4, {
      what: 'partition 1',
    })
  })

  test('somebody else who writes to a mirror that has nothing to copy is noticed within 10 s', async () => {
    const { judge } = context
    const topic = await mirrored(judge)
    await judge.produce({ ...west(), topic, count: 2, lingerMs: 100 })
    const from = performance.now()
    const stopped = await stoppedPartition(link, topic)
    assert.ok(performance.now() - from < patience(10_000), `after ${performance.now() - from} ms`)
    assert.equal(stopped.reason, 'foreign-write')
    assert.match(stopped.sentence, /offsets 10 to 11 of the target were written by another producer/)
  })

  test('committed offsets of a group follow, with no leader epoch', async () => {
    const { judge } = context
    const topic = await mirrored(judge, 50)
    const group = freshTopic('group')
    await judge.alterGroupOffsets({
      ...east(),
      group,
      offsets: [{ topic, partition: 0, offset: 31, metadata: 'm' }],
    })
    const found = await waitFor(
      async () => {
        const offsets = await judge.groupOffsets({ ...west(), group }).catch(() => [])
        return offsets.length > 0 && offsets
      },
      { what: 'the group' },
    )
    assert.deepEqual(found, [{ topic, partition: 0, offset: 31, metadata: 'm', leaderEpoch: -1 }])
  })
})

faultRow('P16', 'a changed config is taken up at SIGHUP, a wrong one is refused', async row => {
  const { judge } = context
  const [first, second] = [freshTopic('reload-a'), freshTopic('reload-b')]
  for (const topic of [first, second]) {
    await judge.createTopic({ ...east(), topic })
    await judge.produce({ ...east(), topic, count: 5 })
  }
  const own = makeLink({ name: freshTopic('reload'), ...sides(), settings: { topics: [first] } })
  const running = own.start('run')
  try {
    await running.says(/1 topic.* behind/)
    await copied(judge, first)

    const before = readFileSync(own.config, 'utf8')
    writeFileSync(own.config, before.replace('"topics"', '"topcis"'))
    running.signal('SIGHUP')
    await running.says(
      /error .*the config is refused, the one before stays in force: .*kdr\.yaml:\d+:\d+: .*unknown key `topcis`.*\n/,
    )
    row.did('misspelt a key in the config of a running kdr, sent SIGHUP')
    row.saw('refused in one line, with file, line, column and key; the link went on untouched')
    writeFileSync(own.config, before)
    running.signal('SIGHUP')
    await running.says(/config read again: nothing has changed/)
    await judge.produce({ ...east(), topic: first, count: 3 })
    await copied(judge, first)
    assert.doesNotMatch(running.stderr, /starts anew/)
    assert.ok(!(await judge.listTopics(west())).includes(second))

    own.configure({ topics: [first, second] })
    running.signal('SIGHUP')
    await running.says(/starts anew/)
    await waitFor(async () => (await judge.listTopics(west())).includes(second), {
      what: 'the topic of the new pattern',
      timeoutMs: patience(8_000),
    })
    await judge.produce({ ...east(), topic: first, count: 3 })
    await copied(judge, first)
    await copied(judge, second)
    assert.doesNotMatch(running.stderr, /did not stop cleanly/)
    row.did('added a topic to the patterns of the link, sent SIGHUP')
    row.saw('the new topic was mirrored within seconds, the others went on, all identical')
    running.signal('SIGTERM')
    const end = await running.ended
    assert.equal(end.code, 0, end.stderr)
  } finally {
    running.signal('SIGKILL')
  }
})

const isLong = suite === 'short' && 'in make test-full'
test('the limit of a link is another one after SIGHUP', { skip: isLong }, async t => {
  const { judge } = context
  const topic = freshTopic('limit')
  const count = 12_000
  await judge.createTopic({ ...east(), topic })
  await judge.produce({ ...east(), topic, count, sizeBytes: 1_000, batchBytes: 20_000 })
  const own = makeLink({ name: topic, ...sides(), settings: { topics: [topic], maxBytesPerSecond: '50KB' } })
  const running = own.start('run')
  const end = async (): Promise<number> =>
    (await judge.ends({ ...west(), topics: [topic] }).catch(() => []))[0]?.[2] ?? 0
  try {
    await running.says(/behind/)
    await waitFor(async () => (await end()) > 0, { what: 'the first records' })
    await sleep(5_000)
    // All of it would take four minutes.
    const before = await end()
    assert.ok(before < count / 2, `${before} records in 5 s`)
    own.configure({ topics: [topic] })
    running.signal('SIGHUP')
    await waitFor(async () => (await end()) === count, { what: 'the rest', timeoutMs: patience(15_000) })
    t.diagnostic(`${before} of ${count} records before`)
    await copied(judge, topic)
    assert.equal(running.hasEnded, false)
  } finally {
    running.signal('SIGKILL')
  }
})

test('SIGTERM ends it with 0 within 10 s, and the next one starts without waiting', async () => {
  const { judge } = context
  const topic = freshTopic('live-stop')
  await judge.createTopic({ ...east(), topic, partitions: 4 })
  const { workload } = await judge.startWorkload({ ...east(), topic, rate: 500 })
  await waitFor(async () => (await judge.listTopics(west())).includes(topic), { what: 'the mirror' })
  const from = performance.now()
  daemon.signal('SIGTERM')
  const end = await daemon.ended
  assert.equal(end.code, 0, end.stderr)
  assert.ok(performance.now() - from < patience(10_000))
  // Says what it stopped over, and nothing that looks like an accident.
  assert.doesNotMatch(end.stderr, /\n\s+at .*:\d+/)

  daemon = link.start('run', '-v')
  await daemon.says(/behind/)
  assert.doesNotMatch(daemon.stderr, /did not stop cleanly/)
  await judge.stopWorkload({ workload })
  await copied(judge, topic)
})

describe('kdr run --once', () => {
  test('a topic that stands at the target and is not empty: exit 12, with the first difference; the others are done', async () => {
    const { judge } = context
    const [topic, other] = [freshTopic('full'), freshTopic('full-other')]
    const timestamp = Date.now()
    for (const at of [east(), west()]) {
      await judge.createTopic({ ...at, topic })
      await judge.produce({ ...at, topic, records: [{ value: b64('equal'), timestamp }] })
    }
    await judge.createTopic({ ...east(), topic: other })
    await judge.produce({ ...east(), topic: other, count: 5 })
    await judge.produce({ ...west(), topic, records: [{ value: b64('theirs') }] })
    await judge.produce({ ...east(), topic, records: [{ value: b64('ours') }] })

    const link = makeLink({ name: 'full', ...sides(), settings: { topics: ['full-*'] } })
    const result = await link.run('run', '--once')
    assert.equal(result.code, 12, result.stderr)
    assert.match(result.stdout, new RegExp(`"${topic}".*offset 1.*kdr link adopt full --topic ${topic}`))
    await assertIdentical(judge, sides(), [other])
    // Nothing was written to it.
    assert.equal((await judge.digest({ ...west(), topic }))[0]?.end, 2)
  })

  test('--timeout: exit 21, and the same command goes on', async () => {
    const { judge } = context
    const topic = freshTopic('slow')
    await judge.createTopic({ ...east(), topic })
    await judge.produce({ ...east(), topic, count: 3000, sizeBytes: 1000, batchBytes: 20_000 })
    const settings = { topics: [topic], maxBytesPerSecond: '400KB' }
    const link = makeLink({ name: 'slow', ...sides(), settings })
    const result = await link.run('run', '--once', '--timeout', '2s')
    assert.equal(result.code, 21, result.stderr + result.stdout)
    assert.match(result.stderr, /have not reached their end in time/)

    const rest = makeLink({ name: 'slow', ...sides(), settings: { topics: [topic] } })
    const again = await rest.run('run', '--once')
    assert.equal(again.code, 0, again.stderr)
    await assertIdentical(judge, sides(), [topic])
  })
})

test('a standby that cannot be reached, and then neither: what is known is told, what nobody knows is null', async () => {
  const { judge } = context
  const topic = freshTopic('dark')
  await judge.createTopic({ ...east(), topic })
  const link = makeLink({ name: topic, ...sides(), settings: { topics: [topic] } })
  assert.equal((await link.run('run', '--once')).code, 0)
  const [dark, darkToo] = [{ bootstrap: '127.0.0.1:9' }, { bootstrap: '127.0.0.1:10' }]
  const at = (source: object, target: object): Link =>
    makeLink({
      name: link.name,
      source: { ...context.cluster('east'), ...source },
      target: { ...context.cluster('west'), ...target },
      settings: { topics: [topic] },
    })
  const shown = async (of: Link): Promise<Record<string, unknown>> => {
    const { code, object } = await of.json('status')
    assert.equal(code, 3)
    const [status] = object['links'] as Record<string, unknown>[]
    assert.ok(status !== undefined)
    assert.equal(status['state'], 'faulted')
    assert.deepEqual([status['lagRecords'], status['lagMs'], status['rpoMs']], [null, null, null])
    return status
  }
  const standbyDark = await shown(at({}, dark))
  assert.match(
    String(standbyDark['sentence']),
    /^the standby cannot be reached \(.*west.*\): .*; as far as "east" knows it is active \(generation 1\)/,
  )
  assert.equal(standbyDark['generation'], 1)
  const bothDark = await shown(at(darkToo, dark))
  assert.match(String(bothDark['sentence']), /^the standby cannot be reached .*; nor can "east"$/)
  assert.equal(bothDark['sourceSeenAt'], null)
  const text = await at({}, dark).run('status')
  assert.match(text.stdout, /faulted {2}how far behind is not known\n/)
})

/** A topic of one partition with `count` records that the running link has copied. */
async function mirrored(judge: Judge, count = 10): Promise<string> {
  const topic = freshTopic('live')
  await judge.createTopic({ ...east(), topic })
  // In one batch, so that log starts lie inside it.
  await judge.produce({ ...east(), topic, count, lingerMs: 500, batchBytes: 1_000_000 })
  await copied(judge, topic)
  return topic
}

async function copied(judge: Judge, topic: string): Promise<void> {
  await untilIdentical(judge, sides(), topic)
}
