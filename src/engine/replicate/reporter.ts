// What this worker tells the world through `_kdr.state`: a beat, so that nobody takes a living worker's slots, and per
// topic what `kdr status` shows that only the worker knows (reasons, lag in time). Unchanged reports are not rewritten.
import type { Deletion, PartitionReport } from '../../model/link.ts'
import { isSameValue } from '../../model/same-value.ts'
import type { StateRecord } from '../../ports/state.ts'
import type { LinkContext } from './context.ts'
import type { PartitionCopy } from './partition.ts'
import {
  REPORT_PARTITIONS,
  reportKey,
  type TopicReport,
  toRecord,
  workerKey,
  type WorkerRecord,
} from '../../model/state-records.ts'

type Piece = {
  readonly generation: number
  readonly targetTopicId: string
  readonly deletion: Deletion | undefined
  readonly partitions: PartitionReport[]
}

export class Reporter {
  readonly #context: LinkContext
  readonly #worker: string
  /** What the source deletes of a topic: a later look needs it when nobody copies any more. */
  readonly #deletionOf: (topic: string) => Deletion | undefined
  readonly #written = new Map<string, Piece>()
  readonly #keys = new WeakMap<PartitionCopy, string>()
  #beats = 0
  #looked = 0

  constructor(context: LinkContext, worker: string, deletionOf: (topic: string) => Deletion | undefined) {
    this.#context = context
    this.#worker = worker
    this.#deletionOf = deletionOf
  }

  /** `looked`: up to where of `_kdr.state` this worker has done what is asked of every worker. */
  async beat(sentence: string, looked: number): Promise<void> {
    this.#looked = looked
    await this.#put(this.#record('running', sentence))
  }

  /** The last word. */
  async end(): Promise<void> {
    await this.#put(this.#record('stopped', 'stopped'))
  }

  /** Per topic, what only the worker knows. */
  async report(copies: readonly PartitionCopy[]): Promise<void> {
    const { clock } = this.#context
    const pieces = new Map<string, Piece>()
    const now = clock.monotonic()
    for (const copy of copies) {
      const key = this.#keyOf(copy)
      let piece = pieces.get(key)
      if (piece === undefined) {
        const { generation } = copy.identity
        const { judgedMirror: targetTopicId } = copy
        piece = { generation, targetTopicId, deletion: this.#deletionOf(copy.topic), partitions: [] }
        pieces.set(key, piece)
      }
      piece.partitions.push(copy.report(now))
    }
    // What was forgotten meanwhile, or written over by one who has woken, is written again, changed or not.
    const changed = [...pieces].filter(
      ([key, piece]) => !this.#isOwn(key, piece) || !isSameValue(this.#written.get(key), piece),
    )
    await Promise.all(
      changed.map(async ([key, piece]) => {
        const record = toRecord('report', { at: clock.now(), worker: this.#worker, ...piece })
        const isKept = await this.#putInTime(key, record)
        if (isKept) this.#written.set(key, piece)
      }),
    )
  }

  /** False: this worker was held up, and gives it up; the next round says what holds then. */
  async #putInTime(key: string, record: StateRecord): Promise<boolean> {
    const { store, lease } = this.#context
    try {
      await store.put(key, record, () => lease.isHeld)
      return true
    } catch (error) {
      if (lease.isHeld) throw error
      return false
    }
  }

  #isOwn(key: string, { generation }: Piece): boolean {
    const known = this.#context.store.get(key) as TopicReport | undefined
    return known?.worker === this.#worker && known.generation === generation
  }

  /** Made once: a string for each of thousands would be forgotten every two seconds. */
  #keyOf(copy: PartitionCopy): string {
    const known = this.#keys.get(copy)
    if (known !== undefined) return known
    const { topic, partition, identity } = copy
    const piece = Math.floor(partition / REPORT_PARTITIONS)
    const key = reportKey(this.#context.link, topic, identity.slot, piece)
    this.#keys.set(copy, key)
    return key
  }

  #record(state: WorkerRecord['state'], sentence: string): WorkerRecord {
    const { clock, sourceWatch, slots } = this.#context
    return {
      beat: ++this.#beats,
      slots: slots.held.toSorted((a, b) => a - b),
      taking: slots.taking,
      looked: this.#looked,
      at: clock.now(),
      state,
      sentence,
      sourceSeenAt: sourceWatch.seenAt,
    }
  }

  async #put(record: WorkerRecord): Promise<void> {
    await this.#context.store.put(workerKey(this.#context.link, this.#worker), toRecord('worker', record))
  }
}
