// Whether what a set says is there is there, and is what was written. Cheap: every commit that counts, chained, and every object with
// its size. Full: every byte of every object, every batch's checksum, order and index; a sample of the objects, likewise. Problems are
// values, each with what it would cost.
import { createHash } from 'node:crypto'
import type { RawBatch } from '../model/batch.ts'
import type { LostRecords, VaultProblem } from '../model/vault-reports.ts'
import type { ObjectStore } from '../ports/store.ts'
import { ahead } from './ahead.ts'
import { commitRange } from './chain.ts'
import { VAULT_OBJECT } from './names.ts'
import { openVault } from './vault.ts'
import { readVerified } from './verified.ts'
import { checkBytes, checkSize, MISSING } from './verify-object.ts'
import { attempt, type NamedSegment, readWhatCounts, type WhatCounts } from './what-counts.ts'

export type VaultVerification = {
  readonly objects: number
  readonly bytes: number
  /** Of the objects, those that were read whole. */
  readonly read: number
  readonly problems: readonly VaultProblem[]
}

export type VerifyVault = {
  readonly store: ObjectStore
  readonly set: string
  /** The commits that count, up to this one. */
  readonly number: number
  readonly isFull: boolean
  /** This share of the objects is read whole; the same seed chooses the same. */
  readonly sample?: { readonly percent: number; readonly seed: number } | undefined
  /** Whether a batch's bytes match its checksum. */
  readonly isIntact: (batch: RawBatch) => boolean
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: (progress: { readonly objects: number; readonly objectsDone: number }) => void
}

/** Questions for a size at once; a whole object may have 64 MB. */
const SIZES_AT_ONCE = 16
const WHOLE_AT_ONCE = 2

/** Throws KdrError: store-unreachable, not-allowed, newer-version, and the reason of `signal`. */
export async function verifyVault(input: VerifyVault): Promise<VaultVerification> {
  const { store, set, number, signal } = input
  const problems: VaultProblem[] = []
  const tell = (object: string, what: string): void => void problems.push({ object, what, lost: [] })
  const vault = await attempt(async () => await openVault(store))
  if ('damaged' in vault) tell(VAULT_OBJECT, vault.damaged.message)
  const records = await readVerified(store, set, tell)
  const first = (await commitRange(store, set))?.first ?? 1
  const counting = { store, set, first, last: number, signal }
  const counts = await readWhatCounts(counting)
  for (const { object, what } of counts.problems) tell(object, what)
  const isMissing = await checkAll(input, counts, problems)
  const others = counts.commits + records.length + 1
  const done = {
    objects: counts.objects.size + others,
    bytes: counts.bytes + [...counts.objects.values()].reduce((sum, { bytes }) => sum + bytes, 0),
    read: others + wholeOnes(input, counts).size,
  }
  // A prune may have deleted meanwhile what it had dropped long before.
  const now = isMissing ? ((await commitRange(store, set))?.first ?? first) : first
  if (now === first) return { ...done, problems }
  const still = (await readWhatCounts({ ...counting, first: now })).objects
  const gone = (name: string): boolean => counts.objects.has(name) && !still.has(name)
  return { ...done, problems: problems.filter(({ object }) => !gone(object.slice(set.length + 1))) }
}

/** Whether something is missing. */
async function checkAll(
  input: VerifyVault,
  { objects, segments }: WhatCounts,
  problems: VaultProblem[],
): Promise<boolean> {
  const { store, set, isIntact, signal, onProgress } = input
  for (const { segment } of segments.values())
    for (const name of [segment.object, segment.index])
      if (!objects.has(name)) {
        const what = 'a segment needs it, and no commit says what it should be'
        problems.push({ object: `${set}/${name}`, what, lost: [] })
      }
  const byObject = Map.groupBy(segments.values(), ({ segment }) => segment.object)
  const byIndex = Map.groupBy(segments.values(), ({ segment }) => segment.index)
  const whole = wholeOnes(input, { objects, segments })
  let done = 0
  let isMissing = false
  const width = whole.size === 0 ? SIZES_AT_ONCE : WHOLE_AT_ONCE
  const checks = ahead(objects.values(), width, async object => {
    signal?.throwIfAborted()
    const needed = byObject.get(object.name) ?? byIndex.get(object.name) ?? []
    const damage = whole.has(object.name)
      ? await checkBytes({ store, set, objects, isIntact }, object, needed)
      : await checkSize(store, set, object, needed)
    return { object, damage }
  })
  for await (const { object, damage } of checks) {
    onProgress?.({ objects: objects.size, objectsDone: ++done })
    if (damage === undefined) continue
    const { what, costs } = damage
    isMissing ||= what === MISSING
    const lost = costs.map(lostOf)
    problems.push({ object: `${set}/${object.name}`, what: `${what}${costText(lost)}`, lost })
  }
  return isMissing
}

/** The objects that are to be read whole: all, or of a sample data with its index. */
function wholeOnes(
  { isFull, sample }: VerifyVault,
  { objects, segments }: Pick<WhatCounts, 'objects' | 'segments'>,
): ReadonlySet<string> {
  if (isFull) return new Set(objects.keys())
  if (sample === undefined) return new Set()
  const data = new Map([...segments.values()].map(({ segment }) => [segment.object, segment.index]))
  const drawn = [...data.keys()].map(name => ({ name, at: drawOf(name, sample.seed) }))
  const chosen = drawn.filter(({ at }) => at < sample.percent / 100)
  // Of a few, one at least.
  const [least] = drawn.toSorted((a, b) => a.at - b.at)
  if (chosen.length === 0 && least !== undefined) chosen.push(least)
  return new Set(chosen.flatMap(({ name }) => [name, data.get(name)!]).filter(name => objects.has(name)))
}

/** In [0, 1). */
function drawOf(name: string, seed: number): number {
  return createHash('sha256').update(`${seed} ${name}`).digest().readUInt32BE() / 2 ** 32
}

function lostOf({ segment, topic, partition }: NamedSegment): LostRecords {
  return { topic, partition, from: segment.from, to: segment.to, records: segment.records }
}

function costText([first, ...more]: readonly LostRecords[]): string {
  if (first === undefined) return ''
  const { topic, partition, from, to, records } = first
  const others =
    more.length === 0
      ? ''
      : `, and ${more.reduce((sum, each) => sum + each.records, 0)} records at ${more.length} more places`
  return `: "${topic}" partition ${partition} could not be restored at offsets ${from} to ${to - 1} (${records} records)${others}`
}
