// For which share of the last day a link was within its objective: in memory, an hour at a time, as far as this process has seen it.

const HOUR_MS = 3_600_000
const HOURS = 24
/** Between two looks: when nobody looked for longer, the time in between says nothing. */
const LONGEST_MS = 300_000

type Hour = { readonly knownMs: number; readonly withinMs: number }
const NOTHING: Hour = { knownMs: 0, withinMs: 0 }

export class ObjectiveShare {
  readonly #hours = new Map<number, Hour>()
  #last: { readonly at: number; readonly isWithin: boolean } | undefined

  /** The time since the last look counts as what is seen now. `at`: ms since 1970. */
  observe(at: number, isWithin: boolean): void {
    const sinceMs = this.#last === undefined ? 0 : at - this.#last.at
    this.#last = { at, isWithin }
    if (sinceMs <= 0 || sinceMs > LONGEST_MS) return
    const hour = Math.floor(at / HOUR_MS)
    const { knownMs, withinMs } = this.#hours.get(hour) ?? NOTHING
    this.#hours.set(hour, {
      knownMs: knownMs + sinceMs,
      withinMs: withinMs + (isWithin ? sinceMs : 0),
    })
    for (const old of this.#hours.keys()) if (old <= hour - HOURS) this.#hours.delete(old)
  }

  /** Nobody knows how far behind it is: what comes next is no measure of the time until then. */
  skip(): void {
    this.#last = undefined
  }

  /** 0 to 1; undefined: never looked. After the first look, what that has seen. */
  get ratio(): number | undefined {
    const hours = [...this.#hours.values()]
    const knownMs = hours.reduce((sum, each) => sum + each.knownMs, 0)
    if (knownMs > 0) return hours.reduce((sum, each) => sum + each.withinMs, 0) / knownMs
    return this.#last === undefined ? undefined : Number(this.#last.isWithin)
  }
}
