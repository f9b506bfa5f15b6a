// May this worker still write? Only while it has shown lately that it lives: another takes its slots when no beat comes for
// PRODUCE_TIMEOUT_MS. A process that was stopped and wakes (SIGSTOP, a frozen machine) finds the time gone by and writes
// nothing before it has shown that it lives, and then asked whether its slots are still its own (DESIGN 2.2.5).
import type { Clock } from '../../ports/clock.ts'
import { LEASE_MS } from './limits.ts'

export class Lease {
  readonly #clock: Clock
  /** A durable beat, then a look: copies of slots that are another's by now are stopped. Throws KdrError('unreachable'). */
  readonly #beat: () => Promise<void>
  #until: number
  #beating: Promise<void> | undefined

  constructor(clock: Clock, beat: () => Promise<void>) {
    this.#clock = clock
    this.#beat = beat
    this.#until = clock.monotonic() + LEASE_MS
  }

  /** Asked before every write to a socket. */
  get isHeld(): boolean {
    return this.#clock.monotonic() < this.#until
  }

  /** Resolves when the lease is held: at once, or after a beat. Throws what that throws. */
  async hold(): Promise<void> {
    if (!this.isHeld) await this.renew()
  }

  /** Beats; the lease runs from when that began. */
  async renew(): Promise<void> {
    this.#beating ??= this.#renew().finally(() => {
      this.#beating = undefined
    })
    await this.#beating
  }

  async #renew(): Promise<void> {
    const begunAt = this.#clock.monotonic()
    await this.#beat()
    this.#until = Math.max(this.#until, begunAt + LEASE_MS)
  }
}
