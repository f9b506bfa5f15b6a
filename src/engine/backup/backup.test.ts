import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { seenAtSource, seenInVault, SimSource } from '../../../test/vault/sim-source.ts'
import { recordCodec } from '../../kafka/records.ts'
import type { RawBatch } from '../../model/batch.ts'
import { findKdrError, KdrError } from '../../model/errors.ts'
import { MemoryStore } from '../../store/memory.ts'
import { verifyVault } from '../../vault/verify.ts'

async function given(seed = 1): Promise<SimSource> {
  const source = new SimSource(seed)
  await source.init()
  return source
}

const VERIFY = {
  set: 'all',
  isFull: true,
  isIntact: (batch: RawBatch) => recordCodec.isIntact(batch),
} as const

/** Every partition of the topic is in the commit as it is at the source now. */
async function assertHolds(source: SimSource, number: number, topic: string): Promise<void> {
  const state = await source.state(number)
  const partitions = state.topics.get(topic)?.partitions ?? []
  for (const [partition, at] of source.topic(topic).entries())
    assert.deepEqual(await seenInVault(source.store, partitions[partition]!), seenAtSource(at))
}

const kinds = (notes: readonly { readonly kind: string }[]): string[] => notes.map(({ kind }) => kind)

describe('a backup', () => {
  test('takes what is stable, and the next one only what is new', async () => {
    const source = await given()
    const [first, second] = source.topic('t', 2)
    for (let i = 0; i < 50; i++) source.produce(first!, 3)
    source.produce(second!)
    const one = await source.backUp()
    assert.deepEqual([one.commit, one.partitions, one.records, one.notes.length], [1, 2, 151, 0])
    assert.ok(one.segments > 2, 'more than one segment of the first partition')
    await assertHolds(source, 1, 't')
    source.produce(second!, 5)
    const two = await source.backUp()
    assert.deepEqual([two.commit, two.records, two.segments], [2, 5, 1])
    await assertHolds(source, 2, 't')
    const three = await source.backUp()
    assert.deepEqual([three.commit, three.records, three.objects], [3, 0, 1])
    await assertHolds(source, 3, 't')
  })

  test('leaves open transactions to a later commit, and knows what was aborted', async () => {
    const source = await given()
    const [at] = source.topic('t')
    const [a, b] = [source.newProducer(), source.newProducer()]
    source.produce(at!, 2, a)
    source.produce(at!, 2, b)
    source.produce(at!, 1)
    source.end(at!, a, false)
    // The end is between the records of an aborted transaction and its marker.
    const one = await source.backUp()
    assert.equal((await source.state(1)).topics.get('t')!.partitions[0]!.end, 2)
    assert.equal(one.records, 2)
    await assertHolds(source, 1, 't')
    source.end(at!, b, true)
    await source.backUp()
    await assertHolds(source, 2, 't')
  })

  test('says what retention took before it came', async () => {
    const source = await given()
    const [at] = source.topic('t')
    source.produce(at!, 5)
    await source.backUp()
    for (let i = 0; i < 5; i++) source.produce(at!, 2)
    at!.log.trim(11)
    const { notes } = await source.backUp()
    assert.deepEqual(
      notes.map(({ kind, from, to }) => [kind, from, to]),
      [['lost', 5, 11]],
    )
    await assertHolds(source, 2, 't')
  })

  test('says what the source took back, and takes what stands there now', async () => {
    const source = await given()
    const [at] = source.topic('t')
    for (let i = 0; i < 6; i++) source.produce(at!, 2)
    await source.backUp()
    source.loseEnd(at!, 8)
    for (let i = 0; i < 6; i++) source.produce(at!, 2)
    const { notes } = await source.backUp()
    assert.deepEqual(
      notes.map(({ kind, from, to }) => [kind, from, to]),
      [['truncated', 8, 12]],
    )
    await assertHolds(source, 2, 't')
  })

  test('takes a topic that was created again for another one', async () => {
    const source = await given()
    source.produce(source.topic('t')[0]!, 5)
    await source.backUp()
    source.cluster.deleteTopic('t')
    source.produce(source.topic('t', 2)[1]!, 3)
    const { notes } = await source.backUp()
    assert.deepEqual(kinds(notes), ['recreated'])
    await assertHolds(source, 2, 't')
  })

  test('says which topics are gone, and keeps those that it may not see any more', async () => {
    const source = await given()
    for (const name of ['a', 'b']) source.produce(source.topic(name)[0]!, 5)
    await source.backUp()
    source.cluster.deleteTopic('a')
    const two = await source.backUp()
    assert.deepEqual(kinds(two.notes), ['deleted'])
    assert.deepEqual([...(await source.state(2)).topics.keys()], ['b'])
    source.cluster.denied.add('describe')
    const three = await source.backUp()
    assert.deepEqual(kinds(three.notes), ['unread'])
    assert.deepEqual([...(await source.state(3)).topics.keys()], ['b'])
  })

  test('of a partition that it may not read is not held up: the next one goes on there', async () => {
    const source = await given()
    const [at] = source.topic('t')
    source.produce(at!, 5)
    source.cluster.denied.add('read')
    const { notes } = await source.backUp()
    assert.deepEqual(kinds(notes), ['unread'])
    assert.equal((await source.state(1)).topics.get('t')!.partitions[0]!.end, 0)
    source.cluster.denied.delete('read')
    assert.deepEqual((await source.backUp()).notes, [])
    await assertHolds(source, 2, 't')
  })

  test('stores no batch that is corrupt at the source, and says where it stands', async () => {
    const source = await given()
    const [at, other] = source.topic('t', 2)
    for (let i = 0; i < 6; i++) source.produce(at!, 2)
    source.produce(other!, 3)
    const { bytes } = at!.log.entries[3]!
    bytes[bytes.length - 1]! ^= 1
    const { notes } = await source.backUp()
    assert.deepEqual(
      notes.map(({ kind, from, to, partition }) => [kind, from, to, partition]),
      [['unread', 6, 12, 0]],
    )
    assert.match(notes[0]!.what, /batch at offset 6 does not match its checksum/)
    const { partitions } = (await source.state(1)).topics.get('t')!
    assert.deepEqual([partitions[0]!.end, partitions[1]!.end], [6, 3])
    // It goes on when the broker has a good copy again.
    bytes[bytes.length - 1]! ^= 1
    assert.deepEqual((await source.backUp()).notes, [])
    await assertHolds(source, 2, 't')
  })

  test('reads a compacted log anew when it has grown to three times what it was, and only then', async () => {
    const source = await given()
    source.cluster.createTopic('t', 1, { 'cleanup.policy': 'compact' })
    const [at] = source.topic('t')
    const renewed: number[] = []
    for (let commit = 1; commit <= 12; commit++) {
      source.produce(at!, 1)
      for (let i = 0; i < 9; i++) source.produce(at!, 1)
      // All but the newest few are superseded.
      at!.log.entries = at!.log.entries.slice(-10)
      const { notes } = await source.backUp({ renewsBeyondBytes: 1_000 })
      if (kinds(notes).includes('renewed')) {
        renewed.push(commit)
        await assertHolds(source, commit, 't')
      }
      const [log] = (await source.state(commit)).topics.get('t')!.partitions
      const held = log!.segments.reduce((sum, { rawBytes }) => sum + rawBytes, 0)
      assert.ok(held <= 4 * (log!.wholeBytes ?? 0), `commit ${commit}: ${held} bytes`)
    }
    assert.deepEqual(renewed, [4, 7, 10])
    const [third] = (await source.state(3)).topics.get('t')!.partitions
    assert.equal((await seenInVault(source.store, third!)).length, 30)
  })

  test('that cannot read a log anew to its end leaves it as it was', async () => {
    const source = await given()
    source.cluster.createTopic('t', 1, { 'cleanup.policy': 'compact' })
    const [at] = source.topic('t')
    for (let commit = 1; commit <= 4; commit++) {
      source.produce(at!, 10)
      if (commit === 4) source.cluster.denied.add('read')
      await source.backUp({ renewsBeyondBytes: 100 })
    }
    assert.equal((await source.state(4)).topics.get('t')!.partitions[0]!.end, 30)
    source.cluster.denied.delete('read')
    assert.deepEqual(kinds((await source.backUp({ renewsBeyondBytes: 100 })).notes), ['renewed'])
    await assertHolds(source, 5, 't')
  })

  test('that cannot read a log anew goes on with it as it was, and does not try that each time', async () => {
    const source = await given()
    source.cluster.createTopic('t', 1, { 'cleanup.policy': 'compact' })
    const [at] = source.topic('t')
    const limits = { renewsBeyondBytes: 1_000 }
    const backUp = async () => {
      for (let i = 0; i < 10; i++) source.produce(at!, 1)
      return await source.backUp(limits)
    }
    for (let commit = 1; commit <= 3; commit++) await backUp()
    // The vault has it; the source's only copy of it is damaged by now.
    const { bytes } = at!.log.entries[5]!
    bytes[bytes.length - 1]! ^= 1
    const failed = await backUp()
    assert.deepEqual(kinds(failed.notes), ['unread'])
    assert.match(failed.notes[0]!.what, /could not be read anew, and goes on as it was: .* 5 does not match/)
    const logAt = async (commit: number) => (await source.state(commit)).topics.get('t')!.partitions[0]!
    assert.deepEqual([(await logAt(4)).end, (await logAt(4)).segments.at(-1)!.to], [40, 40])
    assert.deepEqual((await backUp()).notes, [])
    assert.equal((await logAt(5)).end, 50)
    // It is tried again when it has grown, and done when it can be.
    bytes[bytes.length - 1]! ^= 1
    let commits = 5
    while (!kinds((await backUp()).notes).includes('renewed')) assert.ok(++commits < 12, 'never again')
    await assertHolds(source, commits + 1, 't')
  })

  test('goes on through lost answers and leaders that move', async () => {
    const source = await given()
    const partitions = source.topic('t', 4)
    for (const at of partitions) for (let i = 0; i < 100; i++) source.produce(at, 2)
    Object.assign(source.network.faults, { lost: 0.02, slow: 0.1 })
    let moved = 0
    const meanwhile = (): void => {
      if (++moved % 7 === 0) source.cluster.moveLeader(partitions[moved % 4]!)
    }
    let commit = 0
    for (let attempt = 0; commit === 0 && attempt < 20; attempt++)
      await source
        .backUp({ meanwhile })
        .then(result => (commit = result.commit))
        // Of what is asked once, before anything is read.
        .catch((error: unknown) => assert.equal(findKdrError(error)?.code, 'unreachable'))
    Object.assign(source.network.faults, { lost: 0, slow: 0 })
    await source.backUp()
    await assertHolds(source, commit + 1, 't')
  })

  test('is refused by another cluster', async () => {
    const source = await given()
    source.produce(source.topic('t')[0]!)
    await source.backUp()
    Object.assign(source.cluster.options, { clusterId: 'other-id' })
    await assert.rejects(source.backUp(), error => findKdrError(error)?.code === 'wrong-cluster')
  })

  test('holds groups as they were before the ends', async () => {
    const source = await given()
    const [at] = source.topic('t')
    source.produce(at!, 5)
    source.cluster.groups.set(
      'g',
      new Map([
        ['t/0', 3],
        ['other/0', 9],
      ]),
    )
    await source.backUp({ topics: 't' })
    assert.deepEqual(
      [...(await source.state(1)).groups.values()],
      [{ group: 'g', type: 'classic', offsets: [['t', 0, 3, '']] }],
    )
    source.cluster.groups.get('g')!.set('t/0', 4)
    await source.backUp({ topics: 't' })
    assert.equal((await source.state(2)).groups.get('g')?.offsets[0]?.[2], 4)
    source.cluster.groups.delete('g')
    await source.backUp({ topics: 't' })
    assert.equal((await source.state(3)).groups.size, 0)
    assert.equal((await source.state(2)).groups.size, 1)
  })
})

/** Ends like a process at its nth write, before or after it. */
class DyingStore extends MemoryStore {
  left = Number.POSITIVE_INFINITY
  isBefore = true

  override async create(name: string, body: readonly Uint8Array[]): Promise<'created' | 'exists'> {
    // Others may be under way meanwhile.
    const dies = --this.left === 0
    if (dies && this.isBefore) throw new KdrError('not-allowed', 'died')
    const answer = await super.create(name, body)
    if (dies) throw new KdrError('not-allowed', 'died')
    return answer
  }
}

describe('a backup that dies at any write', () => {
  for (const isBefore of [true, false])
    test(`leaves the vault as it was, and the next one goes on (${isBefore ? 'before' : 'after'} its effect)`, async () => {
      for (let death = 1; ; death++) {
        const store = new DyingStore()
        const source = new SimSource(1, store)
        await source.init()
        const [at] = source.topic('t')
        source.produce(at!, 3)
        await source.backUp()
        source.produce(at!, 3)
        Object.assign(store, { left: death, isBefore })
        const died = await source.backUp().then(
          () => false,
          () => true,
        )
        store.left = Number.POSITIVE_INFINITY
        if (!died) return assert.ok(death > 3, 'a pack, its index and the commit are written')
        const { commit } = await source.backUp()
        await assertHolds(source, commit, 't')
        const { problems } = await verifyVault({ ...VERIFY, store, number: commit })
        assert.deepEqual(problems, [])
      }
    })
})

describe('in random histories', () => {
  test('every commit holds what the source held', { timeout: 120_000 }, async () => {
    for (let seed = 1; seed <= 60; seed++) await history(seed)
  })
})

/** Produces, transactions, truncations, deletions, new topics, and commits in between. */
async function history(seed: number): Promise<void> {
  const source = await given(seed)
  const { random, cluster } = source
  const open = new Map<string, bigint>()
  const held: {
    readonly number: number
    readonly topic: string
    readonly partition: number
    readonly seen: readonly string[]
  }[] = []
  const names = ['a', 'b']
  for (let step = 0; step < 120; step++) {
    const topic = random.pick(names)
    const partitions = source.topic(topic, random.between(1, 3))
    const partition = random.between(0, partitions.length - 1)
    const at = partitions[partition]!
    const key = `${cluster.topics.get(topic)!.id}/${partition}`
    const producer = open.get(key)
    const what = random.fraction()
    if (what < 0.35) source.produce(at, random.between(1, 4))
    else if (what < 0.6) {
      const own = producer ?? source.newProducer()
      open.set(key, own)
      source.produce(at, random.between(1, 3), own)
    } else if (what < 0.72 && producer !== undefined) {
      source.end(at, producer, random.chance(0.5))
      open.delete(key)
    } else if (what < 0.77) at.log.trim(random.between(at.log.logStart, at.log.highWatermark))
    else if (what < 0.82) {
      source.loseEnd(at, random.between(at.log.logStart, at.log.end))
      // A producer of a transaction that is gone begins another.
      open.delete(key)
    } else if (what < 0.84) {
      cluster.deleteTopic(topic)
    } else if (what < 0.86) cluster.addPartitions(cluster.topics.get(topic)!, partitions.length + 1)
    else if (what > 0.93) {
      let appended = 0
      const meanwhile = (): void => {
        if (appended++ < 3) source.produce(at, 2)
      }
      const { commit: number } = await source.backUp({ meanwhile })
      const state = await source.state(number)
      for (const [name, { partitions: all }] of cluster.topics)
        for (const [index, each] of all.entries()) {
          const end = state.topics.get(name)?.partitions[index]?.end ?? 0
          held.push({ number, topic: name, partition: index, seen: seenAtSource(each, end) })
        }
    }
  }
  const last = held.at(-1)?.number
  if (last === undefined) return
  for (const { number, topic, partition, seen } of held) {
    const state = (await source.state(number)).topics.get(topic)!.partitions[partition]!
    assert.deepEqual(
      await seenInVault(source.store, state),
      seen,
      `seed ${seed}: commit ${number}, "${topic}" partition ${partition}`,
    )
  }
  const { problems } = await verifyVault({ ...VERIFY, store: source.store, number: last })
  assert.deepEqual(problems, [], `seed ${seed}`)
}
