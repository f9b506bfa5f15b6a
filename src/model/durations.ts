// How long things took, as Prometheus wants to know it: how many took at most so long. Nothing is kept of each.

/** In seconds. Around a round trip in one place, across a continent, and where somebody should look. */
const UP_TO_SECONDS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10] as const

export type DurationCounts = {
  /** Ascending; how many took at most so many seconds. What took longer is in `count` alone. */
  readonly upTo: readonly (readonly [seconds: number, count: number])[]
  readonly sumSeconds: number
  readonly count: number
}

/** What a histogram adds to what is served: its buckets, the one without a limit, sum and count. */
export const DURATION_SERIES: number = UP_TO_SECONDS.length + 3

export class Durations {
  readonly #counts = UP_TO_SECONDS.map(() => 0)
  #sumMs = 0
  #count = 0

  observe(ms: number): void {
    this.#count++
    this.#sumMs += ms
    const index = UP_TO_SECONDS.findIndex(limit => ms <= limit * 1_000)
    if (index >= 0) this.#counts[index]! += 1
  }

  counts(): DurationCounts {
    let below = 0
    return {
      upTo: UP_TO_SECONDS.map((limit, index) => [limit, (below += this.#counts[index] ?? 0)] as const),
      sumSeconds: this.#sumMs / 1_000,
      count: this.#count,
    }
  }
}
