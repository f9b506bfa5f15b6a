// How old the newest commit of a set was, and how long another one was overdue: the times of its commits tell all of it, whoever made them.
// Pure.
import { type ObjectiveDay, withSpell } from './objective-days.ts'
import type { Commit, SetState } from './vault.ts'

/** As of when it holds the source, as far as one clock can say: another's that was ahead is in the times of all commits since. */
export function capturedAt({ endsAt, at }: Pick<SetState, 'endsAt' | 'at'>): string {
  return Date.parse(at) < Date.parse(endsAt) ? at : endsAt
}

/** Up to the commit that follows on `before`. */
export function daysUpTo(before: SetState | undefined, commit: Commit): ReadonlyMap<string, ObjectiveDay> {
  if (commit.isCheckpoint) return new Map(Object.entries(commit.days ?? {}))
  if (before === undefined) return new Map()
  const { at, nextBy, days } = before
  return withSpell(days, {
    from: Date.parse(at),
    to: Date.parse(commit.at),
    since: Date.parse(capturedAt(before)),
    dueBy: nextBy === undefined ? undefined : Date.parse(nextBy),
  })
}
