// Every fault that comes true in a history has a number, in the order in which they come. A history can be run again
// without some of them: that is how a failing one is shrunk. What is dropped is still drawn, so that the rest stays.

export class Chaos {
  readonly #dropped: ReadonlySet<number>
  readonly #say: (text: string) => void
  #count = 0
  /** Faults stop when a history heals. */
  isOn = true

  constructor(dropped: ReadonlySet<number>, say: (text: string) => void) {
    this.#dropped = dropped
    this.#say = say
  }

  /** How many faults have been drawn so far, dropped ones included. */
  get count(): number {
    return this.#count
  }

  /** Asked when a fault is about to happen; false when it is to be left out. */
  strikes(what: string): boolean {
    if (!this.isOn) return false
    const number = this.#count++
    if (this.#dropped.has(number)) return false
    this.#say(`-- fault ${number}: ${what}`)
    return true
  }
}
