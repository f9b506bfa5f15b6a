// Lag without timestamps (DESIGN 2.5): a ring of (source end, when first seen). The age of the oldest sample that the
// cursor has not reached is how far, in time, the mirror is behind what kdr has seen at the source.

import type { Unread } from './silence.ts'

type Sample = { readonly end: number; readonly seenAt: number }

/** Older neighbours are merged when the ring is full, towards the earlier time: the answer is never too small. */
const MAX_SAMPLES = 128

export class LagRing {
  #samples: Sample[] = []
  /** Nothing comes from the source: what it has since then nobody has seen. */
  unread: Unread | undefined

  /** `end`: the source's high watermark; `at`: monotonic ms. */
  observe(end: number, at: number): void {
    const last = this.#samples.at(-1)
    if (last !== undefined && end <= last.end) return
    this.#samples.push({ end, seenAt: at })
    if (this.#samples.length > MAX_SAMPLES) this.#thin()
  }

  /** Milliseconds; 0 when the cursor has reached everything that was seen, and the source is read. */
  lagMs(cursor: number, now: number): number {
    let reached = 0
    while (reached < this.#samples.length && this.#samples[reached]!.end <= cursor) reached++
    if (reached > 0) this.#samples = this.#samples.slice(reached)
    const oldest = this.#samples[0]
    return Math.max(0, now - Math.min(oldest?.seenAt ?? now, this.unread?.since ?? now))
  }

  /** Drops every second sample; each gap keeps the later end with the earlier time. */
  #thin(): void {
    const kept: Sample[] = []
    for (let i = 0; i < this.#samples.length; i += 2) {
      const first = this.#samples[i]!
      kept.push({ end: (this.#samples[i + 1] ?? first).end, seenAt: first.seenAt })
    }
    this.#samples = kept
  }
}
