// The commits of a set: found, read, checked against each other, and folded into what the set holds at a point. The newest is
// looked for beyond the listing, which may be late; it says which is the first that counts.
import { findKdrError, KdrError } from '../model/errors.ts'
import { applyCommit, baseOf, type Commit, type Point, type SetState } from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import { ahead, numbersFrom } from './ahead.ts'
import { commitName, commitNumber, commitsPrefix } from './names.ts'
import { readSealed, sha256 } from './sealed.ts'

export type ReadCommit = { readonly commit: Commit; readonly sha256: string; readonly bytes: number }

/** Commits read at once: they are small, and a bucket is far away. */
const READ_AHEAD = 8

/** The commits that count: [first, last]. */
export type CommitRange = { readonly first: number; readonly last: number }

/** Undefined when nothing was ever committed. */
export async function commitRange(store: ObjectStore, set: string): Promise<CommitRange | undefined> {
  const last = await newestNumber(store, set, 0)
  return last === 0 ? undefined : { first: await firstOf(store, set, last), last }
}

/** Of what is listed behind `after`; those that nobody counts any more included. */
export async function listedNumbers(store: ObjectStore, set: string, after = 0): Promise<Set<number>> {
  const numbers = new Set<number>()
  for await (const { name } of store.list(commitsPrefix(set), commitName(set, after))) {
    const number = commitNumber(set, name) ?? 0
    if (number > after) numbers.add(number)
  }
  return numbers
}

/** Beyond the listing, which may be late. `least`: one that is there; 0 for none. */
async function newestNumber(store: ObjectStore, set: string, least: number): Promise<number> {
  let last = least
  for (const number of await listedNumbers(store, set, least)) last = Math.max(last, number)
  while ((await store.head(commitName(set, last + 1))) !== undefined) last++
  return last
}

/** As the newest commit says that can be read: a damaged one is for whoever needs it. */
async function firstOf(store: ObjectStore, set: string, last: number): Promise<number> {
  for (let at = last; at > 0; at--) {
    try {
      return (await readCommit(store, set, at)).commit.first
    } catch (error) {
      if (findKdrError(error)?.code !== 'damaged') throw error
    }
  }
  return 1
}

/** The numbers of all commits that count, ascending. */
export async function commitNumbers(store: ObjectStore, set: string): Promise<number[]> {
  const range = await commitRange(store, set)
  return range === undefined ? [] : [...numbersFrom(range.first, range.last)]
}

/** Throws KdrError('damaged'), also when there is none. */
export async function readCommit(store: ObjectStore, set: string, number: number): Promise<ReadCommit> {
  const name = commitName(set, number)
  const found = await readSealed(store, name)
  if (found === undefined) throw new KdrError('damaged', `object "${name}" is missing: commit ${number}`)
  const commit = found.record as unknown as Commit
  if (commit.number !== number || commit.set !== set)
    throw new KdrError('damaged', `object "${name}" holds commit ${commit.number} of set "${commit.set}"`)
  if (commit.kind !== 'commit' && commit.kind !== 'prune')
    throw new KdrError('newer-version', `object "${name}" is of a kind that this kdr does not know`)
  return { commit, sha256: sha256(found.bytes), bytes: found.bytes.length }
}

/** Throws KdrError('damaged') when `next` does not follow on `before`. */
export function assertFollows(
  before: { readonly number: number; readonly sha256: string },
  next: Commit,
): void {
  if (next.previous === before.sha256 && next.number === before.number + 1) return
  throw new KdrError(
    'damaged',
    `commit ${next.number} of set "${next.set}" does not follow on commit ${before.number} as it is now: one of them was replaced`,
  )
}

/** What the set holds as of commit `number`. Reads back to the last checkpoint. Throws KdrError('damaged'). */
export async function readState(store: ObjectStore, set: string, number: number): Promise<SetState> {
  let state: SetState | undefined
  const numbers = numbersFrom(baseOf(number), number)
  for await (const read of ahead(numbers, READ_AHEAD, async at => await readCommit(store, set, at))) {
    if (state !== undefined) assertFollows(state, read.commit)
    state = applyCommit(state, read.commit, read.sha256)
  }
  return state!
}

/** Undefined when nothing was ever committed. `known`: an earlier state, from which only what has been added is read. */
export async function readLatest(
  store: ObjectStore,
  set: string,
  known?: SetState,
): Promise<SetState | undefined> {
  const state = known && (await readOn(store, set, known))
  if (state !== undefined) return state
  const range = await commitRange(store, set)
  return range === undefined ? undefined : await readState(store, set, range.last)
}

/** Undefined: nothing leads on from what is known. What is behind it may be pruned: then the next one is missing, and others are there. */
async function readOn(store: ObjectStore, set: string, known: SetState): Promise<SetState | undefined> {
  try {
    const last = await newestNumber(store, set, known.number)
    if (last === known.number)
      return (await readCommit(store, set, last)).sha256 === known.sha256 ? known : undefined
    let state = known
    for (let number = known.number + 1; number <= last; number++) {
      const { commit, sha256: hash } = await readCommit(store, set, number)
      assertFollows(state, commit)
      state = applyCommit(state, commit, hash)
    }
    return state
  } catch (error) {
    // Whether the set is damaged, or only what is known is of another one, is seen without it.
    if (findKdrError(error)?.code !== 'damaged') throw error
    return undefined
  }
}

export type Located = {
  /** The last commit at or before the point. */
  readonly number: number
  /** The one after it, where the point is a time between the two. */
  readonly next: number | undefined
}

/** Throws KdrError('usage') for a point that the set does not have. */
export async function locate(store: ObjectStore, set: string, point: Point): Promise<Located> {
  const range = await commitRange(store, set)
  if (range === undefined)
    throw new KdrError('usage', `set "${set}" has no commit yet`, { hint: `Make one: kdr backup run ${set}` })
  const { first, last } = range
  if (point.kind === 'latest') return { number: last, next: undefined }
  if (point.kind === 'commit') {
    if (point.number >= first && point.number <= last) return { number: point.number, next: undefined }
    const why = point.number < first ? 'was pruned' : 'is not there'
    throw new KdrError('usage', `commit ${point.number} of set "${set}" ${why}: it has ${first} to ${last}`)
  }
  // Their times never go back: whoever makes a commit sees to that. A prune has those of the commit before it.
  let low = first - 1
  for (let high = last + 1; high - low > 1; ) {
    const middle = (low + high) >> 1
    const { commit } = await readCommit(store, set, middle)
    if (Date.parse(commit.endsAt) <= point.at) low = middle
    else high = middle
  }
  if (low >= first) return { number: low, next: low < last ? low + 1 : undefined }
  const { commit } = await readCommit(store, set, first)
  const why = first === 1 ? '' : ' (what was before it was pruned)'
  throw new KdrError(
    'usage',
    `set "${set}" begins at ${commit.endsAt}${why}, later than ${new Date(point.at).toISOString()}`,
    { hint: `See what there is: kdr backup list ${set}` },
  )
}
