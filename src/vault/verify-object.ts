// Whether one object of a set is what was written, and if not, what that costs.
import type { RawBatch } from '../model/batch.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import type { SegmentIndex, VaultObject } from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import { readFrame } from './frames.ts'
import { parseIndex } from './reader.ts'
import { sha256 } from './sealed.ts'
import type { NamedSegment } from './what-counts.ts'

export const MISSING = 'it is missing'

type World = {
  readonly store: ObjectStore
  readonly set: string
  /** All, by name. */
  readonly objects: ReadonlyMap<string, VaultObject>
  readonly isIntact: (batch: RawBatch) => boolean
}

export async function checkSize(
  store: ObjectStore,
  set: string,
  { name, bytes }: VaultObject,
  needed: readonly NamedSegment[],
): Promise<Damage | undefined> {
  const found = await store.head(`${set}/${name}`)
  if (found?.bytes === bytes) return undefined
  const what = found === undefined ? MISSING : `it has ${found.bytes} bytes and should have ${bytes}`
  return { what, costs: needed }
}

/** What is wrong, and the segments that it costs. */
export type Damage = { readonly what: string; readonly costs: readonly NamedSegment[] }

/** Every byte, and that they say what the commits say. `needed`: the segments that are in it, or whose index is. */
export async function checkBytes(
  world: World,
  object: VaultObject,
  needed: readonly NamedSegment[],
): Promise<Damage | undefined> {
  const content = await world.store.get(`${world.set}/${object.name}`)
  if (content === undefined) return { what: MISSING, costs: needed }
  const differs = bytesDiffer(content, object)
  if (needed.some(({ segment }) => segment.index === object.name)) {
    const what =
      differs ?? (await damageOf(() => checkIndex(parseIndex(content, object.name).segments, needed)))
    return what === undefined ? undefined : { what, costs: needed }
  }
  const indexes = await readIndexes(world, needed)
  const costs: NamedSegment[] = []
  let first: string | undefined
  for (const each of needed) {
    const known = indexes.get(each.segment.index)
    if (known === undefined) continue
    const what = await damageOf(async () => await checkSegment(world.isIntact, content, each, known))
    if (what === undefined) continue
    first ??= what
    costs.push(each)
  }
  const what = differs ?? first
  // Of what no index tells the bytes, all may be lost.
  return what === undefined ? undefined : { what, costs: costs.length === 0 ? needed : costs }
}

/** Undefined: it is as it should be. */
async function damageOf(act: () => Promise<void> | void): Promise<string | undefined> {
  try {
    await act()
    return undefined
  } catch (error) {
    const known = findKdrError(error)
    if (known?.code !== 'damaged') throw error
    return known.message
  }
}

function bytesDiffer(content: Buffer, { bytes, sha256: expected }: VaultObject): string | undefined {
  if (content.length !== bytes) return `it has ${content.length} bytes and should have ${bytes}`
  return sha256(content) === expected ? undefined : 'its bytes are not those that were written (SHA-256)'
}

function checkIndex(indexes: readonly SegmentIndex[], needed: readonly NamedSegment[]): void {
  const byPosition = new Map(indexes.map(each => [each.position, each]))
  for (const { segment, topic, partition } of needed) {
    const own = byPosition.get(segment.position)
    const bytes = own?.frames.reduce((sum, frame) => sum + frame.bytes, 0)
    const maxTimestamp = own?.frames.reduce((most, frame) => Math.max(most, frame.maxTimestamp), -1)
    if (
      own?.topic !== topic ||
      own.partition !== partition ||
      own.from !== segment.from ||
      bytes !== segment.bytes ||
      maxTimestamp !== segment.maxTimestamp
    )
      throw new KdrError(
        'damaged',
        `it does not fit "${topic}" partition ${partition} at offset ${segment.from}`,
      )
  }
}

/** By the index's name, then by position; without those that are damaged: that is a problem of its own, and says nothing of batches. */
async function readIndexes(
  { store, set, objects }: World,
  needed: readonly NamedSegment[],
): Promise<Map<string, ReadonlyMap<number, SegmentIndex>>> {
  const found = new Map<string, ReadonlyMap<number, SegmentIndex>>()
  for (const name of new Set(needed.map(({ segment }) => segment.index))) {
    const expected = objects.get(name)
    const bytes = await store.get(`${set}/${name}`)
    if (expected === undefined || bytes === undefined || bytesDiffer(bytes, expected) !== undefined) continue
    found.set(name, new Map(parseIndex(bytes, name).segments.map(each => [each.position, each])))
  }
  return found
}

async function checkSegment(
  isIntact: World['isIntact'],
  content: Buffer,
  { segment, topic, partition }: NamedSegment,
  indexes: ReadonlyMap<number, SegmentIndex>,
): Promise<void> {
  const index = indexes.get(segment.position)
  const damaged = (offset: number, what: string): KdrError =>
    new KdrError('damaged', `"${topic}" partition ${partition} at offset ${offset}: ${what}`)
  if (index === undefined) throw damaged(segment.from, 'it has no index')
  let next = segment.from
  let batches = 0
  let records = 0
  for (const frame of index.frames) {
    const at = segment.position + frame.position
    for (const batch of await readFrame(content.subarray(at, at + frame.bytes), segment, frame)) {
      const { baseOffset, lastOffset, magic, maxTimestamp, recordCount } = batch.header
      if (baseOffset < next) throw damaged(baseOffset, 'its batches are out of order')
      if (maxTimestamp > frame.maxTimestamp) throw damaged(baseOffset, 'the index gives an earlier time')
      if (magic >= 2 && !isIntact(batch)) throw damaged(baseOffset, 'a batch does not match its checksum')
      next = lastOffset + 1
      batches++
      records += recordCount
    }
  }
  if (batches !== segment.batches || records !== segment.records || next < segment.to)
    throw damaged(segment.from, 'it does not hold as many batches and records as the commit says')
}
