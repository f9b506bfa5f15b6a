// The sets that `kdr run` keeps backed up: those of the config with an `every:`, brought in step with it again when it was changed
// (SIGHUP). They run beside the links and hold up nobody; a file that is wrong changes nothing.
import type { Config } from '../../config/index.ts'
import { isSameSet, type SetSnapshot, snapshotOfSet } from '../../config/same.ts'
import { findKdrError } from '../../model/errors.ts'
import type { Log } from '../../ports/log.ts'
import type { App } from '../app.ts'
import type { FollowedSet } from '../app-vault.ts'

/** A stop waits this long for what is under way; then it is left as it is, and counts for nothing. */
const STOP_WAITS_MS = 8_000

type Running = {
  readonly snapshot: SetSnapshot
  readonly followed: FollowedSet
  readonly stopping: AbortController
  readonly ended: Promise<void>
}

export type RunSetsOptions = {
  /** Where the config is. */
  readonly path: string
  readonly log: Log
  /** Whether a wrong config is said here: the links say it too. */
  readonly isAlone: boolean
}

export class RunSets {
  readonly #app: App
  readonly #options: RunSetsOptions
  readonly #running = new Map<string, Running>()
  #isStopping = false
  #working: Promise<void> = Promise.resolve()
  readonly #failed = Promise.withResolvers<never>()

  constructor(app: App, options: RunSetsOptions) {
    this.#app = app
    this.#options = options
    // Whoever awaits it hears of it.
    this.#failed.promise.catch(() => undefined)
  }

  all(): FollowedSet[] {
    return [...this.#running.values()].map(({ followed }) => followed)
  }

  /** Those of `all`, each with the config that it was started from. */
  snapshots(): SetSnapshot[] {
    return [...this.#running.values()].map(({ snapshot }) => snapshot)
  }

  /** Rejects with what is a bug; never resolves. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  /** Throws KdrError: what is wrong with the config. */
  async start(config: Config): Promise<void> {
    await this.#take(wantedOf(config))
  }

  /** Asks for the config to be read again. May be called at any time. */
  reload(): void {
    this.#working = this.#working
      .then(async () => await this.#readAgain())
      .catch((error: unknown) => this.#failed.reject(error))
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    const ending = [...this.#running.values()].map(async each => await this.#end(each))
    const pause = new AbortController()
    await Promise.race([
      Promise.all([this.#working, ...ending]),
      this.#app.clock.sleep(STOP_WAITS_MS, pause.signal),
    ])
    pause.abort()
  }

  async #readAgain(): Promise<void> {
    const { log, path, isAlone } = this.#options
    let wanted: SetSnapshot[]
    try {
      wanted = wantedOf(await this.#app.loadConfig(path))
    } catch (error) {
      const known = findKdrError(error)
      if (known === undefined) throw error
      const sentence = known.message.replaceAll('\n', '; ')
      if (isAlone) log.event('error', `the config is refused, the one before stays in force: ${sentence}`)
      return
    }
    await this.#take(wanted)
  }

  async #take(wanted: readonly SetSnapshot[]): Promise<void> {
    const { log } = this.#options
    const named = new Map(wanted.map(each => [each.set.name, each]))
    for (const [name, each] of this.#running) {
      const now = named.get(name)
      if (now !== undefined && isSameSet(each.snapshot, now)) continue
      log.event('info', `set "${name}" ${now === undefined ? 'is not backed up any more' : 'has changed'}`, {
        set: name,
      })
      this.#running.delete(name)
      await this.#end(each)
    }
    for (const each of wanted) if (!this.#running.has(each.set.name)) await this.#startOne(each)
  }

  async #startOne(snapshot: SetSnapshot): Promise<void> {
    const { log } = this.#options
    const { config, set } = snapshot
    if (this.#isStopping) return
    try {
      const followed = await this.#app.services.followSet(config, set, { log })
      const stopping = new AbortController()
      const ended = followed.run(stopping.signal)
      ended.catch((error: unknown) => this.#failed.reject(error))
      this.#running.set(set.name, { snapshot, followed, stopping, ended })
      log.event('info', `set "${set.name}": "${set.cluster}" is backed up to "${set.vault}", ${every(set)}`, {
        set: set.name,
      })
    } catch (error) {
      const known = findKdrError(error)
      if (known === undefined) throw error
      log.event('error', `set "${set.name}" cannot be backed up: ${known.message}`, { set: set.name })
    }
  }

  async #end({ stopping, ended }: Running): Promise<void> {
    stopping.abort(new Error('stopped'))
    await ended.catch(() => undefined)
  }
}

function every({ every: how }: SetSnapshot['set']): string {
  if (how === undefined) return 'by hand'
  const { text, schedule } = how
  return schedule.kind === 'interval' ? `every ${text}` : schedule.kind === 'cron' ? `at ${text} (UTC)` : text
}

function wantedOf(config: Config): SetSnapshot[] {
  const sets = Object.values(config.sets).filter(set => set.every !== undefined)
  return sets.map(set => snapshotOfSet(config, set))
}
