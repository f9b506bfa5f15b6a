// Where a log ended, and when that was seen: how long something has waited for whoever has not come further than an offset. Many groups
// ask the same history, so nothing is dropped for one of them alone. No record is read, and no clock of a producer counts.

/** Of a partition: 1 KB. Over weeks of looks every ten seconds what is answered is then at most a quarter too large. */
const MAX_SAMPLES = 64

export class EndHistory {
  /** From the oldest; both rise. */
  #ends: number[] = []
  #seenAt: number[] = []
  #firstEnd = 0

  /** `at`: monotonic ms. An end that is lower than before is that of another log. */
  observe(end: number, at: number): void {
    const last = this.#ends.at(-1)
    if (last === end) return
    if (last === undefined || end < last) {
      this.#ends = []
      this.#seenAt = []
      this.#firstEnd = end
    }
    this.#ends.push(end)
    this.#seenAt.push(at)
    if (this.#ends.length > MAX_SAMPLES) this.#thin()
  }

  /** Nobody asks about what ends at or below `offset` any more. */
  forget(offset: number): void {
    let gone = 0
    while (gone < this.#ends.length - 1 && this.#ends[gone]! <= offset) gone++
    if (gone === 0) return
    this.#ends = this.#ends.slice(gone)
    this.#seenAt = this.#seenAt.slice(gone)
  }

  /** Since when something waits behind `offset`, in ms; 0 when nothing does. */
  lagMs(offset: number, now: number): number {
    let low = 0
    let high = this.#ends.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#ends[middle]! <= offset) low = middle + 1
      else high = middle
    }
    const since = this.#seenAt[low]
    return since === undefined ? 0 : Math.max(0, now - since)
  }

  /** It waited already when it was looked at for the first time: it may have for longer. */
  isAtLeast(offset: number): boolean {
    return offset < this.#firstEnd
  }

  /** Merges the two neighbours that are closest for their age; the later end keeps the earlier time, so that no answer gets too small. */
  #thin(): void {
    const now = this.#seenAt.at(-1)!
    let least = Number.POSITIVE_INFINITY
    let at = 0
    for (let i = 0; i < this.#ends.length - 2; i++) {
      const [seenAt, next] = [this.#seenAt[i]!, this.#seenAt[i + 1]!]
      const error = (next - seenAt) / (now - next)
      if (error < least) {
        least = error
        at = i
      }
    }
    this.#ends.splice(at, 1)
    this.#seenAt.splice(at + 1, 1)
  }
}
