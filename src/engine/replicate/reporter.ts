// What this worker tells the world through `_kdr.state`: a beat, so that nobody takes a living worker's place, and per
// topic what `kdr status` shows that only the worker knows (reasons, lag in time). Unchanged reports are not rewritten.
import type { Deletion, PartitionReport } from '../../model/link.ts'
import type { LinkContext } from './context.ts'
import type { PartitionCopy } from './partition.ts'
import {
  REPORT_PARTITIONS,
  reportKey,
  toRecord,
  workerKey,
  type WorkerRecord,
} from '../../model/state-records.ts'

type Piece = { readonly deletion: Deletion | undefined; readonly partitions: PartitionReport[] }

export class Reporter {
  readonly #context: LinkContext
  readonly #worker: string
  /** What the source deletes of a topic: a later look needs it when nobody copies any more. */
  readonly #deletionOf: (topic: string) => Deletion | undefined
  readonly #written = new Map<string, string>()
  #beats = 0

  constructor(context: LinkContext, worker: string, deletionOf: (topic: string) => Deletion | undefined) {
    this.#context = context
    this.#worker = worker
    this.#deletionOf = deletionOf
  }

  async beat(sentence: string): Promise<void> {
    await this.#put(this.#record('running', sentence))
  }

  /** The last word: what it saw, and that it has stopped. */
  async end(copies: readonly PartitionCopy[]): Promise<void> {
    await this.report(copies)
    await this.#put(this.#record('stopped', 'stopped'))
  }

  /** Per topic, what only the worker knows. */
  async report(copies: readonly PartitionCopy[]): Promise<void> {
    const { clock, store, link } = this.#context
    const pieces = new Map<string, Piece>()
    for (const copy of copies) {
      const key = reportKey(link, copy.topic, Math.floor(copy.partition / REPORT_PARTITIONS))
      const piece = pieces.get(key) ?? { deletion: this.#deletionOf(copy.topic), partitions: [] }
      piece.partitions.push(copy.report(clock.monotonic()))
      pieces.set(key, piece)
    }
    // What was forgotten meanwhile is written again, changed or not.
    const changed = [...pieces].filter(
      ([key, piece]) => store.get(key) === undefined || this.#written.get(key) !== JSON.stringify(piece),
    )
    await Promise.all(
      changed.map(async ([key, piece]) => {
        await store.put(key, toRecord('report', { at: clock.now(), ...piece }))
        this.#written.set(key, JSON.stringify(piece))
      }),
    )
  }

  #record(state: WorkerRecord['state'], sentence: string): WorkerRecord {
    const { clock, sourceWatch } = this.#context
    return { beat: ++this.#beats, at: clock.now(), state, sentence, sourceSeenAt: sourceWatch.seenAt }
  }

  async #put(record: WorkerRecord): Promise<void> {
    await this.#context.store.put(workerKey(this.#context.link, this.#worker), toRecord('worker', record))
  }
}
