// The newest commit of a set, for whoever looks again and again.
import type { ObjectStore } from '../ports/store.ts'
import { commitRange, type ReadCommit, readCommit } from './chain.ts'
import { commitName } from './names.ts'

/** `known`: the number of one that is there; then nothing is listed. Undefined: there is none. Throws KdrError: damaged, store-unreachable. */
export async function newestCommit(
  store: ObjectStore,
  set: string,
  known?: number,
): Promise<ReadCommit | undefined> {
  let number = known ?? (await commitRange(store, set))?.last
  if (number === undefined) return undefined
  if (known !== undefined) while ((await store.head(commitName(set, number + 1))) !== undefined) number++
  return await readCommit(store, set, number)
}
