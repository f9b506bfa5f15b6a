// What `kdr run` keeps going beside the links, such as sets that are backed up and clusters that are watched: started from the config, and
// brought in step with it again when it was changed (SIGHUP). They hold up nobody; a file that is wrong changes nothing.
import type { Config } from '../../config/index.ts'
import { findKdrError } from '../../model/errors.ts'
import type { Log } from '../../ports/log.ts'
import type { App } from '../app.ts'

export type Followed = {
  /** Until `signal` aborts. Rejects only with what is a bug. */
  run(signal: AbortSignal): Promise<void>
}

export type Kind<Snapshot, F extends Followed> = {
  /** `set`. */
  readonly noun: string
  readonly wanted: (config: Config) => readonly Snapshot[]
  readonly nameOf: (snapshot: Snapshot) => string
  readonly isSame: (a: Snapshot, b: Snapshot) => boolean
  /** Throws KdrError: why it cannot be. */
  readonly start: (snapshot: Snapshot) => Promise<F>
  readonly words: {
    readonly started: (snapshot: Snapshot) => string
    /** `is not backed up any more`. */
    readonly gone: string
    /** `cannot be backed up`. */
    readonly refused: string
  }
  /** A stop waits this long for what is under way; then it is left as it is. */
  readonly stopWaitsMs: number
}

export type FollowersOptions = {
  /** Where the config is. */
  readonly path: string
  readonly log: Log
  /** Whether a wrong config is said here: the links say it too. */
  readonly isAlone: boolean
}

type Running<Snapshot, F> = {
  readonly snapshot: Snapshot
  readonly followed: F
  readonly stopping: AbortController
  readonly ended: Promise<void>
}

export class Followers<Snapshot, F extends Followed> {
  readonly #app: App
  readonly #options: FollowersOptions
  readonly #kind: Kind<Snapshot, F>
  readonly #running = new Map<string, Running<Snapshot, F>>()
  #config: Config | undefined
  #isStopping = false
  #working: Promise<void> = Promise.resolve()
  readonly #failed = Promise.withResolvers<never>()

  constructor(app: App, options: FollowersOptions, kind: Kind<Snapshot, F>) {
    this.#app = app
    this.#options = options
    this.#kind = kind
    // Whoever awaits it hears of it.
    this.#failed.promise.catch(() => undefined)
  }

  all(): F[] {
    return [...this.#running.values()].map(({ followed }) => followed)
  }

  /** Those of `all`, each with the config that it was started from. */
  snapshots(): Snapshot[] {
    return [...this.#running.values()].map(({ snapshot }) => snapshot)
  }

  /** The one in force: read last, and not refused. Undefined: none was read here. */
  get config(): Config | undefined {
    return this.#config
  }

  /** Rejects with what is a bug; never resolves. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  /** Throws KdrError: what is wrong with the config. */
  async start(config: Config): Promise<void> {
    this.#config = config
    await this.#take(this.#kind.wanted(config))
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
      this.#app.clock.sleep(this.#kind.stopWaitsMs, pause.signal),
    ])
    pause.abort()
  }

  async #readAgain(): Promise<void> {
    const { log, path, isAlone } = this.#options
    let wanted: readonly Snapshot[]
    try {
      this.#config = await this.#app.loadConfig(path)
      wanted = this.#kind.wanted(this.#config)
    } catch (error) {
      const known = findKdrError(error)
      if (known === undefined) throw error
      const sentence = known.message.replaceAll('\n', '; ')
      if (isAlone) log.event('error', `the config is refused, the one before stays in force: ${sentence}`)
      return
    }
    await this.#take(wanted)
  }

  async #take(wanted: readonly Snapshot[]): Promise<void> {
    const { noun, nameOf, isSame, words } = this.#kind
    const named = new Map(wanted.map(each => [nameOf(each), each]))
    for (const [name, each] of this.#running) {
      const now = named.get(name)
      if (now !== undefined && isSame(each.snapshot, now)) continue
      this.#tell('info', name, `${noun} "${name}" ${now === undefined ? words.gone : 'has changed'}`)
      this.#running.delete(name)
      await this.#end(each)
    }
    for (const each of wanted) if (!this.#running.has(nameOf(each))) await this.#startOne(each)
  }

  async #startOne(snapshot: Snapshot): Promise<void> {
    const { noun, nameOf, start, words } = this.#kind
    const name = nameOf(snapshot)
    if (this.#isStopping) return
    try {
      const followed = await start(snapshot)
      const stopping = new AbortController()
      const ended = followed.run(stopping.signal)
      ended.catch((error: unknown) => this.#failed.reject(error))
      this.#running.set(name, { snapshot, followed, stopping, ended })
      this.#tell('info', name, `${noun} "${name}": ${words.started(snapshot)}`)
    } catch (error) {
      const known = findKdrError(error)
      if (known === undefined) throw error
      this.#tell('error', name, `${noun} "${name}" ${words.refused}: ${known.message}`)
    }
  }

  #tell(level: 'info' | 'error', name: string, message: string): void {
    this.#options.log.event(level, message, { [this.#kind.noun]: name })
  }

  async #end({ stopping, ended }: Running<Snapshot, F>): Promise<void> {
    stopping.abort(new Error('stopped'))
    await ended.catch(() => undefined)
  }
}
