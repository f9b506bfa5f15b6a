// The line between one worker and one cluster: delays, lost requests, lost answers, requests that take effect late,
// connections that fall silent, a worker that was killed (its requests may still arrive, its answers go nowhere) or
// paused (it goes on later as if nothing had happened).
import { KdrError } from '../../src/model/errors.ts'
import type { Chaos } from './chaos.ts'
import type { SimClock } from './clock.ts'
import type { Random } from './random.ts'

export type NetworkFaults = {
  lost: number
  answerLost: number
  slow: number
  late: number
  /** Of appends and markers, besides. */
  lateWrites: number
  hung: number
}

export const NO_FAULTS: NetworkFaults = { lost: 0, answerLost: 0, slow: 0, late: 0, lateWrites: 0, hung: 0 }

/** What becomes of one request. `late`: the client hears of a broken connection, and the broker acts on it afterwards. */
export type Fate = {
  readonly kind: 'arrives' | 'lost' | 'answer lost' | 'late' | 'hung'
  /** Until the broker acts on it, in ms. */
  readonly delayMs: number
}

/** A client's request time-out, as the adapter has it. */
export const REQUEST_TIMEOUT_MS = 30_000
/** A broker acts on what it has read within this time: less than the time that a successor waits. */
const LATE_MS = 4_000

/** A worker's process: alive, paused, or gone. */
export class SimProcess {
  isKilled = false
  /** Dies at this call through a port, before or after its effect; or is paused there, as by SIGSTOP. */
  crashAt: { readonly call: number; readonly isBefore: boolean; readonly isPause?: boolean } | undefined
  #calls = 0
  #running: PromiseWithResolvers<void> | undefined
  readonly #death = Promise.withResolvers<void>()

  get isPaused(): boolean {
    return this.#running !== undefined
  }

  /** Through ports, so far. */
  get calls(): number {
    return this.#calls
  }

  /** Resolves when it is killed. */
  get death(): Promise<void> {
    return this.#death.promise
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
    this.#death.resolve()
  }

  /** Before the worker's code goes on: waits while paused; for ever when killed. */
  async turn(): Promise<void> {
    while (this.#running !== undefined) await this.#running.promise
    if (this.isKilled) await new Promise<never>(() => {})
  }

  /** Counts a call through a port: whether the worker dies at it. */
  crashesNow(): 'before' | 'after' | undefined {
    if (this.crashAt?.call !== ++this.#calls) return undefined
    return this.crashAt.isBefore ? 'before' : 'after'
  }
}

export class SimNetwork {
  readonly faults: NetworkFaults = { ...NO_FAULTS }
  readonly chaos: Chaos
  isDown = false
  /** What the length of the line takes, each way. */
  lineMs = 0
  /** Answers are held back, each for a while. */
  isThrottled = false
  readonly #clock: SimClock
  readonly #random: Random

  constructor(clock: SimClock, random: Random, chaos: Chaos) {
    this.#clock = clock
    this.#random = random
    this.chaos = chaos
  }

  fate(what: string, isWrite = false): Fate {
    const random = this.#random
    if (this.isDown) return { kind: 'lost', delayMs: 200 }
    const { lost, answerLost, slow, hung, ...broken } = this.faults
    const late = broken.late + (isWrite ? broken.lateWrites : 0)
    const drawn = random.fraction()
    const delayMs = this.lineMs + (random.chance(slow) ? random.between(50, 2_000) : random.between(0, 3))
    const above = { lost, answerLost: lost + answerLost, late: lost + answerLost + late }
    if (drawn >= above.late + hung) return { kind: 'arrives', delayMs }
    const kind =
      drawn < above.lost
        ? 'lost'
        : drawn < above.answerLost
          ? 'answer lost'
          : drawn < above.late
            ? 'late'
            : 'hung'
    const ms = kind === 'late' ? random.between(300, LATE_MS) : delayMs
    return this.chaos.strikes(`${what}: ${kind}`) ? { kind, delayMs: ms } : { kind: 'arrives', delayMs }
  }

  /** Until the answer is with the client. Throws 'unreachable' when none comes. */
  async answer(process: SimProcess, what: string, fate: Fate): Promise<void> {
    const random = this.#random
    await this.#clock.sleep(
      this.lineMs + (this.isThrottled ? random.between(100, 1_500) : random.between(0, 3)),
    )
    await process.turn()
    if (this.isDown || fate.kind === 'answer lost') throw unreachable(what, 'the answer is lost')
  }

  /** `effect` happens at the broker. Throws 'unreachable' when no answer comes. */
  async call<T>(
    process: SimProcess,
    what: string,
    effect: () => T | Promise<T>,
    isWrite = false,
  ): Promise<T> {
    await process.turn()
    const crash = process.crashesNow()
    if (crash === 'before') await this.die(process, `before "${what}"`)
    const fate = this.fate(what, isWrite)
    if (fate.kind === 'lost') {
      await this.#clock.sleep(Math.max(1, fate.delayMs))
      await process.turn()
      throw unreachable(what, 'the request is lost')
    }
    if (fate.kind === 'late' || fate.kind === 'hung')
      return await this.#unanswered(process, what, fate, effect)
    await this.#clock.sleep(fate.delayMs)
    const answer = await effect()
    if (crash === 'after') await this.die(process, `after "${what}"`)
    await this.answer(process, what, fate)
    return answer
  }

  /** The worker is killed, here, and this never returns; or it is paused. */
  async die(process: SimProcess, where: string): Promise<void> {
    // Nobody wants it any more: it was under way when that was said.
    if (process.crashAt === undefined) return
    const isPause = process.crashAt.isPause === true
    if (!this.chaos.strikes(`kdr ${isPause ? 'is paused' : 'dies'} ${where}`)) return
    if (isPause) process.pause()
    else process.kill()
    await process.turn()
  }

  async #unanswered<T>(
    process: SimProcess,
    what: string,
    fate: Fate,
    effect: () => T | Promise<T>,
  ): Promise<never> {
    const isRead = fate.kind === 'late' || this.#random.chance(0.5)
    // Nobody is left to hear what comes of it.
    if (isRead)
      void this.#clock
        .sleep(fate.delayMs)
        .then(effect)
        .catch(() => undefined)
    await this.#clock.sleep(fate.kind === 'hung' ? REQUEST_TIMEOUT_MS : this.#random.between(1, 50))
    await process.turn()
    throw unreachable(what, fate.kind === 'hung' ? 'no answer in time' : 'the connection broke')
  }
}

export function unreachable(what: string, why: string): KdrError {
  return new KdrError('unreachable', `${what}: ${why}`)
}
