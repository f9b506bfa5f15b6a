// Keeps a set backed up: looks at its newest commit, waits until the next one is due, makes it, and so on for ever. What fails is said
// and tried again; nothing but a bug ends it. Several of these, in as many processes, share a set: each looks at what the others have
// committed before it begins.
import { findKdrError, type KdrError } from '../../model/errors.ts'
import { dueAt, type Schedule } from '../../model/schedule.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { announce, type BackupTurn } from './announce.ts'
import type { BackupResult } from './backup.ts'

/** One that takes longer is announced; after so much more it is announced again. */
export const ANNOUNCE_AFTER_MS = 2_000
const RETRY_MS = { first: 5_000, last: 300_000 } as const
/** Others' commits, and a wall clock that was set, are noticed within this. */
const LOOK_EVERY_MS = 60_000
/** So that not all begin at once; a tenth of the time between two commits, where that is less. */
const SPREAD_MS = 5_000
/** Between machines. */
const CLOCKS_DIFFER_MS = 60_000
/** While another one is at work. */
const TAKEN_LOOK_MS = 10_000

export type NewestCommit = {
  readonly number: number
  /** As of when it holds the source's ends; ms since 1970. */
  readonly at: number
}

export type FollowInput = {
  readonly name: string
  readonly schedule: Schedule
  readonly clock: Clock
  readonly log: Log
  /** In [0, 1): where in the spread this process begins. */
  readonly fraction: number
  /** Announced again after so long. */
  readonly announceEveryMs: number
  /** Undefined: there is none yet. */
  newest(): Promise<NewestCommit | undefined>
  turn(): BackupTurn
  backUp(signal: AbortSignal): Promise<BackupResult>
}

/** What this process knows of the set. */
export type SetSight = {
  /** False until the vault has answered. */
  readonly isSeen: boolean
  readonly newest: NewestCommit | undefined
  readonly isAtWork: boolean
  /** Why the last attempt failed; undefined since one has not. */
  readonly failure: string | undefined
  /** By this process, since it began. */
  readonly commits: number
  readonly failures: number
  readonly bytesRead: number
  readonly bytesStored: number
}

export class SetFollower {
  readonly #input: FollowInput
  /** As it was said last. */
  #notSeen = ''
  #sight: SetSight = {
    isSeen: false,
    newest: undefined,
    isAtWork: false,
    failure: undefined,
    commits: 0,
    failures: 0,
    bytesRead: 0,
    bytesStored: 0,
  }

  constructor(input: FollowInput) {
    this.#input = input
  }

  get sight(): SetSight {
    return this.#sight
  }

  /** Until `signal` aborts. What is under way then does not count. Throws only what is a bug. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#input
    let retryMs: number = RETRY_MS.first
    while (!signal.aborted) {
      try {
        const waitMs = await this.#look(signal)
        retryMs = RETRY_MS.first
        if (waitMs > 0) await clock.sleep(waitMs, signal)
      } catch (error) {
        if (signal.aborted) return
        const known = findKdrError(error)
        if (known === undefined) throw error
        // Its commit stands: the next look is at that.
        if (known.code === 'other-writer') {
          this.#input.log.event('debug', known.message)
          continue
        }
        this.#fail(known, retryMs)
        await clock.sleep(retryMs, signal)
        retryMs = Math.min(retryMs * 2, RETRY_MS.last)
      }
    }
  }

  /** How long to wait before the next look. */
  async #look(signal: AbortSignal): Promise<number> {
    const { clock, schedule } = this.#input
    const newest = await this.#input.newest()
    this.#tell({ isSeen: true, newest })
    // Later than now: one of the clocks was wrong, and nothing follows from it.
    if (newest !== undefined && newest.at <= clock.now() + CLOCKS_DIFFER_MS) {
      const due = dueAt(schedule, newest.at)
      const leftMs = due + this.#spreadMs(newest.at, due) - clock.now()
      if (leftMs > 0) return Math.min(leftMs, LOOK_EVERY_MS)
    }
    const turn = this.#input.turn()
    if (await turn.isTaken()) return TAKEN_LOOK_MS
    await this.#backUp(turn, signal)
    return 0
  }

  #spreadMs(last: number, due: number): number {
    return this.#input.fraction * Math.min(SPREAD_MS, (due - last) / 10)
  }

  async #backUp(turn: BackupTurn, signal: AbortSignal): Promise<void> {
    const { clock, name, log, announceEveryMs } = this.#input
    const startedAt = clock.monotonic()
    const over = new AbortController()
    const gaveWay = new AbortController()
    const announced = { clock, afterMs: ANNOUNCE_AFTER_MS, announceEveryMs, over: over.signal, gaveWay }
    const announcing = announce(turn, announced)
    this.#tell({ isAtWork: true })
    try {
      const result = await this.#input.backUp(AbortSignal.any([signal, gaveWay.signal]))
      this.#succeed(result, Math.round(clock.monotonic() - startedAt))
    } catch (error) {
      if (signal.aborted || !gaveWay.signal.aborted) throw error
      log.event('debug', `set "${name}": another kdr is at it`)
    } finally {
      this.#tell({ isAtWork: false })
      over.abort()
      await announcing
    }
  }

  #succeed(result: BackupResult, ms: number): void {
    const { log, name } = this.#input
    const { commit, records, bytes, storedBytes, notes, notSeen } = result
    const { commits, bytesRead, bytesStored } = this.#sight
    this.#tell({
      failure: undefined,
      commits: commits + 1,
      bytesRead: bytesRead + bytes,
      bytesStored: bytesStored + storedBytes,
    })
    const unread = notes.filter(({ kind }) => kind === 'unread')
    for (const { what } of unread.slice(0, 3)) log.event('warn', `set "${name}": ${what}`)
    // It is so until somebody gives the right.
    if (notSeen.join() !== this.#notSeen)
      for (const sentence of notSeen) log.event('warn', `set "${name}": ${sentence}`)
    this.#notSeen = notSeen.join()
    // Of a quiet cluster nobody wants to hear every ten seconds.
    const level = records > 0 || notes.length > 0 ? 'info' : 'debug'
    log.event(level, `set "${name}": commit ${commit}: ${records} records in ${ms} ms`, {
      commit,
      records,
      bytes,
      storedBytes,
      notes: notes.length,
      ms,
    })
  }

  #fail({ message, hint }: KdrError, retryMs: number): void {
    const { log, name } = this.#input
    const sentence = message.replaceAll('\n', '; ')
    this.#tell({ failure: sentence, failures: this.#sight.failures + 1 })
    log.event('error', `set "${name}" is not backed up: ${sentence}; trying again in ${retryMs / 1_000} s`, {
      hint,
    })
  }

  #tell(news: Partial<SetSight>): void {
    this.#sight = { ...this.#sight, ...news }
  }
}
