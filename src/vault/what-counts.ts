// Everything that the commits of a set need, from the first that counts to a given one: objects as they should be, and segments. What
// is damaged becomes a problem, which says what can be restored all the same.
import { findKdrError, type KdrError } from '../model/errors.ts'
import {
  applyCommit,
  baseOf,
  CHECKPOINT_EVERY,
  type Commit,
  type Segment,
  type VaultObject,
} from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import { ahead, numbersFrom } from './ahead.ts'
import { assertFollows, readCommit } from './chain.ts'
import { commitName } from './names.ts'

export type NamedSegment = { readonly segment: Segment; readonly topic: string; readonly partition: number }

export type WhatCounts = {
  readonly objects: ReadonlyMap<string, VaultObject>
  /** By object and position. */
  readonly segments: ReadonlyMap<string, NamedSegment>
  readonly commits: number
  readonly bytes: number
  readonly problems: readonly { readonly object: string; readonly what: string }[]
}

export type CountingRange = {
  readonly store: ObjectStore
  readonly set: string
  readonly first: number
  readonly last: number
  readonly signal?: AbortSignal | undefined
}

const READ_AHEAD = 8

/** Throws KdrError: store-unreachable, not-allowed, newer-version, and the reason of `signal`. */
export async function readWhatCounts({
  store,
  set,
  first,
  last,
  signal,
}: CountingRange): Promise<WhatCounts> {
  const objects = new Map<string, VaultObject>()
  const segments = new Map<string, NamedSegment>()
  const problems: { object: string; what: string }[] = []
  let bytes = 0
  // What is folded so far; undefined behind one that is damaged, up to the next that holds everything.
  let state: ReturnType<typeof applyCommit> | undefined
  let before: { readonly number: number; readonly sha256: string } | undefined
  let beginHash: string | undefined
  let base: { readonly number: number; readonly sha256: string; readonly by: number } | undefined
  const begin = baseOf(first)
  const reads = ahead(numbersFrom(begin, last), READ_AHEAD, async at => {
    signal?.throwIfAborted()
    return await attempt(async () => await readCommit(store, set, at))
  })
  let at = begin - 1
  for await (const read of reads) {
    at++
    const object = commitName(set, at)
    if ('damaged' in read) {
      problems.push({ object, what: `${read.damaged.message}: ${costOfCommit(at, { first, last })}` })
      state = undefined
      before = undefined
      continue
    }
    const { commit, sha256 } = read.found
    bytes += read.found.bytes
    if (before !== undefined) {
      const last = before
      const follows = await attempt(() => Promise.resolve(assertFollows(last, commit)))
      if ('damaged' in follows) problems.push({ object, what: follows.damaged.message })
    }
    before = { number: at, sha256 }
    if (at === begin) beginHash = sha256
    if (commit.prune !== undefined) base = { ...commit.prune.base, by: at }
    if (at <= first && (state !== undefined || commit.isCheckpoint || at === 1)) {
      state = applyCommit(state, commit, sha256)
      if (at === first) {
        for (const each of state.objects.values()) objects.set(each.name, each)
        take(segments, state.topics.values())
      }
    }
    if (at > first) {
      for (const each of commit.objects) objects.set(each.name, each)
      take(segments, commit.topics)
    }
  }
  // The chain of what is left hangs on the newest prune.
  if (base !== undefined && base.number === begin && beginHash !== undefined && beginHash !== base.sha256)
    problems.push({
      object: commitName(set, begin),
      what: `it is not the one that commit ${base.by} begins with: one of them was replaced`,
    })
  return { objects, segments, commits: last - begin + 1, bytes, problems }
}

function take(
  segments: Map<string, NamedSegment>,
  topics: Iterable<Pick<Commit['topics'][number], 'name' | 'partitions'>>,
): void {
  for (const { name: topic, partitions } of topics)
    for (const { partition, segments: own } of partitions)
      for (const segment of own) {
        const key = `${segment.object} ${segment.position}`
        // A checkpoint names those of the commits before it again.
        if (!segments.has(key)) segments.set(key, { segment, topic, partition })
      }
}

function costOfCommit(
  at: number,
  { first, last }: { readonly first: number; readonly last: number },
): string {
  const whole = at - (at % CHECKPOINT_EVERY) + CHECKPOINT_EVERY
  const from = Math.max(at, first)
  if (whole <= last)
    return `commits ${from} to ${whole - 1} cannot be restored; the set can be read again from commit ${whole} on`
  return from === last
    ? `commit ${from}, the newest, cannot be restored`
    : `commits ${from} to ${last}, the newest, cannot be restored`
}

/** A damaged object is a value. */
export async function attempt<T>(
  act: () => Promise<T>,
): Promise<{ readonly found: T } | { readonly damaged: KdrError }> {
  try {
    return { found: await act() }
  } catch (error) {
    const known = findKdrError(error)
    if (known?.code !== 'damaged' && known?.code !== 'not-ready') throw error
    return { damaged: known }
  }
}
