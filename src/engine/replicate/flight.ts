// The batches of one partition that were sent and not yet answered, and how many there may be. Several only while the
// broker's sequence check protects them: the last acknowledged one and all in flight are fresh. Otherwise one that failed
// could be followed by one that lands in its place, because the broker has forgotten the producer (see
// ARCHITECTURE.md, "Facts that surprise").
import { invariant } from '../../model/errors.ts'
import { BATCHES_IN_FLIGHT } from './limits.ts'
import type { PlannedBatch } from '../log/plan-append.ts'

export class Flight {
  #batches: PlannedBatch[] = []
  /** The highest end of an acknowledged batch. */
  #acknowledged = 0
  #isLastAckedFresh = false
  #freshSince: () => number = () => 0
  #landed: PromiseWithResolvers<void> | undefined

  /** `freshSince()`: batches with a later maximum timestamp are remembered by the broker's producer state. */
  begin(offset: number, freshSince: () => number): void {
    invariant(this.#batches.length === 0, 'a flight begins while another is under way')
    this.#acknowledged = offset
    this.#isLastAckedFresh = false
    this.#freshSince = freshSince
  }

  get isEmpty(): boolean {
    return this.#batches.length === 0
  }

  get bases(): readonly number[] {
    return this.#batches.map(batch => batch.base)
  }

  mayAdd(batch: PlannedBatch): boolean {
    if (this.#batches.length === 0) return true
    if (this.#batches.length >= BATCHES_IN_FLIGHT || !this.#isLastAckedFresh) return false
    return this.isFresh(batch) && this.#batches.every(each => this.isFresh(each))
  }

  add(batch: PlannedBatch): void {
    this.#batches.push(batch)
  }

  /** Answered, or given up. */
  land(batch: PlannedBatch): void {
    const at = this.#batches.indexOf(batch)
    invariant(at >= 0, 'an answer without a request', { base: batch.base })
    this.#batches.splice(at, 1)
  }

  /** After `land`: answers may overtake each other, and the cursor never passes a batch that is still in flight. */
  acknowledge(batch: PlannedBatch): number {
    this.#acknowledged = Math.max(this.#acknowledged, batch.next)
    this.#isLastAckedFresh = this.isFresh(batch)
    return this.#batches[0]?.base ?? this.#acknowledged
  }

  /** A fill has brought the log to `end`. */
  moveTo(end: number): void {
    this.#acknowledged = end
  }

  isFresh(batch: PlannedBatch): boolean {
    return batch.maxTimestamp > this.#freshSince()
  }

  /** True when the sequence check would stop this batch from landing late. */
  isGuarded(batch: PlannedBatch): boolean {
    return this.#isLastAckedFresh && this.isFresh(batch)
  }

  /** Resolves when `settle` is called with nothing under way. */
  async empty(isBusy: boolean): Promise<void> {
    if (this.isEmpty && !isBusy) return
    this.#landed ??= Promise.withResolvers<void>()
    await this.#landed.promise
  }

  settle(isBusy: boolean): void {
    if (!this.isEmpty || isBusy) return
    this.#landed?.resolve()
    this.#landed = undefined
  }
}
