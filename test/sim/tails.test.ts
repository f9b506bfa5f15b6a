// What a cluster that was left has beyond its cut, over simulated logs: what is clean, what diverged, from where, and by how many records.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { observeTails } from '../../src/engine/runs/tails.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import {
  divergedTopics,
  hasRecords,
  type Stranded,
  type StrandedPartition,
} from '../../src/model/stranded.ts'
import { forgottenKey, partitionKey, topicKey, toRecord } from '../../src/model/state-records.ts'
import { FakeStore } from '../support/fenced-cluster.ts'
import { Chaos } from './chaos.ts'
import { SimClock } from './clock.ts'
import { SimCluster } from './cluster.ts'
import type { SimLog } from './log.ts'
import { controlBatch, transactional } from './marker.ts'
import { SimNetwork, SimProcess } from './network.ts'
import { simPort } from './port.ts'
import { Random } from './random.ts'
import { START } from './world.ts'

const LINK = 'l'
const TOPIC = 't'
const CUT = 10
const AT = { topic: TOPIC, partition: 0 }

class Left {
  readonly clock = new SimClock(START)
  readonly east = this.#cluster('east')
  readonly west = this.#cluster('west')
  readonly store = new FakeStore()
  readonly #ids: readonly [east: string, west: string]

  /** Ten records are copied, and the link was fenced with a marker at the cut. */
  constructor() {
    const [east, west] = [this.east, this.west].map(cluster => cluster.createTopic(TOPIC, 1, {}).id)
    this.#ids = [east!, west!]
    for (const cluster of [this.east, this.west]) records(this.logOf(cluster), CUT)
    marker(this.logOf(this.west), true)
    for (const cluster of [this.east, this.west]) this.logOf(cluster).advance()
  }

  logOf(cluster: SimCluster, topic = TOPIC): SimLog {
    return cluster.partition({ ...AT, topic })!.log
  }

  async look(known: Parameters<Left['lookAtAll']>[0] = {}): Promise<StrandedPartition> {
    return (await this.lookAtAll(known)).partitions[0]!
  }

  async lookAtAll({ isFenced = true, adoptedUpTo = [] as number[] } = {}): Promise<Stranded> {
    const [sourceTopicId, targetTopicId] = this.#ids
    const record = { phase: 'mirroring', sourceTopicId, targetTopicId, applied: {}, adoptedUpTo }
    await this.store.put(topicKey(LINK, TOPIC), toRecord('topic', record))
    const epochs = { epochs: [[0, 0]], origin: 0 }
    await this.store.put(partitionKey(LINK, TOPIC, 0), toRecord('partition', epochs))
    for (const { at } of [...this.east.all(), ...this.west.all()]) at.log.advance()
    let found: Stranded | undefined
    const looking = observeTails({
      link: LINK,
      topics: ['*'],
      failover: 'f1',
      cuts: isFenced ? [{ ...AT, cut: CUT }] : [],
      returned: this.#port(this.east),
      active: this.#port(this.west),
      store: this.store,
      codec: recordCodec,
    }).then(({ stranded }) => {
      found = stranded
    })
    let failed: Error | undefined
    looking.catch((error: unknown) => {
      failed = error instanceof Error ? error : new Error(String(error))
    })
    await this.clock.run(() => found !== undefined || failed !== undefined, 60_000)
    if (failed !== undefined) throw failed
    return found!
  }

  #cluster(name: string): SimCluster {
    return new SimCluster({
      name,
      clusterId: `id-${name}`,
      brokers: 1,
      clock: this.clock,
      random: new Random(1),
      mayWriteMarkers: true,
      producerExpirationMs: 86_400_000,
      brokerConfigs: {},
      topicDefaults: {},
    })
  }

  #port(cluster: SimCluster) {
    const network = new SimNetwork(this.clock, new Random(2), new Chaos(new Set(), () => undefined))
    return simPort(cluster, network, new SimProcess())
  }
}

function records(log: SimLog, count: number, at = START): void {
  for (let n = 0; n < count; n++) log.force(batch(at + n))
}

function batch(timestamp: number, producerId = -1n): Buffer {
  return recordCodec.encode({
    codec: 'none',
    baseOffset: 0,
    records: [{ offset: 0, timestamp, key: null, value: Buffer.from('v'), headers: [] }],
    producer: { producerId, producerEpoch: 0 },
    baseSequence: producerId < 0n ? -1 : 0,
  })
}

function marker(log: SimLog, isCommit: boolean, producerId = 77n): void {
  log.force(controlBatch({ producerId, producerEpoch: 0, isCommit, now: START }))
}

const shown = ({ state, cut, end, records: count, hidden, offsets }: StrandedPartition) => ({
  state,
  cut,
  end,
  records: count,
  hidden,
  offsets,
})
const NOTHING = { records: 0, hidden: 0, offsets: 0 }

describe('what a cluster that was left has beyond the cut', () => {
  test('nothing: it is clean', async () => {
    assert.deepEqual(shown(await new Left().look()), { state: 'clean', cut: 10, end: 10, ...NOTHING })
  })

  test('a marker, where the fence stands at the other side: identical', async () => {
    const left = new Left()
    marker(left.logOf(left.east), true)
    assert.deepEqual(shown(await left.look()), { state: 'clean', cut: 10, end: 11, ...NOTHING })
  })

  test('more markers than stand there: no log gets shorter', async () => {
    const left = new Left()
    marker(left.logOf(left.east), true)
    marker(left.logOf(left.east), false)
    records(left.logOf(left.west), 5)
    const found = await left.look()
    assert.deepEqual(shown(found), { state: 'diverged', cut: 10, end: 12, records: 0, hidden: 0, offsets: 2 })
    assert.equal(found.from, null)
  })

  test('records: how many, and from when to when', async () => {
    const left = new Left()
    records(left.logOf(left.east), 3, START + 5_000)
    const found = await left.look()
    assert.deepEqual(shown(found), { state: 'diverged', cut: 10, end: 13, records: 3, hidden: 0, offsets: 3 })
    assert.deepEqual(
      [found.from, found.to],
      [new Date(START + 5_000).toISOString(), new Date(START + 5_002).toISOString()],
    )
  })

  test('of transactions only what was committed counts; one that never ended is hidden too', async () => {
    const left = new Left()
    const log = left.logOf(left.east)
    for (const producerId of [1n, 2n, 3n]) log.force(transactional(batch(START, producerId)))
    marker(log, true, 1n)
    marker(log, false, 2n)
    assert.deepEqual(shown(await left.look()), {
      state: 'diverged',
      cut: 10,
      end: 15,
      records: 1,
      hidden: 2,
      offsets: 5,
    })
  })

  test('it has lost the end of its log, and nothing was written since: it only lacks something', async () => {
    const left = new Left()
    left.east.loseEnd(left.east.partition(AT)!, 7)
    assert.deepEqual(shown(await left.look()), { state: 'clean', cut: 7, end: 7, ...NOTHING })
  })

  test('it has lost the end of its log, and others were written there: they differ from below the cut', async () => {
    const left = new Left()
    left.east.loseEnd(left.east.partition(AT)!, 7)
    records(left.logOf(left.east), 3, START + 9_000)
    assert.deepEqual(shown(await left.look()), {
      state: 'diverged',
      cut: 7,
      end: 10,
      records: 3,
      hidden: 0,
      offsets: 3,
    })
  })

  test('nobody has copied since it was adopted, so that no fence says where it was cut', async () => {
    const left = new Left()
    records(left.logOf(left.east), 3)
    const found = await left.look({ isFenced: false, adoptedUpTo: [CUT] })
    assert.deepEqual([found.state, found.cut, found.records], ['diverged', CUT, 3])
    // Where nothing at all is known, all of it is exported.
    const unknown = await left.look({ isFenced: false })
    assert.deepEqual([unknown.state, unknown.cut, unknown.records], ['diverged', 0, 13])
  })

  test('what only it still holds below is told', async () => {
    const left = new Left()
    records(left.logOf(left.east), 1)
    left.logOf(left.west).logStart = 4
    const { state, older } = await left.look()
    assert.deepEqual([state, older], ['diverged', 4])
  })

  test('the active has deleted by now what it lacks: it cannot go on, and is copied anew', async () => {
    const left = new Left()
    records(left.logOf(left.west), 5)
    left.logOf(left.west).logStart = 13
    const found = await left.look()
    assert.deepEqual(shown(found), { state: 'diverged', cut: 10, end: 10, ...NOTHING })
    assert.equal(found.why, 'the active begins at 13 by now, and there it ends at 10')
    assert.equal(found.older, 10)
  })

  test('its tail was deleted before anybody looked: what stood there is not known, and it is copied anew', async () => {
    const left = new Left()
    records(left.logOf(left.east), 3)
    left.logOf(left.east).logStart = 13
    const found = await left.look()
    assert.deepEqual(shown(found), { state: 'diverged', cut: 13, end: 13, ...NOTHING })
    assert.deepEqual([found.gone, found.why], [3, 'what stood there from 10 on was deleted up to 13'])
  })

  test('a part of its tail was deleted: what is left is counted, and how much is gone', async () => {
    const left = new Left()
    records(left.logOf(left.east), 5)
    left.logOf(left.east).logStart = 12
    const found = await left.look()
    assert.deepEqual([found.state, found.cut, found.records, found.gone], ['diverged', 12, 3, 2])
  })

  test('it was emptied up to the cut, and the active has it all: it is copied anew', async () => {
    const left = new Left()
    left.logOf(left.east).logStart = 10
    const found = await left.look()
    assert.deepEqual([found.state, found.gone], ['diverged', undefined])
    assert.match(found.why ?? '', /all was deleted there, up to 10, and the active begins at 0/)
  })

  test('both were emptied up to the cut: there is nothing that either lacks', async () => {
    const left = new Left()
    for (const cluster of [left.east, left.west]) left.logOf(cluster).logStart = 10
    assert.deepEqual(shown(await left.look()), { state: 'clean', cut: 10, end: 10, ...NOTHING })
  })

  test('it has deleted more than the active: it goes on, and what it lacks is told', async () => {
    const left = new Left()
    left.logOf(left.east).logStart = 6
    left.logOf(left.west).logStart = 2
    const { state, lacks } = await left.look()
    assert.deepEqual([state, lacks], ['clean', 4])
  })

  test('the topic was deleted and created again at the active: all of it is other', async () => {
    const left = new Left()
    left.west.deleteTopic(TOPIC)
    left.west.createTopic(TOPIC, 1, {})
    const found = await left.look()
    assert.deepEqual([found.state, found.cut, found.records], ['diverged', 0, 10])
    assert.match(found.why ?? '', /created again at the active/)
  })

  test('a topic that was never copied: other than what the active has under its name', async () => {
    const left = new Left()
    for (const cluster of [left.east, left.west]) cluster.createTopic('new', 1, {})
    records(left.logOf(left.east, 'new'), 7)
    const { partitions, records: count } = await left.lookAtAll()
    const found = partitions.find(({ topic }) => topic === 'new')
    assert.deepEqual(
      [found?.state, found?.cut, found?.records, found?.why],
      ['diverged', 0, 7, 'it was never copied'],
    )
    assert.equal(count, 7)
  })

  test('a topic that was never copied and the active has not: its records count, and nothing of it is other', async () => {
    const left = new Left()
    left.east.createTopic('new', 1, {})
    records(left.logOf(left.east, 'new'), 7)
    const found = await left.lookAtAll()
    assert.deepEqual(
      found.partitions.map(({ topic, state }) => [topic, state]),
      [
        ['new', 'alone'],
        [TOPIC, 'clean'],
      ],
    )
    assert.deepEqual([found.records, divergedTopics(found), hasRecords(found)], [7, [], false])
  })

  test('a topic that was let go of is none of these, whatever it holds', async () => {
    const left = new Left()
    const own = left.west.createTopic('own', 1, {})
    left.east.createTopic('own', 1, {})
    records(left.logOf(left.east, 'own'), 7)
    const record = { targetTopicId: own.id, at: START, by: 'ann@host' }
    await left.store.put(forgottenKey(LINK, 'own'), toRecord('forgotten', record))
    const { partitions, records: count } = await left.lookAtAll()
    assert.deepEqual([partitions.map(({ topic }) => topic), count], [[TOPIC], 0])
  })

  test('a topic that was never copied and holds nothing is none of these', async () => {
    const left = new Left()
    left.east.createTopic('new', 1, {})
    assert.equal((await left.lookAtAll()).partitions.length, 1)
  })
})
