// A simulated controller shows that it lives, as wiring/beating.ts does for a real one.
import type { Journal } from '../../src/engine/runs/journal.ts'
import { findKdrError } from '../../src/model/errors.ts'
import type { Clock } from '../../src/ports/clock.ts'

const BEAT_EVERY_MS = 3_000

/** Until what it returns is called. */
export function beating(journal: Journal, clock: Clock): () => Promise<void> {
  const stopping = new AbortController()
  const { signal } = stopping
  const beats = (async () => {
    while (!signal.aborted) {
      await clock.sleep(BEAT_EVERY_MS, signal)
      if (signal.aborted) return
      await journal.beat().catch((error: unknown) => {
        if (findKdrError(error) === undefined) throw error
      })
    }
  })()
  beats.catch(() => undefined)
  return async () => {
    stopping.abort()
    await beats
  }
}
