// Drops the oldest commits of a set: those that are not needed for the days that it is kept. The prune is a commit itself, which names
// the new first one and what nothing needs any more; what an earlier one has named is deleted when its grace period is over. Killed
// anywhere, it leaves a valid set, and the next one goes on.
import { findKdrError, KdrError } from '../model/errors.ts'
import { applyCommit, baseOf, type Commit, type SetState, type VerifiedRecord } from '../model/vault.ts'
import type { PrunePlan, PruneReport } from '../model/vault-reports.ts'
import type { ObjectStore, StoredObject } from '../ports/store.ts'
import type { CommitDraft } from '../ports/vault.ts'
import { ahead, numbersFrom } from './ahead.ts'
import { assertFollows, commitRange, type ReadCommit, readCommit } from './chain.ts'
import { composeCommit, createCommit, otherWriter } from './commit.ts'
import { planPrune } from './plan-prune.ts'
import { openVault } from './vault.ts'
import { lastVerified } from './verified.ts'

export const DAY_MS = 86_400_000
/** How long what was dropped is still there: a restore that has begun to read it goes on. */
export const GRACE_MS = DAY_MS
/** How old the full verification may be that a prune relies on. */
export const VERIFIED_WITHIN_MS = 7 * DAY_MS
const READ_AHEAD = 8
const DELETE_AT_ONCE = 16

export type PruneOptions = {
  readonly store: ObjectStore
  readonly set: string
  readonly by: string
  readonly unique: () => string
  /** Wall clock, ms. */
  readonly now: () => number
  /** Every moment of these days stays restorable. */
  readonly days: number
  readonly graceMs?: number | undefined
}

type Planned = {
  readonly plan: PrunePlan
  /** As of the newest commit, and the commit that reading begins with then. */
  readonly state: SetState
  readonly base: ReadCommit
  readonly newest: Commit
}

/** Changes nothing. Throws KdrError: usage without a commit, damaged, store-unreachable. */
export async function preparePrune(options: PruneOptions): Promise<Planned> {
  const { store, set, now, days, graceMs = GRACE_MS } = options
  const at = now()
  const range = await commitRange(store, set)
  if (range === undefined)
    throw new KdrError('usage', `set "${set}" has no commit yet`, { hint: `Make one: kdr backup run ${set}` })
  const { first, last } = range
  // A commit that is made from here on takes the number that this prune would have.
  const listed: StoredObject[] = []
  for await (const each of store.list(`${set}/`)) listed.push(each)
  const nextFirst = await firstFrom(options, { first, last }, at)
  const read = await readKept(options, nextFirst, last)
  const acts = planPrune({ set, first, nextFirst, listed, now: at, graceMs, ...read })
  const isIdle = nextFirst === first && acts.doomed.length === 0 && acts.due.length === 0
  const verified = isIdle ? undefined : await lastVerified(store, set, nextFirst)
  const refusal = isIdle ? undefined : refusalOf({ set, nextFirst, first, at, verified })
  const plan = { ...acts, set, days, last, first, nextFirst, begins: read.begins, verified, refusal }
  return { plan, state: read.state, base: read.base, newest: read.newest }
}

/**
 * The last commit before all that are younger than the days: any later moment is reached from there. One that is older behind a younger
 * one had a wrong clock, and takes nothing with it.
 */
async function firstFrom(
  { store, set, days }: PruneOptions,
  { first, last }: { readonly first: number; readonly last: number },
  at: number,
): Promise<number> {
  let number = first - 1
  const commits = ahead(
    numbersFrom(first, last),
    READ_AHEAD,
    async each => await readCommit(store, set, each),
  )
  for await (const { commit } of commits) {
    if (Date.parse(commit.endsAt) > at - days * DAY_MS) break
    number = commit.number
  }
  return Math.min(last, Math.max(first, number))
}

/** Throws KdrError('damaged'): what is damaged is not pruned, or the rest of it would go too. */
async function readKept({ store, set }: PruneOptions, nextFirst: number, last: number) {
  const needed = new Set<string>()
  const prunes: { readonly at: number; readonly doomed: readonly string[] }[] = []
  let newestBackup = 0
  let base: ReadCommit | undefined
  let begins = ''
  let state: SetState | undefined
  let newest: Commit | undefined
  const numbers = numbersFrom(baseOf(nextFirst), last)
  for await (const read of ahead(numbers, READ_AHEAD, async at => await readCommit(store, set, at))) {
    const { commit, sha256 } = read
    if (state !== undefined) assertFollows(state, commit)
    base ??= read
    newest = commit
    state = applyCommit(state, commit, sha256)
    if (commit.number === nextFirst) {
      begins = commit.endsAt
      for (const name of state.objects.keys()) needed.add(name)
    } else if (commit.number > nextFirst) for (const { name } of commit.objects) needed.add(name)
    if (commit.kind === 'commit') newestBackup = commit.number
    if (commit.prune !== undefined) prunes.push({ at: Date.parse(commit.at), doomed: commit.prune.doomed })
  }
  return { needed, prunes, newestBackup, begins, newest: newest!, base: base!, state: state! }
}

function refusalOf({
  set,
  nextFirst,
  first,
  at,
  verified,
}: {
  readonly set: string
  readonly nextFirst: number
  readonly first: number
  readonly at: number
  readonly verified: VerifiedRecord | undefined
}): KdrError | undefined {
  const hint = `Verify the set: kdr backup verify ${set} --full; then prune it.`
  const which = nextFirst > first ? `commit ${nextFirst} or a later one` : 'what is left'
  if (verified === undefined)
    return new KdrError('not-ready', `no full verification of ${which} of set "${set}" has passed`, { hint })
  if (Math.abs(at - Date.parse(verified.at)) <= VERIFIED_WITHIN_MS) return undefined
  return new KdrError(
    'not-ready',
    `the last full verification of ${which} of set "${set}" that has passed is of ${verified.at}, more than 7 days ago`,
    { hint },
  )
}

/** Throws KdrError: other-writer when a commit was made since the plan, store-unreachable, and what the plan refuses. */
export async function executePrune(
  options: PruneOptions,
  { plan, state, base, newest }: Planned,
  onProgress: (progress: { readonly objects: number; readonly objectsDone: number }) => void = () =>
    undefined,
  signal?: AbortSignal,
): Promise<PruneReport> {
  if (plan.refusal !== undefined) throw plan.refusal
  const { store, set, by, unique, now } = options
  let number: number | undefined
  if (plan.nextFirst > plan.first || plan.doomed.length > 0) {
    const { vault } = await openVault(store)
    const committer = { store, vault, set, writer: unique(), by, now }
    const prune = {
      base: { number: base.commit.number, sha256: base.sha256 },
      doomed: plan.doomed.map(({ name }) => name),
    }
    const pruned = { first: plan.nextFirst, prune }
    const next = composeCommit(committer, state, { draft: samePoint(newest), objects: [], pruned })
    const other = await createCommit(committer, next)
    if (other !== undefined) throw otherWriter(set, other.commit.number)
    number = next.commit.number
  }
  const deleted = { objects: 0, bytes: 0 }
  const kept: { readonly object: string; readonly what: string }[] = []
  let done = 0
  const deletions = ahead(plan.due, DELETE_AT_ONCE, async object => {
    signal?.throwIfAborted()
    return { object, refused: await deleteOne(store, `${set}/${object.name}`) }
  })
  for await (const { object, refused } of deletions) {
    onProgress({ objects: plan.due.length, objectsDone: ++done })
    if (refused !== undefined) kept.push({ object: `${set}/${object.name}`, what: refused })
    else {
      deleted.objects++
      deleted.bytes += object.bytes
    }
  }
  return { commit: number, deleted, kept }
}

/** What a commit says of itself, and not of its point. */
const OF_ITSELF: ReadonlySet<string> = new Set([
  'v',
  'kind',
  'vault',
  'set',
  'number',
  'first',
  'previous',
  'isCheckpoint',
  'days',
  'writer',
  'by',
  'at',
  'lockedUntil',
  'schemas',
  'objects',
  'prune',
])

/** The same point once more, with all that was said of it, and nothing new. */
function samePoint(commit: Commit): CommitDraft {
  const said = Object.fromEntries(Object.entries(commit).filter(([name]) => !OF_ITSELF.has(name)))
  const nothing = { topics: [], topicsGone: [], groups: [], groupsGone: [], rights: null }
  return { ...(said as CommitDraft), ...nothing }
}

/** Why it stays; undefined when it is gone. */
async function deleteOne(store: ObjectStore, name: string): Promise<string | undefined> {
  try {
    await store.delete(name)
    return undefined
  } catch (error) {
    const known = findKdrError(error)
    if (known?.code !== 'not-allowed') throw error
    return known.message
  }
}
