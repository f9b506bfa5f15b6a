// How a partition gets on: what it holds in memory, and whether it keeps up with its source or is far behind. Those that
// keep up never wait for those that are behind: neither for memory, nor in a request, nor on a connection. Among those that
// are behind, `priorities` say who goes first.
import { PACE_LIMITS, type PaceLimits, PARTITION_BUFFER_BYTES } from './limits.ts'

export class Pace {
  limits: PaceLimits = PACE_LIMITS
  /** As the link's `priorities` have it: 0 is the highest. */
  priority = 1
  /** Fetched and not yet acknowledged. */
  bytes = 0
  #stableEnd: number | undefined
  #isBehind = true

  get hasRoom(): boolean {
    return this.bytes < PARTITION_BUFFER_BYTES
  }

  /** The source has shown what there is to copy. */
  get isKnown(): boolean {
    return this.#stableEnd !== undefined
  }

  /** Much is still to come; so it is taken to be until that is known. */
  get isBehind(): boolean {
    return this.#isBehind
  }

  /** Of those that are behind the lowest goes first. What is not known yet may be nothing, and keep up from then on. */
  get urgency(): number {
    return this.isKnown ? this.priority : -1
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
    const isAtEnd = this.#stableEnd !== undefined && planned >= this.#stableEnd
    if (isAtEnd ? this.bytes <= currentBytes : this.bytes >= behindBytes) this.#isBehind = !isAtEnd
  }
}
