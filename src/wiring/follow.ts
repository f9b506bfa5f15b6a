// What follows the source beside the data, each at its own pace: groups, ACLs, quotas, users. Only the worker that does the control work
// does it; another one goes on when it does not.
import type { LinkContext } from '../engine/replicate/context.ts'
import { Troubles } from '../engine/replicate/troubles.ts'
import { findKdrError } from '../model/errors.ts'
import type { Log } from '../ports/log.ts'
import { systemClock } from './system.ts'

export type Following = {
  /** `groups`, for messages. */
  readonly what: string
  readonly everyMs: number
  /** The first round comes as soon as this worker does the control work, not after `everyMs`. */
  readonly isSoon?: boolean
  readonly round: (signal: AbortSignal) => Promise<unknown>
  /** Another worker does it by now: what this one knows will be old. */
  readonly onElsewhere?: () => void
}

/** How often it is looked whether this worker does the control work. */
const LOOK_EVERY_MS = 1_000

/** Until the link stops. Throws only what is a bug. */
export async function follow(
  { signal, slots, settings }: LinkContext,
  log: Log,
  { what, everyMs, isSoon = false, round, onElsewhere }: Following,
): Promise<void> {
  const well = `${what} are followed again`
  const clusters = [settings.source, settings.target]
  const troubles = new Troubles({ clock: systemClock, log, link: settings.name, clusters, well })
  let due = systemClock.monotonic() + (isSoon ? 0 : everyMs)
  while (!signal.aborted) {
    const left = Math.max(0, due - systemClock.monotonic())
    await systemClock.sleep(Math.min(LOOK_EVERY_MS, Math.max(left, LOOK_EVERY_MS / 10)), signal)
    if (signal.aborted) return
    const now = systemClock.monotonic()
    if (!slots.hasControl) {
      onElsewhere?.()
      due = Math.max(due, now + LOOK_EVERY_MS)
    }
    if (now < due) continue
    try {
      await round(signal)
      troubles.tell(what, undefined)
    } catch (error) {
      // Its connections were closed under it.
      if (signal.aborted) return
      const known = findKdrError(error)
      if (known === undefined) throw error
      if (known.code === 'other-controller') onElsewhere?.()
      else troubles.tell(what, `${what} are not in step: ${known.message}`)
    }
    due = systemClock.monotonic() + everyMs
  }
}
