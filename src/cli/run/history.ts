// The history of the objectives: how far behind each link is, every few seconds, and for how much of the day that was within what the
// config wants; kept in `_kdr.state` every few minutes, by the process that does the control work of the link.
import { findKdrError } from '../../model/errors.ts'
import { dayOf, ObjectiveDays, type RpoLook } from '../../model/objective-days.ts'
import { linkObjective, type Objectives } from '../../model/objectives.ts'
import type { App, RunningLink } from '../app.ts'
import { rpoOf } from './metrics/links.ts'
import type { RunLinks } from './links.ts'

const LOOK_EVERY_MS = 10_000
const KEEP_EVERY_MS = 300_000
/** `kdr run` ends within 10 s of SIGTERM, and its links need most of it. */
const LAST_WRITE_MS = 1_000

type Watched = { readonly days: ObjectiveDays; keptAt: number; isKeeping: boolean }

export type HistoryOptions = {
  readonly links: Pick<RunLinks, 'all'>
  /** Of the config in force. */
  readonly objectives: () => Objectives
}

export class History {
  readonly #app: App
  readonly #options: HistoryOptions
  readonly #watched = new Map<RunningLink, Watched>()
  readonly #stopping = new AbortController()
  readonly #failed = Promise.withResolvers<never>()

  constructor(app: App, options: HistoryOptions) {
    this.#app = app
    this.#options = options
    // Whoever awaits it hears of it.
    this.#failed.promise.catch(() => undefined)
  }

  /** Rejects with what is a bug; never resolves. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  start(): void {
    this.#lookAgainAndAgain().catch((error: unknown) => this.#failed.reject(error))
  }

  /** Keeps what has come since, if the target takes it at once. Before the links are stopped. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    const all = [...this.#watched].map(async ([link, watched]) => await this.#keep(link, watched))
    const pause = new AbortController()
    await Promise.race([Promise.all(all), this.#app.clock.sleep(LAST_WRITE_MS, pause.signal)])
    pause.abort()
  }

  async #lookAgainAndAgain(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      this.#look()
      await this.#app.clock.sleep(LOOK_EVERY_MS, signal)
    }
  }

  #look(): void {
    const { clock } = this.#app
    const running = this.#options.links.all()
    for (const link of this.#watched.keys()) if (!running.includes(link)) this.#watched.delete(link)
    for (const link of running) {
      const look = lookAt(link, this.#options.objectives(), clock.now())
      // Another worker has its history now.
      if (look === 'elsewhere') {
        this.#watched.delete(link)
        continue
      }
      const watched = this.#watched.get(link) ?? {
        days: new ObjectiveDays(link.objectiveDays()),
        keptAt: clock.monotonic(),
        isKeeping: false,
      }
      this.#watched.set(link, watched)
      watched.days.observe(clock.now(), look)
      if (clock.monotonic() - watched.keptAt >= KEEP_EVERY_MS && !watched.isKeeping)
        // A target that does not answer holds up no look.
        this.#keep(link, watched).catch((error: unknown) => this.#failed.reject(error))
    }
  }

  async #keep(link: RunningLink, watched: Watched): Promise<void> {
    const { clock } = this.#app
    const now = clock.now()
    const yesterday = dayOf(now - KEEP_EVERY_MS - LOOK_EVERY_MS)
    watched.isKeeping = true
    watched.keptAt = clock.monotonic()
    try {
      for (const day of new Set([yesterday, dayOf(now)])) {
        const record = watched.days.all.get(day)
        if (record !== undefined) await link.keepObjectiveDay(day, record)
      }
      for (const day of watched.days.forget(now)) await link.keepObjectiveDay(day, undefined)
    } catch (error) {
      if (findKdrError(error) === undefined) throw error
      // It is all in the next one.
    } finally {
      watched.isKeeping = false
    }
  }
}

/** Undefined: nobody knows how far behind it is. */
function lookAt(
  running: RunningLink,
  objectives: Objectives,
  now: number,
): RpoLook | undefined | 'elsewhere' {
  const { whole } = running.facts()
  if (whole === undefined) return 'elsewhere'
  const rpoMs = rpoOf(whole, now)
  if (rpoMs === undefined) return undefined
  const topics = [...Map.groupBy(running.view().partitions, ({ topic }) => topic)]
  const standing = linkObjective(objectives, {
    name: running.link.name,
    state: 'mirroring',
    lagMs: whole.lagMs,
    rpoMs,
    sourceSeenAt: new Date(whole.sourceSeenAt).toISOString(),
    topics: topics.map(([name, partitions]) => ({ name, partitions })),
  })
  if (standing === undefined) return whole.isLagKnown ? { rpoMs, isWithin: undefined } : undefined
  const { rpoObjectiveState: state } = standing
  return state === 'unknown' ? undefined : { rpoMs, isWithin: state === 'met' }
}
