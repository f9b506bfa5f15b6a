// As of a moment between two commits: held against what the source's log held, by random histories with clocks of producers that go
// wrong, transactions, and moments all over.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SimSource } from '../../test/vault/sim-source.ts'
import {
  commitBatches,
  madeBatch,
  madeDraft,
  madeTopic,
  madeVault,
  SET,
  writeBatches,
  writerOf,
} from '../../test/vault/made.ts'
import type { SimPartition } from '../../test/sim/cluster.ts'
import { recordCodec } from '../kafka/records.ts'
import { splitBatches } from '../model/batch.ts'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { PartitionDelta } from '../model/vault.ts'
import type { Cluster } from '../ports/cluster.ts'
import { systemClock } from '../wiring/system.ts'
import { readPoint, type SetPoint } from './point.ts'
import type { ByteRange, ObjectStore } from '../ports/store.ts'
import { MemoryStore } from '../store/memory.ts'
import { vaultCluster } from './source.ts'

const sourceOf = (store: ObjectStore, point: SetPoint): Cluster =>
  vaultCluster({ name: 'v', clusterId: 'v', store, set: SET, point, codec: recordCodec, clock: systemClock })

/** Fetched as the engine does it. */
async function readAll(
  cluster: Cluster,
  topic: string,
  from: number,
  end: number,
  maxBytes = 1_000,
): Promise<number[]> {
  const lane = await cluster.openFetchLane(0)
  const offsets: number[] = []
  const topicId = (await cluster.describe()).topics.get(topic)!.id
  for (let offset = from; offset < end; ) {
    const of = { topic, topicId, partition: 0, offset, leaderEpoch: -1, lastFetchedEpoch: -1, maxBytes }
    const [answer] = await lane.fetch({ isolation: 'committed', maxWaitMs: 0, maxBytes, partitions: [of] })
    assert.equal(answer?.code, KafkaCode.NONE)
    const batches = splitBatches(answer.records)
    if (batches.length === 0) break
    for (const batch of batches) for (const record of recordCodec.decode(batch)) offsets.push(record.offset)
    offset = batches.at(-1)!.header.lastOffset + 1
  }
  return offsets.filter(offset => offset >= from)
}

/** What the log's end was at the moment, by the log itself: record by record, then back to before open transactions. */
function cutOf({ log }: SimPartition, from: number, end: number, moment: number): number {
  let at = end
  const open = new Map<bigint, number>()
  for (const { header, bytes, base } of log.entries) {
    if (base < from || base >= at) continue
    const later = recordCodec.decode({ header, bytes }).find(({ timestamp }) => timestamp > moment)
    if (later !== undefined) at = Math.min(at, later.offset)
  }
  for (const { header, base } of log.entries) {
    if (base < from || base >= at) continue
    if (header.isControl) open.delete(header.producerId)
    else if (header.isTransactional && !open.has(header.producerId)) open.set(header.producerId, base)
  }
  return Math.min(at, ...open.values())
}

describe('a set as of a moment', () => {
  test('is a prefix: up to the first record that is later, and before what was not complete', async () => {
    let inBatch = 0
    let goesOn = 0
    for (let seed = 1; seed <= 60; seed++) {
      const source = new SimSource(seed)
      await source.init()
      const { random } = source
      const [at] = source.topic('t')
      const commits: { readonly number: number; readonly end: number }[] = []
      const begun = source.clock.now()
      for (let step = 0; step < 60; step++) {
        const what = random.fraction()
        await source.run(async () => await source.clock.sleep(random.between(1, 20)))
        const skew = random.chance(0.1) ? random.between(-200, 200) : 0
        if (what < 0.5) source.produce(at!, random.between(1, 4), undefined, skew)
        else if (what < 0.75) {
          const producer = source.newProducer()
          source.produce(at!, 2, producer)
          if (random.chance(0.3)) source.produce(at!, 1)
          await source.run(async () => await source.clock.sleep(random.between(1, 30)))
          source.end(at!, producer, random.chance(0.6))
        } else if (what > 0.85) {
          const { commit: number } = await source.backUp()
          commits.push({ number, end: (await source.state(number)).topics.get('t')!.partitions[0]!.end })
        }
      }
      if (commits.length < 2) continue
      const ended = source.clock.now()
      for (let looks = 0; looks < 10; looks++) {
        const moment = random.between(begun, ended)
        const point = { kind: 'time', at: moment } as const
        const found = await readPoint(source.store, SET, point, recordCodec).catch(() => undefined)
        if (found === undefined) continue
        const base = commits.find(({ number }) => number === found.state.number)!
        const next = commits.find(({ number }) => number === base.number + 1)
        const { end, start } = found.state.topics.get('t')!.partitions[0]!
        const expected = next === undefined ? base.end : cutOf(at!, base.end, next.end, moment)
        assert.equal(end, expected, `seed ${seed}, as of ${moment}`)
        const offsets = await readAll(sourceOf(source.store, found), 't', start, end)
        assert.deepEqual(
          offsets,
          Array.from({ length: end - start }, (_none, i) => start + i),
        )
        if (end > base.end) goesOn++
        if (at!.log.entries.some(entry => entry.base < end && end < entry.next)) inBatch++
      }
    }
    assert.ok(goesOn > 20 && inBatch > 5, `${goesOn} go on, ${inBatch} end in a batch`)
  })

  test('goes on where a log was read anew that takes as much as when it was the last time', async () => {
    const source = new SimSource(5)
    await source.init()
    source.cluster.createTopic('t', 1, { 'cleanup.policy': 'compact' })
    const [at] = source.topic('t')
    for (let commit = 1; commit <= 7; commit++) {
      for (let i = 0; i < 10; i++) {
        await source.run(async () => await source.clock.sleep(10))
        source.produce(at!, 1)
      }
      at!.log.entries = at!.log.entries.slice(-10)
      await source.backUp({ renewsBeyondBytes: 1_000 })
    }
    const wholeBytes = async (number: number) =>
      (await source.state(number)).topics.get('t')!.partitions[0]!.wholeBytes
    assert.equal(await wholeBytes(6), await wholeBytes(7))
    const moment = at!.log.entries[4]!.header.maxTimestamp
    const found = await readPoint(source.store, SET, { kind: 'time', at: moment }, recordCodec)
    assert.deepEqual([found.state.number, found.state.topics.get('t')!.partitions[0]!.end], [6, 65])
  })

  test('goes on where the later commit has read a compacted log anew', async () => {
    const source = new SimSource(5)
    await source.init()
    source.cluster.createTopic('t', 1, { 'cleanup.policy': 'compact' })
    const [at] = source.topic('t')
    const pass = async (): Promise<void> => await source.run(async () => await source.clock.sleep(10))
    for (let commit = 1; commit <= 4; commit++) {
      for (let i = 0; i < 10; i++) {
        await pass()
        source.produce(at!, 1)
      }
      await source.backUp({ renewsBeyondBytes: 100 })
    }
    const before = (await source.state(3)).topics.get('t')!.partitions[0]!
    const after = (await source.state(4)).topics.get('t')!.partitions[0]!
    assert.ok(after.segments[0]!.from === 0 && after.segments[0]!.object !== before.segments[0]!.object)
    const [moment] = at!.log.entries.slice(35).map(({ header }) => header.maxTimestamp)
    const found = await readPoint(source.store, SET, { kind: 'time', at: moment! }, recordCodec)
    assert.deepEqual([found.state.number, found.state.topics.get('t')!.partitions[0]!.end], [3, 36])
    const offsets = await readAll(sourceOf(source.store, found), 't', 0, 36)
    assert.deepEqual(
      offsets,
      Array.from({ length: 36 }, (_none, i) => i),
    )
  })

  test('does not go on where the later log is another one', async () => {
    const at = (seconds: number): string => new Date(seconds * 1_000).toISOString()
    const store = await madeVault()
    const first = [0, 1, 2].map(from => madeBatch({ from, values: ['old'], timestamp: 1_000 }))
    await commitBatches(store, first, { draft: { endsAt: at(10) } })
    const second = [madeBatch({ from: 2, values: ['new', 'new'], timestamp: 11_000, epoch: 2 })]
    await commitBatches(store, second, { clip: 2, draft: { endsAt: at(20) } })
    const { state } = await readPoint(store, SET, { kind: 'time', at: 15_000 }, recordCodec)
    assert.equal(state.topics.get('t')!.partitions[0]!.end, 3)
    assert.equal(state.number, 1)
  })
})

describe('a point of a set as a cluster', () => {
  test('answers like a leader', async () => {
    const store = await madeVault()
    await commitBatches(store, [madeBatch({ from: 5, values: ['a', 'b'], epoch: 1 })], { start: 6 })
    await commitBatches(store, [madeBatch({ from: 7, values: ['c'], epoch: 4, timestamp: 9_000 })], {
      end: 10,
    })
    const cluster = sourceOf(store, await readPoint(store, SET, { kind: 'latest' }, recordCodec))
    const of = { topic: 't', partition: 0 }
    const offsets = async (point: 'logStart' | 'logEnd') => (await cluster.offsets([of], point))[0]?.offset
    assert.deepEqual([await offsets('logStart'), await offsets('logEnd')], [6, 10])
    const epochs = await cluster.epochEnds([0, 1, 2, 4].map(epoch => ({ ...of, epoch })))
    assert.deepEqual(
      epochs.map(({ epoch, offset }) => [epoch, offset]),
      [
        [-1, -1],
        [1, 7],
        [1, 7],
        [4, 10],
      ],
    )
    assert.equal((await cluster.offsetsForTime([{ ...of, timestamp: 9_000 }]))[0]?.offset, 7)
    assert.equal((await cluster.offsets([{ topic: 'none', partition: 0 }], 'logEnd'))[0]?.code, 3)
    assert.deepEqual(await readAll(cluster, 't', 6, 10), [6, 7])
  })

  test('what is fetched may be written into', async () => {
    const store = await madeVault()
    await commitBatches(store, [madeBatch({ from: 0, values: ['a'] })])
    const cluster = sourceOf(store, await readPoint(store, SET, { kind: 'latest' }, recordCodec))
    const lane = await cluster.openFetchLane(0)
    const fetch = async (): Promise<Buffer> => {
      const of = {
        topic: 't',
        topicId: '',
        partition: 0,
        offset: 0,
        leaderEpoch: 0,
        lastFetchedEpoch: -1,
        maxBytes: 1,
      }
      const [answer] = await lane.fetch({
        isolation: 'committed',
        maxWaitMs: 0,
        maxBytes: 1,
        partitions: [of],
      })
      return answer!.records
    }
    const before = Buffer.from(await fetch())
    ;(await fetch()).fill(0)
    assert.ok((await fetch()).equals(before))
  })

  test('reads no frame that does not fit into the answer', async () => {
    const store = new CountingStore()
    await madeVault(store)
    const writer = await writerOf(store, { compression: 'none' })
    const segments: PartitionDelta[] = []
    for (let partition = 0; partition < 12; partition++) {
      const values = ['v'.repeat(900_000)]
      const batches = [0, 1, 2].map(from => madeBatch({ from, values }))
      const segment = await writeBatches(writer, batches, { partition })
      segments.push({ partition, start: 0, end: 3, segments: [segment] })
    }
    await writer.commit(madeDraft([madeTopic(segments)]))
    const cluster = sourceOf(store, await readPoint(store, SET, { kind: 'latest' }, recordCodec))
    const lane = await cluster.openFetchLane(0)
    const next = segments.map(() => 0)
    store.rangesRead = 0
    for (let rounds = 0; rounds < 20 && next.some(offset => offset < 3); rounds++) {
      const asked = next.flatMap((offset, partition) => (offset < 3 ? [{ offset, partition }] : []))
      const partitions = asked.map(each => ({ ...OF, ...each, maxBytes: 1_000_000 }))
      const request = { isolation: 'committed', maxWaitMs: 0, maxBytes: 4_000_000, partitions } as const
      for (const { partition } of await lane.fetch(request)) next[partition]!++
    }
    assert.deepEqual(next, Array<number>(12).fill(3))
    assert.equal(store.rangesRead, 36)
  })
})

const OF = { topic: 't', topicId: '', leaderEpoch: 0, lastFetchedEpoch: -1 }

class CountingStore extends MemoryStore {
  rangesRead = 0

  override async get(name: string, range?: ByteRange): Promise<Buffer | undefined> {
    if (range !== undefined) this.rangesRead++
    return await super.get(name, range)
  }
}
