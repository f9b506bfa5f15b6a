// A log that says the same thing a few times, and then how often it was repeated: a trouble that lasts all night is a few lines a minute.
import type { Clock } from '../ports/clock.ts'
import type { Level, Log } from '../ports/log.ts'

const WINDOW_MS = 60_000
/** Within the window; more are counted. */
const SAID_AT_ONCE = 3

export type Settling = Log & {
  /** Tells what was counted and not told yet. */
  settle(): void
}

type Said = {
  readonly level: Level
  readonly message: string
  readonly facts: Readonly<Record<string, unknown>>
  readonly from: number
  count: number
}

export function withoutRepeats(log: Log, clock: Pick<Clock, 'monotonic'>): Settling {
  /** In the order in which their windows end. */
  const windows = new Map<string, Said>()
  const tell = ({ level, message, facts, from, count }: Said): void => {
    const more = count - SAID_AT_ONCE
    if (more <= 0) return
    const seconds = Math.max(1, Math.round(Math.min(clock.monotonic() - from, WINDOW_MS) / 1_000))
    const times = more === 1 ? 'once more' : `${more} times`
    log.event(level, `repeated ${times} in ${seconds} s: ${message}`, { ...facts, repeated: more })
  }
  const settle = (before: number): void => {
    for (const [key, said] of windows) {
      if (said.from > before) return
      windows.delete(key)
      tell(said)
    }
  }
  return {
    event: (level, message, facts = {}) => {
      const now = clock.monotonic()
      settle(now - WINDOW_MS)
      // What it is about, and what went wrong, may stand in the facts alone.
      const { link, set, topic, partition, broker, error, reason } = facts
      const key = JSON.stringify([level, message, link, set, topic, partition, broker, error, reason])
      const said = windows.get(key) ?? { level, message, facts, from: now, count: 0 }
      windows.set(key, said)
      said.count++
      if (said.count <= SAID_AT_ONCE) log.event(level, message, facts)
    },
    settle: () => settle(Number.POSITIVE_INFINITY),
  }
}
