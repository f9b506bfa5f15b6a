// The line between one worker and one cluster: delays, lost requests, lost answers, a worker that was killed (its
// requests may still arrive, its answers go nowhere) or paused (it goes on later as if nothing had happened).
import { KdrError } from '../../src/model/errors.ts'
import type { SimClock } from './clock.ts'
import type { Random } from './random.ts'

export type NetworkFaults = {
  /** Of a call: the request is lost, the answer is lost, or it takes very long. */
  lost: number
  answerLost: number
  slow: number
}

/** A worker's process: alive, paused, or gone. */
export class SimProcess {
  isKilled = false
  #running: PromiseWithResolvers<void> | undefined

  get isPaused(): boolean {
    return this.#running !== undefined
  }

  pause(): void {
    this.#running ??= Promise.withResolvers<void>()
  }

  resume(): void {
    this.#running?.resolve()
    this.#running = undefined
  }

  kill(): void {
    this.isKilled = true
    this.resume()
  }

  /** Before the worker's code goes on: waits while paused; for ever when killed. */
  async turn(): Promise<void> {
    while (this.#running !== undefined) await this.#running.promise
    if (this.isKilled) await new Promise<never>(() => {})
  }
}

export class SimNetwork {
  readonly faults: NetworkFaults = { lost: 0, answerLost: 0, slow: 0 }
  isDown = false
  readonly #clock: SimClock
  readonly #random: Random

  constructor(clock: SimClock, random: Random) {
    this.#clock = clock
    this.#random = random
  }

  /** `effect` happens at the broker. Throws 'unreachable' when no answer comes. */
  async call<T>(process: SimProcess, what: string, effect: () => T | Promise<T>): Promise<T> {
    await process.turn()
    if (process.isKilled) return await new Promise<never>(() => {})
    const random = this.#random
    const isLost = this.isDown || random.chance(this.faults.lost)
    if (isLost) {
      await this.#clock.sleep(this.isDown ? 200 : random.between(1, 50))
      await process.turn()
      throw unreachable(what, 'the request is lost')
    }
    await this.#clock.sleep(
      random.chance(this.faults.slow) ? random.between(100, 2_500) : random.between(0, 3),
    )
    const answer = await effect()
    await this.#clock.sleep(random.between(0, 3))
    await process.turn()
    if (this.isDown || random.chance(this.faults.answerLost)) throw unreachable(what, 'the answer is lost')
    return answer
  }
}

export function unreachable(what: string, why: string): KdrError {
  return new KdrError('unreachable', `${what}: ${why}`)
}
