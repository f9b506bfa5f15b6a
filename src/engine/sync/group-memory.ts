// What `_kdr.state` knows of the link's groups, and what this worker has to add. Only what has changed is written: with ten
// thousand groups, the pieces of those that have. Another worker may have done the work meanwhile: then it is read anew.
import {
  bucketOf,
  cutGroups,
  type GroupEntry,
  type GroupStanding,
  groupRoundKey,
  groupsKey,
  readGroupPieces,
  readGroupRound,
} from '../../model/group-records.ts'
import { isSameValue } from '../../model/same-value.ts'
import { toRecord } from '../../model/state-records.ts'
import type { StateStore } from '../../ports/state.ts'

export type GroupMemoryInput = {
  readonly link: string
  readonly store: StateStore
  /** Asked before each write: see StateStore.put. */
  readonly mayStill: () => boolean
}

export class GroupMemory {
  readonly #input: GroupMemoryInput
  readonly #entries = new Map<string, GroupEntry>()
  readonly #changed = new Set<number>()
  #isLoaded = false
  #roundAt = 0

  constructor(input: GroupMemoryInput) {
    this.#input = input
  }

  get isLoaded(): boolean {
    return this.#isLoaded
  }

  /** From what the store has read. */
  load(): void {
    const { store, link } = this.#input
    this.#entries.clear()
    this.#changed.clear()
    for (const entries of readGroupPieces(store, link).values())
      for (const entry of entries) this.#entries.set(entry.group, entry)
    this.#roundAt = readGroupRound(store, link)
    this.#isLoaded = true
  }

  forget(): void {
    this.#isLoaded = false
  }

  get(group: string): GroupEntry | undefined {
    return this.#entries.get(group)
  }

  groups(): Iterable<string> {
    return this.#entries.keys()
  }

  note(entry: Omit<GroupEntry, 'since'>, now: number): void {
    const before = this.get(entry.group)
    const next = { ...entry, since: this.#since(before, entry, now) }
    if (isSameValue(before, next)) return
    this.#entries.set(entry.group, next)
    this.#changed.add(bucketOf(entry.group))
  }

  /** As of the last round while it was in step: nothing has to be written as long as it stays so. */
  #since(before: GroupEntry | undefined, { state }: GroupStanding, now: number): number {
    if (before === undefined) return now
    if (before.state === 'synced' && state !== 'synced')
      return Math.min(now, Math.max(before.since, this.#roundAt))
    return before.state !== 'synced' && state === 'synced' ? now : before.since
  }

  drop(group: string): void {
    if (this.#entries.delete(group)) this.#changed.add(bucketOf(group))
  }

  /** Throws KdrError('unreachable'); what is not written then will be the next time. `roundAt`: a round is over. */
  async save(roundAt?: number): Promise<void> {
    const { store, link, mayStill } = this.#input
    await Promise.all(
      [...this.#pieces()].map(async ([bucket, pieces]) => {
        this.#changed.delete(bucket)
        try {
          await this.#write(bucket, pieces)
        } catch (error) {
          this.#changed.add(bucket)
          throw error
        }
      }),
    )
    if (roundAt === undefined) return
    this.#roundAt = roundAt
    await store.put(groupRoundKey(link), toRecord('groups-round', { at: roundAt }), mayStill)
  }

  async #write(bucket: number, pieces: readonly GroupEntry[][]): Promise<void> {
    const { store, link, mayStill } = this.#input
    const puts: Promise<void>[] = []
    for (
      let piece = 0;
      piece < pieces.length || store.get(groupsKey(link, bucket, piece)) !== undefined;
      piece++
    ) {
      const groups = pieces[piece]
      const record = groups === undefined ? undefined : toRecord('groups', { groups })
      const key = groupsKey(link, bucket, piece)
      if (!isSameValue(store.get(key), record)) puts.push(store.put(key, record, mayStill))
    }
    await Promise.all(puts)
  }

  /** Of the buckets that have changed. */
  #pieces(): Map<number, GroupEntry[][]> {
    const buckets = new Map([...this.#changed].map(bucket => [bucket, [] as GroupEntry[]]))
    if (buckets.size > 0)
      for (const entry of this.#entries.values()) buckets.get(bucketOf(entry.group))?.push(entry)
    return new Map([...buckets].map(([bucket, entries]) => [bucket, cutGroups(entries)]))
  }
}
