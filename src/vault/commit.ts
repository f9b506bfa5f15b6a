// The next commit of a set: composed from a draft, and created only if there is none of its number. Whoever is refused looks who was
// first: an answer may have been lost, and the commit its own.
import { capturedAt } from '../model/backup-age.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import {
  applyCommit,
  CHECKPOINT_EVERY,
  type Commit,
  type Prune,
  type SetState,
  type VaultObject,
  wholeOf,
} from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import type { CommitDraft } from '../ports/vault.ts'
import { listedNumbers, type ReadCommit, readCommit } from './chain.ts'
import { commitName } from './names.ts'
import { seal } from './sealed.ts'

export type Committer = {
  readonly store: ObjectStore
  readonly vault: string
  readonly set: string
  /** Of one run. */
  readonly writer: string
  readonly by: string
  /** Wall clock, ms. */
  readonly now: () => number
  /** By when there should be another commit, where one is as of `last` (ms since 1970). */
  readonly lateAt?: ((last: number) => number) | undefined
}

export type NextCommit = {
  readonly draft: CommitDraft
  readonly objects: readonly VaultObject[]
  /** See Commit; undefined: as before, which is right where nothing is added. */
  readonly lockedUntil?: string | undefined
  /** From which commit on they count, where that changes. */
  readonly pruned?: { readonly first: number; readonly prune: Prune }
}

export type Composed = { readonly commit: Commit; readonly body: Buffer }

/** `before`: the newest commit; undefined for the first one. */
export function composeCommit(
  { vault, set, writer, by, now, lateAt }: Committer,
  before: SetState | undefined,
  { draft, objects, pruned, lockedUntil = pruned && before?.lockedUntil }: NextCommit,
): Composed {
  const number = (before?.number ?? 0) + 1
  const at = new Date(now()).toISOString()
  const said = inOrder(draft, before)
  const nextBy = pruned === undefined ? timeOf(lateAt?.(Date.parse(capturedAt({ ...said, at })))) : undefined
  const commit: Commit = {
    v: 1,
    kind: pruned === undefined ? 'commit' : 'prune',
    vault,
    set,
    number,
    first: pruned?.first ?? before?.first ?? 1,
    previous: before?.sha256 ?? null,
    isCheckpoint: false,
    writer,
    by,
    at,
    ...said,
    schemas: null,
    ...(nextBy !== undefined && { nextBy }),
    ...(lockedUntil !== undefined && { lockedUntil }),
    objects,
    ...(pruned !== undefined && { prune: pruned.prune }),
  }
  if (number % CHECKPOINT_EVERY !== 0) return { commit, body: seal(commit) }
  const whole: Commit = { ...commit, isCheckpoint: true, ...wholeOf(applyCommit(before, commit, '')) }
  return { commit: whole, body: seal(whole) }
}

/** Undefined: never, or further away than a date can be. */
function timeOf(ms: number | undefined): string | undefined {
  const date = new Date(ms ?? Number.NaN)
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString()
}

/**
 * A moment is looked for among the times of commits, so these never go back: where one of two clocks is wrong, the later commit is as of
 * the same time.
 */
function inOrder(draft: CommitDraft, before: SetState | undefined): CommitDraft {
  if (before === undefined || Date.parse(draft.endsAt) >= Date.parse(before.endsAt)) return draft
  const what = `the clock said ${draft.endsAt} when the ends were captured, earlier than those of commit ${before.number}: one of the two was wrong, and this commit is as of ${before.endsAt} too`
  return { ...draft, endsAt: before.endsAt, notes: [...draft.notes, { kind: 'clock', what }] }
}

/** Undefined: it stands. Else the commit of that number that another writer has made. Throws KdrError: other-writer, store-unreachable. */
export async function createCommit(
  { store, set, writer }: Committer,
  { commit, body }: Composed,
): Promise<ReadCommit | undefined> {
  const { number } = commit
  // What its writer knows may be so old that the commits behind it are pruned: the number is free again, and no reader would come by it.
  const listed = await listedNumbers(store, set, number - 1)
  const newest = Math.max(0, ...listed)
  if (newest > number && !listed.has(number)) throw otherWriter(set, newest)
  try {
    if ((await store.create(commitName(set, number), [body])) === 'created') return undefined
  } catch (error) {
    if (findKdrError(error)?.code !== 'store-unreachable') throw error
    const there = await readCommit(store, set, number).catch(() => undefined)
    if (there?.commit.writer === writer) return undefined
    throw error
  }
  const there = await readCommit(store, set, number)
  return there.commit.writer === writer ? undefined : there
}

export function otherWriter(set: string, number: number): KdrError {
  return new KdrError(
    'other-writer',
    `another writer has made commit ${number} of set "${set}": what this one has read is not committed`,
  )
}
