// Whoever has the journal of a link shows that it lives.
import { findKdrError } from '../../model/errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Journal } from './journal.ts'

const BEAT_EVERY_MS = 3_000

/** While a step waits. A claim that is lost is found by whoever acts next. */
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
