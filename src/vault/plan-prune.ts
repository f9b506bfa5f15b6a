// Pure: what a prune drops, and what it may delete. Two steps with a grace period between them: first a commit names what nothing
// needs any more, so that nobody begins to read it; what was named long enough ago is deleted. What is named is never needed again:
// every commit to come is made of what the newest holds, and of what its own writer wrote for it.
import { baseOf } from '../model/vault.ts'
import type { PruneActs } from '../model/vault-reports.ts'
import type { StoredObject } from '../ports/store.ts'
import { commitNumber, verifiedNumber, writtenFor } from './names.ts'

/** Named by one prune: so much its commit can carry. The next one names the rest. */
export const DOOMED_AT_ONCE = 20_000

export type PruneFacts = {
  readonly set: string
  /** The first commit that counts, now and then. */
  readonly first: number
  readonly nextFirst: number
  /** The newest commit that took something of the source: of a prune's number nobody can say who else had it in mind. */
  readonly newestBackup: number
  /** Below the set: what commits from `nextFirst` on need. */
  readonly needed: ReadonlySet<string>
  /** Those that are left: when each named what, in ms. */
  readonly prunes: readonly { readonly at: number; readonly doomed: readonly string[] }[]
  /** All objects of the set, with their whole names. */
  readonly listed: readonly StoredObject[]
  readonly now: number
  readonly graceMs: number
}

export function planPrune(facts: PruneFacts): PruneActs {
  const { set, needed, prunes, listed, now, graceMs } = facts
  const namedAt = new Map<string, number>()
  for (const { at, doomed } of prunes)
    for (const name of doomed) namedAt.set(name, Math.min(at, namedAt.get(name) ?? at))
  const doomed: StoredObject[] = []
  const due: StoredObject[] = []
  const waiting: StoredObject[] = []
  let rest = 0
  let until: number | undefined
  for (const { name: path, bytes } of listed) {
    const name = path.slice(set.length + 1)
    if (needed.has(name)) continue
    const object = { name, bytes }
    const at = namedAt.get(name)
    if (at === undefined) {
      if (!isDead(facts, path, name)) continue
      if (doomed.length < DOOMED_AT_ONCE) doomed.push(object)
      else rest++
    } else if (at + graceMs <= now) due.push(object)
    else {
      waiting.push(object)
      until = Math.max(until ?? 0, at + graceMs)
    }
  }
  return { doomed, rest, due, waiting, until }
}

/** Of what no commit needs. What a running backup has written is not named yet, and not dead. */
function isDead({ set, nextFirst, newestBackup }: PruneFacts, path: string, name: string): boolean {
  const commit = commitNumber(set, path)
  if (commit !== undefined) return commit < baseOf(nextFirst)
  const verified = verifiedNumber(name)
  if (verified !== undefined) return verified < nextFirst
  const forCommit = writtenFor(name)
  return forCommit !== undefined && forCommit <= newestBackup
}
