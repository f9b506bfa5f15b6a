// The whole `kdr check` again and again while `kdr run` goes on, so that what it finds is a metric and an alert. One process of many does
// it. It holds up nobody: what goes wrong with it, or hangs, is a figure too, and a line in the log.
import type { Config } from '../../config/index.ts'
import type { Log } from '../../ports/log.ts'
import type { App } from '../app.ts'
import { failureOf } from '../failure.ts'
import { plural } from '../format.ts'
import type { KeptCheck } from './kept-check.ts'
import type { RunLinks } from './links.ts'

const LOOK_EVERY_MS = 10_000
/** What has just begun to run has not told `_kdr.state` yet how it stands. */
const FIRST_AFTER_MS = 60_000
/** While something is wrong or changes: an alert must see more than one check, and be over soon after what it tells of. */
const SOON_MS = 300_000
const HANGS_MS = 600_000

/** What is known of the checks of this process. */
export type CheckSight = {
  readonly everyMs: number
  /** The last one that could be carried out; undefined: none yet. */
  readonly last: KeptCheck | undefined
  /** The last one could not, or has been under way for too long. */
  readonly isFailing: boolean
}

export type ChecksOptions = {
  readonly check: () => Promise<KeptCheck>
  readonly links: Pick<RunLinks, 'wanted' | 'all'>
  /** The config in force. */
  readonly config: () => Pick<Config, 'monitor'>
  readonly log: Log
}

/** Since this process is the one that checks. Times are monotonic. */
type Turn = {
  lookedAt: number
  /** Undefined: none is under way. */
  beganAt: number | undefined
  last: KeptCheck | undefined
  /** Undefined: the last one was carried out. */
  failure: string | undefined
  /** Next time in a while, since all is as before. */
  isSettled: boolean
}

export class Checks {
  readonly #app: App
  readonly #options: ChecksOptions
  readonly #stopping = new AbortController()
  readonly #failed = Promise.withResolvers<never>()
  #turn: Turn | undefined

  constructor(app: App, options: ChecksOptions) {
    this.#app = app
    this.#options = options
    // Whoever awaits it hears of it.
    this.#failed.promise.catch(() => undefined)
  }

  /** Rejects with what is a bug; never resolves. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  /** Undefined: another process checks, or nobody is to. */
  get sight(): CheckSight | undefined {
    const everyMs = this.#everyMs()
    if (this.#turn === undefined || everyMs === undefined) return undefined
    const { last, failure, beganAt } = this.#turn
    const hangs = beganAt !== undefined && this.#app.clock.monotonic() - beganAt > HANGS_MS
    return { everyMs, last, isFailing: failure !== undefined || hangs }
  }

  start(): void {
    this.#lookAgainAndAgain().catch((error: unknown) => this.#failed.reject(error))
  }

  /** One that is under way is left alone: it changes nothing. */
  stop(): void {
    this.#stopping.abort()
  }

  async #lookAgainAndAgain(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      this.#look()
      await this.#app.clock.sleep(LOOK_EVERY_MS, signal)
    }
  }

  #look(): void {
    const everyMs = this.#everyMs()
    if (everyMs === undefined || !isHere(this.#options.links)) {
      // What it has found is old by the time that it is its turn again.
      this.#turn = undefined
      return
    }
    const now = this.#app.clock.monotonic()
    this.#turn ??= {
      lookedAt: now,
      beganAt: undefined,
      last: undefined,
      failure: undefined,
      isSettled: false,
    }
    const turn = this.#turn
    if (turn.beganAt !== undefined || now - turn.lookedAt < waitMs(turn, everyMs)) return
    turn.beganAt = now
    this.#check(turn).catch((error: unknown) => this.#failed.reject(error))
  }

  async #check(turn: Turn): Promise<void> {
    try {
      const found = await this.#options.check()
      this.#tell(turn, found)
      turn.isSettled = turn.last !== undefined && isAsBefore(turn.last, found) && !hasErrors(found)
      turn.last = found
      turn.failure = undefined
    } catch (error) {
      const { message } = failureOf(error, this.#app.signal)
      if (turn === this.#turn && turn.failure !== message && !this.#stopping.signal.aborted)
        this.#options.log.event('error', `not everything can be checked: ${message}`)
      turn.failure = message
    }
    turn.beganAt = undefined
    turn.lookedAt = this.#app.clock.monotonic()
  }

  /** Verdicts that are not the one before. */
  #tell(turn: Turn, { report: { ready, findings } }: KeptCheck): void {
    if (turn !== this.#turn || (turn.failure === undefined && turn.last?.report.ready === ready)) return
    const level = ready === 'READY' ? 'info' : 'warn'
    const found = findings.length === 0 ? '' : `, ${plural(findings.length, 'finding')} (kdr check)`
    this.#options.log.event(level, `all was checked: ${ready}${found}`)
  }

  #everyMs(): number | undefined {
    return this.#options.config().monitor.checkMs
  }
}

function waitMs({ last, failure, isSettled }: Turn, everyMs: number): number {
  if (last === undefined && failure === undefined) return FIRST_AFTER_MS
  return failure === undefined && isSettled ? everyMs : Math.min(SOON_MS, everyMs)
}

const hasErrors = ({ report }: KeptCheck): boolean =>
  report.findings.some(({ severity }) => severity === 'error')

const isAsBefore = (before: KeptCheck, now: KeptCheck): boolean => idsIn(before) === idsIn(now)

const idsIn = ({ report }: KeptCheck): string =>
  [...new Set(report.findings.map(({ id, severity }) => `${id} ${severity}`))].toSorted().join()

/** Of many processes, that which does the control work (slot 0) of the first link that runs; without any, each. */
function isHere(links: ChecksOptions['links']): boolean {
  const running = links.all()
  const first = links.wanted.flatMap(({ name }) => running.find(({ link }) => link.name === name) ?? [])[0]
  return first === undefined || first.facts().whole !== undefined
}
