// How long the line to one source broker is, and how many connections are worth having there. A connection carries one
// window of bytes per round trip, whatever the line could carry (DESIGN 2.4); so over a long line their number is doubled as
// long as that brings clearly more, and no further. After a rest it is looked at again, from half of what it was; the longer
// nothing comes of it, the longer the rests.
import { BASE_CONNECTIONS, type LineLimits } from './limits.ts'

/** The round trip is the shortest of so many: brokers that are busy, and kdr itself, only make it look longer. */
const SAMPLES = 16
/** A line of this many connections at least: a long one is never worth less. */
const FIRST_TRY = 16
/** What twice the connections must bring, to be worth it. */
const WORTH = 1.15
/** How long the bytes are counted: round trips, and ms at least. */
const TRIAL_ROUND_TRIPS = 4
const TRIAL_MS = 100
/** Rests double from the first to the last. */
const REST_MS = { first: 4_000, last: 60_000 } as const
/** With as many as are allowed, and all of them worth it. */
const REST_AT_MOST_MS = 30_000

export type LineSeen = {
  /** Monotonic ms. */
  readonly at: number
  /** All that has come in from the broker so far, over whichever connections. */
  readonly receivedBytes: number
  /** Every connection that is allowed is open, and at work. */
  readonly isBusy: boolean
}

export class LineGauge {
  readonly #most: number
  readonly #limits: LineLimits
  readonly #samples: number[] = []
  #connections: number = BASE_CONNECTIONS
  #trial: { readonly from: number; readonly receivedBytes: number | undefined } | undefined
  #best: { readonly bytesPerMs: number; readonly connections: number } | undefined
  #restsUntil = 0
  #restMs: number = REST_MS.first
  #restedWith = 0

  /** `most`: connections, as configured. */
  constructor(most: number, limits: LineLimits) {
    this.#most = Math.max(BASE_CONNECTIONS, most)
    this.#limits = limits
  }

  /** How many there may be now. */
  get connections(): number {
    return this.#connections
  }

  /** Undefined before the first sample. */
  get roundTripMs(): number | undefined {
    return this.#samples.length === 0 ? undefined : Math.min(...this.#samples)
  }

  get isLong(): boolean {
    return (this.roundTripMs ?? 0) >= this.#limits.longMs
  }

  /** How much to ask for in one request: little where many are under way at once. */
  get stripeBytes(): number {
    const { aheadBytes, leastStripeBytes, mostStripeBytes } = this.#limits
    const share = (aheadBytes * 2) / 3 / this.#connections
    return Math.round(Math.min(mostStripeBytes, Math.max(leastStripeBytes, share)))
  }

  /** From a request to the first byte of its answer, where the broker had no reason to wait. */
  sample(ms: number | undefined): void {
    if (ms === undefined) return
    this.#samples.push(ms)
    if (this.#samples.length > SAMPLES) this.#samples.shift()
    if (!this.isLong) {
      this.#connections = BASE_CONNECTIONS
      this.#trial = undefined
      this.#best = undefined
    } else if (this.#connections < FIRST_TRY) this.#connections = Math.min(FIRST_TRY, this.#most)
  }

  /** To be called again and again while there is more to fetch than is being fetched. */
  look({ at, receivedBytes, isBusy }: LineSeen): void {
    if (!this.isLong || !isBusy) {
      this.#trial = undefined
      return
    }
    if (at < this.#restsUntil) return
    this.#wake()
    const roundTripMs = this.roundTripMs ?? 0
    // The first bytes of connections that have just been opened come a round trip later.
    this.#trial ??= { from: at + roundTripMs, receivedBytes: undefined }
    const { from, receivedBytes: before } = this.#trial
    if (at < from) return
    if (before === undefined) {
      this.#trial = { from: at, receivedBytes }
      return
    }
    if (at - from < Math.max(TRIAL_MS, TRIAL_ROUND_TRIPS * roundTripMs)) return
    this.#trial = undefined
    this.#judge((receivedBytes - before) / (at - from), at)
  }

  #judge(bytesPerMs: number, at: number): void {
    const best = this.#best
    if (best !== undefined && bytesPerMs < best.bytesPerMs * WORTH) {
      this.#connections = best.connections
      this.#rest(at, REST_MS.first)
      return
    }
    this.#best = { bytesPerMs, connections: this.#connections }
    if (this.#connections < this.#most) this.#connections = Math.min(this.#connections * 2, this.#most)
    else this.#rest(at, REST_AT_MOST_MS)
  }

  #rest(at: number, firstMs: number): void {
    if (this.#connections !== this.#restedWith) this.#restMs = firstMs
    this.#restedWith = this.#connections
    this.#restsUntil = at + this.#restMs
    this.#restMs = Math.min(this.#restMs * 2, REST_MS.last)
    this.#best = undefined
  }

  /** Tries half as many first: should these do as well, it stays at that. */
  #wake(): void {
    if (this.#restsUntil === 0) return
    this.#restsUntil = 0
    this.#connections = Math.max(Math.min(FIRST_TRY, this.#most), Math.ceil(this.#connections / 2))
  }
}
