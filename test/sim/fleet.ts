// Many histories on all cores: child processes that are handed seeds in small portions. A child that falls silent or dies
// has found something too: its seed fails.
import { fork } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

export type SeedResult = {
  readonly seed: number
  readonly violations: readonly string[]
  readonly faults: readonly string[]
}

export type FleetOptions = {
  readonly from: number
  readonly count: number
  /** No new portion after this (`performance.now()`). */
  readonly until?: number
  /** The name of a planted bug (planted/bugs.ts). */
  readonly bug?: string
  readonly stopAtFirst?: boolean
  readonly processes?: number
  readonly onResult?: (result: SeedResult, ran: number) => void
}

export type FleetResult = { readonly ran: number; readonly failed: readonly SeedResult[] }

export type ToChild = { readonly from: number; readonly count: number }
export type FromChild = { readonly started: number } | SeedResult | { readonly ready: true }

const CHILD = fileURLToPath(new URL('fleet-child.ts', import.meta.url))
const PORTION = 20
/** Histories take milliseconds, at low priority beside brokers seconds: one that is silent for so long goes round in circles. */
const SILENT_MS = 240_000

export async function runFleet(options: FleetOptions): Promise<FleetResult> {
  const fleet = new Fleet(options)
  const processes = Math.min(options.processes ?? availableParallelism(), options.count)
  await Promise.all(Array.from({ length: processes }, async () => await fleet.crew()))
  return { ran: fleet.ran, failed: fleet.failed.toSorted((a, b) => a.seed - b.seed) }
}

class Fleet {
  readonly failed: SeedResult[] = []
  ran = 0
  readonly #options: FleetOptions
  /** Of children that died in the middle of a portion. */
  readonly #left: ToChild[] = []
  #next: number

  constructor(options: FleetOptions) {
    this.#options = options
    this.#next = options.from
  }

  /** One child after the other, until there is nothing left to do. */
  async crew(): Promise<void> {
    while (!this.#isOver()) await this.#child()
  }

  #isOver(): boolean {
    const { from, count, until, stopAtFirst } = this.#options
    return (
      (this.#next >= from + count && this.#left.length === 0) ||
      (until !== undefined && performance.now() > until) ||
      (stopAtFirst === true && this.failed.length > 0)
    )
  }

  #portion(): ToChild {
    const { from, count } = this.#options
    const left = this.#left.pop()
    if (left !== undefined) return left
    const portion = { from: this.#next, count: Math.min(PORTION, from + count - this.#next) }
    this.#next += portion.count
    return portion
  }

  async #child(): Promise<void> {
    const { bug } = this.#options
    const child = fork(CHILD, bug === undefined ? [] : [bug], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
    const ended = Promise.withResolvers<void>()
    let portion: ToChild | undefined
    let seed: number | undefined
    let stderr = ''
    let isReady = false
    const give = (): void => {
      if (this.#isOver()) child.disconnect()
      else child.send((portion = this.#portion()))
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
      } else if (portion !== undefined && !this.#isOver()) {
        const why = stderr.trim().split('\n').slice(-12).join('\n')
        if (seed === undefined)
          ended.reject(new Error(`a child of the fleet ended with ${String(code ?? signal)}: ${why}`))
        else {
          this.#take({
            seed,
            violations: [`the process ended with ${String(code ?? signal)}: ${why}`],
            faults: [],
          })
          // The rest of its portion.
          if (seed + 1 < portion.from + portion.count)
            this.#left.push({ from: seed + 1, count: portion.from + portion.count - seed - 1 })
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
    this.#options.onResult?.(result, this.ran)
    return this.#options.stopAtFirst === true && this.failed.length > 0
  }
}
