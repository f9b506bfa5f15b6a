// One way by which alerts leave kdr, with what waits for it. Whoever adds something never waits. What could not be told is tried again,
// ever more seldom; that it cannot be told is said once, and so is that it can again.
import type { Notification, ToldAlert } from '../../../api/alerts/notification.ts'
import { findKdrError } from '../../../model/errors.ts'
import type { Clock } from '../../../ports/clock.ts'
import type { Log } from '../../../ports/log.ts'

/** More than these would be old news. */
export const MAX_WAITING = 500
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 60_000
/** Then the next one gets its chance. */
const GIVE_UP_MS = 3_600_000

export type DeliveryOptions = {
  /** `the webhook`, for messages. */
  readonly what: string
  /** Throws KdrError when it was not taken; its message is fit for the log. */
  readonly send: (notification: Notification) => Promise<void>
  /** It was not told, and is not tried again from here. */
  readonly onGivenUp?: (notification: Notification) => void
  readonly clock: Clock
  readonly log: Log
}

export class Delivery {
  readonly #options: DeliveryOptions
  readonly #waiting: Notification[] = []
  #wake = Promise.withResolvers<void>()
  #isFailing = false
  #isIdle = true

  constructor(options: DeliveryOptions) {
    this.#options = options
  }

  /** Nothing waits, and nothing is under way. */
  get isIdle(): boolean {
    return this.#isIdle
  }

  /** It is not known that whoever is to hear of it has heard. */
  isWaiting(fingerprint: string, status: ToldAlert['status']): boolean {
    return this.#waiting.some(({ alerts }) =>
      alerts.some(each => each.fingerprint === fingerprint && each.status === status),
    )
  }

  add(notification: Notification): void {
    const { what, log } = this.#options
    this.#waiting.push(notification)
    this.#isIdle = false
    const [oldest] = this.#waiting.length > MAX_WAITING ? this.#waiting.splice(0, 1) : []
    if (oldest !== undefined) log.event('error', `${what} was not told of ${inWords(oldest)}: too many wait`)
    this.#wake.resolve()
  }

  /** Until `signal` aborts. Throws only what is a bug. */
  async run(signal: AbortSignal): Promise<void> {
    const aborted = new Promise<void>(resolve =>
      signal.addEventListener('abort', () => resolve(), { once: true }),
    )
    while (!signal.aborted) {
      const next = this.#waiting[0]
      if (next === undefined) {
        this.#isIdle = true
        await Promise.race([this.#wake.promise, aborted])
        this.#wake = Promise.withResolvers()
        continue
      }
      await this.#deliver(next, signal)
      // Others may have pushed it out meanwhile.
      if (this.#waiting[0] === next) this.#waiting.shift()
    }
  }

  async #deliver(notification: Notification, signal: AbortSignal): Promise<void> {
    const { what, send, onGivenUp, clock, log } = this.#options
    const begunAt = clock.monotonic()
    for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        await send(notification)
        if (this.#isFailing) log.event('info', `${what} is told of alerts again`)
        this.#isFailing = false
        return
      } catch (error) {
        const known = findKdrError(error)
        if (known === undefined) throw error
        if (!this.#isFailing)
          log.event('error', `${what} cannot be told of alerts: ${known.message}; trying again`)
        this.#isFailing = true
        if (clock.monotonic() - begunAt > GIVE_UP_MS) {
          log.event('error', `${what} was not told of ${inWords(notification)}: ${known.message}`)
          onGivenUp?.(notification)
          return
        }
      }
      await clock.sleep(pauseMs, signal)
    }
  }
}

function inWords({ groupLabels, status }: Notification): string {
  const { alertname = '', ...places } = groupLabels
  const of = Object.entries(places).map(([name, value]) => ` of ${name} "${value}"`)
  return `${alertname}${of.join('')} (${status})`
}
