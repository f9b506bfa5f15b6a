// Whether one object of a set is what was written. Answers what is wrong with it, or undefined.
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
): Promise<string | undefined> {
  const found = await store.head(`${set}/${name}`)
  if (found === undefined) return MISSING
  return found.bytes === bytes ? undefined : `it has ${found.bytes} bytes and should have ${bytes}`
}

/** Every byte, and that they say what the commits say. `needed`: the segments that are in it, or whose index is. */
export async function checkBytes(
  world: World,
  object: VaultObject,
  needed: readonly NamedSegment[],
): Promise<string | undefined> {
  const content = await world.store.get(`${world.set}/${object.name}`)
  if (content === undefined) return MISSING
  const what = bytesDiffer(content, object)
  if (what !== undefined) return what
  try {
    if (needed.some(({ segment }) => segment.index === object.name))
      checkIndex(parseIndex(content, object.name).segments, needed)
    else await checkSegments(world, content, needed)
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

async function checkSegments(
  { store, set, objects, isIntact }: World,
  content: Buffer,
  needed: readonly NamedSegment[],
): Promise<void> {
  for (const [name, segments] of Map.groupBy(needed, ({ segment }) => segment.index)) {
    const expected = objects.get(name)
    const bytes = await store.get(`${set}/${name}`)
    // An index that is damaged is a problem of its own, and says nothing of the batches.
    if (expected === undefined || bytes === undefined || bytesDiffer(bytes, expected) !== undefined) continue
    const byPosition = new Map(parseIndex(bytes, name).segments.map(each => [each.position, each]))
    for (const each of segments)
      await checkSegment(isIntact, content, each, byPosition.get(each.segment.position))
  }
}

async function checkSegment(
  isIntact: World['isIntact'],
  content: Buffer,
  { segment, topic, partition }: NamedSegment,
  index: SegmentIndex | undefined,
): Promise<void> {
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
