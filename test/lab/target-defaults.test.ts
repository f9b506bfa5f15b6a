// Clusters whose brokers have defaults that are made for other topics than kdr's and mirrors: each is set right by kdr itself, or found
// before the first byte, with the way out (docs/target-defaults.md).

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { RunSummary } from '../../src/model/runs.ts'
import { freshTopic, withLab } from '../support/lab.ts'
import { adminOf, assertIdentical, type KdrResult, type Link, makeLink } from '../support/link.ts'
import { suite } from '../support/suite.ts'

const skip = suite === 'short' && 'in make test-full'

/** Each would break a topic that leaves it to the brokers. */
const DEFAULTS = {
  'message.max.bytes': '1000',
  'compression.type': 'gzip',
  'min.insync.replicas': '2',
  'auto.create.topics.enable': 'true',
  'num.partitions': '3',
  'log.message.timestamp.type': 'LogAppendTime',
  'log.message.timestamp.before.max.ms': '1000',
  'log.message.timestamp.after.max.ms': '1000',
  'log.retention.ms': '1000',
  'log.retention.bytes': '1000',
  'log.retention.check.interval.ms': '1000',
  'log.cleaner.delete.retention.ms': '0',
}
const QUICK = { 'broker.session.timeout.ms': '3000', 'broker.heartbeat.interval.ms': '500' }
const context = withLab(
  skip === false
    ? [
        { name: 'east', properties: { ...DEFAULTS, ...QUICK } },
        { name: 'west', properties: { ...DEFAULTS, ...QUICK, 'log.cleanup.policy': 'compact' } },
      ]
    : [],
)
const at = (name: string) => adminOf(context.cluster(name))
const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
const folder = mkdtempSync(join(tmpdir(), 'kdr-defaults-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** As the applications of the source want them, whatever the brokers have. */
const OWN = {
  'compression.type': 'producer',
  'message.timestamp.type': 'CreateTime',
  'message.timestamp.before.max.ms': '9223372036854775807',
  'message.timestamp.after.max.ms': '9223372036854775807',
  'retention.ms': '-1',
  'retention.bytes': '-1',
  'max.message.bytes': '2000000',
}
const LONG_AGO = Date.parse('2020-01-01T00:00:00Z')

const linkTo = (topic: string, settings: object = {}): Link =>
  makeLink({ name: 'east-west', ...sides(), settings: { topics: [topic], ...settings } })

async function makeTopic(topic: string): Promise<void> {
  await context.judge.createTopic({ ...at('east'), topic, partitions: 2, configs: OWN })
}

/** Large and small ones, old ones, compressed ones, and gaps. */
async function fill(name: string, topic: string): Promise<void> {
  const { judge } = context
  await judge.produce({ ...at(name), topic, count: 2, sizeBytes: 300_000, compression: 'lz4' })
  await judge.produce({ ...at(name), topic, count: 20, keys: 0, timestampBase: LONG_AGO })
  await judge.produce({ ...at(name), topic, count: 3, transactionalId: topic, end: 'abort' })
  await judge.produce({ ...at(name), topic, count: 5, compression: 'zstd' })
}

const assertEnds = ({ code, stdout, stderr }: KdrResult, expected: number): void =>
  assert.equal(code, expected, stdout + stderr)

describe('clusters with defaults of their own', { skip, concurrency: 1 }, () => {
  const topic = freshTopic('defaults')
  const link = (): Link => linkTo(topic, { fence: { acl: false, command: 'true' } })

  test('somebody asked for `_kdr.state` before kdr: refused before the first byte, and the printed command mends it', async () => {
    const { judge } = context
    await makeTopic(topic)
    await fill('east', topic)
    await judge.createTopic({
      ...at('west'),
      topic: '_kdr.state',
      configs: { 'cleanup.policy': 'delete' },
    })
    const refused = async (sentence: string, change: string) => {
      const result = await link().run('run', '--once')
      assertEnds(result, 17)
      assert.ok(
        result.stderr.includes(
          `topic "_kdr.state" on "west" does not have the configs that kdr gives it: ${sentence}`,
        ),
        result.stderr,
      )
      const command = `kafka-configs --bootstrap-server ${context.cluster('west').bootstrap} --alter --entity-type topics --entity-name _kdr.state --add-config ${change}`
      assert.ok(result.stderr.includes(command), result.stderr)
      assert.deepEqual(await judge.listTopics(at('west')), ['_kdr.state'])
      const [[name, value]] = [change.split('=')]
      await judge.alterConfigs({ ...at('west'), topic: '_kdr.state', configs: { [name!]: value! } })
    }
    await refused(
      'its cleanup.policy is "delete": brokers would delete what kdr must remember',
      'cleanup.policy=compact',
    )
    await refused(
      'its max.message.bytes is 1000, and kdr writes up to 600000 bytes at once',
      'max.message.bytes=1048588',
    )
    assertEnds(await link().run('run', '--once'), 0)
    await assertIdentical(judge, sides(), [topic])
    await judge.deleteTopic({ ...at('west'), topic: '_kdr.state' })
    await judge.deleteTopic({ ...at('west'), topic })
  })

  test('what kdr makes has what it needs: records and gaps are identical, and stay', async () => {
    const { judge } = context
    assertEnds(await link().run('run', '--once'), 0)
    await assertIdentical(judge, sides(), [topic])
    const [mirror, state] = await Promise.all(
      [topic, '_kdr.state'].map(async name => await judge.describeConfigs({ ...at('west'), topic: name })),
    )
    assert.equal(mirror?.['compression.type'], 'producer')
    assert.equal(mirror['message.timestamp.type'], 'CreateTime')
    assert.equal(mirror['retention.ms'], '-1')
    assert.deepEqual(state, {
      'cleanup.policy': 'compact',
      'compression.type': 'producer',
      'delete.retention.ms': '86400000',
      'max.message.bytes': '1048588',
      'message.timestamp.type': 'LogAppendTime',
      'min.insync.replicas': '1',
      'segment.bytes': '104857600',
    })
  })

  test('a topic that somebody asked for at the target: an empty one is taken over, another is named', async () => {
    const { judge } = context
    // As a client gets it that was redirected too early: three partitions, where the source has two.
    const early = freshTopic('early')
    await makeTopic(early)
    await judge.createTopic({ ...at('west'), topic: early, partitions: 3 })
    const wide = await linkTo(early).run('run', '--once')
    assertEnds(wide, 3)
    assert.match(
      wide.stdout + wide.stderr,
      /the target's topic has 3 partitions, the source's 2; partitions cannot be taken away\. Delete the topic at the target/,
    )
    await judge.deleteTopic({ ...at('west'), topic: early })
    await judge.createTopic({ ...at('west'), topic: early, partitions: 1 })
    await judge.produce({ ...at('east'), topic: early, count: 20, timestampBase: LONG_AGO })
    assertEnds(await linkTo(early).run('run', '--once'), 0)
    await assertIdentical(judge, sides(), [early])
  })

  test("the topic of the brokers' own that keeps groups: named, with the way out", async () => {
    const { judge } = context
    const set = async (value: string | null) =>
      await judge.alterConfigs({
        ...at('west'),
        topic: '__consumer_offsets',
        configs: { 'max.message.bytes': value },
      })
    // It is made when the first group needs it.
    const offsets = [{ topic, partition: 0, offset: 1 }]
    await judge.alterGroupOffsets({ ...at('west'), group: 'somebody', offsets })
    await set('200')
    const refused = await link().start('run').ended
    assertEnds(refused, 11)
    assert.ok(
      refused.stderr.includes(
        `group "_kdr.east-west" of kdr's workers cannot be joined: UNKNOWN_SERVER_ERROR (-1) (its coordinator's log says why; where max.message.bytes of topic \`__consumer_offsets\` is too small, raise it to 1048588)`,
      ),
      refused.stderr,
    )
    await set('1048588')
    const daemon = link().start('run', '-v')
    await daemon.says(/this worker has 64 of 64 slots/)
    daemon.signal('SIGTERM')
    await daemon.ended
  })

  test('a move, a loss and a replay: the journal, the canary and the topic for stranded records', async () => {
    const { judge } = context
    const [east, moved] = [context.cluster('east'), link()]
    await judge.produce({ ...at('east'), topic, count: 7, timestampBase: LONG_AGO })
    await east.kill()
    assertEnds(await moved.run('failover', 'east-west', '--yes'), 0)
    await judge.produce({ ...at('west'), topic, count: 3 })
    await east.start()
    const home = ['failback', 'east-west', '--export', join(folder, 'stranded'), '--recopy', topic, '--yes']
    assertEnds(await moved.run(...home), 0)
    const { object } = await moved.json('runs', 'list')
    const failover = (object as { runs: RunSummary[] }).runs.find(({ kind }) => kind === 'failover')
    assertEnds(await moved.run('runs', 'replay', failover!.run, '--into', 'stranded', '--yes'), 0)
    assert.equal((await judge.list({ ...at('east'), topic: `${topic}.stranded` })).length, 7)
    const times = (await judge.list({ ...at('east'), topic: `${topic}.stranded` })).map(
      each => each.timestamp,
    )
    assert.ok(
      times.every(time => time >= LONG_AGO && time < LONG_AGO + 60_000),
      times.join(),
    )
    const journal = await judge.describeConfigs({ ...at('west'), topic: '_kdr.journal' })
    assert.equal(journal['max.message.bytes'], '1048588')
  })
})
