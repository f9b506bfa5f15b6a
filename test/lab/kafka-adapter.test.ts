// Every method of the Cluster port on real brokers, and the facts that the design stands on; what it does with
// wrong credentials, leaders that move and brokers that hang.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { connectCluster } from '../../src/kafka/cluster.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import {
  CODECS,
  type CodecName,
  splitBatches,
  stampBatch,
  type ProducerStamp,
} from '../../src/model/batch.ts'
import { LAB_USERS, type Lab, startLab } from '../../src/lab/lab.ts'
import { codeName, isLeaderChange, KafkaCode } from '../../src/model/kafka-codes.ts'
import type { Clock } from '../../src/ports/clock.ts'
import {
  type AppendLane,
  type Cluster,
  type LogPoint,
  type NewTopic,
  NO_TOPIC_ID,
} from '../../src/ports/cluster.ts'
import { suite } from '../support/suite.ts'

const clock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: ms => wait(ms),
}

const run = randomBytes(4).toString('hex')
const randomProducer = (): ProducerStamp => ({
  producerId: BigInt.asUintN(62, randomBytes(8).readBigUInt64BE()),
  producerEpoch: 0,
})

function dataBatch(
  count: number,
  producer: ProducerStamp,
  sequence: number,
  codec: CodecName = 'none',
): Buffer {
  const records = Array.from({ length: count }, (_, offset) => ({
    offset,
    timestamp: Date.now(),
    key: Buffer.from(`k${offset}`),
    value: Buffer.from(`value ${offset}`),
    headers: [],
  }))
  const bytes = recordCodec.encode({ codec, records })
  stampBatch(bytes, producer, sequence)
  return bytes
}

const newDir = () => mkdtemp(join(tmpdir(), 'kdr-adapter-'))

/** One partition, one replica, unless asked otherwise. */
async function createTopic(cluster: Cluster, topic: Partial<NewTopic> & Pick<NewTopic, 'name'>) {
  const [created] = await cluster.createTopics([
    { partitions: 1, replicationFactor: 1, configs: {}, ...topic },
  ])
  assert.ok(created)
  return created
}

/** Waits until the leader of every partition answers. */
async function served(cluster: Cluster, name: string, partitions: number): Promise<void> {
  const all = Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition }))
  for (;;) {
    await cluster.describe()
    const answers = await cluster.offsets(all, 'logStart')
    if (answers.every(answer => answer.code === 0)) return
    await wait(20)
  }
}

function conformance(version: string): void {
  describe(`Kafka ${version}`, () => {
    let lab: Lab
    let cluster: Cluster
    let broker: number
    let lane: AppendLane

    before(async () => {
      lab = await startLab({ dir: await newDir(), clusters: [{ name: 'east', version }] })
      const { bootstrap } = lab.cluster('east')
      cluster = await connectCluster({ name: 'east', bootstrap, clientId: 'kdr-test', clock })
      const { brokers } = await cluster.describe()
      assert.ok(brokers[0])
      broker = brokers[0].id
      lane = await cluster.openAppendLane(broker)
    })

    after(async () => {
      await cluster.close()
      await lab.down()
    })

    /** Creates it and waits until its leader answers. */
    async function topic(name: string, partitions = 1, configs: Record<string, string> = {}) {
      const fullName = `${name}-${run}`
      const created = await createTopic(cluster, { name: fullName, partitions, configs })
      assert.equal(created.code, 0, created.message)
      await served(cluster, fullName, partitions)
      return { topic: fullName, topicId: created.id }
    }

    async function append(at: { topic: string; topicId: string }, batch: Buffer, partition = 0) {
      const [answer] = await lane.append([{ ...at, partition, batch }], 5_000)
      assert.ok(answer)
      return { code: answer.code, baseOffset: answer.baseOffset }
    }

    async function end(name: string, point: LogPoint = 'logEnd', partition = 0): Promise<number> {
      const [answer] = await cluster.offsets([{ topic: name, partition }], point)
      assert.equal(answer?.code, 0)
      return answer.offset
    }

    async function lastSequence(name: string): Promise<number | undefined> {
      const [answer] = await cluster.producers([{ topic: name, partition: 0 }])
      return answer?.producers[0]?.lastSequence
    }

    test('describe, configs, partitions, deletion', async () => {
      const { topic: name, topicId } = await topic('admin', 2, { 'retention.ms': '123456' })
      const view = (await cluster.describe()).topics.get(name)
      assert.equal(view?.id, topicId)
      assert.deepEqual(
        view.partitions.map(p => [p.partition, p.leader, p.leaderEpoch, p.isr]),
        [
          [0, broker, 0, [broker]],
          [1, broker, 0, [broker]],
        ],
      )
      const again = await createTopic(cluster, { name })
      assert.deepEqual([again.code, again.id], [KafkaCode.TOPIC_ALREADY_EXISTS, NO_TOPIC_ID])

      const some = [`${name}-b`, name, `${name}-a`]
      const created = await cluster.createTopics(
        some.map(each => ({ name: each, partitions: 1, replicationFactor: 1, configs: {} })),
      )
      assert.deepEqual(
        created.map(({ code }) => code),
        [KafkaCode.NONE, KafkaCode.TOPIC_ALREADY_EXISTS, KafkaCode.NONE],
      )
      await served(cluster, `${name}-a`, 1)
      const { topics } = await cluster.describe()
      assert.deepEqual(
        created.map(({ id }) => id),
        some.map(each => (each === name ? NO_TOPIC_ID : topics.get(each)?.id)),
      )

      assert.deepEqual(await cluster.alterTopicConfigs(name, { 'max.message.bytes': '2000' }), { code: 0 })
      assert.deepEqual(await cluster.alterTopicConfigs(name, { 'retention.ms': null }), { code: 0 })
      const wrong = await cluster.alterTopicConfigs(name, { 'no.such.config': '1' })
      assert.ok([KafkaCode.INVALID_CONFIG, KafkaCode.INVALID_REQUEST].some(code => code === wrong.code))
      for (;;) {
        const configs = await cluster.topicConfigs([name, 'no-such-topic'])
        assert.equal(configs.get('no-such-topic')?.code, KafkaCode.UNKNOWN_TOPIC_OR_PARTITION)
        const entries = configs.get(name)?.entries
        if (entries?.get('retention.ms')?.isOverride !== false) continue
        assert.equal(entries.get('max.message.bytes')?.value, '2000')
        assert.equal(entries.get('max.message.bytes')?.isOverride, true)
        break
      }
      const brokerConfigs = await cluster.brokerConfigs(['transactional.id.expiration.ms', 'no.such.config'])
      assert.deepEqual([...brokerConfigs], [['transactional.id.expiration.ms', '604800000']])

      assert.equal((await cluster.addPartitions(name, 1)).code, KafkaCode.INVALID_PARTITIONS)
      assert.deepEqual(await cluster.addPartitions(name, 3), { code: 0 })
      await served(cluster, name, 3)
      assert.deepEqual(await cluster.deleteTopic(name), { code: 0 })
      assert.equal((await cluster.deleteTopic(name)).code, KafkaCode.UNKNOWN_TOPIC_OR_PARTITION)
    })

    test('append and fetch give back the same bytes, in all codecs', async () => {
      const at = await topic('bytes')
      const producer = randomProducer()
      const sent = CODECS.map((codec, index) => dataBatch(10, producer, index * 10, codec))
      // Pipelined: requests of one lane are processed in order.
      const answers = await Promise.all(sent.map(batch => append(at, batch)))
      assert.deepEqual(
        answers,
        sent.map((_, index) => ({ code: 0, baseOffset: index * 10 })),
      )
      const fetches = await cluster.openFetchLane(broker)
      const partition = { ...at, partition: 0, leaderEpoch: 0, lastFetchedEpoch: -1, maxBytes: 1_000_000 }
      const request = { isolation: 'committed', maxWaitMs: 100, maxBytes: 10_000_000 } as const
      const [fetched] = await fetches.fetch({ ...request, partitions: [{ ...partition, offset: 0 }] })
      assert.ok(fetched)
      assert.deepEqual(
        [fetched.code, fetched.highWatermark, fetched.lastStable, fetched.logStart],
        [0, 50, 50, 0],
      )
      const batches = splitBatches(fetched.records)
      assert.equal(batches.length, sent.length)
      for (const [index, batch] of batches.entries()) {
        assert.deepEqual(batch.bytes.subarray(21), sent[index]?.subarray(21))
        assert.equal(batch.header.crc, sent[index]?.readUInt32BE(17))
        assert.equal(recordCodec.decode(batch)[3]?.offset, index * 10 + 3)
      }
      const refused = await fetches.fetch({
        ...request,
        partitions: [
          { ...partition, offset: 51 },
          { ...partition, topicId: '11111111-2222-3333-4444-555555555555', topic: 'gone', offset: 0 },
          { ...partition, partition: 9, offset: 0 },
        ],
      })
      assert.deepEqual(
        Object.fromEntries(refused.map(p => [`${p.topic.replace(/-.*/, '')}/${p.partition}`, p.code])),
        {
          'bytes/0': KafkaCode.OFFSET_OUT_OF_RANGE,
          'gone/0': KafkaCode.UNKNOWN_TOPIC_ID,
          'bytes/9': KafkaCode.UNKNOWN_TOPIC_OR_PARTITION,
        },
      )
      await fetches.close()
      await assert.rejects(fetches.fetch({ ...request, partitions: [] }), { code: 'unreachable' })
    })

    test('a fetch after a truncated lineage says where both agree', async () => {
      const at = await topic('diverging')
      await append(at, dataBatch(4, randomProducer(), 0))
      const fetches = await cluster.openFetchLane(broker)
      const fetchAfter = async (offset: number, lastFetchedEpoch: number) => {
        const partition = { ...at, partition: 0, offset, leaderEpoch: 0, lastFetchedEpoch, maxBytes: 1000 }
        const request = { isolation: 'uncommitted', maxWaitMs: 100, maxBytes: 1000 } as const
        const [fetched] = await fetches.fetch({ ...request, partitions: [partition] })
        return [fetched?.code, fetched?.diverging]
      }
      assert.deepEqual(await fetchAfter(4, 0), [0, undefined])
      assert.deepEqual(await fetchAfter(6, 0), [0, { epoch: 0, endOffset: 4 }])
      // Of an epoch that it never knew, a broker says nothing but this: ask `epochEnds`.
      assert.deepEqual(await fetchAfter(4, 7), [KafkaCode.OFFSET_OUT_OF_RANGE, undefined])
      await fetches.close()
      const named = { topic: at.topic, partition: 0 }
      assert.deepEqual(await cluster.epochEnds([0, 5, 0].map(epoch => ({ ...named, epoch }))), [
        { code: 0, offset: 4, epoch: 0 },
        { code: 0, offset: -1, epoch: -1 },
        { code: 0, offset: 4, epoch: 0 },
      ])
    })

    test('offsets, by place and by time, in the order of the question', async () => {
      const at = await topic('offsets', 2)
      const before = Date.now()
      await append(at, dataBatch(5, randomProducer(), 0), 1)
      const both = [1, 0].map(partition => ({ topic: at.topic, partition }))
      const questions = [...both, { topic: 'no-such-topic', partition: 0 }]
      for (const point of ['logEnd', 'highWatermark', 'lastStable'] as const) {
        const answers = await cluster.offsets(questions, point)
        assert.deepEqual(
          answers.map(({ code, offset, leaderEpoch }) => [code, offset, leaderEpoch]),
          [
            [0, 5, 0],
            [0, 0, 0],
            [KafkaCode.UNKNOWN_TOPIC_OR_PARTITION, -1, -1],
          ],
        )
      }
      const byTime = await cluster.offsetsForTime([
        ...both.map(one => ({ ...one, timestamp: before })),
        { ...both[0]!, timestamp: before + 3_600_000 },
      ])
      assert.deepEqual(
        byTime.map(({ code, offset }) => [code, offset]),
        [
          [0, 0],
          [0, -1],
          [0, -1],
        ],
      )
      const deleted = await cluster.deleteRecords([
        { ...both[0]!, before: 3 },
        { ...both[1]!, before: 1 },
      ])
      assert.deepEqual(deleted[0], { code: 0, offset: 3 })
      assert.equal(deleted[1]?.code, KafkaCode.OFFSET_OUT_OF_RANGE)
      assert.equal(await end(at.topic, 'logStart', 1), 3)
    })

    test('markers leave the sequence alone, and a sequence is compared once the producer is known', async () => {
      const at = await topic('markers', 2)
      const producer = randomProducer()
      const mark = async (count: number, coordinatorEpoch = 7, producerEpoch = 0) => {
        const stamp = { ...producer, producerEpoch, coordinatorEpoch }
        return (await cluster.writeMarkers(broker, stamp, [{ topic: at.topic, partition: 0, count }]))[0]
          ?.code
      }
      // Only markers: sequence -1, so that data starts at 0.
      assert.equal(await mark(4), 0)
      assert.equal(await end(at.topic), 4)
      assert.equal(await lastSequence(at.topic), -1)
      assert.equal((await append(at, dataBatch(2, producer, 5))).code, KafkaCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
      assert.deepEqual(await append(at, dataBatch(2, producer, 0)), { code: 0, baseOffset: 4 })
      // Data, marker, data: the sequence goes on.
      assert.equal(await mark(1), 0)
      assert.equal(await lastSequence(at.topic), 1)
      assert.deepEqual(await append(at, dataBatch(3, producer, 2)), { code: 0, baseOffset: 7 })
      // A repeat is not appended again; an older slot generation and an older epoch are refused.
      assert.deepEqual(await append(at, dataBatch(3, producer, 2)), { code: 0, baseOffset: 7 })
      assert.equal(await mark(1, 6), KafkaCode.TRANSACTION_COORDINATOR_FENCED)
      assert.equal(await mark(1, 7, 1), 0)
      assert.equal((await append(at, dataBatch(1, producer, 5))).code, KafkaCode.INVALID_PRODUCER_EPOCH)
      assert.equal(await mark(1), KafkaCode.INVALID_PRODUCER_EPOCH)
      assert.equal(await end(at.topic), 11)
    })

    test('markers go to partitions in different numbers, and read as commit markers', async () => {
      const at = await topic('levels', 3)
      const counts = [3, 0, 1]
      const fills = counts.map((count, partition) => ({ topic: at.topic, partition, count }))
      const stamp = { ...randomProducer(), coordinatorEpoch: 0 }
      const codes = await cluster.writeMarkers(broker, stamp, [
        ...fills,
        { topic: 'no-such-topic', partition: 0, count: 1 },
      ])
      assert.deepEqual(
        codes.map(answer => answer.code),
        [0, 0, 0, KafkaCode.UNKNOWN_TOPIC_OR_PARTITION],
      )
      assert.deepEqual(
        codes.map(answer => answer.end?.offset),
        [3, undefined, 1, undefined],
      )
      for (const [partition, count] of counts.entries())
        assert.equal(await end(at.topic, 'logEnd', partition), count)
      const fetches = await cluster.openFetchLane(broker)
      const [fetched] = await fetches.fetch({
        isolation: 'committed',
        maxWaitMs: 100,
        maxBytes: 100_000,
        partitions: [
          { ...at, partition: 0, offset: 0, leaderEpoch: 0, lastFetchedEpoch: -1, maxBytes: 100_000 },
        ],
      })
      const batches = splitBatches(fetched?.records ?? Buffer.alloc(0))
      assert.deepEqual(
        batches.map(batch => [batch.header.isControl, recordCodec.isAbortMarker(batch)]),
        [
          [true, false],
          [true, false],
          [true, false],
        ],
      )
      await fetches.close()
      assert.equal(await cluster.mayWriteMarkers(), true)
    })

    test('markers are answered also when one partition of many is not there', async () => {
      const at = await topic('some-gone')
      const stamp = { ...randomProducer(), coordinatorEpoch: 0 }
      const codes = await cluster.writeMarkers(broker, stamp, [
        { topic: 'no-such-topic', partition: 0, count: 3 },
        { topic: at.topic, partition: 0, count: 1 },
      ])
      assert.deepEqual(
        codes.map(answer => answer.code),
        [KafkaCode.UNKNOWN_TOPIC_OR_PARTITION, 0],
      )
      assert.equal(await end(at.topic), 1)
    })

    test('empty transactions leave one marker each and no trace in the sequence', async () => {
      const at = await topic('empty-transactions')
      const transactionalId = `kdr-slot-${run}`
      const first = await cluster.initProducer(transactionalId)
      assert.equal(first.code, 0)
      const named = [{ topic: at.topic, partition: 0 }]
      const transact = (producer: ProducerStamp) =>
        cluster.emptyTransaction({ transactionalId, ...producer }, named)
      const settled = async (offset: number) => {
        while ((await end(at.topic)) < offset) await wait(5)
        assert.equal(await end(at.topic), offset)
      }
      // Plain data under the transactional producer id, between its transactions.
      assert.deepEqual(await append(at, dataBatch(2, first, 0)), { code: 0, baseOffset: 0 })
      assert.deepEqual(await transact(first), { code: 0 })
      assert.deepEqual(await transact(first), { code: 0 })
      await settled(4)
      assert.equal(await lastSequence(at.topic), 1)
      assert.deepEqual(await append(at, dataBatch(1, first, 2)), { code: 0, baseOffset: 4 })
      // Taking over raises the epoch, but the partition learns of it only from the next marker.
      const second = await cluster.initProducer(transactionalId)
      assert.deepEqual([second.producerId, second.producerEpoch], [first.producerId, first.producerEpoch + 1])
      assert.deepEqual(await append(at, dataBatch(1, first, 3)), { code: 0, baseOffset: 5 })
      assert.equal((await transact(first)).code, KafkaCode.PRODUCER_FENCED)
      assert.deepEqual(await transact(second), { code: 0 })
      await settled(7)
      assert.equal((await append(at, dataBatch(1, first, 4))).code, KafkaCode.INVALID_PRODUCER_EPOCH)
      assert.deepEqual(await append(at, dataBatch(1, second, 0)), { code: 0, baseOffset: 7 })
    })

    test('a batch for a topic that was made anew', async () => {
      const old = await topic('anew')
      const producer = randomProducer()
      assert.equal((await append(old, dataBatch(1, producer, 0))).code, 0)
      assert.equal((await cluster.deleteTopic(old.topic)).code, 0)
      let id = NO_TOPIC_ID
      while (id === NO_TOPIC_ID) {
        ;({ id } = await createTopic(cluster, { name: old.topic }))
        await wait(20)
      }
      await served(cluster, old.topic, 1)
      // From Kafka 4.1 on the broker knows the topic by its id; before, only by its name.
      const { code } = await append(old, dataBatch(1, producer, 0))
      assert.ok(code === KafkaCode.UNKNOWN_TOPIC_ID || code === KafkaCode.NONE, String(code))
      const expected = code === KafkaCode.NONE ? 1 : 0
      assert.equal(await end(old.topic), expected)
      const byName = await append(
        { topic: old.topic, topicId: NO_TOPIC_ID },
        dataBatch(1, producer, expected),
      )
      assert.deepEqual(byName, { code: 0, baseOffset: expected })
    })

    test('seeds are taken, and trimmed', async () => {
      const at = await topic('seeds')
      const producer = randomProducer()
      const seed = recordCodec.seedBatch(100_000, Date.now())
      stampBatch(seed, producer, 0)
      assert.deepEqual(await append(at, seed), { code: 0, baseOffset: 0 })
      const [trimmed] = await cluster.deleteRecords([{ topic: at.topic, partition: 0, before: 99_999 }])
      assert.deepEqual(trimmed, { code: 0, offset: 99_999 })
    })

    test('groups: list, commit, read', async () => {
      const at = await topic('groups', 2)
      const group = `g-${run}`
      const offsets = [0, 1].map(partition => ({
        topic: at.topic,
        partition,
        offset: 10 + partition,
        metadata: 'm',
      }))
      assert.deepEqual(await cluster.commitGroupOffsets(group, offsets), { code: 0 })
      const [read, none] = await cluster.groupOffsets([group, 'no-such-group'])
      assert.deepEqual(
        [...read!.offsets].sort((a, b) => a.partition - b.partition),
        offsets,
      )
      assert.deepEqual(none, { code: 0, offsets: [], pending: [] })
      const listed = (await cluster.listGroups()).find(one => one.group === group)
      assert.deepEqual(listed, { group, type: 'classic', state: 'Empty' })
      assert.deepEqual(await cluster.deleteGroupOffsets(group, [offsets[0]!]), { code: 0 })
      assert.deepEqual((await cluster.groupOffsets([group]))[0]?.offsets, [offsets[1]])
      assert.deepEqual(await cluster.deleteGroup(group), { code: 0 })
      assert.deepEqual(await cluster.deleteGroup(group), { code: KafkaCode.GROUP_ID_NOT_FOUND })
    })
  })
}

const versions = suite === 'short' ? ['4.4.0'] : ['4.4.0', '3.9.2', '3.3.2']
for (const version of versions) conformance(version)

describe('credentials and rights', () => {
  let lab: Lab
  const connect = (user: keyof typeof LAB_USERS, password: string = LAB_USERS[user]) =>
    connectCluster({
      name: 'east',
      bootstrap: lab.cluster('east').bootstrap,
      clientId: 'kdr-test',
      clock,
      sasl: { mechanism: 'PLAIN', username: user, password: async () => password },
    })

  before(async () => {
    lab = await startLab({
      dir: await newDir(),
      clusters: [{ name: 'east', security: 'acl', properties: { 'connections.max.reauth.ms': '2000' } }],
    })
  })
  after(() => lab.down())

  test('a wrong password and a missing one', async () => {
    await assert.rejects(connect('kdr', 'wrong'), { code: 'not-allowed', message: /broker "east" 127.0.0.1/ })
    const { bootstrap } = lab.cluster('east')
    await assert.rejects(connectCluster({ name: 'east', bootstrap, clientId: 'x', clock }), {
      code: 'unreachable',
    })
  })

  test('whoever may not write markers is told so, and nothing is written', async () => {
    const admin = await connect('admin')
    const kdr = await connect('kdr')
    assert.equal(await admin.mayWriteMarkers(), true)
    assert.equal(await kdr.mayWriteMarkers(), false)
    const created = await createTopic(kdr, { name: 't' })
    assert.equal(created.code, KafkaCode.TOPIC_AUTHORIZATION_FAILED)
    assert.equal((await kdr.groupOffsets(['g']))[0]?.code, KafkaCode.GROUP_AUTHORIZATION_FAILED)
    assert.equal((await kdr.initProducer('t')).code, KafkaCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
    await assert.rejects(kdr.brokerConfigs(['log.dirs']), { code: 'not-allowed' })
    await Promise.all([admin.close(), kdr.close()])
  })

  test('appends go on while the broker asks for the password again', async () => {
    const admin = await connect('admin')
    const name = `reauth-${run}`
    const { id } = await createTopic(admin, { name })
    await served(admin, name, 1)
    const broker = (await admin.describe()).brokers[0]
    assert.ok(broker)
    const lane = await admin.openAppendLane(broker.id)
    const producer = randomProducer()
    const until = clock.monotonic() + 4_500
    let sequence = 0
    let flight: Promise<unknown>[] = []
    while (clock.monotonic() < until) {
      const batch = dataBatch(1, producer, sequence)
      const expected = sequence++
      const done = lane
        .append([{ topic: name, topicId: id, partition: 0, batch }], 5_000)
        .then(([answer]) => assert.deepEqual([answer?.code, answer?.baseOffset], [0, expected]))
      flight.push(done)
      if (flight.length < 20) continue
      await Promise.all(flight)
      flight = []
    }
    await Promise.all(flight)
    await admin.close()
  })
})

describe('leaders that move and brokers that hang', () => {
  let lab: Lab
  let cluster: Cluster
  const name = `moving-${run}`
  const all = [0, 1, 2, 3].map(partition => ({ topic: name, partition }))

  before(async () => {
    lab = await startLab({ dir: await newDir(), clusters: [{ name: 'east', brokers: 2 }] })
    const { bootstrap } = lab.cluster('east')
    cluster = await connectCluster({ name: 'east', bootstrap, clientId: 'x', clock, requestTimeoutMs: 2_000 })
    const created = await createTopic(cluster, { name, partitions: 4, replicationFactor: 2 })
    assert.equal(created.code, 0, created.message)
    await served(cluster, name, 4)
  })
  after(async () => {
    await cluster.close()
    await lab.down()
  })

  test('a broker that was the leader refuses to tell its log end', async () => {
    // Given partitions on both brokers, answered in the order of the question.
    const view = (await cluster.describe()).topics.get(name)
    assert.deepEqual(new Set(view?.partitions.map(p => p.leader)), new Set([1, 2]))
    for (const { partition } of all) {
      const leader = view?.partitions[partition]?.leader ?? -1
      const fills = [{ topic: name, partition, count: partition + 1 }]
      const marked = await cluster.writeMarkers(leader, { ...randomProducer(), coordinatorEpoch: 0 }, fills)
      assert.equal(marked[0]?.code, 0)
    }
    const reversed = all.toReversed()
    assert.deepEqual(
      (await cluster.offsets(reversed, 'logEnd')).map(answer => answer.offset),
      [4, 3, 2, 1],
    )
    // When broker 2 goes and comes back, and the metadata is not asked again.
    await lab.cluster('east').stop(2)
    await lab.cluster('east').start(2)
    const answers = await cluster.offsets(all, 'logEnd')
    for (const { partition } of all) {
      const wasMoved = view?.partitions[partition]?.leader === 2
      const isRefused = isLeaderChange(answers[partition]?.code ?? -1)
      assert.equal(isRefused, wasMoved, `partition ${partition}: ${codeName(answers[partition]?.code ?? -1)}`)
    }
    // Then the new metadata finds all ends.
    await served(cluster, name, 4)
    assert.deepEqual(
      (await cluster.offsets(all, 'logEnd')).map(answer => answer.offset),
      [1, 2, 3, 4],
    )
  })

  test('no answer in time ends the lane, and closing does not wait', async () => {
    const lane = await cluster.openAppendLane(1)
    await lab.cluster('east').pause(1)
    const batch = dataBatch(1, randomProducer(), 0)
    const entries = [{ topic: name, topicId: NO_TOPIC_ID, partition: 0, batch }]
    await assert.rejects(lane.append(entries, 1_000), { code: 'unreachable', message: /no answer in time/ })
    assert.equal(lane.isClosed, true)
    await assert.rejects(lane.append(entries, 1_000), { code: 'unreachable' })
    await lane.close()
    await lab.cluster('east').resume(1)
    await served(cluster, name, 4)
  })
})
