// Which epochs of the source a partition's records were copied under, and where each began: kept in `_kdr.state`, written
// before the first batch of each new epoch is sent, and asked at every anchor whether the source still knows that history.
import type { Lineage } from '../../model/link.ts'
import type { PlannedOp } from '../log/plan-append.ts'
import { LINEAGE_ENTRIES } from './limits.ts'

export class LineageKeeper {
  entries: Lineage = []
  /** Something was copied, or was about to be, and `_kdr.state` says so. */
  hasBegun = false
  #saves = 0
  #newestSave = 0
  /** The newest save failed: `_kdr.state` does not say what stands here. */
  #isUnsaved = false
  #settled: Promise<unknown> = Promise.resolve()

  /** A save is under way: nothing may be sent. */
  get isPending(): boolean {
    return this.#saves > 0
  }

  /**
   * Takes in what is planned; true when it must be saved first, which a save that failed has not done. An entry is replaced
   * only by batches that contradict it: until then, beyond what is planned anew so far, what it names may yet land.
   */
  extend(ops: readonly PlannedOp[]): boolean {
    const [head] = ops
    // An answer without news plans nothing anew.
    if (head === undefined) return false
    const extended: Lineage[number][] = []
    const isNewer = (epoch: number): boolean => epoch > (extended.at(-1)?.[0] ?? -1)
    const kept = this.entries.filter(entry => entry[1] < head.base || mayHold(entry, ops))
    for (const op of ops) {
      while (kept[0] !== undefined && kept[0][1] < op.base) extended.push(kept.shift()!)
      if (op.kind === 'batch' && isNewer(op.leaderEpoch)) extended.push([op.leaderEpoch, op.base])
    }
    for (const entry of kept) if (isNewer(entry[0])) extended.push(entry)
    const isSame =
      extended.length === this.entries.length &&
      extended.every(([epoch, first], i) => epoch === this.entries[i]?.[0] && first === this.entries[i][1])
    const begins = !this.hasBegun && ops.some(op => op.kind === 'batch')
    if (isSame && !begins && !this.#isUnsaved) return false
    this.hasBegun ||= begins
    this.entries = extended.slice(-LINEAGE_ENTRIES)
    return true
  }

  /** A save that came to nothing may land yet. */
  get isInDoubt(): boolean {
    return this.#isUnsaved
  }

  /** Resolves when no save is under way. */
  async settled(): Promise<void> {
    await this.#settled
  }

  async saving(save: Promise<void>): Promise<void> {
    this.#settled = Promise.allSettled([this.#settled, save])
    this.#saves++
    const number = ++this.#newestSave
    this.#isUnsaved = false
    try {
      await save
    } catch (error) {
      // Of an older one the newest, which holds all that it held, tells more.
      if (number === this.#newestSave) this.#isUnsaved = true
      throw error
    } finally {
      this.#saves--
    }
  }
}

/** Whether the source may still have a record of that epoch from there on, as far as these batches show. */
function mayHold([epoch, first]: Lineage[number], ops: readonly PlannedOp[]): boolean {
  return ops.every(
    op =>
      op.kind === 'gap' ||
      (op.next <= first ? op.leaderEpoch < epoch : op.base > first && op.leaderEpoch >= epoch),
  )
}
