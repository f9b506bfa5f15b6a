// The commits of a set: found, read, checked against each other, and folded into what the set holds at a point. The newest is
// looked for beyond the listing, which may be late.
import { KdrError } from '../model/errors.ts'
import { applyCommit, CHECKPOINT_EVERY, type Commit, type Point, type SetState } from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import { commitName, commitNumber, commitsPrefix } from './names.ts'
import { readSealed, sha256 } from './sealed.ts'

export type ReadCommit = { readonly commit: Commit; readonly sha256: string; readonly bytes: number }

/** The numbers of all commits, ascending. */
export async function commitNumbers(store: ObjectStore, set: string): Promise<number[]> {
  const numbers: number[] = []
  for await (const { name } of store.list(commitsPrefix(set))) {
    const number = commitNumber(set, name)
    if (number !== undefined) numbers.push(number)
  }
  for (let next = (numbers.at(-1) ?? 0) + 1; ; next++) {
    if ((await store.head(commitName(set, next))) === undefined) return numbers
    numbers.push(next)
  }
}

/** Throws KdrError('damaged'), also when there is none. */
export async function readCommit(store: ObjectStore, set: string, number: number): Promise<ReadCommit> {
  const name = commitName(set, number)
  const found = await readSealed(store, name)
  if (found === undefined) throw new KdrError('damaged', `object "${name}" is missing: commit ${number}`)
  const commit = found.record as unknown as Commit
  if (commit.number !== number || commit.set !== set)
    throw new KdrError('damaged', `object "${name}" holds commit ${commit.number} of set "${commit.set}"`)
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
  const checkpoint = number - (number % CHECKPOINT_EVERY)
  let state: SetState | undefined
  for (let at = Math.max(1, checkpoint); at <= number; at++) {
    const read = await readCommit(store, set, at)
    if (state !== undefined) assertFollows(state, read.commit)
    state = applyCommit(state, read.commit, read.sha256)
  }
  return state!
}

/** Undefined when nothing was ever committed. */
export async function readLatest(store: ObjectStore, set: string): Promise<SetState | undefined> {
  const last = (await commitNumbers(store, set)).at(-1)
  return last === undefined ? undefined : await readState(store, set, last)
}

export type Located = {
  /** The last commit at or before the point. */
  readonly number: number
  /** The one after it, where the point is a time between the two. */
  readonly next: number | undefined
}

/** Throws KdrError('usage') for a point that the set does not have. */
export async function locate(store: ObjectStore, set: string, point: Point): Promise<Located> {
  const numbers = await commitNumbers(store, set)
  const [first] = numbers
  const last = numbers.at(-1)
  if (first === undefined || last === undefined)
    throw new KdrError('usage', `set "${set}" has no commit yet`, { hint: `Make one: kdr backup run ${set}` })
  if (point.kind === 'latest') return { number: last, next: undefined }
  if (point.kind === 'commit') {
    if (numbers.includes(point.number)) return { number: point.number, next: undefined }
    throw new KdrError('usage', `set "${set}" has no commit ${point.number}: it has ${first} to ${last}`)
  }
  // Ends are captured one commit after the other, so their times ascend.
  let low = -1
  for (let high = numbers.length; high - low > 1; ) {
    const middle = (low + high) >> 1
    const { commit } = await readCommit(store, set, numbers[middle]!)
    if (Date.parse(commit.endsAt) <= point.at) low = middle
    else high = middle
  }
  const number = numbers[low]
  if (number !== undefined) return { number, next: numbers[low + 1] }
  const { commit } = await readCommit(store, set, first)
  throw new KdrError(
    'usage',
    `set "${set}" begins at ${commit.endsAt}, later than ${new Date(point.at).toISOString()}`,
    { hint: `See what there is: kdr backup list ${set}` },
  )
}
