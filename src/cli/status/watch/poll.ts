// One thing that is looked at again and again, and never twice at once: a look that takes long leaves the old picture standing.
import { findKdrError } from '../../../model/errors.ts'
import type { Clock } from '../../../ports/clock.ts'

export type Seen<T> = {
  readonly name: string
  /** What was seen last; undefined: nothing yet. */
  readonly value: T | undefined
  /** When, ms since 1970. */
  readonly at: number
  /** Why the last look saw nothing. */
  readonly problem: string | undefined
}

export type PollOptions<T> = {
  readonly name: string
  /** From one beginning to the next, at least. */
  readonly everyMs: number
  readonly clock: Clock
  readonly read: () => Promise<T>
  readonly onSeen?: (value: T, at: number) => void
}

export class Poll<T> {
  readonly #options: PollOptions<T>
  #seen: Seen<T>
  #dueAt = -Infinity
  #looking: Promise<void> | undefined
  #bug: Error | undefined

  constructor(options: PollOptions<T>) {
    this.#options = options
    this.#seen = { name: options.name, value: undefined, at: 0, problem: undefined }
  }

  /** Throws what is a bug, and no answer of a cluster. */
  get seen(): Seen<T> {
    if (this.#bug !== undefined) throw this.#bug
    return this.#seen
  }

  /** Resolves, never rejects, when no look is under way. */
  begin(): Promise<void> {
    const { clock, everyMs } = this.#options
    if (this.#looking !== undefined) return this.#looking
    if (clock.monotonic() < this.#dueAt) return Promise.resolve()
    this.#dueAt = clock.monotonic() + everyMs
    this.#looking = this.#look().finally(() => (this.#looking = undefined))
    return this.#looking
  }

  async #look(): Promise<void> {
    const { read, clock, onSeen } = this.#options
    try {
      const value = await read()
      const at = clock.now()
      this.#seen = { ...this.#seen, value, at, problem: undefined }
      onSeen?.(value, at)
    } catch (error) {
      const known = findKdrError(error)
      if (known === undefined) this.#bug = error instanceof Error ? error : new Error(String(error))
      else this.#seen = { ...this.#seen, problem: known.message }
    }
  }
}
