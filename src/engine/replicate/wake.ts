// One waiter, many wakers: a loop sleeps until somebody has something for it. A wake between two waits is not lost.

export class Wake {
  #isDue = false
  #waiting: PromiseWithResolvers<void> | undefined

  up(): void {
    this.#isDue = true
    this.#waiting?.resolve()
  }

  async wait(): Promise<void> {
    if (!this.#isDue) {
      this.#waiting = Promise.withResolvers<void>()
      await this.#waiting.promise
      this.#waiting = undefined
    }
    this.#isDue = false
  }
}
