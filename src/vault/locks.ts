// Locks of what a set needs, in a store that has them: nobody can delete it, whoever has taken over kdr's credentials included. Each
// commit sees to it that all that it references is locked for as long as the vault wants, counted from the commit on. Objects are
// locked a little longer than that from the beginning, and a commit says until when all of its are: so the locks of thousands of
// objects are extended now and then, and not by each commit.
import { baseOf, type SetState } from '../model/vault.ts'
import type { ObjectLocks, ObjectStore } from '../ports/store.ts'
import { numbersFrom } from './ahead.ts'
import { commitName, VAULT_OBJECT } from './names.ts'

/** Requests at once. */
const AT_ONCE = 16

export type LockNeed = {
  readonly locks: Pick<ObjectLocks, 'keepMs' | 'slackMs'>
  /** Wall clock, ms. */
  readonly now: number
  /** All that was there before this commit is locked until then; undefined: nobody knows. */
  readonly before: number | undefined
  /** What the commit adds was created since then. */
  readonly since: number
}

/** Pure. Until when all is locked, and whether the locks have to be extended for that. */
export function planLock({ locks, now, before, since }: LockNeed): {
  readonly until: number
  readonly isDue: boolean
} {
  const { keepMs, slackMs } = locks
  const known = Math.min(before ?? Number.NEGATIVE_INFINITY, since + keepMs + slackMs)
  return known >= now + keepMs
    ? { until: known, isDue: false }
    : { until: now + keepMs + slackMs, isDue: true }
}

/** Of the commit whose state this is: its objects, the commits back to where a reader begins, the vault itself. */
export function lockedNames(
  set: string,
  { number, objects }: Pick<SetState, 'number' | 'objects'>,
): string[] {
  const commits =
    number === 0 ? [] : [...numbersFrom(baseOf(number), number)].map(each => commitName(set, each))
  return [VAULT_OBJECT, ...commits, ...[...objects.keys()].map(name => `${set}/${name}`)]
}

/** Throws KdrError: damaged when one is not there, not-allowed, store-unreachable. */
export async function extendLocks(
  locks: ObjectLocks,
  names: readonly string[],
  until: number,
): Promise<void> {
  await inParallel(names, async name => await locks.lock(name, until))
}

export type ShortestLock = {
  readonly object: string
  /** ms since 1970; undefined: it is not locked at all. */
  readonly until: number | undefined
}

/** Undefined: the store does not lock. What is missing is left to whoever verifies. */
export async function shortestLock(
  store: ObjectStore,
  names: readonly string[],
): Promise<ShortestLock | undefined> {
  const { locks } = store
  if (locks === undefined) return undefined
  let shortest: ShortestLock | undefined
  await inParallel(names, async name => {
    if ((await store.head(name)) === undefined) return
    const until = await locks.lockedUntil(name)
    if (shortest === undefined || (until ?? 0) < (shortest.until ?? 0)) shortest = { object: name, until }
  })
  return shortest
}

/** The first that fails ends it. */
async function inParallel(names: readonly string[], act: (name: string) => Promise<void>): Promise<void> {
  const left = names.values()
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (const name of left) await act(name)
    }),
  )
}
