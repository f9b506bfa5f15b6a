// What passes by itself: a cluster that cannot be reached, a right that is missing for a while. Several loops meet it, each
// with words of its own, again and again; a log that is read by people gets the first sentence at once, another one once
// a minute at most, and one when all is well again.
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'

const SAY_AGAIN_MS = 60_000

export class Troubles {
  readonly #clock: Clock
  readonly #log: Log
  readonly #link: string
  readonly #well: string
  /** By loop, the oldest first. */
  readonly #current = new Map<string, string>()
  #said: string | undefined
  #saidAt = Number.NEGATIVE_INFINITY

  /** `well`: what is logged when it is over. */
  constructor({ clock, log, link, well }: { clock: Clock; log: Log; link: string; well: string }) {
    this.#clock = clock
    this.#log = log
    this.#link = link
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
    else if (this.#current.size === 0 && this.#said !== undefined) {
      this.#log.event('info', this.#well, { link: this.#link })
      this.#said = undefined
    }
  }

  #say(sentence: string): void {
    const now = this.#clock.monotonic()
    if (sentence === this.#said || now - this.#saidAt < SAY_AGAIN_MS) return
    this.#log.event('warn', sentence, { link: this.#link })
    this.#said = sentence
    this.#saidAt = now
  }
}
