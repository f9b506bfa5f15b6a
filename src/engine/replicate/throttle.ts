// `maxBytesPerSecond`: a bucket that may go into debt by one answer, and is waited for until it is paid.
import type { Clock } from '../../ports/clock.ts'

export class Throttle {
  readonly #bytesPerSecond: number | undefined
  readonly #clock: Clock
  #paidUntil = 0

  constructor(bytesPerSecond: number | undefined, clock: Clock) {
    this.#bytesPerSecond = bytesPerSecond
    this.#clock = clock
  }

  spend(bytes: number): void {
    if (this.#bytesPerSecond === undefined) return
    const from = Math.max(this.#paidUntil, this.#clock.monotonic())
    this.#paidUntil = from + (bytes / this.#bytesPerSecond) * 1_000
  }

  async wait(signal: AbortSignal): Promise<void> {
    const debtMs = this.#paidUntil - this.#clock.monotonic()
    if (this.#bytesPerSecond !== undefined && debtMs > 0) await this.#clock.sleep(debtMs, signal)
  }
}
