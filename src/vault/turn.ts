// Whose turn it is to back up a set, or to verify it, among daemons that share it. Only a courtesy that saves work: of two that overlook each other one
// loses its commit, and nothing else. So it costs next to nothing: a look before a backup, and an announcement once it takes longer.
import { unseal, seal } from './sealed.ts'
import { turnName, turnPrefix, type TurnOf } from './names.ts'
import { findKdrError } from '../model/errors.ts'
import type { ObjectStore } from '../ports/store.ts'

/** Announced again after so long; one that is three times as old belongs to nobody any more. */
export const ANNOUNCE_EVERY_MS = 20_000
const FORGOTTEN_MS = 3 * ANNOUNCE_EVERY_MS
/** One that is as old was left by somebody who died: whoever comes by takes it away. A daemon that slept so long announces itself anew. */
const LEFT_MS = 86_400_000
/** Between machines. What was announced later than that belongs to a clock that is wrong, and says nothing of who is at it now. */
const CLOCKS_DIFFER_MS = 60_000

type Announced = { readonly id: string; readonly since: number; readonly at: number }

export type TurnOptions = {
  readonly store: ObjectStore
  readonly set: string
  readonly of: TurnOf
  /** Of this run: letters and digits. */
  readonly id: string
  /** Wall clock, ms. */
  readonly now: () => number
}

function isRecent({ at }: Announced, now: number): boolean {
  return at + FORGOTTEN_MS >= now && at <= now + CLOCKS_DIFFER_MS
}

export class Turn {
  readonly #options: TurnOptions
  readonly #since: number
  #isAnnounced = false

  constructor(options: TurnOptions) {
    this.#options = options
    this.#since = options.now()
  }

  /** Somebody else has announced a backup, before this one did. */
  async isTaken(): Promise<boolean> {
    const { store, set, of, id, now } = this.#options
    for await (const { name } of store.list(turnPrefix(set, of))) {
      const other = await this.#read(name)
      if (other !== undefined && other.at + LEFT_MS < now()) await this.#takeAway(name)
      if (other === undefined || other.id === id || !isRecent(other, now())) continue
      const isFirst = other.since < this.#since || (other.since === this.#since && other.id < id)
      if (!this.#isAnnounced || isFirst) return true
    }
    return false
  }

  /** Says that this one is at work. True: it is its turn still. */
  async announce(): Promise<boolean> {
    const { store, set, of, id, now } = this.#options
    const record = { v: 1, id, since: this.#since, at: now() }
    await store.put(turnName(set, of, id), [seal(record)])
    this.#isAnnounced = true
    return !(await this.isTaken())
  }

  async end(): Promise<void> {
    const { store, set, of, id } = this.#options
    if (this.#isAnnounced) await store.delete(turnName(set, of, id))
  }

  /** Who may not leaves it to others. */
  async #takeAway(name: string): Promise<void> {
    try {
      await this.#options.store.delete(name)
    } catch (error) {
      if (findKdrError(error)?.code !== 'not-allowed') throw error
    }
  }

  /** Undefined: gone meanwhile, or nothing that anybody could read. */
  async #read(name: string): Promise<Announced | undefined> {
    const bytes = await this.#options.store.get(name)
    if (bytes === undefined) return undefined
    try {
      return unseal(bytes, name) as unknown as Announced
    } catch (error) {
      if (findKdrError(error) === undefined) throw error
      return undefined
    }
  }
}
