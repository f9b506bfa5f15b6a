// What full verifications have found in order: each leaves a record of its own beside the commits. A prune asks for a fresh one.
import { findKdrError } from '../model/errors.ts'
import type { VerifiedRecord } from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import { readCommit } from './chain.ts'
import { verifiedName, verifiedPrefix } from './names.ts'
import { readSealed, seal } from './sealed.ts'

export type Verified = Pick<VerifiedRecord, 'set' | 'number' | 'at' | 'by' | 'objects' | 'bytes'>

/** `unique`: gives a name that nobody else uses. Throws KdrError: not-allowed, store-unreachable. */
async function writeVerified(store: ObjectStore, of: Verified, unique: () => string): Promise<void> {
  const { commit, sha256 } = await readCommit(store, of.set, of.number)
  const record: VerifiedRecord = { v: 1, kind: 'verified', vault: commit.vault, sha256, ...of }
  await store.create(verifiedName(of.set, of.number, unique()), [seal(record)])
}

/** False where kdr may only read. Throws KdrError('store-unreachable'). */
export async function recordVerified(
  store: ObjectStore,
  of: Verified,
  unique: () => string,
): Promise<boolean> {
  try {
    await writeVerified(store, of, unique)
    return true
  } catch (error) {
    if (findKdrError(error)?.code !== 'not-allowed') throw error
    return false
  }
}

/** `onDamaged`: of one that cannot be read. Throws KdrError: store-unreachable, newer-version. */
export async function readVerified(
  store: ObjectStore,
  set: string,
  onDamaged: (object: string, what: string) => void,
): Promise<VerifiedRecord[]> {
  const records: VerifiedRecord[] = []
  for await (const { name } of store.list(verifiedPrefix(set))) {
    try {
      const found = await readSealed(store, name)
      if (found !== undefined) records.push(found.record as unknown as VerifiedRecord)
    } catch (error) {
      const known = findKdrError(error)
      if (known?.code !== 'damaged') throw error
      onDamaged(name, known.message)
    }
  }
  return records
}

/** The newest that is about a commit from `first` on, as it is now. */
export async function lastVerified(
  store: ObjectStore,
  set: string,
  first: number,
): Promise<VerifiedRecord | undefined> {
  const records = await readVerified(store, set, () => undefined)
  for (const record of records.toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at)))
    if (record.number >= first && (await readCommit(store, set, record.number)).sha256 === record.sha256)
      return record
  return undefined
}
