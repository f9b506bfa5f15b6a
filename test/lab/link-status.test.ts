// What `kdr status` says before it is too late, and what becomes of a mirror whose source is gone.

import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { produceV9 } from '@platformatic/kafka'
import { BrokerConnection } from '../../src/kafka/connection.ts'
import { LAB_USERS } from '../../src/lab/lab.ts'
import { faultRow } from '../support/fault-rows.ts'
import { kafkaTransactions } from '../support/kafka-tools.ts'
import { suite } from '../support/suite.ts'
import { freshTopic, waitFor, withLab } from '../support/lab.ts'
import { adminOf, assertIdentical, type Link, makeLink, SOURCE_ACLS } from '../support/link.ts'
import {
  partitionsOf,
  partitionWith,
  type ShownPartition,
  statusOf,
  stoppedPartition,
  warningsOf,
} from '../support/status.ts'

const context = withLab([
  // With it a broker refuses the batches of which a transaction hangs.
  { name: 'east', security: 'acl', properties: { 'transaction.partition.verification.enable': 'false' } },
  { name: 'west' },
])

const sides = () => ({ source: context.cluster('east'), target: context.cluster('west') })
const east = () => adminOf(context.cluster('east'))
const west = () => adminOf(context.cluster('west'))

// Most of the time they wait.
describe('while kdr runs', { concurrency: 5 }, () => {
  before(async () => {
    await context.judge.createAcls({ ...east(), acls: SOURCE_ACLS })
  })

  test('the mirror of a deleted topic is deleted after the time of the policy, counted on over a restart', async () => {
    const { judge } = context
    const { link, topic } = await mirrored({ onSourceDelete: { deleteAfter: '1h' } })
    const first = link.start('run')
    await first.says(/behind/)
    await judge.deleteTopic({ ...east(), topic })
    const { sentence } = await stoppedPartition(link, topic, 'source-deleted')
    const seen =
      /seen at (\S+)\); its mirror will be deleted at (\S+) \(onSourceDelete\). To keep it: kdr link forget/
    const [, at = '', due = ''] = seen.exec(sentence) ?? []
    assert.equal(Date.parse(due) - Date.parse(at), 3_600_000, sentence)
    first.signal('SIGTERM')
    await first.ended
    assert.ok((await judge.listTopics(west())).includes(topic), 'deleted at once')

    link.configure({ topics: [topic], onSourceDelete: { deleteAfter: '1s' } })
    const second = link.start('run')
    await second.says(
      new RegExp(`deleted mirror topic "${topic}": its source was seen to be deleted at ${at}`),
    )
    await waitFor(async () => !(await judge.listTopics(west())).includes(topic), { what: 'the mirror to go' })
    await waitFor(async () => (await statusOf(link)).length === 0, { what: 'the state to go' })
    const journal = await link.run('link', 'log', link.name)
    assert.match(journal.stdout, /policy onSourceDelete +delete +done/)
    second.signal('SIGTERM')
    assert.equal((await second.ended).code, 0, second.stderr)
  })

  test('a topic that kdr may not see any more is not taken for deleted, and goes on when it is back', async () => {
    const { judge } = context
    const { link, topic } = await mirrored({ onSourceDelete: { deleteAfter: '1s' } })
    const running = link.start('run')
    await running.says(/behind/)
    const deny = {
      type: 'TOPIC',
      name: topic,
      principal: 'User:kdr',
      operation: 'ALL',
      permission: 'DENY',
    } as const
    await judge.createAcls({ ...east(), acls: [deny] })
    const hidden = await stoppedPartition(link, topic, 'no-rights')
    assert.match(hidden.sentence, new RegExp(topic))
    await judge.produce({ ...east(), topic, count: 5 })
    // Several looks at the topics, and far more than the policy's time.
    await sleep(6_000)
    assert.ok((await judge.listTopics(west())).includes(topic))
    await judge.deleteAcls({ ...east(), acls: [deny] })
    await waitFor(async () => (await judge.digest({ ...west(), topic }))[0]?.end === 15, {
      what: 'the copy to go on',
    })
    await assertIdentical(judge, sides(), [topic])
    running.signal('SIGTERM')
    await running.ended
    assert.doesNotMatch(running.stderr, /deleted mirror topic/)
  })

  test('a deleted topic that stands there again under another id is recreated, and its mirror stays', async () => {
    const { judge } = context
    const { link, topic } = await mirrored({ onSourceDelete: { deleteAfter: '1h' } })
    const running = link.start('run')
    await running.says(/behind/)
    await judge.deleteTopic({ ...east(), topic })
    await stoppedPartition(link, topic, 'source-deleted')
    await judge.createTopic({ ...east(), topic })
    await judge.produce({ ...east(), topic, count: 20 })
    await stoppedPartition(link, topic, 'recreated')
    link.configure({ topics: [topic], onSourceDelete: { deleteAfter: '1s' } })
    running.signal('SIGHUP')
    await running.says(/starts anew/)
    await sleep(4_000)
    assert.equal((await judge.digest({ ...west(), topic }))[0]?.count, 10)
    running.signal('SIGTERM')
    await running.ended
    assert.doesNotMatch(running.stderr, /deleted mirror topic/)
  })

  faultRow(
    'S16',
    'a hanging transaction is named, with the command that ends it',
    { suite: 'full' },
    async row => {
      const { judge } = context
      const [topic, open] = [freshTopic('hanging'), freshTopic('open')]
      for (const name of [topic, open]) await judge.createTopic({ ...east(), topic: name })
      const link = makeLink({ name: freshTopic('status'), ...sides(), settings: { topics: [topic, open] } })
      const running = link.start('run')
      await running.says(/behind/)
      await judge.produce({ ...east(), topic, count: 10 })
      await writeHanging(topic)
      await judge.produce({ ...east(), topic, count: 5 })
      const properties = { ...east().properties, 'transaction.timeout.ms': '600000' }
      await judge.produce({
        ...east(),
        properties,
        topic: open,
        transactionalId: open,
        end: 'open',
        count: 5,
      })
      row.did('wrote a transactional batch that no coordinator knows of, and five records behind it')

      // kdr may not see transactional ids: it does not say more than it knows.
      const unseen = await transactionWith(link, topic, 'unseen')
      assert.equal(unseen.startOffset, 10)
      assert.equal(unseen.producerId, '4242')
      assert.ok((await warningsOf(link)).every(({ kind }) => kind !== 'hanging-transaction'))
      const describing = {
        type: 'TRANSACTIONAL_ID',
        name: '*',
        principal: 'User:kdr',
        operation: 'DESCRIBE',
      } as const
      await judge.createAcls({ ...east(), acls: [describing] })
      await running.says(/hangs; no coordinator will end it/)
      await transactionWith(link, topic, 'hanging')
      const alive = await transactionWith(link, open, 'open')
      assert.equal(alive.transactionalId, open)

      const [warning] = (await warningsOf(link)).filter(({ kind }) => kind === 'hanging-transaction')
      assert.equal(warning?.topic, topic)
      assert.match(
        warning.sentence,
        /wait at offset 10: .* of producer 4242 \(epoch 0\), last written at 20\d\d-/,
      )
      const command = /kafka-transactions\.sh (--bootstrap-server \S+) (abort .*--start-offset 10)/.exec(
        warning.sentence,
      )
      assert.ok(command !== null, warning.sentence)
      row.saw(
        'status names topic, partition, offset, producer, when it last wrote, and the abort command of Kafka',
      )
      const shown = await link.run('status')
      assert.match(shown.stdout, /! hanging-transaction: .*kafka-transactions\.sh/)

      const [, bootstrap = '', abort = ''] = command
      assert.equal(bootstrap, `--bootstrap-server ${context.cluster('east').bootstrap}`)
      await kafkaTransactions(context.cluster('east'), abort.split(' '))
      row.did("ran that command with Kafka's own tool")
      await waitFor(async () => (await judge.digest({ ...west(), topic }))[0]?.count === 15, {
        what: 'the records behind it',
      })
      await assertIdentical(judge, sides(), [topic])
      await waitFor(async () => (await partitionsOf(link, topic))[0]?.transaction === undefined, {
        what: 'the warning to go',
      })
      row.saw('the link went on by itself and is identical; the warning is gone')
      running.signal('SIGTERM')
      assert.equal((await running.ended).code, 0, running.stderr)
    },
  )

  const skip = suite === 'short' && 'in make test-full'
  test('a source that deletes soon what is not copied yet: in status and in the log, also when kdr has stopped', {
    skip,
  }, async () => {
    const { judge } = context
    const topic = freshTopic('headroom')
    await judge.createTopic({ ...east(), topic, configs: { 'retention.ms': '3600000' } })
    // Ten minutes are left of the hour: less than a fifth.
    const timestampBase = Date.now() - 3_000_000
    const many = { count: 3000, sizeBytes: 1000, batchBytes: 20_000, timestampBase, timestampStep: 0 }
    // Before it is copied: a link that had caught up with the first of them would pay for these before it saw the others.
    await judge.produce({ ...east(), topic, ...many })
    const settings = { topics: [topic], maxBytesPerSecond: '20KB' }
    const link = makeLink({ name: freshTopic('status'), ...sides(), settings })
    const running = link.start('run')

    await running.says(/the source will delete in about [1-9] min what is not copied yet, from offset \d+ on/)
    const warnings = await waitFor(
      async () => {
        const found = await warningsOf(link)
        return found.length > 0 && found
      },
      { what: 'the warning' },
    )
    assert.equal(warnings[0]?.kind, 'retention-headroom')
    const [{ headroom } = {}] = await partitionsOf(link, topic)
    assert.equal(headroom?.basis, 'age')
    assert.equal(headroom.isAtMost, false)
    assert.ok(headroom.ms !== null && headroom.ms < 600_000 && headroom.ms > 0, String(headroom.ms))
    running.signal('SIGTERM')
    await running.ended

    const shown = await link.run('status')
    assert.equal(shown.code, 0, shown.stderr)
    assert.match(shown.stdout, /! retention-headroom: ".*\/0": the source will delete in about [1-9] min/)
  })
})

/** A batch of a transaction that was never begun: verification is off, so the broker takes it, and nobody will end it. */
async function writeHanging(topic: string): Promise<void> {
  const [host = '', port = '0'] = context.cluster('east').bootstrap.split(':')
  const connection = await BrokerConnection.open(
    {
      cluster: 'east',
      clientId: 'test',
      sasl: { mechanism: 'PLAIN', username: 'admin', password: LAB_USERS.admin },
      connectTimeoutMs: 5_000,
      requestTimeoutMs: 10_000,
    },
    { host, port: Number(port) },
  )
  try {
    const message = { topic, partition: 0, key: Buffer.from('k'), value: Buffer.from('v') }
    const options = {
      transactionalId: 'ghost',
      producerId: 4242n,
      producerEpoch: 0,
      partitionLeaderEpoch: -1,
    }
    // An old version: with a later one the broker would begin the transaction by itself.
    await connection.call(produceV9.api, -1, 10_000, [message], options)
  } finally {
    await connection.close()
  }
}

async function transactionWith(
  link: Link,
  topic: string,
  kind: string,
): Promise<NonNullable<ShownPartition['transaction']>> {
  const { transaction } = await partitionWith(
    link,
    each => each.topic === topic && each.transaction?.kind === kind,
  )
  assert.ok(transaction !== undefined)
  return transaction
}

/** A topic of ten records, and a link of its own that has copied it. */
async function mirrored(
  settings: Readonly<Record<string, unknown>>,
): Promise<{ readonly link: Link; readonly topic: string }> {
  const { judge } = context
  const topic = freshTopic('status')
  await judge.createTopic({ ...east(), topic })
  await judge.produce({ ...east(), topic, count: 10 })
  const link = makeLink({
    name: freshTopic('status'),
    ...sides(),
    settings: { topics: [topic], ...settings },
  })
  const { code, stderr } = await link.run('run', '--once')
  assert.equal(code, 0, stderr)
  return { link, topic }
}
