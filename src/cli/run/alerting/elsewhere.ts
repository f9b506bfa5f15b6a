// Whether a link that does not run here runs somewhere else: then that is no alert. Looked at beside everything else; what is not known
// counts as not running.
import type { Config, LinkConfig } from '../../../config/config.ts'
import { findKdrError } from '../../../model/errors.ts'
import type { App } from '../../app.ts'

/** It costs a connection to the target, and only while the link does not run here. */
const LOOK_EVERY_MS = 60_000

export class Elsewhere {
  readonly #app: App
  #running: ReadonlySet<string> = new Set()
  #lookedAt = Number.NEGATIVE_INFINITY
  #isLooking = false

  constructor(app: App) {
    this.#app = app
  }

  has(link: string): boolean {
    return this.#running.has(link)
  }

  /** Returns at once; what is found is there later. */
  look(config: Config, links: readonly LinkConfig[]): void {
    const now = this.#app.clock.monotonic()
    if (links.length === 0) {
      this.#running = new Set()
      this.#lookedAt = Number.NEGATIVE_INFINITY
      return
    }
    if (this.#isLooking || now - this.#lookedAt < LOOK_EVERY_MS) return
    this.#isLooking = true
    this.#lookedAt = now
    void Promise.all(links.map(async link => ((await this.#runs(config, link)) ? [link.name] : []))).then(
      found => {
        this.#running = new Set(found.flat())
        this.#isLooking = false
      },
    )
  }

  async #runs(config: Config, link: LinkConfig): Promise<boolean> {
    try {
      return await this.#app.services.withMemory(config, link, ({ isRunning }) => Promise.resolve(isRunning))
    } catch (error) {
      if (findKdrError(error) === undefined) throw error
      return false
    }
  }
}
