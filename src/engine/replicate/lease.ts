// May this worker still write? Only while it has shown lately that it lives: another takes over when no beat comes for
// PRODUCE_TIMEOUT_MS. A process that was stopped and wakes (SIGSTOP, a frozen machine) finds the time gone by and writes
// nothing before it has asked whether the link is still its own (DESIGN 2.2.5).
import type { Clock } from '../../ports/clock.ts'
import { LEASE_MS } from './limits.ts'

export class Lease {
  readonly #clock: Clock
  /** Throws KdrError('other-controller') when another worker has taken the link over. */
  readonly #assertGeneration: () => Promise<void>
  #until: number
  #asking: Promise<void> | undefined

  constructor(clock: Clock, assertGeneration: () => Promise<void>) {
    this.#clock = clock
    this.#assertGeneration = assertGeneration
    this.#until = clock.monotonic() + LEASE_MS
  }

  /** Asked before every write to a socket. */
  get isHeld(): boolean {
    return this.#clock.monotonic() < this.#until
  }

  /** A beat that was begun at `begunAt` (monotonic) is durable. */
  renew(begunAt: number): void {
    this.#until = Math.max(this.#until, begunAt + LEASE_MS)
  }

  /** Resolves when the lease is held: at once, or after asking. Throws what asking throws. */
  async hold(): Promise<void> {
    if (this.isHeld) return
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
    await this.#asking
  }

  async #ask(): Promise<void> {
    const begunAt = this.#clock.monotonic()
    await this.#assertGeneration()
    this.renew(begunAt)
  }
}
