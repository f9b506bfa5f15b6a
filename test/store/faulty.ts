// A store around another one that fails as stores do, by chance from a seed: it refuses (503, in storms), is slow, is cut in the middle, does
// what it was asked and loses the answer, lists without the newest, says "exists" of what the same writer's own earlier attempt made.
import { KdrError } from '../../src/model/errors.ts'
import type { Body, ByteRange, ObjectStore, StoredObject } from '../../src/ports/store.ts'
import type { Random } from '../sim/random.ts'

export type StoreFaults = {
  /** Chances of one call. */
  refused: number
  /** That a storm begins: then half of all calls are refused, until as many calls have passed. */
  storm: number
  slow: number
  cut: number
  lost: number
  /** A creation that has landed answers "exists". */
  landed: number
  /** A listing misses up to so many of the newest objects. */
  late: number
}

export const NO_STORE_FAULTS: StoreFaults = {
  refused: 0,
  storm: 0,
  slow: 0,
  cut: 0,
  lost: 0,
  landed: 0,
  late: 0,
}
export const SOME_STORE_FAULTS: StoreFaults = {
  refused: 0.004,
  storm: 0.001,
  slow: 0.1,
  cut: 0.003,
  lost: 0.006,
  landed: 0.02,
  late: 0.3,
}

const STORM_CALLS = 20
const SLOW_MS = 2_000
const NEWEST = 3

export class FaultyStore implements ObjectStore {
  readonly name = 'faulty:'
  faults: StoreFaults = NO_STORE_FAULTS
  /** How often each fault has come. */
  readonly came = new Map<string, number>()
  readonly #inner: ObjectStore
  readonly #random: Random
  readonly #sleep: (ms: number) => Promise<void>
  readonly #newest: string[] = []
  #stormy = 0

  constructor(inner: ObjectStore, random: Random, sleep: (ms: number) => Promise<void>) {
    this.#inner = inner
    this.#random = random
    this.#sleep = sleep
  }

  async create(name: string, body: Body): Promise<'created' | 'exists'> {
    await this.#before(`create "${name}"`)
    const answer = await this.#inner.create(name, body)
    if (answer === 'created') this.#remember(name)
    if (answer === 'created' && this.#comes('landed', this.faults.landed)) return 'exists'
    this.#after(`create "${name}"`)
    return answer
  }

  async put(name: string, body: Body): Promise<void> {
    await this.#before(`write "${name}"`)
    await this.#inner.put(name, body)
    this.#remember(name)
    this.#after(`write "${name}"`)
  }

  async get(name: string, range?: ByteRange): Promise<Buffer | undefined> {
    await this.#before(`read "${name}"`)
    return await this.#inner.get(name, range)
  }

  async head(name: string): Promise<StoredObject | undefined> {
    await this.#before(`look at "${name}"`)
    return await this.#inner.head(name)
  }

  async *list(prefix: string, after?: string): AsyncIterable<StoredObject> {
    await this.#before(`list "${prefix}"`)
    const isLate = this.#comes('late', this.faults.late)
    const hidden = new Set(isLate ? this.#newest.slice(-this.#random.between(1, NEWEST)) : [])
    for await (const each of this.#inner.list(prefix, after)) {
      if (this.#comes('cut', this.faults.cut)) throw unreachable(`list "${prefix}"`, 'cut')
      if (!hidden.has(each.name)) yield each
    }
  }

  async delete(name: string): Promise<void> {
    await this.#before(`delete "${name}"`)
    await this.#inner.delete(name)
    this.#after(`delete "${name}"`)
  }

  #remember(name: string): void {
    this.#newest.push(name)
    if (this.#newest.length > NEWEST) this.#newest.shift()
  }

  async #before(what: string): Promise<void> {
    const { slow, refused, storm, cut } = this.faults
    if (this.#comes('slow', slow)) await this.#sleep(this.#random.between(1, SLOW_MS))
    if (this.#comes('storm', storm)) this.#stormy = STORM_CALLS
    const chance = this.#stormy > 0 ? 0.5 : refused
    if (this.#stormy > 0) this.#stormy--
    if (this.#comes('refused', chance)) throw unreachable(what, '503 SlowDown')
    if (this.#comes('cut', cut)) throw unreachable(what, 'cut in the middle')
  }

  #after(what: string): void {
    if (this.#comes('lost', this.faults.lost)) throw unreachable(what, 'no answer')
  }

  #comes(kind: string, chance: number): boolean {
    if (!this.#random.chance(chance)) return false
    this.came.set(kind, (this.came.get(kind) ?? 0) + 1)
    return true
  }
}

function unreachable(what: string, why: string): KdrError {
  return new KdrError('store-unreachable', `cannot ${what}: ${why}`)
}
