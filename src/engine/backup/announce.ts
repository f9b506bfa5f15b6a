// Says that this process is at work on a set, while it is (src/vault/turn.ts). A courtesy: that it cannot be said holds up nothing.
import { findKdrError } from '../../model/errors.ts'
import type { Clock } from '../../ports/clock.ts'

/** One's turn among daemons. */
export interface BackupTurn {
  isTaken(): Promise<boolean>
  /** False: another one was first, and this one should give way. */
  announce(): Promise<boolean>
  end(): Promise<void>
}

export type Announcing = {
  readonly clock: Clock
  readonly afterMs: number
  /** Announced again after so long. */
  readonly announceEveryMs: number
  readonly over: AbortSignal
  readonly gaveWay: AbortController
}

/** Until `over`. */
export async function announce(
  turn: BackupTurn,
  { clock, afterMs, announceEveryMs, over, gaveWay }: Announcing,
): Promise<void> {
  try {
    if (afterMs > 0) await clock.sleep(afterMs, over)
    while (!over.aborted) {
      if (!(await turn.announce())) gaveWay.abort()
      await clock.sleep(announceEveryMs, over)
    }
    await turn.end()
  } catch (error) {
    if (findKdrError(error) === undefined) throw error
  }
}
