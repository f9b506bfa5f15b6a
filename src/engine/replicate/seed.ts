// Brings an empty mirror partition to the source's log start: null records that compress to almost nothing, then
// DeleteRecords. Legitimate only where nothing was ever copied: what lay below was gone before the link began.
// One batch in flight per broker and at most 100,000 records in it, because the broker makes an object of each.
import { advanceSequence, stampBatch } from '../../model/batch.ts'
import { lossAt } from '../../model/ledger.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import type { AppendLane } from '../../ports/cluster.ts'
import type { LinkContext } from './context.ts'
import { PRODUCE_TIMEOUT_MS, SEED_BATCH_RECORDS } from './limits.ts'
import type { PartitionCopy } from './partition.ts'

export type SeedResult =
  | { readonly kind: 'done' }
  /** Something was uncertain or refused: anchor, then go on from where the log then ends. */
  | { readonly kind: 'again'; readonly cause: string; readonly code?: number }

export class Seeder {
  readonly #context: LinkContext
  readonly #turns = new Map<number, Promise<unknown>>()

  constructor(context: LinkContext) {
    this.#context = context
  }

  /** Appends null records from `from` (the log's end) to `to`, then moves the log start there. */
  async seed(
    copy: PartitionCopy,
    range: { from: number; to: number; sequence: number },
  ): Promise<SeedResult> {
    const broker = this.#context.targetWatch.partition(copy)?.leader ?? -1
    const before = this.#turns.get(broker) ?? Promise.resolve()
    const turn = before.then(async () => await this.#append(broker, copy, range))
    this.#turns.set(
      broker,
      turn.catch(() => undefined),
    )
    const result = await turn
    return result.kind === 'done' ? await this.trim(copy, range.to) : result
  }

  async #append(
    broker: number,
    copy: PartitionCopy,
    { from, to, sequence }: { from: number; to: number; sequence: number },
  ): Promise<SeedResult> {
    const { target, codec, clock, signal } = this.#context
    const lane = await target.openAppendLane(broker)
    try {
      let next = sequence
      for (let at = from; at < to && !signal.aborted; ) {
        const count = Math.min(SEED_BATCH_RECORDS, to - at)
        const batch = codec.seedBatch(count, clock.now())
        stampBatch(batch, copy.identity, next)
        if (!this.#mayWrite(copy))
          return { kind: 'again', cause: 'kdr was held up, or has let go of the slot' }
        const [answer] = await this.#send(lane, copy, batch)
        if (answer === undefined || answer.code !== KafkaCode.NONE || answer.baseOffset !== at) {
          const cause =
            answer === undefined ? 'no answer' : `${codeName(answer.code)} at ${answer.baseOffset}`
          return {
            kind: 'again',
            cause: `seeding at ${at}: ${cause}`,
            ...(answer === undefined ? {} : { code: answer.code }),
          }
        }
        at += count
        copy.appended = at
        // The ledger counts what was lost.
        if (lossAt(copy.ledger, at - 1) === undefined) copy.counter.seeded(count)
        next = advanceSequence(next, count)
      }
    } finally {
      await lane.close()
    }
    return signal.aborted ? { kind: 'again', cause: 'stopped' } : { kind: 'done' }
  }

  /** Asked before every batch, as before every other write: whoever was stopped since the anchor has a successor by now. */
  #mayWrite(copy: PartitionCopy): boolean {
    const { lease, slots } = this.#context
    return lease.isHeld && slots.identityOf(copy)?.generation === copy.identity.generation
  }

  async #send(lane: AppendLane, copy: PartitionCopy, batch: Buffer): ReturnType<AppendLane['append']> {
    const { topic, partition, targetTopicId: topicId } = copy
    try {
      return await lane.append([{ topic, partition, topicId, batch }], PRODUCE_TIMEOUT_MS)
    } catch (error) {
      // No sequence check stops it from landing: once the log is trimmed to its end, a leader that loads it knows no producer.
      copy.isUnguarded = true
      throw error
    }
  }

  /** Moves the log start over what was seeded. */
  async trim(copy: PartitionCopy, to: number): Promise<SeedResult> {
    const { slots, target } = this.#context
    const { slot } = copy.identity
    if (!(await slots.stillHeld([slot])).has(slot))
      return { kind: 'again', cause: "the slot is another worker's" }
    const [answer] = await target.deleteRecords([
      { topic: copy.topic, partition: copy.partition, before: to },
    ])
    if (answer === undefined || answer.code !== KafkaCode.NONE) {
      const code = answer?.code ?? KafkaCode.UNKNOWN_SERVER_ERROR
      return { kind: 'again', cause: `moving the log start to ${to}: ${codeName(code)}`, code }
    }
    copy.targetLogStart = answer.offset
    return { kind: 'done' }
  }
}
