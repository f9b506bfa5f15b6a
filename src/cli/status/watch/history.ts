// What the RPO of each link was in the last minutes: held in memory, bounded by its age, shown as a line of blocks.

/** What a line of blocks spans. */
export const WINDOW_MS = 300_000

/** `ms`: null while nobody knows. */
export type Sample = { readonly at: number; readonly ms: number | null }

export class History {
  readonly #samples = new Map<string, readonly Sample[]>()

  /** `at` in ms since 1970. */
  add(name: string, sample: Sample): void {
    const kept = this.of(name).filter(({ at }) => at > sample.at - WINDOW_MS)
    this.#samples.set(name, [...kept, sample])
  }

  of(name: string): readonly Sample[] {
    return this.#samples.get(name) ?? []
  }
}

const BLOCKS = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const
/** So that milliseconds do not look like mountains. */
const LEAST_TOP_MS = 1_000

/** The worst of each stretch of the window, now at the right; blank: not looked yet, `?`: nobody knew. */
export function sparkline(samples: readonly Sample[], now: number, width: number): string {
  const stretches = Map.groupBy(samples, ({ at }) =>
    Math.min(width - 1, Math.floor(((at - now + WINDOW_MS) / WINDOW_MS) * width)),
  )
  const known = samples.flatMap(({ ms }) => ms ?? [])
  const top = known.reduce((most, ms) => Math.max(most, ms), LEAST_TOP_MS)
  return Array.from({ length: width }, (_none, index) => {
    const stretch = stretches.get(index)
    if (stretch === undefined) return ' '
    const all = stretch.flatMap(({ ms }) => ms ?? [])
    if (all.length === 0) return '?'
    return BLOCKS[Math.round((Math.max(...all) / top) * (BLOCKS.length - 1))] ?? '?'
  }).join('')
}
