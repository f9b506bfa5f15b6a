// Applications of a real cluster with an authorizer are fenced, judged by Java's clients: what they can do before, while the fence
// stands, and when it is gone. And the proof of it fails where there is no fence.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { parseConfig } from '../../src/config/index.ts'
import { endTransactions } from '../../src/engine/runs/end-transactions.ts'
import { fenceApplications, unfence } from '../../src/engine/runs/fence-applications.ts'
import { freezeGroups } from '../../src/engine/runs/freeze-groups.ts'
import { sourcePartitions } from '../../src/engine/runs/source-partitions.ts'
import { LAB_USERS } from '../../src/lab/lab.ts'
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import { topicKey, toRecord } from '../../src/model/state-records.ts'
import type { Cluster } from '../../src/ports/cluster.ts'
import type { WriterProbe } from '../../src/ports/outside.ts'
import { openCluster } from '../../src/wiring/clusters.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { openWriterProbe } from '../../src/wiring/writer-probe.ts'
import { contextOf, FakeStore } from '../support/fenced-cluster.ts'
import type { Acl, At } from '../support/judge.ts'
import { freshTopic, waitFor, withLab } from '../support/lab.ts'
import { adminOf, SOURCE_ACLS } from '../support/link.ts'

const context = withLab([
  {
    name: 'east',
    security: 'acl',
    properties: {
      'listener.name.sasl_plaintext.sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
      'listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
    },
  },
])
const PASSWORD = 'of-the-application'
const PARTITIONS = 3

/** What the steps need of the old active beside what copying needs. */
const RUN_ACLS: readonly Acl[] = [
  ...['DESCRIBE', 'DESCRIBE_CONFIGS', 'ALTER'].map(operation => ({ type: 'CLUSTER' as const, operation })),
  ...['DESCRIBE', 'WRITE'].map(operation => ({
    type: 'TRANSACTIONAL_ID' as const,
    name: '*',
    operation,
  })),
].map(rule => ({ ...rule, principal: 'User:kdr' }))

let source: Cluster
let probe: WriterProbe
const topic = freshTopic('orders')
const admin = () => adminOf(context.cluster('east'))
const app = (change: Partial<Acl> & Pick<Acl, 'operation'>): Acl => ({
  type: 'TOPIC',
  name: topic,
  principal: 'User:app-east',
  ...change,
})
const asApp = (): At => ({
  bootstrap: context.cluster('east').bootstrap,
  properties: {
    'security.protocol': 'SASL_PLAINTEXT',
    'sasl.mechanism': 'SCRAM-SHA-512',
    'sasl.jaas.config': `org.apache.kafka.common.security.scram.ScramLoginModule required username="app-east" password="${PASSWORD}";`,
    'delivery.timeout.ms': '5000',
    'request.timeout.ms': '4000',
    'linger.ms': '0',
  },
})

function contextNow(store: FakeStore, change: Parameters<typeof contextOf>[1] = {}) {
  const { clusterId } = context.cluster('east')
  const record = { activeClusterId: clusterId }
  return contextOf({ clock: systemClock, store, source, probe, ran: [] }, { record, ...change })
}

/** As the link's memory has it. */
async function storeNow(): Promise<FakeStore> {
  const { topics } = await source.describe()
  const store = new FakeStore()
  const sourceTopicId = topics.get(topic)?.id ?? ''
  const record = { phase: 'mirroring', sourceTopicId, targetTopicId: 'id', applied: {}, adoptedUpTo: [] }
  await store.put(topicKey('ew', topic), toRecord('topic', record))
  return store
}

async function probeNow(): Promise<number[]> {
  const { partitions } = await sourcePartitions(contextNow(await storeNow()), source)
  assert.equal(partitions.length, PARTITIONS)
  return (await probe.probe(partitions)).map(({ code }) => code)
}

/** Not idempotent: such a one, when it starts, is refused because there is no topic at all that it may write to. */
const write = async (): Promise<string> =>
  await context.judge
    .produce({ ...asApp(), topic, count: 1, idempotent: false })
    .then(() => 'written', String)

describe('a fence', () => {
  before(async () => {
    const { judge } = context
    const east = context.cluster('east')
    await judge.setUser({ ...admin(), user: 'app-east', mechanism: 'SCRAM-SHA-512', password: PASSWORD })
    await judge.createTopic({ ...admin(), topic, partitions: PARTITIONS })
    await judge.createAcls({
      ...admin(),
      acls: [
        ...SOURCE_ACLS,
        ...RUN_ACLS,
        app({ operation: 'WRITE', name: topic.slice(0, -1), pattern: 'PREFIXED' }),
        app({ operation: 'READ' }),
        app({ type: 'GROUP', name: 'readers', operation: 'READ' }),
        app({ type: 'TRANSACTIONAL_ID', name: 'app-', pattern: 'PREFIXED', operation: 'WRITE' }),
      ],
    })
    process.env['KDR_TEST_APP_EAST'] = PASSWORD
    const cluster = (sasl: object) => ({ bootstrap: east.bootstrap, sasl })
    const kdr = cluster({ mechanism: 'plain', username: 'kdr', password: LAB_USERS.kdr })
    const fence = {
      probe: {
        sasl: { mechanism: 'scram-sha-512', username: 'app-east', password: 'env:KDR_TEST_APP_EAST' },
      },
    }
    const config = parseConfig(
      JSON.stringify({
        clusters: { east: kdr, west: { bootstrap: '127.0.0.1:1' } },
        links: { ew: { source: 'east', target: 'west', fence } },
      }),
      'kdr.yaml',
    )
    source = await openCluster(config.clusters['east']!, systemClock)
    const opened = await openWriterProbe(config, config.links['ew']!, 'east')
    assert.ok(opened !== undefined)
    probe = opened
  })

  after(async () => {
    await source.close()
    await probe.close()
  })

  test('a fence is proven, ends what was open, and is taken away again', async () => {
    const { judge } = context
    assert.equal(probe.principal, 'User:app-east')
    assert.equal(await write(), 'written')
    const ends = async () => await judge.ends({ ...admin(), topics: [topic] })
    const endsBefore = await ends()
    assert.deepEqual(await probeNow(), Array<number>(PARTITIONS).fill(KafkaCode.CORRUPT_MESSAGE))
    assert.deepEqual(await ends(), endsBefore, 'the probe appends nothing')

    const { producer } = await judge.openProducer({ ...asApp(), transactionalId: 'app-1' })
    await judge.begin({ producer })
    await judge.send({ producer, topic, partition: 0, count: 1 })

    const store = await storeNow()
    const done = await fenceApplications(contextNow(store))
    assert.equal(done.data.state, 'proven', done.what)
    assert.deepEqual(
      done.data.denied.map(({ type, pattern, name, operation }) => `${operation} ${type} ${pattern} ${name}`),
      [`WRITE TOPIC PREFIXED ${topic.slice(0, -1)}`, 'WRITE TRANSACTIONAL_ID PREFIXED app-'],
    )
    assert.deepEqual(await probeNow(), Array<number>(PARTITIONS).fill(KafkaCode.TOPIC_AUTHORIZATION_FAILED))
    assert.match(await write(), /TopicAuthorization/)

    const ended = await endTransactions(contextNow(store), { waitMs: 500 })
    assert.deepEqual(ended.data.ended, [{ transactionalId: 'app-1', how: 'aborted' }])
    const { partitions } = await sourcePartitions(contextNow(store), source)
    const [stable, high, end] = await Promise.all(
      (['lastStable', 'highWatermark', 'logEnd'] as const).map(async point =>
        (await source.offsets(partitions, point)).map(({ offset }) => offset),
      ),
    )
    assert.deepEqual(stable, end)
    assert.deepEqual(high, end)

    // Again, as after a crash: it is all there, and still its own.
    const again = await fenceApplications(contextNow(store))
    assert.equal(again.data.state, 'proven')
    assert.deepEqual(again.data.denied, done.data.denied)

    await unfence(contextNow(store), again.data.denied)
    const rules = await judge.describeAcls(admin())
    assert.deepEqual(
      rules.filter(({ permission }) => permission === 'DENY'),
      [],
    )
    await waitFor(async () => (await write()) === 'written', { what: 'writing again' })
    // With the right back, so that it is the coordinator who refuses it.
    await assert.rejects(judge.commit({ producer }), /Fenced|InvalidProducerEpoch/i)
    await judge.closeProducer({ producer, leaveOpen: true })
    const committed = await judge.list({ ...admin(), topic, partition: 0, isolation: 'committed' })
    const all = await judge.list({ ...admin(), topic, partition: 0, isolation: 'uncommitted' })
    assert.equal(all.length - committed.length, 1, 'what was open is aborted')
  })

  test('the proof fails where nothing is denied', async () => {
    const off = { acl: false, command: undefined }
    await assert.rejects(fenceApplications(contextNow(await storeNow(), { fence: off })), {
      code: 'not-fenced',
      message: /`fence.acl` is off/,
    })
    const dropping: Cluster = {
      ...source,
      createAcls: rules => Promise.resolve(rules.map(() => ({ code: KafkaCode.NONE }))),
    }
    const limits = { sessionMs: 500, withinMs: 1_000 }
    await assert.rejects(
      fenceApplications(contextNow(await storeNow(), { source: dropping }), limits),
      (error: unknown) => {
        assert.match(String(error), /User:app-east may still write to/)
        assert.equal((error as { exit?: number }).exit, 15)
        return true
      },
    )
  })

  test('a group with a member is frozen, and left alone afterwards', async () => {
    const { judge } = context
    const at = asApp()
    const properties = { ...at.properties, 'session.timeout.ms': '6000', 'heartbeat.interval.ms': '1000' }
    const { consumer } = await judge.startConsumer({ ...at, properties, group: 'readers', topics: [topic] })
    await waitFor(async () => (await judge.consumer({ consumer })).assigned.length === PARTITIONS, {
      what: 'a member',
    })
    const store = await storeNow()
    const frozen = await freezeGroups(contextNow(store, { consumers: 'fence' }))
    assert.deepEqual(frozen.data.groups, [{ group: 'readers', members: 0 }])
    assert.equal(frozen.data.denied.length, 1)
    assert.match((await judge.consumer({ consumer })).lastError ?? '', /GroupAuthorization/)
    await unfence(contextNow(store), frozen.data.denied)
    await waitFor(
      async () =>
        (await source.listGroups()).some(({ group, state }) => group === 'readers' && state === 'Stable'),
      { what: 'the member to be back' },
    )
    await judge.stopConsumer({ consumer })
  })
})
