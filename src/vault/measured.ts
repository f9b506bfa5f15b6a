// How fast data of a set has gone where kdr runs: by the newest commit that took enough to tell. Its own clock says when it began to
// read (`endsAt`) and when all was written (`at`).
import type { SetState } from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import { ahead } from './ahead.ts'
import { readCommit } from './chain.ts'

/** Less is over before a disk or a line shows what it can. */
const TELLING_BYTES = 32 * 1024 * 1024
const LOOKS = 20
const READ_AHEAD = 4

export type Measured = { readonly commit: number; readonly bytesPerMs: number }

/** Undefined: none of the newest ones tells. Throws KdrError: damaged, store-unreachable. */
export async function measuredSpeed(
  store: ObjectStore,
  set: string,
  { first, number }: Pick<SetState, 'first' | 'number'>,
): Promise<Measured | undefined> {
  const numbers = Array.from({ length: Math.min(LOOKS, number - first + 1) }, (_none, i) => number - i)
  for await (const { commit } of ahead(numbers, READ_AHEAD, async at => await readCommit(store, set, at))) {
    // A checkpoint names what earlier commits have taken too.
    if (commit.kind === 'prune' || (commit.isCheckpoint && commit.number > 1)) continue
    const segments = commit.topics.flatMap(({ partitions }) => partitions.flatMap(each => each.segments))
    const bytes = segments.reduce((sum, { rawBytes }) => sum + rawBytes, 0)
    const ms = Date.parse(commit.at) - Date.parse(commit.endsAt)
    if (bytes >= TELLING_BYTES && ms > 0) return { commit: commit.number, bytesPerMs: bytes / ms }
  }
  return undefined
}
