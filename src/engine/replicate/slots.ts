// The slots that this worker holds, and under what name it writes there. A slot changes hands through its record in
// `_kdr.state`. Whoever lets go of it finishes what is in flight and says so. Whoever takes it first says that it is about to,
// then looks whether anybody else is, and raises its generation before anything is written. A holder that died says nothing:
// its beat is watched, and what it may have sent is waited out. A holder that lives again beats before it looks at the record,
// and a taker looks at the beat after it has written the record: one of them sees the other.
import { KdrError } from '../../model/errors.ts'
import {
  readHold,
  readLink,
  readSlots,
  readWorker,
  readWorkers,
  type SlotRecord,
  slotKey,
  toRecord,
  type WorkerRecord,
} from '../../model/state-records.ts'
import { CONTROL_SLOT, slotOf } from '../../model/slots.ts'
import type { Clock, Entropy } from '../../ports/clock.ts'
import type { TopicPartition } from '../../ports/cluster.ts'
import type { Log } from '../../ports/log.ts'
import type { StateStore } from '../../ports/state.ts'
import type { SlotIdentity } from './context.ts'
import { LEASE_MS, PRODUCE_TIMEOUT_MS } from './limits.ts'

export type SlotsInput = {
  readonly link: string
  readonly worker: string
  /** How many slots the link has. */
  readonly count: number
  /** Of the link, when this worker began. */
  readonly linkGeneration: number
  readonly store: StateStore
  readonly clock: Clock
  readonly log: Log
  /** Who writes in a slot from now on; `before`: what its record says. */
  readonly identify: (of: {
    readonly slot: number
    readonly generation: number
    readonly before: SlotRecord | undefined
  }) => Promise<SlotIdentity>
}

export type SlotsHooks = {
  /** Makes durable what this worker holds and is about to take, with a new beat: of that it has not looked at anything. */
  readonly beat: () => Promise<void>
  /** Stops all copies of these slots; resolves, when nothing of them is in flight, with the slots that are in doubt. */
  readonly onLost: (slots: ReadonlySet<number>) => Promise<ReadonlySet<number>>
}

/** A beat as it was last seen, and since when (monotonic). `hasMoved`: since it was first looked at. */
type Seen = { readonly beat: number; readonly at: number; readonly hasMoved: boolean }

/** A slot that is wanted, and what its record said when it was found free. */
type Free = { readonly slot: number; readonly before: SlotRecord | undefined; readonly beat: number }

export class Slots {
  readonly #input: SlotsInput
  readonly #held = new Map<number, SlotIdentity>()
  readonly #producers = new Set<bigint>()
  #wanted: ReadonlySet<number> = new Set()
  #taking: readonly number[] = []
  #hooks: SlotsHooks | undefined
  readonly #seen = new Map<string, Seen>()
  readonly #told = new Set<string>()

  constructor(input: SlotsInput) {
    this.#input = input
  }

  connect(hooks: SlotsHooks): void {
    this.#hooks = hooks
  }

  get count(): number {
    return this.#input.count
  }

  /** Those that this worker is to hold, whether or not it holds them yet. */
  get wanted(): readonly number[] {
    return [...this.#wanted]
  }

  get held(): readonly number[] {
    return [...this.#held.keys()]
  }

  get taking(): readonly number[] {
    return this.#taking
  }

  get hasControl(): boolean {
    return this.#held.has(CONTROL_SLOT)
  }

  /** Every producer id that was ever seen to write for this link: anything else on a mirror is a foreign writer. */
  get producers(): ReadonlySet<bigint> {
    return this.#producers
  }

  of(partition: TopicPartition): number {
    return slotOf(partition, this.count)
  }

  /** Undefined when it is another worker's. */
  identityOf(partition: TopicPartition): SlotIdentity | undefined {
    return this.#held.get(this.of(partition))
  }

  /** Lets go of what is no longer wanted. What is newly wanted comes by `takeWanted`. Throws KdrError('unreachable'). */
  async want(slots: readonly number[]): Promise<void> {
    this.#wanted = new Set(slots)
    const lost = this.held.filter(slot => !this.#wanted.has(slot))
    if (lost.length > 0) await this.#letGo(lost)
  }

  /** Lets others take all that is held. Nothing of it may be in flight any more, but what is `inDoubt`. */
  async giveBack(inDoubt: ReadonlySet<number>): Promise<void> {
    this.#wanted = new Set()
    const going = new Map(this.#held)
    this.#held.clear()
    await this.#release(going, inDoubt)
  }

  /** Takes what is wanted and free. Throws KdrError: unreachable, not-allowed, cluster-lacks. */
  async takeWanted(): Promise<void> {
    const { store, link, clock } = this.#input
    if (this.#missing().length === 0) return
    const begunAt = clock.monotonic()
    await store.refresh()
    const records = readSlots(store, link)
    const free = this.#missing().flatMap(slot => this.#free(slot, records.get(slot)))
    if (free.length === 0 || this.isAside) return
    this.#taking = free.map(({ slot }) => slot)
    try {
      // Said before anything is done. Whoever wants one of them too has said so by now, or will see this.
      await this.#hooks?.beat()
      await store.refresh()
      if (!this.#isContested(free)) await this.#take(free, begunAt)
    } finally {
      this.#taking = []
    }
  }

  /** Holds all that is wanted. */
  get isComplete(): boolean {
    return this.#missing().length === 0
  }

  /** Other workers that have shown a sign of life lately. */
  livingOthers(): { readonly id: string; readonly record: WorkerRecord }[] {
    const { clock } = this.#input
    return this.#others().flatMap(([id, record]) => {
      const seen = this.#look(id, record)
      return record.state === 'running' && clock.monotonic() - seen.at < PRODUCE_TIMEOUT_MS
        ? [{ id, record }]
        : []
    })
  }

  /** Each slot is this worker's, or that of another one that lives. */
  areAllHeld(): boolean {
    const { store, link, worker, count } = this.#input
    const living = new Set([worker, ...this.livingOthers().map(({ id }) => id)])
    const records = [...readSlots(store, link).values()]
    return records.length === count && records.every(({ owner }) => living.has(owner))
  }

  /** One that certainly lives: its beat has moved since it was first looked at. */
  livingHolder(): string | undefined {
    return this.livingOthers().find(
      ({ id, record }) =>
        (record.slots.length > 0 || record.taking.length > 0) && this.#seen.get(id)?.hasMoved === true,
    )?.id
  }

  /** A run moves the link, or has moved it: nobody holds a slot of it. */
  get isAside(): boolean {
    const { store, link, linkGeneration } = this.#input
    return readHold(store, link) !== undefined || readLink(store, link)?.generation !== linkGeneration
  }

  /** So that a holder that has long been silent need not be waited for from the beginning. */
  watchBeats(): void {
    this.livingOthers()
  }

  /**
   * Looks whether these slots are still this worker's; of those that are not, all copies stop. A beat must have been made
   * durable since this worker last stood still. Throws KdrError('unreachable').
   */
  async stillHeld(slots: Iterable<number> = this.#held.keys()): Promise<ReadonlySet<number>> {
    const { store, clock } = this.#input
    for (;;) {
      const begunAt = clock.monotonic()
      await store.refresh()
      // Stopped in the middle of it, this worker has seen what was true before, and others have taken it for dead.
      if (clock.monotonic() - begunAt <= LEASE_MS) break
      await this.#hooks?.beat()
    }
    const asked = [...new Set(slots)]
    const held = new Set(asked.filter(slot => this.#isRecorded(slot)))
    const taken = asked.filter(slot => !held.has(slot) && this.#held.has(slot))
    for (const slot of taken) this.#held.delete(slot)
    // Not awaited: whoever asks may be one of those that have to stop.
    if (taken.length > 0) void this.#hooks?.onLost(new Set(taken))
    return held
  }

  #missing(): number[] {
    return [...this.#wanted].filter(slot => !this.#held.has(slot))
  }

  #others(): [string, WorkerRecord][] {
    const { store, link, worker } = this.#input
    return [...readWorkers(store, link)].filter(([id]) => id !== worker)
  }

  #isRecorded(slot: number): boolean {
    const { store, link, worker } = this.#input
    if (this.isAside) return false
    const identity = this.#held.get(slot)
    const record = store.get(slotKey(link, slot)) as SlotRecord | undefined
    return identity !== undefined && record?.owner === worker && record.generation === identity.generation
  }

  async #letGo(slots: readonly number[]): Promise<void> {
    const going = new Map(
      slots.flatMap(slot => {
        const identity = this.#held.get(slot)
        return identity === undefined ? [] : [[slot, identity] as const]
      }),
    )
    for (const slot of going.keys()) this.#held.delete(slot)
    const inDoubt = (await this.#hooks?.onLost(new Set(going.keys()))) ?? new Set()
    await this.#release(going, inDoubt)
  }

  async #release(going: ReadonlyMap<number, SlotIdentity>, inDoubt: ReadonlySet<number>): Promise<void> {
    const { store, link, worker } = this.#input
    await store.refresh()
    const records = readSlots(store, link)
    await Promise.all(
      [...going].map(async ([slot, identity]) => {
        const record = records.get(slot)
        if (record?.owner !== worker || record.generation !== identity.generation) return
        const released = { ...record, owner: '', isClean: !inDoubt.has(slot) }
        await store.put(slotKey(link, slot), toRecord('slot', released))
      }),
    )
  }

  /**
   * Let go of in good order; or its holder has shown no sign of life for as long as its requests may live, or no longer says
   * that it holds it.
   */
  #free(slot: number, before: SlotRecord | undefined): Free[] {
    const { store, link, clock, worker: own } = this.#input
    if (before === undefined || before.isClean) return [{ slot, before, beat: -1 }]
    const { owner, generation } = before
    const holder = owner === '' || owner === own ? undefined : readWorker(store, link, owner)
    const says = holder?.state === 'running' && (holder.slots.includes(slot) || holder.taking.includes(slot))
    // Of one that does not say so, counted from when that was first seen.
    const seen =
      holder !== undefined && says
        ? this.#look(owner, holder)
        : this.#look(`slot ${slot} of generation ${generation}, not held`, undefined)
    this.#tellWaiting(owner)
    return clock.monotonic() - seen.at >= PRODUCE_TIMEOUT_MS
      ? [{ slot, before, beat: says ? holder.beat : -1 }]
      : []
  }

  #tellWaiting(owner: string): void {
    const { log, link } = this.#input
    if (this.#told.has(owner)) return
    this.#told.add(owner)
    log.event(
      'info',
      owner === '' || owner === this.#input.worker
        ? `link "${link}": the last worker did not stop cleanly; waiting ${PRODUCE_TIMEOUT_MS / 1_000} s for what it may have sent`
        : `link "${link}": waiting for slots that worker ${owner} holds`,
    )
  }

  #look(key: string, worker: WorkerRecord | undefined): Seen {
    const beat = worker?.beat ?? -1
    const before = this.#seen.get(key)
    if (before?.beat === beat) return before
    const seen = { beat, at: this.#input.clock.monotonic(), hasMoved: before !== undefined }
    this.#seen.set(key, seen)
    return seen
  }

  /** Somebody else is about to take one of them, or has taken it since it was found free. */
  #isContested(free: readonly Free[]): boolean {
    const { store, link } = this.#input
    const claimed = new Set(this.livingOthers().flatMap(({ record }) => record.taking))
    const records = readSlots(store, link)
    return free.some(({ slot, before }) => {
      const now = records.get(slot)
      return claimed.has(slot) || now?.owner !== before?.owner || now?.generation !== before?.generation
    })
  }

  async #take(free: readonly Free[], begunAt: number): Promise<void> {
    const { store, link, worker, identify, clock } = this.#input
    const isLate = (): boolean => clock.monotonic() - begunAt > LEASE_MS
    const known = readSlots(store, link)
    // One for all that are taken together, above every slot's: their gaps can share a request.
    const generation = Math.max(0, ...[...known.values()].map(record => record.generation)) + 1
    const taken = await Promise.all(
      free.map(async each => ({
        ...each,
        identity: await identify({ slot: each.slot, generation, before: each.before }),
      })),
    )
    // Held up meanwhile: another worker may have come first, and its record must not be overwritten.
    if (isLate()) return
    await Promise.all(
      taken.map(async ({ slot, identity, before }) => {
        const producers = new Set([...(before?.producers ?? []), String(identity.producerId)])
        const record: SlotRecord = {
          owner: worker,
          mode: identity.mode,
          generation,
          producerId: String(identity.producerId),
          producerEpoch: identity.producerEpoch,
          producers: [...producers],
          isClean: false,
        }
        await store.put(slotKey(link, slot), toRecord('slot', record))
      }),
    )
    await store.refresh()
    for (const record of readSlots(store, link).values())
      for (const id of record.producers) this.#producers.add(BigInt(id))
    // Not held, and so taken anew after a while: what took too long, and what its holder has come back to meanwhile.
    if (isLate()) return
    const workers = readWorkers(store, link)
    const isBack = ({ before, beat }: Free): boolean =>
      beat >= 0 && before !== undefined && workers.get(before.owner)?.beat !== beat
    for (const each of taken) if (!isBack(each)) this.#held.set(each.slot, each.identity)
    // Of two that took it at the same time, the record names one.
    for (const { slot } of taken) if (!this.#isRecorded(slot)) this.#held.delete(slot)
    const unwanted = taken.map(({ slot }) => slot).filter(slot => !this.#wanted.has(slot))
    if (unwanted.length > 0) await this.#letGo(unwanted)
  }
}

/** How often it is looked whether what another worker still holds is free by now. */
const LOOK_EVERY_MS = 200

/** Now sooner, now later: of two that get in each other's way, one comes first the next time. */
export function lookAgainMs(entropy: Entropy): number {
  return Math.round(LOOK_EVERY_MS * (0.5 + entropy.fraction()))
}

/**
 * All slots for one worker, which shares with nobody (`run --once`). Throws KdrError: other-controller when another worker is
 * alive, and what taking them throws.
 */
export async function takeAlone(
  slots: Slots,
  { link, clock, entropy }: Pick<SlotsInput, 'link' | 'clock'> & { readonly entropy: Entropy },
): Promise<void> {
  await slots.want(Array.from({ length: slots.count }, (_, slot) => slot))
  for (;;) {
    await slots.takeWanted()
    if (slots.isComplete) return
    const other = slots.livingHolder()
    if (other !== undefined)
      throw new KdrError('other-controller', `link "${link}" is run by another kdr (worker ${other})`)
    await clock.sleep(lookAgainMs(entropy))
  }
}
