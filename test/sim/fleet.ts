// Many histories on all cores: child processes that are handed seeds in small portions. A child that falls silent or dies
// has found something too: its seed fails.
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

export type SeedResult = {
  readonly seed: number
  /** That was planted. */
  readonly bug?: string
  readonly violations: readonly string[]
  readonly faults: readonly string[]
}

/** What a child is handed at once. `bug`: the name of a planted one (planted/bugs.ts). */
export type Portion = { readonly from: number; readonly count: number; readonly bug?: string }

export type FleetLimits = {
  /** No new portion after this (`performance.now()`). */
  readonly until?: number
  readonly stopAtFirst?: boolean
  readonly processes?: number
  readonly onResult?: (result: SeedResult, ran: number) => void
}

export type FleetOptions = Portion & FleetLimits

export type FleetResult = { readonly ran: number; readonly failed: readonly SeedResult[] }

export type FromChild = { readonly started: number } | SeedResult | { readonly ready: true }

const CHILD = fileURLToPath(new URL('fleet-child.ts', import.meta.url))
const PORTION = 20
/** Histories take milliseconds, on a machine that is very busy seconds: one that is silent for so long goes round in circles. */
const SILENT_MS = 240_000

export async function runFleet(options: FleetOptions): Promise<FleetResult> {
  const { from, count, bug, ...limits } = options
  const processes = Math.min(limits.processes ?? availableParallelism(), Math.ceil(count / PORTION))
  return await runPortions(portionsOf(from, count, bug), { ...limits, processes })
}

/** One after the other: by time there is no end of them. */
function* portionsOf(from: number, count: number, bug: string | undefined): Generator<Portion> {
  for (let next = from; next < from + count; next += PORTION)
    yield portionOf(next, Math.min(PORTION, from + count - next), bug)
}

/** In any order, each by a child that may have played others before. */
export async function runPortions(
  portions: Iterable<Portion>,
  limits: FleetLimits = {},
): Promise<FleetResult> {
  const fleet = new Fleet(portions, limits)
  const processes = limits.processes ?? availableParallelism()
  await Promise.all(Array.from({ length: processes }, async () => await fleet.crew()))
  return { ran: fleet.ran, failed: fleet.failed.toSorted((a, b) => a.seed - b.seed) }
}

const portionOf = (from: number, count: number, bug: string | undefined): Portion =>
  bug === undefined ? { from, count } : { from, count, bug }

class Fleet {
  readonly failed: SeedResult[] = []
  ran = 0
  readonly #limits: FleetLimits
  readonly #portions: Iterator<Portion>
  #next: Portion | undefined
  /** Of children that died in the middle of a portion. */
  readonly #left: Portion[] = []

  constructor(portions: Iterable<Portion>, limits: FleetLimits) {
    this.#portions = portions[Symbol.iterator]()
    this.#limits = limits
    this.#advance()
  }

  #advance(): void {
    const next = this.#portions.next()
    this.#next = next.done === true ? undefined : next.value
  }

  /** One child after the other, until there is nothing left to do. */
  async crew(): Promise<void> {
    while (!this.#isOver()) await this.#child()
  }

  #isOver(): boolean {
    const { until } = this.#limits
    return (
      (this.#next === undefined && this.#left.length === 0) ||
      (until !== undefined && performance.now() > until) ||
      this.#hasEnough()
    )
  }

  #hasEnough(): boolean {
    return this.#limits.stopAtFirst === true && this.failed.length > 0
  }

  #portion(): Portion | undefined {
    const left = this.#left.pop()
    if (left !== undefined) return left
    const portion = this.#next
    this.#advance()
    return portion
  }

  async #child(): Promise<void> {
    const child = fork(CHILD, [], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    const ended = Promise.withResolvers<void>()
    let portion: Portion | undefined
    let seed: number | undefined
    let stderr = ''
    let isReady = false
    const give = (): void => {
      portion = this.#isOver() ? undefined : this.#portion()
      if (portion === undefined) child.disconnect()
      else child.send(portion)
    }
    let silent: NodeJS.Timeout | undefined
    const listen = (): void => {
      clearTimeout(silent)
      silent = setTimeout(() => child.kill('SIGKILL'), SILENT_MS)
    }
    child.stderr?.on('data', (text: Buffer) => {
      stderr += text.toString()
    })
    child.on('message', (message: FromChild) => {
      listen()
      if ('ready' in message) {
        isReady = true
        portion = undefined
        seed = undefined
        give()
      } else if ('started' in message) seed = message.started
      else if (this.#take(message)) child.kill('SIGKILL')
    })
    child.on('exit', (code, signal) => {
      if (!isReady) {
        ended.reject(new Error(`a child of the fleet did not start: ${stderr.trim()}`))
      } else if (portion !== undefined && !this.#hasEnough()) {
        const { bug } = portion
        const why = stderr.trim().split('\n').slice(-12).join('\n')
        if (seed === undefined)
          ended.reject(new Error(`a child of the fleet ended with ${String(code ?? signal)}: ${why}`))
        else {
          this.#take({
            seed,
            violations: [`the process ended with ${String(code ?? signal)}: ${why}`],
            faults: [],
            ...(bug !== undefined && { bug }),
          })
          // The rest of its portion.
          if (seed + 1 < portion.from + portion.count)
            this.#left.push(portionOf(seed + 1, portion.from + portion.count - seed - 1, bug))
        }
      }
      clearTimeout(silent)
      ended.resolve()
    })
    listen()
    await ended.promise
  }

  /** True when nothing more is wanted. */
  #take(result: SeedResult): boolean {
    this.ran++
    if (result.violations.length > 0) this.failed.push(result)
    this.#limits.onResult?.(result, this.ran)
    return this.#hasEnough()
  }
}
