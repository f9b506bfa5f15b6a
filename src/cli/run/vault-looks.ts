// What is read of the vaults of the sets while `kdr run` goes on: when a set was verified, and how large it is, takes many requests to a
// bucket.
import type { SetStatus } from '../../model/set-status.ts'
import type { Log } from '../../ports/log.ts'
import type { App } from '../app.ts'
import type { RunSets } from './sets.ts'

const EVERY_MS = 300_000

export class VaultLooks {
  readonly #app: App
  readonly #sets: RunSets
  readonly #log: Log
  readonly #known = new Map<string, SetStatus>()
  #reading: Promise<void> | undefined
  #readAt = Number.NEGATIVE_INFINITY

  constructor(app: App, sets: RunSets, log: Log) {
    this.#app = app
    this.#sets = sets
    this.#log = log
  }

  /** What is known by now; asks for more where that is old, and waits for nobody. */
  now(): ReadonlyMap<string, SetStatus> {
    this.#read()?.catch((error: unknown) => this.#log.event('error', String(error)))
    return this.#known
  }

  /** The first time there would be nothing to say: then it waits. */
  async atFirst(): Promise<ReadonlyMap<string, SetStatus>> {
    if (this.#known.size > 0) return this.now()
    await this.#read()
    return this.#known
  }

  #read(): Promise<void> | undefined {
    const now = this.#app.clock.monotonic()
    if (this.#reading === undefined && now - this.#readAt >= EVERY_MS) {
      this.#readAt = now
      this.#reading = this.#readAll().finally(() => {
        this.#reading = undefined
      })
    }
    return this.#reading
  }

  async #readAll(): Promise<void> {
    for (const { config, set } of this.#sets.snapshots())
      this.#known.set(set.name, await this.#app.services.readSetStatus(config, set))
  }
}
