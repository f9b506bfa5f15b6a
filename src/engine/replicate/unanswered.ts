// The batches of a partition that were sent and never answered: up to where one of them may still land, and which one it is
// that has landed where it does not belong. A target that loses its end may lose the producer state too that would refuse it.
import { type BatchHeader, readBatchHeader } from '../../model/batch.ts'
import type { PlannedBatch } from '../log/plan-append.ts'

export class Unanswered {
  #upTo = 0
  /** By checksum, which covers the records, the producer and the sequence number, and not the offset. */
  readonly #bases = new Map<number, number>()

  /** The highest end: only data keeps them from landing, by its sequence numbers; a marker takes none. */
  get upTo(): number {
    return this.#upTo
  }

  /** As it was sent. `appended`: the cursor; what it has passed is refused by its sequence number. */
  add({ base, next, bytes }: PlannedBatch, appended: number): void {
    if (appended >= this.#upTo) this.#bases.clear()
    this.#upTo = Math.max(this.#upTo, next)
    this.#bases.set(readBatchHeader(bytes).crc, base)
  }

  clear(): void {
    this.#upTo = 0
    this.#bases.clear()
  }

  /** The source offset of a batch that stands elsewhere at the target; undefined for any other. */
  strayFrom({ crc, baseOffset }: BatchHeader): number | undefined {
    const base = this.#bases.get(crc)
    return base === baseOffset ? undefined : base
  }
}
