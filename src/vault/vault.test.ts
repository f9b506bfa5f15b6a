import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { zstdDecompressSync } from 'node:zlib'
import {
  commitBatches,
  madeBatch,
  madeDraft,
  madeTopic,
  madeVault,
  SET,
  TOPIC_ID,
  writeBatches,
  writerOf,
} from '../../test/vault/made.ts'
import { recordCodec } from '../kafka/records.ts'
import type { RawBatch } from '../model/batch.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import { epochsOf } from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import { MemoryStore } from '../store/memory.ts'
import { commitNumbers, locate, readCommit, readLatest, readState } from './chain.ts'
import { SegmentReader } from './reader.ts'
import { initVault, openVault, probeStore } from './vault.ts'
import { verifyVault } from './verify.ts'

const isCode = (code: string) => (error: unknown) => findKdrError(error)?.code === code

async function readAll(store: ObjectStore, number: number, from = 0): Promise<RawBatch[]> {
  const state = await readState(store, SET, number)
  const { segments, end } = state.topics.get('t')!.partitions[0]!
  const reader = new SegmentReader(store, SET)
  const all: RawBatch[] = []
  for (let offset = from; ; ) {
    const run = await reader.read(segments, offset, end)
    if (run === undefined) return all
    all.push(...run.batches)
    offset = run.batches.at(-1)!.header.lastOffset + 1
  }
}

const bytesOf = (batches: readonly RawBatch[]): Buffer => Buffer.concat(batches.map(({ bytes }) => bytes))
const verifyFull = async (store: ObjectStore, number: number) =>
  await verifyVault({ store, set: SET, number, isFull: true, isIntact: batch => recordCodec.isIntact(batch) })

/** Batches of `sizeBytes` from `from` on. */
const large = (from: number, count: number, sizeBytes = 300_000): RawBatch[] =>
  Array.from({ length: count }, (_none, i) =>
    madeBatch({ from: from + i, values: ['x'.repeat(sizeBytes)], timestamp: 1_000 + i }),
  )

describe('a vault', () => {
  test('is made once, and known again', async () => {
    const store = await madeVault()
    assert.equal((await openVault(store)).vault, 'made')
    await assert.rejects(initVault(store, { vault: 'other', createdAt: '', by: '' }), isCode('usage'))
    await assert.rejects(openVault(new MemoryStore()), isCode('not-ready'))
  })

  test('is not made where other things are', async () => {
    const store = new MemoryStore()
    await store.put('holiday.jpg', [])
    await assert.rejects(initVault(store, { vault: 'v', createdAt: '', by: '' }), isCode('not-empty'))
  })

  test('says what its store can do, and what it cannot', async () => {
    const store = new MemoryStore()
    assert.deepEqual(
      (await probeStore(store, 'p1')).map(({ has }) => has),
      [true, true, true, true, true],
    )
    assert.equal(store.objects.size, 0)
    const careless = Object.assign(new MemoryStore(), {
      async create(this: MemoryStore, name: string, body: readonly Uint8Array[]) {
        await this.put(name, body)
        return 'created' as const
      },
    })
    const [createOnce] = await probeStore(careless, 'p2')
    assert.equal(createOnce?.has, false)
    // It looks, and then writes.
    const slow = Object.assign(new MemoryStore(), {
      async create(this: MemoryStore, name: string, body: readonly Uint8Array[]) {
        const isThere = this.objects.has(name)
        await Promise.resolve()
        if (!isThere) await this.put(name, body)
        return isThere ? ('exists' as const) : ('created' as const)
      },
    })
    const lacking = (await probeStore(slow, 'p3')).filter(({ has }) => !has)
    assert.deepEqual(
      lacking.map(({ ability }) => ability),
      ['one winner'],
    )
  })
})

describe('segments', () => {
  for (const compression of ['none', 'zstd'] as const)
    test(`give back what was written, byte for byte, from any offset (${compression})`, async () => {
      const store = await madeVault()
      const batches = large(0, 40)
      await commitBatches(store, batches, { compression })
      assert.ok(bytesOf(await readAll(store, 1)).equals(bytesOf(batches)))
      for (const from of [1, 3, 17, 39])
        assert.ok(bytesOf(await readAll(store, 1, from)).equals(bytesOf(batches.slice(from))))
    })

  test('are plain logs, or zstd of one, and stand at their true offsets', async () => {
    const store = (await madeVault()) as MemoryStore
    const batches = large(1_000, 20)
    await commitBatches(store, batches, { compression: 'none', start: 1_000 })
    await commitBatches(store, large(1_020, 20), { compression: 'zstd' })
    const names = [...store.objects.keys()].filter(name => name.includes('/data/') && name.includes('.log'))
    assert.match(names[0]!, new RegExp(`^all/data/${TOPIC_ID}/0/00000000000000001000\\.\\w+\\.log$`))
    assert.match(names[1]!, /\.log\.zst$/)
    assert.ok(store.objects.get(names[0]!)!.equals(bytesOf(batches)))
    // Node's own decompressor ends with the first frame.
    const stored = store.objects.get(names[1]!)!
    const segment = (await readState(store, SET, 2)).topics.get('t')!.partitions[0]!.segments[1]!
    const { frames } = await new SegmentReader(store, SET).index(segment)
    assert.ok(frames.length > 1)
    const plain = frames.map(({ position, bytes }) =>
      zstdDecompressSync(stored.subarray(position, position + bytes)),
    )
    assert.ok(Buffer.concat(plain).equals(bytesOf(large(1_020, 20))))
  })

  test('of many small partitions are one object', async () => {
    const store = (await madeVault()) as MemoryStore
    const writer = await writerOf(store)
    const partitions = []
    for (let partition = 0; partition < 500; partition++) {
      const batches = [madeBatch({ from: partition, values: [`p${partition}`] })]
      const segment = await writeBatches(writer, batches, { partition })
      partitions.push({ partition, start: partition, end: partition + 1, segments: [segment] })
    }
    const { objects } = await writer.commit(madeDraft([madeTopic(partitions)]))
    assert.equal(objects, 3)
    const state = await readState(store, SET, 1)
    const reader = new SegmentReader(store, SET)
    for (const { segments, start, partition } of state.topics.get('t')!.partitions) {
      const run = await reader.read(segments, start, start + 1)
      assert.equal(String(recordCodec.decode(run!.batches[0]!)[0]!.value), `p${partition}`)
    }
    assert.deepEqual((await verifyFull(store, 1)).problems, [])
  })

  test('know the aborted transactions that have records in them, and where each ends', async () => {
    const store = await madeVault()
    const writer = await writerOf(store)
    const marker = madeBatch({ from: 4, values: ['marker'] })
    const header = { ...marker.header, isControl: true, producerId: 7n }
    const batches = [madeBatch({ from: 2, values: ['a', 'b'] }), { ...marker, header }]
    const named = [
      { producerId: 7n, firstOffset: 1 },
      { producerId: 7n, firstOffset: 1 },
      { producerId: 8n, firstOffset: 3 },
      { producerId: 9n, firstOffset: 90 },
    ]
    const segment = await writeBatches(writer, batches, { aborted: named })
    await writer.commit(madeDraft([madeTopic([{ partition: 0, start: 0, end: 5, segments: [segment] }])]))
    const index = await new SegmentReader(store, SET).index(segment)
    assert.deepEqual(index.aborted, [
      { producer: '7', from: 1, to: 4 },
      { producer: '8', from: 3, to: null },
    ])
  })

  test('that cannot be written are told of when their indexes are not on their way any more', async () => {
    let isIndexWritten = false
    class FullStore extends MemoryStore {
      override async create(name: string, body: readonly Uint8Array[]): Promise<'created' | 'exists'> {
        if (name.endsWith('.log')) throw new KdrError('store-lacks', 'the disk is full')
        for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate)
        isIndexWritten ||= name.endsWith('.index.json')
        return await super.create(name, body)
      }
    }
    const writer = await writerOf(await madeVault(new FullStore()), { compression: 'none' })
    await assert.rejects(writeBatches(writer, large(0, 15)), isCode('store-lacks'))
    assert.ok(isIndexWritten)
  })
})

describe('commits', () => {
  test('each follows on the one before it, and any can be read', async () => {
    const store = await madeVault()
    for (let i = 0; i < 5; i++) await commitBatches(store, [madeBatch({ from: i, values: [`v${i}`] })])
    assert.deepEqual(await commitNumbers(store, SET), [1, 2, 3, 4, 5])
    for (let i = 1; i <= 5; i++) assert.equal((await readAll(store, i)).length, i)
  })

  test('every hundredth holds everything: what is before it need not be there', async () => {
    const store = (await madeVault()) as MemoryStore
    for (let i = 0; i < 103; i++) await commitBatches(store, [madeBatch({ from: i, values: [`v${i}`] })])
    const before = await readState(store, SET, 99)
    assert.equal(before.topics.get('t')!.partitions[0]!.segments.length, 99)
    for (let i = 1; i < 100; i++) await store.delete(`${SET}/commits/${String(i).padStart(12, '0')}.json`)
    assert.equal((await readAll(store, 103)).length, 103)
    assert.equal((await readLatest(store, SET))?.number, 103)
  })

  test('of two writers one goes on; what the other wrote counts for nothing', async () => {
    const store = await madeVault()
    const [first, second] = [await writerOf(store), await writerOf(store)]
    const draftOf = async (writer: typeof first, value: string) => {
      const segment = await writeBatches(writer, [madeBatch({ from: 0, values: [value] })])
      return madeDraft([madeTopic([{ partition: 0, start: 0, end: 1, segments: [segment] }])])
    }
    const drafts = [await draftOf(first, 'first'), await draftOf(second, 'second')] as const
    await second.commit(drafts[1])
    await assert.rejects(first.commit(drafts[0]), isCode('other-writer'))
    const [batch] = await readAll(store, 1)
    assert.equal(String(recordCodec.decode(batch!)[0]!.value), 'second')
    assert.deepEqual((await verifyFull(store, 1)).problems, [])
  })

  test('an answer that is lost is no loss, and no other writer', async () => {
    const lost = Object.assign(new MemoryStore(), {
      async create(this: MemoryStore, name: string, body: readonly Uint8Array[]) {
        const answer = await MemoryStore.prototype.create.call(this, name, body)
        if (name.includes('/commits/')) throw new KdrError('store-unreachable', 'no answer')
        return answer
      },
    })
    const store = await madeVault(lost)
    assert.equal(await commitBatches(store, [madeBatch({ from: 0, values: ['a'] })]), 1)
    assert.equal((await readAll(store, 1)).length, 1)
  })

  test('a listing that misses the newest does not hide it', async () => {
    const late = Object.assign(new MemoryStore(), {
      async *list(this: MemoryStore, prefix: string) {
        for await (const each of MemoryStore.prototype.list.call(this, prefix))
          if (!each.name.endsWith('2.json')) yield each
      },
    })
    const store = await madeVault(late)
    for (let i = 0; i < 3; i++) await commitBatches(store, [madeBatch({ from: i, values: ['v'] })])
    assert.equal((await readLatest(store, SET))?.number, 3)
  })

  test('a truncated source takes back what it took back, and earlier commits keep it', async () => {
    const store = await madeVault()
    await commitBatches(
      store,
      [0, 1, 2].map(from => madeBatch({ from, values: ['old'], epoch: 1 })),
    )
    await commitBatches(store, [madeBatch({ from: 1, values: ['new'], epoch: 3 })], { clip: 1 })
    const values = async (number: number) =>
      (await readAll(store, number)).flatMap(batch =>
        recordCodec.decode(batch).map(({ value }) => String(value)),
      )
    assert.deepEqual(await values(1), ['old', 'old', 'old'])
    assert.deepEqual(await values(2), ['old', 'new'])
    const state = await readState(store, SET, 2)
    assert.deepEqual(epochsOf(state.topics.get('t')!.partitions[0]!), [
      [1, 0],
      [3, 1],
    ])
  })

  test('what the source has deleted by then is not part of the log', async () => {
    const store = await madeVault()
    await commitBatches(store, [madeBatch({ from: 0, values: ['a'] })])
    await commitBatches(store, [madeBatch({ from: 1, values: ['b'] })], { start: 1 })
    const state = await readState(store, SET, 2)
    assert.equal(state.topics.get('t')!.partitions[0]!.segments.length, 1)
    assert.equal(state.objects.size, 2)
  })

  test('a topic of the same name with another id has nothing of the old one', async () => {
    const store = await madeVault()
    await commitBatches(store, [madeBatch({ from: 0, values: ['a'] })])
    const writer = await writerOf(store)
    const id = TOPIC_ID.replace(/1$/, '2')
    await writer.commit(madeDraft([madeTopic([{ partition: 0, start: 0, end: 0, segments: [] }], 't', id)]))
    assert.equal((await readState(store, SET, 2)).topics.get('t')!.partitions[0]!.segments.length, 0)
    assert.equal((await readAll(store, 1)).length, 1)
  })
})

describe('a point of a set', () => {
  const at = (seconds: number): string => new Date(seconds * 1_000).toISOString()
  const given = async (): Promise<ObjectStore> => {
    const store = await madeVault()
    for (let i = 1; i <= 4; i++)
      await commitBatches(store, [madeBatch({ from: i, values: ['v'] })], { draft: { endsAt: at(i * 10) } })
    return store
  }

  test('is a commit, the latest one, or the last at or before a time', async () => {
    const store = await given()
    assert.deepEqual(await locate(store, SET, { kind: 'latest' }), { number: 4, next: undefined })
    assert.deepEqual(await locate(store, SET, { kind: 'commit', number: 2 }), { number: 2, next: undefined })
    assert.deepEqual(await locate(store, SET, { kind: 'time', at: 20_000 }), { number: 2, next: 3 })
    assert.deepEqual(await locate(store, SET, { kind: 'time', at: 29_999 }), { number: 2, next: 3 })
    assert.deepEqual(await locate(store, SET, { kind: 'time', at: 99_000 }), { number: 4, next: undefined })
  })

  test('is found where a clock went back: the commit is as of the same time as the one before it, and says so', async () => {
    const store = await given()
    await commitBatches(store, [madeBatch({ from: 5, values: ['v'] })], { draft: { endsAt: at(15) } })
    await commitBatches(store, [madeBatch({ from: 6, values: ['v'] })], { draft: { endsAt: at(50) } })
    const { commit } = await readCommit(store, SET, 5)
    assert.deepEqual([commit.endsAt, commit.notes.map(({ kind }) => kind)], [at(40), ['clock']])
    assert.match(commit.notes[0]!.what, /said 1970-01-01T00:00:15.*earlier than those of commit 4/)
    assert.deepEqual(await locate(store, SET, { kind: 'time', at: 45_000 }), { number: 5, next: 6 })
    assert.deepEqual(await locate(store, SET, { kind: 'time', at: 20_000 }), { number: 2, next: 3 })
  })

  test('that the set does not have is said', async () => {
    const store = await given()
    await assert.rejects(locate(store, SET, { kind: 'commit', number: 9 }), /it has 1 to 4/)
    await assert.rejects(locate(store, SET, { kind: 'time', at: 9_000 }), /begins at 1970-01-01T00:00:10/)
    await assert.rejects(locate(store, 'other', { kind: 'latest' }), isCode('usage'))
  })
})

describe('a full verification', () => {
  test('names the object of any byte that was changed', async () => {
    const store = (await madeVault()) as MemoryStore
    await commitBatches(store, large(0, 20), { compression: 'zstd' })
    await commitBatches(store, [madeBatch({ from: 20, values: ['x', 'y'] })], { compression: 'none' })
    const clean = await verifyFull(store, 2)
    assert.deepEqual(clean.problems, [])
    assert.equal(clean.objects, store.objects.size)
    for (const [name, bytes] of store.objects)
      for (const share of [0, 0.31, 0.77, 1]) {
        const at = Math.min(bytes.length - 1, Math.floor(bytes.length * share))
        bytes[at]! ^= 0x01
        const { problems } = await verifyFull(store, 2)
        assert.ok(
          problems.some(({ object }) => object === name),
          `byte ${at} of ${name}: ${JSON.stringify(problems)}`,
        )
        bytes[at]! ^= 0x01
      }
  })

  test('names what is missing, and what that would cost', async () => {
    const store = (await madeVault()) as MemoryStore
    await commitBatches(store, large(0, 20))
    const name = [...store.objects.keys()].find(each => each.endsWith('.log.zst'))!
    await store.delete(name)
    for (const isFull of [false, true]) {
      const { problems } = await verifyVault({ store, set: SET, number: 1, isFull, isIntact: () => true })
      assert.deepEqual(problems, [
        {
          object: name,
          what: 'it is missing: "t" partition 0 could not be restored at offsets 0 to 19 (20 records)',
          lost: [{ topic: 't', partition: 0, from: 0, to: 20, records: 20 }],
        },
      ])
    }
  })

  test('finds a commit that was replaced by another valid one', async () => {
    const store = (await madeVault()) as MemoryStore
    const other = (await madeVault()) as MemoryStore
    await commitBatches(store, [madeBatch({ from: 0, values: ['a'] })])
    await commitBatches(store, [madeBatch({ from: 1, values: ['b'] })])
    await commitBatches(other, [madeBatch({ from: 0, values: ['c'] })])
    const first = `${SET}/commits/000000000001.json`
    store.objects.set(first, other.objects.get(first)!)
    const { problems } = await verifyFull(store, 2)
    assert.ok(problems.some(({ what }) => /does not follow on commit 1/.test(what)))
  })
})
