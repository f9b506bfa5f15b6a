// Since when the source's last stable offset has not moved although records stand behind it: an open transaction holds it.

export class HeldOffset {
  /** -1: never seen. */
  #lastStable = -1
  #since: number | undefined

  /** `at`: monotonic ms. Without `lastStable` nothing is learnt. */
  observe(seen: { readonly lastStable?: number; readonly highWatermark: number }, at: number): void {
    const { lastStable, highWatermark } = seen
    if (lastStable === undefined) return
    const hasMoved = lastStable !== this.#lastStable
    this.#lastStable = lastStable
    if (lastStable < 0 || lastStable >= highWatermark) this.#since = undefined
    else if (hasMoved || this.#since === undefined) this.#since = at
  }

  /** Where it is held. */
  get offset(): number {
    return this.#lastStable
  }

  /** Milliseconds; 0 when nothing holds it. */
  heldMs(now: number): number {
    return this.#since === undefined ? 0 : now - this.#since
  }
}
