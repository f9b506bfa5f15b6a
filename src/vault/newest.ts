// The newest commit of a set, for whoever looks again and again.
import type { ObjectStore } from '../ports/store.ts'
import { commitRange, type ReadCommit, readCommit } from './chain.ts'
import { commitName } from './names.ts'

/**
 * `known`: the number of one that was there; while it is, or the next one, nothing is listed. Undefined: there is none. Throws KdrError:
 * damaged, store-unreachable.
 */
export async function newestCommit(
  store: ObjectStore,
  set: string,
  known?: number,
): Promise<ReadCommit | undefined> {
  let number = known
  if (number !== undefined) while ((await store.head(commitName(set, number + 1))) !== undefined) number++
  // Pruned: others have made many since.
  if (number !== undefined && (await store.head(commitName(set, number))) === undefined) number = undefined
  number ??= (await commitRange(store, set))?.last
  return number === undefined ? undefined : await readCommit(store, set, number)
}
