// The lock that ends first, of all that a commit needs.
import type { ShortestLock } from '../app-vault.ts'
import type { Style } from '../table.ts'

type LockJson = { readonly object: string; readonly until: string | null }

export function lockOf({ object, until }: ShortestLock): LockJson {
  return { object, until: until === undefined ? null : new Date(until).toISOString() }
}

/** Nothing for a vault that does not lock. */
export function lockJson(lock: ShortestLock | undefined): { readonly lock?: LockJson } {
  return lock === undefined ? {} : { lock: lockOf(lock) }
}

export function lockText(lock: ShortestLock | undefined, style: Style): string {
  if (lock === undefined) return ''
  const { object, until } = lockOf(lock)
  return until === null
    ? `${style.yellow('!')} "${object}" is not locked: the next commit locks it\n`
    : `locked until ${until} at least (${object})\n`
}
