// `maxBytesPerSecond`: a bucket that may go into debt by one answer, and is waited for until it is paid. Partitions that keep
// up pay only for each other: what is far behind gets what they leave, and never makes them wait.
import type { Clock } from '../../ports/clock.ts'

export class Throttle {
  readonly #bytesPerSecond: number | undefined
  readonly #clock: Clock
  #paidUntil = 0
  #currentPaidUntil = 0

  constructor(bytesPerSecond: number | undefined, clock: Clock) {
    this.#bytesPerSecond = bytesPerSecond
    this.#clock = clock
  }

  get isLimited(): boolean {
    return this.#bytesPerSecond !== undefined
  }

  spend(bytes: number, isBehind: boolean): void {
    this.#paidUntil = this.#after(this.#paidUntil, bytes)
    if (!isBehind) this.#currentPaidUntil = this.#after(this.#currentPaidUntil, bytes)
  }

  async wait(isBehind: boolean, signal: AbortSignal): Promise<void> {
    const debtMs = (isBehind ? this.#paidUntil : this.#currentPaidUntil) - this.#clock.monotonic()
    if (debtMs > 0) await this.#clock.sleep(debtMs, signal)
  }

  #after(paidUntil: number, bytes: number): number {
    if (this.#bytesPerSecond === undefined) return 0
    return Math.max(paidUntil, this.#clock.monotonic()) + (bytes / this.#bytesPerSecond) * 1_000
  }
}
