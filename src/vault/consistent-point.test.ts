// --consistent on real commits: a simulated source whose transactions go on over several partitions while it is backed up.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SET, unique } from '../../test/vault/made.ts'
import { SimSource } from '../../test/vault/sim-source.ts'
import type { SimPartition } from '../../test/sim/cluster.ts'
import { findKdrError } from '../model/errors.ts'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { LogPoint, SeenTransactions, TopicPartition } from '../ports/cluster.ts'
import { commitNumbers } from './chain.ts'
import { type ConsistentPoint, readConsistent } from './consistent-point.ts'
import { writerId } from './names.ts'
import { executePrune, preparePrune } from './prune.ts'
import { recordVerified } from './verified.ts'

const PARTITIONS = 3

type Transaction = {
  readonly producer: bigint
  readonly startedAt: number
  /** First and last offset by partition: the last one is its marker, once it has one. */
  readonly places: Map<number, number[]>
  isEnding: boolean
}

class Writers {
  readonly source: SimSource
  readonly all: Transaction[] = []
  readonly open = new Set<Transaction>()
  isOver = false

  constructor(source: SimSource) {
    this.source = source
    const { port } = source
    Object.assign(port, { transactionsOf: () => Promise.resolve(this.#seen()) })
  }

  #seen(): SeenTransactions {
    return {
      isComplete: true,
      transactions: [...this.open].map(({ producer, startedAt, places, isEnding }) => ({
        transactionalId: `id-${producer}`,
        producerId: producer,
        producerEpoch: 0,
        state: isEnding ? 'PrepareCommit' : 'Ongoing',
        startedAt,
        timeoutMs: 60_000,
        partitions: [...places.keys()].map(partition => ({ topic: 't', partition })),
      })),
    }
  }

  /** Every transaction is whole in it, or not there. How many are not. */
  assertWhole({ state }: ConsistentPoint, where: string): number {
    const ends = state.topics.get('t')!.partitions.map(({ end }) => end)
    let left = 0
    for (const { places, producer } of this.all) {
      const isWhole = [...places].every(([at, offsets]) => offsets.at(-1)! < ends[at]!)
      const isAbsent = [...places].every(([at, offsets]) => offsets[0]! >= ends[at]!)
      assert.ok(isWhole || isAbsent, `${where}: ${producer} is there in part`)
      if (isAbsent) left++
    }
    return left
  }

  /** One producer's life: transaction after transaction. */
  async write(longest: number): Promise<void> {
    const { source } = this
    const { random, clock } = source
    const partitions = source.topic('t', PARTITIONS)
    while (!this.isOver) {
      const transaction: Transaction = {
        producer: source.newProducer(),
        startedAt: clock.now(),
        places: new Map(),
        isEnding: false,
      }
      this.all.push(transaction)
      this.open.add(transaction)
      for (let left = random.between(1, 5); left > 0; left--) {
        const at = random.between(0, PARTITIONS - 1)
        const { log } = partitions[at]!
        transaction.places.set(at, [...(transaction.places.get(at) ?? []), log.end])
        source.produce(partitions[at]!, 1, transaction.producer)
        await clock.sleep(random.between(1, longest))
      }
      transaction.isEnding = true
      for (const [at, offsets] of transaction.places) {
        await clock.sleep(random.between(1, 8))
        offsets.push(partitions[at]!.log.end)
        source.end(partitions[at]!, transaction.producer, true)
      }
      this.open.delete(transaction)
      await clock.sleep(random.between(5, 60))
    }
  }
}

/** Drops what a stopped backup has left, and no commit. */
async function prune({ store, clock }: SimSource): Promise<number> {
  await store.put(`${SET}/packs/${writerId(1, unique())}.pack`, [])
  const number = (await commitNumbers(store, SET)).at(-1)!
  const verified = { set: SET, by: 'test', objects: 0, bytes: 0, number }
  await recordVerified(store, { ...verified, at: new Date(clock.now()).toISOString() }, unique)
  const options = { store, set: SET, by: 'test', unique, now: () => clock.now(), days: 1 }
  return (await executePrune(options, await preparePrune(options))).commit!
}

describe('a consistent cut of a commit', () => {
  test('is the same when the set is pruned behind it', async () => {
    let farBack = 0
    for (let seed = 1; seed <= 40 && farBack < 6; seed++) {
      const source = new SimSource(seed)
      await source.init()
      const writers = new Writers(source)
      for (const longest of [10, 20, 1_500]) void writers.write(longest)
      const cutOf = async (number: number) =>
        await readConsistent(source.store, SET, { kind: 'commit', number }).catch(() => undefined)
      for (let commit = 1; commit <= 4; commit++) {
        await source.run(async () => await source.clock.sleep(source.random.between(50, 400)))
        await source.backUp()
      }
      writers.isOver = true
      const before = await cutOf(4)
      const after = await cutOf(await prune(source))
      if (before?.remarks.some(each => each.includes('they are those of commit'))) farBack++
      if (after !== undefined) writers.assertWhole(after, `seed ${seed}, pruned`)
      const held = (cut: ConsistentPoint | undefined) =>
        cut && [cut.state.topics.get('t')!.partitions.map(({ end }) => end), cut.state.groups]
      assert.deepEqual(held(after), held(before), `seed ${seed}`)
    }
    assert.ok(farBack >= 3, `${farBack} of them far back`)
  })

  test('holds every transaction whole or not at all', async () => {
    const counts = { cut: 0, lowered: 0, earlier: 0, none: 0, left: 0, farBack: 0 }
    for (let seed = 1; seed <= 18; seed++) {
      const source = new SimSource(seed)
      await source.init()
      const writers = new Writers(source)
      for (const longest of [10, 20, seed % 3 === 0 ? 1_500 : 30]) void writers.write(longest)
      for (let commits = 1; commits <= 4; commits++) {
        await source.run(async () => await source.clock.sleep(source.random.between(50, 400)))
        await source.backUp()
        const point = { kind: 'commit', number: commits } as const
        const cut = await readConsistent(source.store, SET, point).catch((error: unknown) => {
          assert.equal(findKdrError(error)?.code, 'not-ready')
          return undefined
        })
        if (cut === undefined) {
          counts.none++
          continue
        }
        counts.cut++
        if (cut.wentBack.length > 0) counts.lowered++
        if (cut.state.number < commits) counts.earlier++
        if (cut.remarks.some(each => each.includes('they are those of commit'))) counts.farBack++
        counts.left += writers.assertWhole(cut, `seed ${seed}, commit ${commits}`)
      }
      writers.isOver = true
    }
    const { none, ...others } = counts
    assert.ok(
      Object.values(others).every(count => count >= 5),
      JSON.stringify(counts),
    )
    assert.ok(none < counts.cut, JSON.stringify(counts))
  })

  /** A first commit without, then a transaction over both partitions, of which the second commit can have only one. */
  async function half(spoil: (source: SimSource, second: SimPartition) => void): Promise<SimSource> {
    const source = new SimSource(1)
    await source.init()
    Object.assign(source.port, {
      transactionsOf: () => Promise.resolve({ isComplete: true, transactions: [] }),
    })
    const [first, second] = source.topic('t', 2)
    for (const at of [first!, second!]) source.produce(at, 2)
    await source.backUp()
    const producer = source.newProducer()
    for (const at of [first!, second!]) source.produce(at, 1, producer)
    for (const at of [first!, second!]) source.end(at, producer, true)
    spoil(source, second!)
    const { notes } = await source.backUp()
    assert.deepEqual(
      notes.map(({ kind, partition }) => [kind, partition]),
      [['unread', 1]],
    )
    return source
  }

  const endsAt = async (source: SimSource, number: number): Promise<readonly number[]> => {
    const { state } = await readConsistent(source.store, SET, { kind: 'commit', number })
    return state.topics.get('t')!.partitions.map(({ end }) => end)
  }

  test('leaves out a transaction of which a partition was not read to its end', async () => {
    const source = await half((_source, { log }) => {
      const { bytes } = log.entries.at(-2)!
      bytes[bytes.length - 1]! ^= 1
    })
    assert.deepEqual(await endsAt(source, 2), [2, 2])
  })

  test('leaves out a transaction of which a partition did not answer', async () => {
    const source = await half(({ port }) => {
      const ask = port.offsets.bind(port)
      Object.assign(port, {
        offsets: async (partitions: readonly TopicPartition[], point: LogPoint) => {
          const answers = await ask(partitions, point)
          return answers.map((answer, at) =>
            partitions[at]!.partition === 1 ? { ...answer, code: KafkaCode.NOT_LEADER_OR_FOLLOWER } : answer,
          )
        },
      })
    })
    assert.deepEqual(await endsAt(source, 2), [2, 2])
  })

  test('is refused where a commit says nothing of transactions, or not of all', async () => {
    const source = new SimSource(1)
    await source.init()
    source.produce(source.topic('t')[0]!)
    // The simulated cluster does not show its transactions.
    await source.backUp()
    await assert.rejects(
      readConsistent(source.store, SET, { kind: 'latest' }),
      /without the right to see all/,
    )
    Object.assign(source.port, { transactionsOf: () => Promise.reject(new Error('unexpected')) })
    await assert.rejects(source.backUp(), /unexpected/)
  })
})
