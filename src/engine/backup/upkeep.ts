// Keeps a set verified, and pruned: where the newest full verification that has passed is as old as the set allows, another one is made;
// after it, and once a day, what is older than the days is dropped, by the same plan and with the same refusals as by hand. What
// fails is said and tried again; what is damaged is said, and nothing is dropped from then on that a verification has not vouched for.
import { findKdrError } from '../../model/errors.ts'
import type { PrunePlan, PruneReport, VaultProblem } from '../../model/vault-reports.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import { announce, type BackupTurn } from './announce.ts'

/** Others' verifications are noticed within this. */
const LOOK_EVERY_MS = 600_000
const DAY_MS = 86_400_000
/** After a failure; doubled up to the last. */
const RETRY_MS = { first: 60_000, last: 3_600_000 } as const
/** So that of several that look at the same moment one has said so before the next one looks; a tenth of the time, where that is less. */
const SPREAD_MS = 300_000
/** Of the sentences of one verification. */
const PROBLEMS_SAID = 3

export type UpkeepInput = {
  readonly name: string
  readonly clock: Clock
  readonly log: Log
  /** In [0, 1): where in the spread this process begins. */
  readonly fraction: number
  readonly announceEveryMs: number
  readonly verifyMs: number
  readonly isPruning: boolean
  /** What a verification is due by. Undefined: there is no commit yet. Throws KdrError. */
  stand(): Promise<{ readonly verifiedAt: number | undefined } | undefined>
  /** In full, the newest commit; one that passes leaves its record in the vault. */
  verify(
    signal: AbortSignal,
  ): Promise<{ readonly number: number; readonly problems: readonly VaultProblem[] }>
  /** Nothing changes before `execute`, which throws what the plan refuses. */
  preparePrune(signal: AbortSignal): Promise<{
    readonly plan: PrunePlan
    readonly execute: () => Promise<PruneReport>
  }>
  /** Of verifying: it never keeps a backup waiting. */
  turn(): BackupTurn
}

/** What this process knows of it. */
export type UpkeepSight = {
  readonly isAtWork: boolean
  /** Objects that the last verification of this process found damaged or missing; undefined before one has ended. */
  readonly problems: number | undefined
  /** Why the last attempt failed, or was refused; undefined since one was not. */
  readonly failure: string | undefined
  /** By this process, since it began. */
  readonly verifications: number
  readonly prunes: number
  readonly deletedBytes: number
}

export class SetUpkeep {
  readonly #input: UpkeepInput
  #sight: UpkeepSight = {
    isAtWork: false,
    problems: undefined,
    failure: undefined,
    verifications: 0,
    prunes: 0,
    deletedBytes: 0,
  }
  /** By the wall clock; when this process verified and found something wrong or nothing, and when it looked what to prune. */
  #damagedAt = Number.NEGATIVE_INFINITY
  #passedAt = Number.NEGATIVE_INFINITY
  #prunedAt = Number.NEGATIVE_INFINITY

  constructor(input: UpkeepInput) {
    this.#input = input
  }

  get sight(): UpkeepSight {
    return this.#sight
  }

  /** Until `signal` aborts. Throws only what is a bug. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, name, log } = this.#input
    let retryMs: number = RETRY_MS.first
    while (!signal.aborted) {
      let waitMs = LOOK_EVERY_MS
      try {
        waitMs = await this.look(signal)
        retryMs = RETRY_MS.first
      } catch (error) {
        if (signal.aborted) return
        const known = findKdrError(error)
        if (known === undefined) throw error
        // A commit was made between the plan and the prune: the next look is at what stands then.
        if (known.code === 'other-writer') log.event('debug', known.message)
        else {
          const { message, hint } = known
          this.#tell({ failure: message })
          log.event('error', `set "${name}" is not verified or pruned: ${message}`, { hint })
        }
        waitMs = retryMs
        retryMs = Math.min(retryMs * 2, RETRY_MS.last)
      }
      await clock.sleep(waitMs, signal)
    }
  }

  /** Does what is due, and gives how long to wait before the next look, in ms. Throws KdrError. */
  async look(signal: AbortSignal): Promise<number> {
    const { clock, isPruning } = this.#input
    const stand = await this.#input.stand()
    if (stand === undefined) return LOOK_EVERY_MS
    const leftMs = this.#dueAt(stand.verifiedAt) - clock.now()
    if (leftMs <= 0) {
      const isDone = await this.#verify(signal)
      // Somebody else is at it.
      if (!isDone) return LOOK_EVERY_MS
      this.#prunedAt = Number.NEGATIVE_INFINITY
    }
    // What passed before it was found damaged vouches for nothing.
    const isDamaged = this.#damagedAt > Math.max(...this.#past(stand.verifiedAt))
    if (isPruning && !isDamaged && Math.abs(clock.now() - this.#prunedAt) >= DAY_MS) {
      await this.#prune(signal)
      this.#prunedAt = clock.now()
    }
    return leftMs > 0 ? Math.min(leftMs, LOOK_EVERY_MS) : LOOK_EVERY_MS
  }

  /** What was damaged is looked at again within a day: somebody may have put it right. */
  #dueAt(verifiedAt: number | undefined): number {
    const { verifyMs, fraction } = this.#input
    const againMs = Math.min(verifyMs, DAY_MS)
    // A record of a clock that was wrong hides those that come after it; and kdr may not be allowed to leave one.
    const passedAt = Math.max(...this.#past(verifiedAt), ...this.#past(this.#passedAt))
    const due = passedAt + verifyMs + fraction * Math.min(SPREAD_MS, verifyMs / 10)
    return Math.max(due, this.#damagedAt + againMs)
  }

  #past(at: number | undefined): number[] {
    return at !== undefined && at <= this.#input.clock.now() ? [at] : []
  }

  /** False: another one is at it. */
  async #verify(signal: AbortSignal): Promise<boolean> {
    const { clock, announceEveryMs, name, log } = this.#input
    const turn = this.#input.turn()
    if (await turn.isTaken()) return false
    const startedAt = clock.monotonic()
    const begunAt = clock.now()
    const over = new AbortController()
    const gaveWay = new AbortController()
    const announcing = announce(turn, { clock, afterMs: 0, announceEveryMs, over: over.signal, gaveWay })
    this.#tell({ isAtWork: true })
    try {
      const { number, problems } = await this.#input.verify(AbortSignal.any([signal, gaveWay.signal]))
      const ms = Math.round(clock.monotonic() - startedAt)
      const { verifications } = this.#sight
      this.#tell({ problems: problems.length, verifications: verifications + 1, failure: undefined })
      if (problems.length === 0) {
        this.#damagedAt = Number.NEGATIVE_INFINITY
        this.#passedAt = begunAt
        log.event('info', `set "${name}": commit ${number} is verified in full`, { ms })
      } else this.#sayDamaged(number, problems)
      return true
    } catch (error) {
      if (signal.aborted || !gaveWay.signal.aborted) throw error
      log.event('debug', `set "${name}": another kdr verifies it`)
      return false
    } finally {
      this.#tell({ isAtWork: false })
      over.abort()
      await announcing
    }
  }

  #sayDamaged(number: number, problems: readonly VaultProblem[]): void {
    const { clock, name, log } = this.#input
    this.#damagedAt = clock.now()
    const failure = `commit ${number} is damaged: ${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}`
    this.#tell({ failure })
    const hint = `See all: kdr backup verify ${name} --full`
    log.event('error', `set "${name}": ${failure}`, { hint })
    for (const { object, what } of problems.slice(0, PROBLEMS_SAID))
      log.event('error', `set "${name}": object "${object}": ${what}`)
  }

  async #prune(signal: AbortSignal): Promise<void> {
    const { name, log } = this.#input
    const { plan, execute } = await this.#input.preparePrune(signal)
    const { refusal, first, nextFirst, begins, doomed, due } = plan
    if (refusal !== undefined) {
      this.#tell({ failure: refusal.message })
      log.event('warn', `set "${name}" is not pruned: ${refusal.message}`, { hint: refusal.hint })
      return
    }
    if (nextFirst === first && doomed.length === 0 && due.length === 0) return
    const drops =
      nextFirst > first
        ? `drops commits ${first} to ${nextFirst - 1} (every moment from ${begins} on stays), `
        : ''
    log.event(
      'info',
      `set "${name}": a prune ${drops}names ${doomed.length} objects that nothing needs, and deletes ${due.length} that were named before`,
    )
    const { commit, deleted, kept } = await execute()
    const { prunes, deletedBytes } = this.#sight
    this.#tell({ prunes: prunes + 1, deletedBytes: deletedBytes + deleted.bytes, failure: undefined })
    log.event('info', `set "${name}" is pruned`, { commit, objects: deleted.objects, bytes: deleted.bytes })
    if (kept.length > 0) log.event('warn', `set "${name}": ${kept.length} objects stay: ${kept[0]!.what}`)
  }

  #tell(news: Partial<UpkeepSight>): void {
    this.#sight = { ...this.#sight, ...news }
  }
}
