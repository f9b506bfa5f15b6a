// The group coordinator of a simulated cluster, for the workers' groups: members that do not beat are given up, a rebalance
// waits for those that live, and one of them deals out the slots.
import { type AssignSlots, REBALANCE_MS, SESSION_MS, type SlotGroup } from '../../src/ports/slot-group.ts'
import type { SimClock } from './clock.ts'

const POLL_MS = 20

type Member = {
  seenAt: number
  held: readonly number[]
  round: number
  slots: readonly number[]
  waiting: number
}
type Group = { members: Map<string, Member>; round: number; dealt: number; deadline: number }
type Call = <T>(what: string, effect: () => T | Promise<T>) => Promise<T>

export class SimCoordinator {
  readonly #clock: SimClock
  readonly #groups = new Map<string, Group>()
  #ids = 0

  constructor(clock: SimClock) {
    this.#clock = clock
  }

  open(name: string, call: Call): SlotGroup {
    let id = ''
    /** Of the last join that was answered. */
    let known = -1
    return {
      join: async (held, assign) => {
        const joined = await call('join', async () => {
          const group = this.#group(name)
          if (id !== '' && !group.members.has(id)) {
            id = ''
            return 'gone'
          }
          if (id === '') {
            id = `member-${++this.#ids}`
            group.members.set(id, { seenAt: 0, held, round: -1, slots: [], waiting: 0 })
          }
          return this.#join(group, id, held, assign)
        })
        if (joined === 'gone') return joined
        known = joined.round
        return joined.slots
      },
      heartbeat: async () => {
        const sent = known
        const state = await call('heartbeat', () => {
          const group = this.#group(name)
          const member = group.members.get(id)
          if (member === undefined) return 'gone'
          member.seenAt = this.#clock.monotonic()
          if (group.dealt < group.round) return 'rebalance'
          return group.dealt === sent ? 'member' : 'other round'
        })
        // A join has ended meanwhile; or one that nobody waits for any more has begun another round.
        if (state === 'other round' && sent !== known) return 'member'
        if (state !== 'gone' && state !== 'other round') return state
        id = ''
        return 'gone'
      },
      leave: async () => {
        const mine = id
        id = ''
        await call('leave', () => this.#drop(this.#group(name), mine)).catch(() => undefined)
      },
    }
  }

  #group(name: string): Group {
    const group = this.#groups.get(name) ?? { members: new Map(), round: 0, dealt: 0, deadline: 0 }
    this.#groups.set(name, group)
    this.#expire(group)
    return group
  }

  #expire(group: Group): void {
    const now = this.#clock.monotonic()
    for (const [id, member] of group.members)
      if (member.waiting === 0 && now - member.seenAt > SESSION_MS && member.round >= 0) this.#drop(group, id)
  }

  #drop(group: Group, id: string): void {
    if (group.members.delete(id)) this.#begin(group)
  }

  /** A new round, unless one waits for its members already. */
  #begin(group: Group): void {
    if (group.round > group.dealt) return
    group.round++
    group.deadline = this.#clock.monotonic() + REBALANCE_MS
  }

  async #join(
    group: Group,
    id: string,
    held: readonly number[],
    assign: AssignSlots,
  ): Promise<{ readonly slots: readonly number[]; readonly round: number } | 'gone'> {
    const member = group.members.get(id)!
    this.#begin(group)
    const { round } = group
    Object.assign(member, { held, round, seenAt: this.#clock.monotonic() })
    member.waiting++
    try {
      while (group.dealt < round) {
        const late = [...group.members].filter(([, one]) => one.round < round)
        if (late.length === 0 || this.#clock.monotonic() >= group.deadline) {
          for (const [other] of late) group.members.delete(other)
          const members = [...group.members].map(([of, one]) => ({ id: of, held: one.held }))
          for (const [of, slots] of assign(members)) group.members.get(of)!.slots = slots
          group.dealt = round
          break
        }
        await this.#clock.sleep(POLL_MS)
        this.#expire(group)
      }
    } finally {
      member.waiting--
      member.seenAt = this.#clock.monotonic()
    }
    const found = group.members.get(id)
    return found === undefined ? 'gone' : { slots: found.slots, round: group.dealt }
  }
}
