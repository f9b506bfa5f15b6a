// Virtual time. Nothing really waits: when all promises that can run have run, the clock jumps to the next sleeper.
import type { Clock } from '../../src/ports/clock.ts'

type Ended = 'done' | 'late' | 'stuck'
type Sleeper = { readonly at: number; readonly order: number; readonly wake: () => void; isAwake: boolean }

const STEPS_AT_ONCE = 100

export class SimClock implements Clock {
  #now: number
  #order = 0
  /** A binary heap by (at, order). */
  readonly #heap: Sleeper[] = []
  readonly #startedAt: number

  constructor(startAt: number) {
    this.#now = startAt
    this.#startedAt = startAt
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now - this.#startedAt
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) return
    await new Promise<void>(resolve => {
      const wake = (): void => {
        if (sleeper.isAwake) return
        sleeper.isAwake = true
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const at = this.#now + Math.max(0, ms)
      const sleeper: Sleeper = { at, order: this.#order++, wake, isAwake: false }
      signal?.addEventListener('abort', wake)
      this.#push(sleeper)
    })
  }

  /** Sleeps until `news` resolves, at most `ms`. */
  async sleepUntil(news: Promise<void>, ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      const wake = (): void => {
        sleeper.isAwake = true
        resolve()
      }
      const sleeper: Sleeper = { at: this.#now + ms, order: this.#order++, wake, isAwake: false }
      void news.then(wake)
      this.#push(sleeper)
    })
  }

  /** Runs until `done` is true or nothing is left to happen, at most to `deadline` of monotonic time. */
  async run(done: () => boolean, deadline: number): Promise<Ended> {
    const ended = Promise.withResolvers<Ended>()
    let isOver = false
    const step = (): void => {
      if (isOver) return
      const end = this.#step(done, deadline)
      if (end === undefined) return
      isOver = true
      ended.resolve(end)
    }
    while (!isOver) {
      // Each step is a macrotask: every promise chain that can go on has gone on by then, as nothing here does real input
      // or output. Many are asked for at once, because the event loop polls the system each time that none is left.
      for (let i = 1; i < STEPS_AT_ONCE; i++) setImmediate(step)
      await new Promise<void>(resolve => {
        setImmediate(() => {
          step()
          resolve()
        })
      })
    }
    return await ended.promise
  }

  /** Wakes the next sleeper; or says why there is nothing more to do. */
  #step(done: () => boolean, deadline: number): Ended | undefined {
    if (done()) return 'done'
    const next = this.#next()
    if (next === undefined) return 'stuck'
    if (next.at - this.#startedAt > deadline) return 'late'
    this.#now = Math.max(this.#now, next.at)
    next.wake()
    return undefined
  }

  /** Those that were woken before their time are passed over. */
  #next(): Sleeper | undefined {
    let next = this.#pop()
    while (next?.isAwake === true) next = this.#pop()
    return next
  }

  #push(sleeper: Sleeper): void {
    const heap = this.#heap
    heap.push(sleeper)
    let at = heap.length - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(heap[at]!, heap[parent]!)) break
      ;[heap[at], heap[parent]] = [heap[parent]!, heap[at]!]
      at = parent
    }
  }

  #pop(): Sleeper | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || last === undefined || heap.length === 0) return first
    heap[0] = last
    for (let at = 0; ; ) {
      const left = 2 * at + 1
      let least = at
      if (left < heap.length && isBefore(heap[left]!, heap[least]!)) least = left
      if (left + 1 < heap.length && isBefore(heap[left + 1]!, heap[least]!)) least = left + 1
      if (least === at) return first
      ;[heap[at], heap[least]] = [heap[least]!, heap[at]!]
      at = least
    }
  }
}

function isBefore(a: Sleeper, b: Sleeper): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
