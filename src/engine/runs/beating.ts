// Whoever has the journal of a link shows that it lives.
import type { Journal } from '../engine/runs/journal.ts'
import { findKdrError } from '../model/errors.ts'
import { systemClock } from './system.ts'

const BEAT_EVERY_MS = 3_000

/** While a step waits. A claim that is lost is found by whoever acts next. */
export function beating(journal: Journal): () => Promise<void> {
  const stopping = new AbortController()
  const { signal } = stopping
  const beats = (async () => {
    while (!signal.aborted) {
      await systemClock.sleep(BEAT_EVERY_MS, signal)
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
