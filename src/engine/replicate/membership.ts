// This worker's place among the workers of a link, as Kafka's group coordinator at the target has it: says which slots it is to
// hold. What it holds goes on while workers come and go, and while the coordinator does not answer: only the records of the
// slots say who may write (slots.ts).
import { findKdrError } from '../../model/errors.ts'
import type { Clock, Entropy } from '../../ports/clock.ts'
import type { Log } from '../../ports/log.ts'
import type { SlotGroup } from '../../ports/slot-group.ts'
import { assignSlots } from './assign-slots.ts'
import { BEAT_EVERY_MS } from './limits.ts'
import { lookAgainMs, type Slots } from './slots.ts'

export type MembershipInput = {
  readonly link: string
  readonly group: SlotGroup
  readonly slots: Slots
  readonly clock: Clock
  readonly entropy: Entropy
  readonly log: Log
  readonly signal: AbortSignal
  /** Slots have come to this worker. */
  readonly onTaken: () => Promise<void>
  /** What is wrong, if anything; the same again and again. */
  readonly tell: (complaint: string | undefined) => void
  /** For an error that is not passing: the link ends with it. */
  readonly fail: (error: unknown) => void
}

export class Membership {
  readonly #input: MembershipInput
  #isJoining = false
  /** The answer to the last join has come: the coordinator may have dealt out slots in one that was lost. */
  #knowsSlots = false

  constructor(input: MembershipInput) {
    this.#input = input
  }

  /** Joins, and takes what is free at once. Throws KdrError: unreachable, not-allowed, cluster-lacks. */
  async begin(): Promise<void> {
    await this.#join()
    await this.#input.slots.takeWanted()
  }

  /** Until the link stops. */
  async run(): Promise<void> {
    await Promise.all([this.#beat(), this.#take()])
  }

  /** Says good-bye. What was held must have been given back. */
  async leave(): Promise<void> {
    await this.#input.group.leave()
  }

  async #beat(): Promise<void> {
    const { clock, signal, group } = this.#input
    while (!signal.aborted) {
      await clock.sleep(BEAT_EVERY_MS, signal)
      if (signal.aborted) return
      await this.#quietly(async () => {
        const state = await group.heartbeat()
        if (state === 'member' && this.#knowsSlots) return
        // Gone, or others have come or gone: what is held goes on until somebody else is to have it.
        if (!this.#isJoining) void this.#joinAgain()
      })
    }
  }

  async #take(): Promise<void> {
    const { clock, signal, slots, entropy, onTaken } = this.#input
    while (!signal.aborted) {
      await clock.sleep(lookAgainMs(entropy), signal)
      if (signal.aborted || slots.isComplete) continue
      await this.#quietly(async () => {
        const before = slots.held.length
        await slots.takeWanted()
        if (slots.held.length > before) await onTaken()
      })
    }
  }

  async #joinAgain(): Promise<void> {
    this.#isJoining = true
    await this.#quietly(async () => await this.#join())
    this.#isJoining = false
  }

  async #join(): Promise<void> {
    const { group, slots, log, link, signal } = this.#input
    this.#knowsSlots = false
    const assigned = await group.join(slots.held, members => assignSlots(slots.count, members))
    if (signal.aborted) return
    if (assigned === 'gone') return await this.#join()
    if (!isSame(assigned, slots.wanted))
      log.event('info', `link "${link}": this worker has ${assigned.length} of ${slots.count} slots`)
    this.#knowsSlots = true
    await slots.want(assigned)
  }

  async #quietly(act: () => Promise<void>): Promise<void> {
    const { tell, fail } = this.#input
    try {
      await act()
      tell(undefined)
    } catch (error) {
      const known = findKdrError(error)
      if (known?.code !== 'unreachable' && known?.code !== 'not-allowed') return fail(error)
      tell(known.message)
    }
  }
}

function isSame(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every(slot => b.includes(slot))
}
