// What follows when the source did not give what was asked for: a leader that moved is looked up, a broker that does not answer is
// waited for, and one that belongs to another cluster ends the link.
import { findKdrError } from '../../model/errors.ts'
import type { LinkContext } from './context.ts'
import type { Taken } from './intake.ts'
import { BACKOFF_MS } from './limits.ts'

/** `onMoved`: the metadata was read again because a leader moved. Throws KdrError('unreachable'). */
export async function settle(
  { sourceWatch, clock, signal }: LinkContext,
  outcomes: readonly Taken[],
  onMoved: () => void,
): Promise<void> {
  if (outcomes.includes('moved')) {
    await sourceWatch.refresh()
    onMoved()
  }
  if (outcomes.some(outcome => outcome !== 'ok')) await clock.sleep(BACKOFF_MS.first, signal)
}

/** After a request that failed as a whole; false: nothing more may be fetched from there. */
export async function recoverFetch(
  { log, sourceWatch, clock, signal, fail }: LinkContext,
  error: unknown,
  {
    broker,
    backoffMs,
    onMoved,
  }: { readonly broker: number; readonly backoffMs: number; readonly onMoved: () => void },
): Promise<boolean> {
  const known = findKdrError(error)
  // A broker of another cluster answers at that address: nothing of it may be copied.
  if (known === undefined || known.code === 'wrong-cluster') {
    fail(error)
    return false
  }
  log.event('debug', 'a fetch failed', { broker, error: known.message })
  await clock.sleep(backoffMs, signal)
  if (signal.aborted) return true
  try {
    await sourceWatch.refresh()
    onMoved()
  } catch {
    // The link's control loop notices and says when the whole cluster cannot be reached.
  }
  return true
}
