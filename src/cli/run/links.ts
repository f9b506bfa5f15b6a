// The links that `kdr run` keeps going: started from the config, and brought in step with it again when it was changed
// (SIGHUP). A link that did not change goes on untouched; a file that is wrong changes nothing.

import type { Config, LinkConfig } from '../../config/index.ts'
import { isSameLink, type LinkSnapshot, snapshotOf } from '../../config/same.ts'
import { findKdrError } from '../../model/errors.ts'
import type { Log } from '../../ports/log.ts'
import type { App, RunningLink } from '../app.ts'

/** A link of the config that could not be started is tried again this often. */
const RETRY_EVERY_MS = 10_000
/** And one that a run moves: it goes on in the other direction within seconds. */
const MOVED_RETRY_EVERY_MS = 2_000
/** A stop waits this long for a link that is being started; its successor waits for the rest. */
const STOP_WAITS_MS = 3_000

type Running = {
  readonly snapshot: LinkSnapshot
  readonly running: RunningLink
  /** What it should have been by now, and could not be started as. */
  refused?: LinkSnapshot
}

export type RunLinksOptions = {
  /** Where the config is. */
  readonly path: string
  /** All links when empty. */
  readonly names: readonly string[]
  readonly log: Log
  /** Shares the links with no other kdr. */
  readonly isAlone?: boolean
  /** A link runs; called for each, also later. */
  readonly onStarted: (running: RunningLink) => void
}

export class RunLinks {
  readonly #app: App
  readonly #options: RunLinksOptions
  readonly #running = new Map<string, Running>()
  #wanted: readonly LinkSnapshot[] = []
  #config: Config | undefined
  #isAsked = false
  /** By name, why it is not copied now. */
  readonly #moved = new Map<string, string>()
  #isStopping = false
  #wake = Promise.withResolvers<void>()
  #working: Promise<void> = Promise.resolve()
  readonly #failed = Promise.withResolvers<never>()

  constructor(app: App, options: RunLinksOptions) {
    this.#app = app
    this.#options = options
    // Whoever awaits it hears of it.
    this.#failed.promise.catch(() => undefined)
  }

  all(): RunningLink[] {
    return [...this.#running.values()].map(({ running }) => running)
  }

  /** Those that the config wants, whether or not they run now. */
  get wanted(): LinkConfig[] {
    return this.#wanted.map(({ link }) => link)
  }

  /** The one in force: read last, and not refused. Undefined: none was read here. */
  get config(): Config | undefined {
    return this.#config
  }

  /** Rejects when a link cannot go on; never resolves. */
  get failed(): Promise<never> {
    return this.#failed.promise
  }

  /**
   * Where a cluster of one link is dark the others go on, and it is tried again. Throws KdrError: what is wrong with the config, or why a
   * link cannot be started; `hasOthers`: this process has other work, also while no link can.
   */
  async start({ hasOthers }: { readonly hasOthers: boolean }): Promise<void> {
    this.#wanted = await this.#read()
    const dark: (readonly [name: string, error: unknown])[] = []
    for (const snapshot of this.#wanted) {
      const { name } = snapshot.link
      try {
        await this.#startOne(snapshot)
      } catch (error) {
        // Alone there is nobody to wait.
        if (this.#options.isAlone === true) throw error
        if (findKdrError(error)?.code === 'unreachable') dark.push([name, error])
        else if (!this.#tellMoved(name, error)) throw error
      }
    }
    const [first] = dark
    if (first !== undefined && dark.length === this.#wanted.length && !hasOthers) throw first[1]
    for (const [name, error] of dark) this.#tellRefused(name, error, 'trying again')
  }

  /** Asks for the config to be read again. May be called at any time. */
  reload(): void {
    this.#isAsked = true
    this.#wake.resolve()
  }

  /** Keeps the links in step with the config until `signal` aborts. Throws only what is a bug. */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const pause = new AbortController()
      const isWaiting = this.#wanted.some(each => !this.#isUp(each))
      await Promise.race([
        this.#wake.promise,
        this.#app.clock.sleep(
          isWaiting ? this.#retryMs() : 2 ** 31 - 1,
          AbortSignal.any([signal, pause.signal]),
        ),
      ])
      pause.abort()
      if (signal.aborted) return
      this.#wake = Promise.withResolvers<void>()
      this.#working = this.#work()
      await this.#working
    }
  }

  /** Finishes what is in flight. */
  async stop(): Promise<void> {
    this.#isStopping = true
    const settled = Promise.race([this.#working.catch(() => undefined), this.#app.clock.sleep(STOP_WAITS_MS)])
    await Promise.all([settled, ...this.all().map(async running => await running.stop())])
  }

  async #work(): Promise<void> {
    if (this.#isAsked) {
      this.#isAsked = false
      await this.#readAgain()
    }
    const names = new Set(this.#wanted.map(({ link }) => link.name))
    for (const name of this.#running.keys()) if (!names.has(name)) await this.#stopOne(name)
    // One after the other, as at the start; the others go on meanwhile.
    for (const snapshot of this.#wanted) if (!this.#isUp(snapshot)) await this.#replace(snapshot)
  }

  /** Takes the config as it is now; a wrong one is told, and leaves all as it was. */
  async #readAgain(): Promise<void> {
    const { log } = this.#options
    try {
      const before = this.#wanted
      this.#wanted = await this.#read()
      log.event('info', `config read again: ${describeChange(before, this.#wanted)}`)
      // What was tried in vain is tried once more.
      for (const each of this.#running.values()) delete each.refused
    } catch (error) {
      log.event('error', `the config is refused, the one before stays in force: ${inOneLine(error)}`)
    }
  }

  async #read(): Promise<LinkSnapshot[]> {
    const { path, names } = this.#options
    const config = await this.#app.loadConfig(path)
    const links: LinkConfig[] = this.#app.services.chooseLinks(config, names)
    this.#config = config
    return links.map(link => snapshotOf(config, link))
  }

  /** Runs as wanted, or as before because that could not be started. */
  #isUp(wanted: LinkSnapshot): boolean {
    const now = this.#running.get(wanted.link.name)
    if (now === undefined) return false
    return isSameLink(now.snapshot, wanted) || (now.refused !== undefined && isSameLink(now.refused, wanted))
  }

  /** In place of what runs under this name, if anything does. */
  async #replace(wanted: LinkSnapshot): Promise<void> {
    const { name } = wanted.link
    const before = this.#running.get(name)?.snapshot
    await this.#stopOne(name)
    try {
      await this.#startOne(wanted)
    } catch (error) {
      if (this.#tellMoved(name, error)) return
      this.#tellRefused(
        name,
        error,
        before === undefined ? 'trying again' : 'going on with the settings before',
      )
      if (before !== undefined) await this.#goBack(before, wanted)
    }
  }

  async #goBack(before: LinkSnapshot, refused: LinkSnapshot): Promise<void> {
    const { name } = before.link
    try {
      await this.#startOne(before)
      const now = this.#running.get(name)
      if (now !== undefined) now.refused = refused
    } catch (error) {
      this.#options.log.event('error', `link "${name}" does not run: ${inOneLine(error)}; trying again`, {
        link: name,
      })
    }
  }

  async #startOne(snapshot: LinkSnapshot): Promise<void> {
    const { config, link } = snapshot
    if (this.#isStopping) return
    const running = await this.#app.services.startLink(config, link, {
      log: this.#options.log,
      isAlone: this.#options.isAlone === true,
    })
    if (this.#isStopping) return await running.stop()
    this.#running.set(link.name, { snapshot, running })
    this.#moved.delete(link.name)
    void running.movedAway.then(async () => await this.#standAside(link.name, running))
    running.failed.catch((error: unknown) => {
      if (this.#running.get(link.name)?.running === running) this.#failed.reject(error)
    })
    this.#options.onStarted(running)
  }

  #retryMs(): number {
    return this.#moved.size > 0 ? MOVED_RETRY_EVERY_MS : RETRY_EVERY_MS
  }

  /** True: a run moves the link, or has moved it; said once. It is tried again. */
  #tellMoved(name: string, error: unknown): boolean {
    const known = findKdrError(error)
    if (known?.code !== 'moved') return false
    if (this.#moved.get(name) !== known.message)
      this.#options.log.event('info', known.message, { link: name })
    this.#moved.set(name, known.message)
    return true
  }

  #tellRefused(name: string, error: unknown, goesOn: string): void {
    const sentence = `link "${name}" cannot be started: ${inOneLine(error)}; ${goesOn}`
    this.#options.log.event('error', sentence, { link: name })
  }

  async #standAside(name: string, running: RunningLink): Promise<void> {
    if (this.#running.get(name)?.running !== running) return
    this.#options.log.event('info', `link "${name}" is being moved: this kdr stands aside`, { link: name })
    this.#moved.set(name, '')
    await this.#stopOne(name)
    this.#wake.resolve()
  }

  async #stopOne(name: string): Promise<void> {
    const now = this.#running.get(name)
    this.#running.delete(name)
    await now?.running.stop()
  }
}

/** `nothing has changed`, or which links are new, changed, gone. */
function describeChange(before: readonly LinkSnapshot[], now: readonly LinkSnapshot[]): string {
  const known = new Map(before.map(each => [each.link.name, each]))
  const names = new Set(now.map(({ link }) => link.name))
  const changes = now.flatMap(each => {
    const { name } = each.link
    const old = known.get(name)
    if (old === undefined) return [`link "${name}" is new`]
    return isSameLink(old, each) ? [] : [`link "${name}" has changed and starts anew`]
  })
  const gone = [...known.keys()]
    .filter(name => !names.has(name))
    .map(name => `link "${name}" is gone and stops`)
  return [...changes, ...gone].join(', ') || 'nothing has changed'
}

/** Throws what is not an operator's or the world's error. */
function inOneLine(error: unknown): string {
  const known = findKdrError(error)
  if (known === undefined) throw error
  return known.message.replaceAll('\n', '; ')
}
