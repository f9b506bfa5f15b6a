// Whether what a set says is there is there, and is what was written. Cheap: every commit, chained, and every object with its size.
// Full: every byte of every object, every batch's checksum, order and index. Problems are values, each with what it would cost.
import type { RawBatch } from '../model/batch.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import type { Commit, Segment, SegmentIndex, VaultObject } from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import { assertFollows, readCommit } from './chain.ts'
import { readFrame } from './frames.ts'
import { commitName } from './names.ts'
import { parseIndex } from './reader.ts'
import { sha256 } from './sealed.ts'
import { openVault } from './vault.ts'

export type VaultProblem = { readonly object: string; readonly what: string }
export type VaultVerification = {
  readonly objects: number
  readonly bytes: number
  readonly problems: readonly VaultProblem[]
}

export type VerifyVault = {
  readonly store: ObjectStore
  readonly set: string
  /** The commits up to this one. */
  readonly number: number
  readonly isFull: boolean
  /** Whether a batch's bytes match its checksum. */
  readonly isIntact: (batch: RawBatch) => boolean
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: (progress: { readonly objects: number; readonly objectsDone: number }) => void
}

type Named = { readonly segment: Segment; readonly topic: string; readonly partition: number }

/** Throws KdrError: store-unreachable, not-allowed, newer-version, and the reason of `signal`. */
export async function verifyVault(input: VerifyVault): Promise<VaultVerification> {
  const { store, set, number, signal, onProgress } = input
  const problems: VaultProblem[] = []
  await gather(problems, 'kdr.json', async () => void (await openVault(store)))
  const { commits, bytes: commitBytes } = await readChain(input, problems)
  const objects = new Map(commits.flatMap(commit => commit.objects).map(each => [each.name, each]))
  const segments = segmentsOf(commits)
  for (const { segment } of segments.values())
    for (const name of [segment.object, segment.index])
      if (!objects.has(name))
        problems.push({
          object: `${set}/${name}`,
          what: 'a segment needs it, and no commit says what it should be',
        })
  const byObject = Map.groupBy(segments.values(), ({ segment }) => segment.object)
  const byIndex = Map.groupBy(segments.values(), ({ segment }) => segment.index)
  let bytes = commitBytes
  let done = 0
  for (const object of objects.values()) {
    signal?.throwIfAborted()
    const needed = byObject.get(object.name) ?? byIndex.get(object.name) ?? []
    const found = await checkObject(input, object, needed)
    if (typeof found === 'string')
      problems.push({ object: `${set}/${object.name}`, what: `${found}${cost(needed)}` })
    bytes += object.bytes
    onProgress?.({ objects: objects.size, objectsDone: ++done })
  }
  return { objects: objects.size + number + 1, bytes, problems }
}

async function readChain(
  { store, set, number, signal }: VerifyVault,
  problems: VaultProblem[],
): Promise<{ readonly commits: readonly Commit[]; readonly bytes: number }> {
  const commits: Commit[] = []
  let bytes = 0
  let before: { readonly number: number; readonly sha256: string } | undefined
  for (let at = 1; at <= number; at++) {
    signal?.throwIfAborted()
    const name = commitName(set, at)
    const read = await gather(problems, name, async () => await readCommit(store, set, at))
    if (read === undefined) {
      before = undefined
      continue
    }
    const last = before
    if (last !== undefined)
      await gather(problems, name, () => Promise.resolve(assertFollows(last, read.commit)))
    commits.push(read.commit)
    bytes += read.bytes
    before = { number: at, sha256: read.sha256 }
  }
  return { commits, bytes }
}

/** Of all commits, each once: a checkpoint names those of the commits before it again. */
function segmentsOf(commits: readonly Commit[]): Map<string, Named> {
  const segments = new Map<string, Named>()
  for (const { topics } of commits)
    for (const { name: topic, partitions } of topics)
      for (const { partition, segments: own } of partitions)
        for (const segment of own) {
          const key = `${segment.object} ${segment.position}`
          if (!segments.has(key)) segments.set(key, { segment, topic, partition })
        }
  return segments
}

/** What is wrong with it; undefined when nothing is. */
async function checkObject(
  input: VerifyVault,
  { name, bytes, sha256: expected }: VaultObject,
  needed: readonly Named[],
): Promise<string | undefined> {
  const { store, set, isFull } = input
  const path = `${set}/${name}`
  if (!isFull) {
    const found = await store.head(path)
    if (found === undefined) return 'it is missing'
    return found.bytes === bytes ? undefined : `it has ${found.bytes} bytes and should have ${bytes}`
  }
  const content = await store.get(path)
  if (content === undefined) return 'it is missing'
  if (content.length !== bytes) return `it has ${content.length} bytes and should have ${bytes}`
  if (sha256(content) !== expected) return 'its bytes are not those that were written (SHA-256)'
  try {
    if (needed.some(({ segment }) => segment.index === name))
      checkIndex(parseIndex(content, path).segments, needed)
    else {
      const indexes = await readIndexes(input, needed)
      for (const each of needed)
        await checkSegment(
          input.isIntact,
          content,
          each,
          indexes.get(`${each.segment.index} ${each.segment.position}`),
        )
    }
    return undefined
  } catch (error) {
    const known = findKdrError(error)
    if (known?.code !== 'damaged') throw error
    return known.message
  }
}

function checkIndex(indexes: readonly SegmentIndex[], needed: readonly Named[]): void {
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

/** By object and position. One that cannot be read is a problem of its own. */
async function readIndexes(
  { store, set }: VerifyVault,
  needed: readonly Named[],
): Promise<ReadonlyMap<string, SegmentIndex>> {
  const found = new Map<string, SegmentIndex>()
  for (const name of new Set(needed.map(({ segment }) => segment.index))) {
    const bytes = await store.get(`${set}/${name}`)
    for (const each of bytes === undefined ? [] : parseIndex(bytes, `${set}/${name}`).segments)
      found.set(`${name} ${each.position}`, each)
  }
  return found
}

async function checkSegment(
  isIntact: VerifyVault['isIntact'],
  content: Buffer,
  { segment, topic, partition }: Named,
  index: SegmentIndex | undefined,
): Promise<void> {
  const damaged = (offset: number, what: string): KdrError =>
    new KdrError('damaged', `"${topic}" partition ${partition} at offset ${offset}: ${what}`)
  if (index === undefined) throw damaged(segment.from, 'it has no index')
  let next = segment.from
  for (const frame of index.frames) {
    const at = segment.position + frame.position
    const batches = await readFrame(content.subarray(at, at + frame.bytes), segment, frame)
    for (const batch of batches) {
      const { baseOffset, lastOffset, magic, maxTimestamp } = batch.header
      if (baseOffset < next) throw damaged(baseOffset, 'its batches are out of order')
      if (maxTimestamp > frame.maxTimestamp) throw damaged(baseOffset, 'the index gives an earlier time')
      if (magic >= 2 && !isIntact(batch)) throw damaged(baseOffset, 'a batch does not match its checksum')
      next = lastOffset + 1
    }
  }
}

function cost(needed: readonly Named[]): string {
  const [first] = needed
  if (first === undefined) return ''
  const { segment, topic, partition } = first
  const more = needed.length === 1 ? '' : `, and ${needed.length - 1} more of other partitions`
  return `: "${topic}" partition ${partition} could not be restored at offsets ${segment.from} to ${segment.to - 1}${more}`
}

/** What is damaged becomes a problem of the object; undefined then. */
async function gather<T>(
  problems: VaultProblem[],
  object: string,
  act: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await act()
  } catch (error) {
    const known = findKdrError(error)
    if (known?.code !== 'damaged' && known?.code !== 'not-ready') throw error
    problems.push({ object, what: known.message })
    return undefined
  }
}
