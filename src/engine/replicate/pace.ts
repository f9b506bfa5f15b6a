// How a partition gets on: what it holds in memory, and whether it keeps up with its source or is far behind. Those that
// keep up never wait for those that are behind: neither for memory, nor in a request, nor on a connection. Among those that
// are behind, `priorities` say who goes first.
import { PACE_LIMITS, type PaceLimits, PARTITION_BUFFER_BYTES } from './limits.ts'

export class Pace {
  limits: PaceLimits = PACE_LIMITS
  /** Of those that are behind: the lowest goes first. */
  urgency = 1
  /** Fetched and not yet acknowledged. */
  bytes = 0
  #stableEnd = 0
  /** Until the source has shown what there is. */
  #isBehind = true

  get hasRoom(): boolean {
    return this.bytes < PARTITION_BUFFER_BYTES
  }

  /** Much is still to come. */
  get isBehind(): boolean {
    return this.#isBehind
  }

  /** Up to where the source has records to copy; `planned`: up to where all is fetched. */
  saw(stableEnd: number, planned: number): void {
    this.#stableEnd = stableEnd
    this.#judge(planned)
  }

  hold(bytes: number, planned: number): void {
    this.bytes += bytes
    this.#judge(planned)
  }

  /** Between the two limits it stays what it was. */
  #judge(planned: number): void {
    const { behindBytes, currentBytes } = this.limits
    const isAtEnd = planned >= this.#stableEnd
    if (isAtEnd ? this.bytes <= currentBytes : this.bytes >= behindBytes) this.#isBehind = !isAtEnd
  }
}
