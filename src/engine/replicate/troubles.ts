// What passes by itself: a cluster that cannot be reached, a right that is missing for a while. Several loops meet it, each
// with words of its own, again and again; a log that is read by people gets the first sentence about each cluster at
// once, another one once a minute at most, and one when all is well again.
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'

const SAY_AGAIN_MS = 60_000

export type TroublesOptions = {
  readonly clock: Clock
  readonly log: Log
  readonly link: string
  /** What sentences may be about, by the name in quotes. */
  readonly clusters: readonly string[]
  /** What is logged when it is over. */
  readonly well: string
}

type Said = { readonly at: number; readonly sentence: string | undefined }

export class Troubles {
  readonly #clock: Clock
  readonly #log: Log
  readonly #link: string
  readonly #clusters: readonly string[]
  readonly #well: string
  /** By loop, the oldest first. */
  readonly #current = new Map<string, string>()
  /** The latest sentence about each cluster. */
  readonly #said = new Map<string, Said>()
  #isSaid = false

  constructor({ clock, log, link, clusters, well }: TroublesOptions) {
    this.#clock = clock
    this.#log = log
    this.#link = link
    this.#clusters = clusters
    this.#well = well
  }

  /** What is wrong now, in the words of whoever has met it first; undefined when nothing is. */
  get sentence(): string | undefined {
    return this.#current.values().next().value
  }

  /** How the latest round of the loop `by` went: undefined is well. */
  tell(by: string, sentence: string | undefined): void {
    if (sentence === undefined) this.#current.delete(by)
    else this.#current.set(by, sentence)
    if (sentence !== undefined) this.#say(sentence)
    else if (this.#current.size === 0 && this.#isSaid) {
      this.#log.event('info', this.#well, { link: this.#link })
      this.#isSaid = false
      for (const [about, { at }] of this.#said) this.#said.set(about, { at, sentence: undefined })
    }
  }

  #say(sentence: string): void {
    const about = this.#clusters.find(name => sentence.includes(`"${name}"`)) ?? ''
    const last = this.#said.get(about)
    const at = this.#clock.monotonic()
    if (last !== undefined && (sentence === last.sentence || at - last.at < SAY_AGAIN_MS)) return
    this.#log.event('warn', sentence, { link: this.#link })
    this.#said.set(about, { at, sentence })
    this.#isSaid = true
  }
}
