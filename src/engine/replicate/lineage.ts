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
   * Takes in what is planned; true when it must be saved first, which a save that failed has not done. Entries from the
   * first of `ops` on are replaced only here: until then what they name may yet land.
   */
  extend(ops: readonly PlannedOp[]): boolean {
    const [head] = ops
    // An answer without news plans nothing anew.
    if (head === undefined) return false
    const extended = this.entries.filter(([, first]) => first < head.base)
    for (const op of ops) {
      const newest = extended.at(-1)?.[0] ?? -1
      if (op.kind === 'batch' && op.leaderEpoch > newest) extended.push([op.leaderEpoch, op.base])
    }
    const isSame =
      extended.length === this.entries.length && extended.at(-1)?.[0] === this.entries.at(-1)?.[0]
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
