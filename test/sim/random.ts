// Seeded chance with named streams: a draw added in one place does not shift the draws of another.

export class Random {
  readonly #seed: number
  #state: number

  constructor(seed: number) {
    this.#seed = seed >>> 0
    this.#state = this.#seed
  }

  /** A stream of its own, the same for the same seed and name. */
  stream(name: string): Random {
    let hash = this.#seed ^ 0x9e3779b9
    for (const character of name) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
    return new Random(hash)
  }

  /** In [0, 1): mulberry32. */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  chance(probability: number): boolean {
    return this.fraction() < probability
  }

  /** A whole number in [from, to]. */
  between(from: number, to: number): number {
    return from + Math.floor(this.fraction() * (to - from + 1))
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[Math.floor(this.fraction() * from.length)]
    if (picked === undefined) throw new Error('nothing to pick from')
    return picked
  }
}
