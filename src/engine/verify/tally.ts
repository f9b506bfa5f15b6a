// What has been found in one partition so far. Counts, and the difference with the lowest offset.
import type { SideName } from './sides.ts'

export type Difference = { readonly offset: number; readonly what: string }

export class Tally {
  /** Held by both sides and compared. */
  records = 0
  /** Of these, not equal. */
  different = 0
  onlySource = 0
  onlyTarget = 0
  unexplained = 0
  /** Of those that one side lacks, explained by the ledger; and by what kdr fills gaps with. */
  lost = 0
  fillers = 0
  #first: Difference | undefined

  get first(): Difference | undefined {
    return this.#first
  }

  get isIdentical(): boolean {
    return this.#first === undefined
  }

  differs(offset: number, what: string): void {
    this.different++
    this.note(offset, what)
  }

  /** A record that only `holder` has. Whether that is explained is told by `unexplain`. */
  only(holder: SideName): void {
    if (holder === 'source') this.onlySource++
    else this.onlyTarget++
  }

  unexplain(offset: number, holder: SideName): void {
    this.unexplained++
    this.note(offset, holder === 'source' ? 'missing at the target' : 'only at the target')
  }

  note(offset: number, what: string): void {
    if (this.#first === undefined || offset < this.#first.offset) this.#first = { offset, what }
  }
}
