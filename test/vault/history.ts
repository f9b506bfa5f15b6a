// A random history of a source and of the set that backs it up: records and transactions, cleaners, retention, unclean elections, topics
// deleted and made again; backups, verifications and prunes, some of them at once, some killed at a call, some over a store that fails.
// After each the keeper judges what stands in the vault.
import assert from 'node:assert/strict'
import { findKdrError } from '../../src/model/errors.ts'
import { DAY_MS } from '../../src/vault/prune.ts'
import { Random } from '../sim/random.ts'
import { FaultyStore, NO_STORE_FAULTS, SOME_STORE_FAULTS } from '../store/faulty.ts'
import { COMPACTED, type Eyes, Keeper } from './keeper.ts'
import { Killed, Life } from './life.ts'
import { SimSource } from './sim-source.ts'

const TOPICS = ['a', 'b', COMPACTED]
const MAX_PARTITIONS = 3
/** A call at which a process may be killed: a backup of this world makes up to about so many. */
const CALLS = 120

export type HistoryOptions = { readonly steps: number }

/** What has happened, by name: a test can see that it was no dull history. */
export type Happened = Map<string, number>

export async function vaultHistory(seed: number, { steps }: HistoryOptions): Promise<Happened> {
  const history = new History(seed)
  await history.play(steps)
  return history.happened
}

class History {
  readonly happened: Happened = new Map()
  readonly #source: SimSource
  readonly #keeper: Keeper
  readonly #faulty: FaultyStore
  readonly #slow: FaultyStore
  readonly #random: Random
  /** Open transactions, by topic id and partition. */
  readonly #open = new Map<string, bigint>()

  constructor(seed: number) {
    this.#random = new Random(seed).stream('vault history')
    this.#source = new SimSource(seed)
    this.#keeper = new Keeper(this.#source)
    const sleep = async (ms: number): Promise<void> => await this.#source.clock.sleep(ms)
    this.#faulty = new FaultyStore(this.#keeper.objects, this.#random.stream('store'), sleep)
    this.#faulty.faults = SOME_STORE_FAULTS
    this.#slow = new FaultyStore(this.#keeper.objects, this.#random.stream('slow store'), sleep)
    this.#slow.faults = { ...NO_STORE_FAULTS, slow: 0.7 }
  }

  async play(steps: number): Promise<void> {
    await this.#source.init()
    if (this.#random.chance(0.3)) await this.#makeMany(this.#random.between(80, 105))
    for (let step = 0; step < steps; step++) {
      if (this.#random.chance(0.7)) this.#applications()
      else await this.#keep()
    }
    await this.#end()
  }

  /** So that there is a checkpoint before long. */
  async #makeMany(commits: number): Promise<void> {
    for (let commit = 0; commit < commits; commit++) {
      if (this.#random.chance(0.2)) this.#source.produce(this.#source.topic('a')[0]!, 2)
      await this.#source.backUp()
      await this.#source.pass(DAY_MS / 24)
    }
    await this.#keeper.judge()
    this.#count('a checkpoint to come')
  }

  #count(what: string): void {
    this.happened.set(what, (this.happened.get(what) ?? 0) + 1)
  }

  #applications(): void {
    const random = this.#random
    const topic = random.pick(TOPICS)
    const partitions = this.#source.topic(topic, random.between(1, MAX_PARTITIONS))
    const partition = random.between(0, partitions.length - 1)
    const at = partitions[partition]!
    const { log } = at
    const key = `${this.#source.cluster.topics.get(topic)!.id}/${partition}`
    const producer = this.#open.get(key)
    const isCompacted = topic === COMPACTED
    const what = random.fraction()
    if (what < 0.4 || (isCompacted && what < 0.7)) this.#source.produce(at, random.between(1, 4))
    else if (what < 0.6) {
      const own = producer ?? this.#source.newProducer()
      this.#open.set(key, own)
      this.#source.produce(at, random.between(1, 3), own)
    } else if (what < 0.75) {
      if (producer !== undefined) this.#source.end(at, producer, random.chance(0.6))
      this.#open.delete(key)
    } else if (what < 0.82) {
      this.#keeper.note()
      log.trim(random.between(log.logStart, log.highWatermark))
    } else if (what < 0.88 && isCompacted) {
      this.#keeper.note()
      this.#source.compact(at)
    } else if (what < 0.88) {
      this.#source.loseEnd(at, random.between(log.logStart, log.end))
      this.#open.delete(key)
    } else if (what < 0.91) this.#source.cluster.deleteTopic(topic)
    else if (what < 0.94)
      this.#source.cluster.addPartitions(
        this.#source.cluster.topics.get(topic)!,
        Math.min(MAX_PARTITIONS, partitions.length + 1),
      )
    else this.#source.cluster.moveLeader(at)
  }

  async #keep(): Promise<void> {
    const random = this.#random
    const what = random.fraction()
    const days = random.between(1, 6)
    if (what < 0.2) await this.#source.pass(random.between(1, 36) * (DAY_MS / 24))
    else if (what < 0.55) await this.#try('backup', async eyes => await this.#source.backUp(this.#busy(eyes)))
    else if (what < 0.63) await this.#twoAtOnce(days)
    else if (what < 0.75) await this.#try('verification', async eyes => await this.#keeper.verify(eyes))
    else if (what < 0.85) await this.#try('upkeep', async eyes => await this.#upkeep(days, eyes))
    else if (what < 0.95) await this.#try('prune', async eyes => await this.#keeper.prune(days, eyes))
    else if (this.#keeper.range !== undefined) {
      const { first, last } = this.#keeper.range
      await this.#keeper.beginToRead(random.between(first, last))
    }
    await this.#keeper.judge(days)
  }

  async #upkeep(days: number, eyes: Eyes): Promise<void> {
    const { verifications, prunes } = await this.#keeper.upkeep(days, eyes)
    if (verifications > 0) this.#count('a verification that was due')
    if (prunes > 0) this.#count('a prune by itself')
  }

  /** Applications go on while a backup reads. */
  #busy(eyes: Eyes): Eyes & { readonly meanwhile: () => void } {
    let left = this.#random.between(0, 3)
    const meanwhile = (): void => {
      if (left-- > 0) for (const at of this.#source.topic('a')) this.#source.produce(at, 1)
    }
    return { ...eyes, meanwhile }
  }

  /** As a process in good health, as one that is killed, or over a store that fails. */
  async #try(name: string, act: (eyes: Eyes) => Promise<unknown>): Promise<void> {
    const random = this.#random
    const [isKilled, isFaulty] = [random.chance(0.3), random.chance(0.3)]
    const life = new Life()
    if (isKilled) life.endAt(random.between(1, CALLS), random.chance(0.5))
    const eyes = this.#keeper.eyes(life, isFaulty ? this.#faulty : undefined)
    const error = await failureOf(act(eyes))
    const code = findKdrError(error)?.code
    if (error === undefined) this.#count(name)
    else if (error instanceof Killed && isKilled) this.#count(`${name} killed`)
    else if (code === 'store-unreachable' && isFaulty) this.#count(`${name} without its store`)
    // A commit that is missing in a listing and in the answer to a look is one that another writer has made.
    else if (code === 'other-writer' && isFaulty) this.#count(`${name} gave way`)
    else if (name === 'prune' && (code === 'not-ready' || code === 'usage')) this.#count('prune refused')
    else if (name === 'verification' && this.#keeper.range === undefined) this.#count('nothing to verify')
    else throw error
  }

  /** Two backups, or a backup and a prune. */
  async #twoAtOnce(days: number): Promise<void> {
    const random = this.#random
    const before = this.#keeper.range?.last ?? 0
    const isPrune = random.chance(0.5)
    const isFaulty = random.chance(0.3)
    const eyes = this.#keeper.eyes(new Life(), isFaulty ? this.#faulty : undefined)
    // One writes for seconds, the other comes in between.
    const slow = { ...this.#busy(this.#keeper.whole), store: this.#slow }
    const results = await this.#source.run(async () => {
      const first = resultOf<Made>(this.#source.startBackUp(slow))
      await this.#source.clock.sleep(random.between(0, 10_000))
      const second = resultOf<Made>(
        isPrune ? this.#keeper.startPrune(days, eyes) : this.#source.startBackUp(eyes),
      )
      return await Promise.all([first, second])
    })
    const codes = results.map(result => {
      if (!('error' in result)) return undefined
      const code = findKdrError(result.error)?.code
      if (code === undefined) throw result.error
      return code
    })
    const made = results.flatMap(result => ('found' in result ? [result.found.commit ?? -1] : []))
    assert.equal(new Set(made).size, made.length, `each has made a commit of its own: ${made.join(', ')}`)
    const [mine, others] = codes
    assert.ok(mine === undefined || mine === 'other-writer', `a backup in good health: ${String(mine)}`)
    if (!isFaulty && !isPrune)
      assert.ok(
        codes.includes(undefined) && codes.every(code => code === undefined || code === 'other-writer'),
        `of two writers: ${codes.join(', ')}`,
      )
    if (mine === undefined && others === undefined)
      this.#count(isPrune ? 'a backup and a prune at once' : 'two backups, one behind the other')
    else this.#count(isPrune ? 'a backup or a prune' : 'one of two writers went on')
    await this.#keeper.judge(days)
    assert.ok((this.#keeper.range?.last ?? 0) > before, 'one of them goes on')
  }

  /** All is well again: whatever has happened, the set goes on, and everything that counts is there. */
  async #end(): Promise<void> {
    const keeper = this.#keeper
    for (let round = 0; round < 3; round++) {
      this.#source.produce(this.#source.topic('a')[0]!, 2)
      await this.#source.backUp()
      await keeper.judge()
      await keeper.verify()
      await keeper.prune(1)
      await keeper.judge(1)
      // What somebody who died has announced is taken away when it is a day old.
      await keeper.upkeep(1, keeper.whole, 0)
      await this.#source.pass(1.2 * DAY_MS)
    }
    await keeper.readAll()
    await keeper.assertNoGarbage()
  }
}

type Made = { readonly commit: number | undefined }
type Result<T> = { readonly found: T } | { readonly error: Error }

async function resultOf<T>(act: Promise<T>): Promise<Result<T>> {
  return await act.then(
    found => ({ found }),
    (error: unknown) => ({ error: asError(error) }),
  )
}

export async function failureOf(act: Promise<unknown>): Promise<Error | undefined> {
  return await act.then(
    () => undefined,
    (error: unknown) => asError(error),
  )
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))
