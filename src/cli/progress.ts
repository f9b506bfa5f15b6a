// One line of progress on stderr: rewritten in place on a terminal, else printed now and then, so that a log of a long
// command shows that it lives without filling up.

import type { App } from './app.ts'

const REDRAW_MS = 100
const REPEAT_MS = 10_000

export interface Progress {
  /** Shows `text` if it is time to. */
  update(text: string): void
  /** Removes the line from the terminal. Call it before anything else is printed. */
  clear(): void
}

export function startProgress(app: Pick<App, 'stderr' | 'clock'>): Progress {
  const { stderr, clock } = app
  let nextAt = clock.monotonic()
  let isShown = false
  return {
    update(text) {
      const now = clock.monotonic()
      if (now < nextAt) return
      nextAt = now + (stderr.isTerminal ? REDRAW_MS : REPEAT_MS)
      if (!stderr.isTerminal) {
        stderr.write(`${text}\n`)
        return
      }
      stderr.write(`\r${text.slice(0, (stderr.columns ?? 80) - 1)}\u001b[K`)
      isShown = true
    },
    clear() {
      if (isShown) stderr.write('\r\u001b[K')
      isShown = false
    },
  }
}
