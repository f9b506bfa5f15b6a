// When the time until the source deletes what was not copied is short, and how that is said: by the worker in its log, and
// by `kdr status`, which may see it later.
import type { Headroom } from './link.ts'

const DAY_MS = 86_400_000
/** Of the time that the source keeps a record. */
const SHORT_SHARE = 0.2

/** A fifth of what the source keeps, but no more than a day. */
export const shortLimitMs = (keptMs: number): number => Math.min(DAY_MS, keptMs * SHORT_SHARE)

/** A copy that gains on the deletion is not warned of. */
export const isShort = ({ ms, limitMs, isGrowing }: Headroom): boolean =>
  ms !== null && ms < limitMs && !isGrowing

/** As of a later time: nobody has copied since. */
export function headroomAt(headroom: Headroom, now: number): Headroom {
  const elapsedMs = Math.max(0, now - headroom.at)
  return { ...headroom, ms: headroom.ms === null ? null : headroom.ms - elapsedMs, at: now }
}

export function headroomSentence(
  of: { readonly topic: string; readonly name: string; readonly appended: number },
  { ms, isAtMost, basis }: Headroom,
): string {
  const left = ms ?? 0
  const when =
    left <= 0 ? 'may delete at any moment' : `will delete in ${isAtMost ? 'at most' : 'about'} ${spell(left)}`
  const why = basis === 'age' ? 'retention.ms' : 'as fast as its log start moves now'
  return (
    `"${of.name}": the source ${when} what is not copied yet, from offset ${of.appended} on (${why}). ` +
    `Raise retention.ms and retention.bytes of "${of.topic}" at the source until the copy has caught up`
  )
}

function spell(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 1) return `${Math.max(1, Math.floor(ms / 1_000))} s`
  if (minutes < 120) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h` : `${Math.floor(hours / 24)} days`
}
