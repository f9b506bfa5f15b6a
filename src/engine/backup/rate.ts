// `maxBytesPerSecond` of a set: how long a reader waits before it asks for more. What was read is paid for afterwards, so that an
// answer may be as large as it is.
import type { Clock } from '../../ports/clock.ts'
import { FETCH_BYTES, READERS } from './limits.ts'

/** A broker sends at least a batch; less than this would be all overhead. */
const LEAST_FETCH_BYTES = 64 * 1024

export class Rate {
  readonly #perMs: number
  readonly #clock: Clock
  /** Monotonic: when all that was read is paid for. */
  #freeAt: number

  constructor(bytesPerSecond: number | undefined, clock: Clock) {
    this.#perMs = (bytesPerSecond ?? Number.POSITIVE_INFINITY) / 1_000
    this.#clock = clock
    this.#freeAt = clock.monotonic()
  }

  /** So much at once that all readers together ask for no more than a second's worth. */
  get fetchBytes(): number {
    return Math.min(FETCH_BYTES, Math.max(LEAST_FETCH_BYTES, Math.floor((this.#perMs * 1_000) / READERS)))
  }

  async wait(signal: AbortSignal): Promise<void> {
    const leftMs = this.#freeAt - this.#clock.monotonic()
    if (leftMs > 0) await this.#clock.sleep(leftMs, signal)
  }

  pay(bytes: number): void {
    // What was not used before is not saved up.
    this.#freeAt = Math.max(this.#freeAt, this.#clock.monotonic()) + bytes / this.#perMs
  }
}
