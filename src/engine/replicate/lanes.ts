// The produce connections of a link: a few per target broker, one batch a partition and many partitions a request, several
// requests under way. Partitions that keep up have connections of their own: on the same one they would wait behind the
// megabytes of those that are far behind. A partition moves from one to the other only with nothing in flight: what was
// answered cannot land again, so its batches still arrive in their order.
import { type AppendAnswer, type AppendEntry, type AppendLane } from '../../ports/cluster.ts'
import { invariant, KdrError } from '../../model/errors.ts'
import type { LinkContext } from './context.ts'
import {
  LANES_PER_BROKER,
  PRODUCE_TIMEOUT_MS,
  REQUEST_BATCHES,
  REQUEST_BYTES,
  REQUESTS_IN_FLIGHT,
} from './limits.ts'
import type { PartitionCopy } from './partition.ts'
import type { PlannedBatch } from '../log/plan-append.ts'

export class AppendLanes {
  readonly #context: LinkContext
  readonly #lanes = new Map<string, Lane>()
  readonly #seats = new Map<PartitionCopy, Seat>()

  constructor(context: LinkContext) {
    this.#context = context
  }

  /** Binds an open copy to a connection of its partition at `broker`, opening it if need be. */
  async attach(copy: PartitionCopy, broker: number): Promise<void> {
    const lane = this.#lane(copy, broker)
    const seat: Seat = { copy, broker, lane, inFlight: 0 }
    this.#seats.set(copy, seat)
    await lane.opened()
    lane.join(seat)
    this.#offer(seat)
  }

  detach(copy: PartitionCopy): void {
    const seat = this.#seats.get(copy)
    seat?.lane.forget(seat)
    this.#seats.delete(copy)
  }

  /** The copy may have something to send. */
  offer(copy: PartitionCopy): void {
    const seat = this.#seats.get(copy)
    if (seat !== undefined) this.#offer(seat)
  }

  #offer(seat: Seat): void {
    if (seat.copy.pace.isBehind !== seat.lane.isForBehind) {
      // Its last answer comes by here again.
      if (seat.inFlight > 0) return seat.lane.withdraw(seat)
      seat.lane.forget(seat)
      seat.lane = this.#lane(seat.copy, seat.broker)
      seat.lane.join(seat)
    }
    seat.lane.offer(seat)
  }

  #lane(copy: PartitionCopy, broker: number): Lane {
    const { isBehind } = copy.pace
    const key = `${broker}/${laneIndex(copy)}/${isBehind ? 'behind' : 'current'}`
    const known = this.#lanes.get(key)
    if (known !== undefined && !known.isClosed) return known
    const lane = new Lane(this.#context, broker, isBehind)
    this.#lanes.set(key, lane)
    return lane
  }

  async close(): Promise<void> {
    await Promise.all([...this.#lanes.values()].map(async lane => await lane.close()))
    this.#lanes.clear()
  }
}

/** FNV-1a over the name: stable, so that a partition comes back to the same connection. */
function laneIndex(copy: PartitionCopy): number {
  let hash = 0x811c9dc5
  for (const character of copy.name) hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193)
  return (hash >>> 0) % LANES_PER_BROKER
}

/** Where a copy sends now. */
type Seat = {
  readonly copy: PartitionCopy
  readonly broker: number
  lane: Lane
  /** Batches that were sent and not answered. */
  inFlight: number
}

type Sent = { readonly seat: Seat; readonly batch: PlannedBatch }

class Lane {
  readonly isForBehind: boolean
  readonly #context: LinkContext
  readonly #opening: Promise<AppendLane>
  #connection: AppendLane | undefined
  /** Every copy bound to this connection: all of them anchor anew when it is gone, whether or not they were sending. */
  readonly #members = new Set<Seat>()
  #hasFailed = false
  #requests = 0
  readonly #ready = new Set<Seat>()

  constructor(context: LinkContext, broker: number, isForBehind: boolean) {
    this.#context = context
    this.isForBehind = isForBehind
    this.#opening = context.target.openAppendLane(broker)
    this.#opening.then(
      connection => {
        this.#connection = connection
        this.#pump()
      },
      (error: unknown) => {
        this.#hasFailed = true
        this.#release(error instanceof Error ? error.message : String(error))
      },
    )
  }

  get isClosed(): boolean {
    return this.#hasFailed || this.#connection?.isClosed === true
  }

  /** Throws KdrError('unreachable') when the connection cannot be made, or is gone by then. */
  async opened(): Promise<void> {
    await this.#opening
    if (this.isClosed) throw new KdrError('unreachable', 'the produce connection is gone')
  }

  join(seat: Seat): void {
    this.#members.add(seat)
  }

  offer(seat: Seat): void {
    if (!seat.copy.canSend()) return
    this.#ready.add(seat)
    this.#pump()
  }

  /** Nothing more of it is sent here. */
  withdraw(seat: Seat): void {
    this.#ready.delete(seat)
  }

  forget(seat: Seat): void {
    this.#ready.delete(seat)
    this.#members.delete(seat)
  }

  async close(): Promise<void> {
    await this.#opening.then(
      async connection => await connection.close(),
      () => undefined,
    )
  }

  #pump(): void {
    const connection = this.#connection
    // Of the others nothing is sent: they go on once the lease is held again, which says that their slots are still ours.
    if (this.#ready.size > 0 && !this.#context.lease.isHeld)
      return this.#release('kdr was held up, and asks whether the link is still its own', [...this.#ready])
    // An idle connection is closed without a request that could fail (brokers do so after ten minutes).
    if (this.#ready.size > 0 && this.isClosed) return this.#release('the produce connection was closed')
    while (
      connection !== undefined &&
      !this.isClosed &&
      this.#requests < REQUESTS_IN_FLIGHT &&
      this.#ready.size > 0
    ) {
      const sent = this.#fillRequest()
      if (sent.length === 0) return
      this.#requests++
      this.#send(connection, sent).catch((error: unknown) => this.#context.fail(error))
    }
  }

  /** Nothing is sent any more; these copies, by default all of the connection, anchor anew. */
  #release(cause: string, seats: Iterable<Seat> = this.#members): void {
    this.#ready.clear()
    for (const { copy } of seats) copy.break({ why: 'anchor', cause })
  }

  /**
   * One batch of each ready copy, as far as a request holds: the most urgent first, and of those the one that was served
   * longest ago.
   */
  #fillRequest(): Sent[] {
    const sent: Sent[] = []
    const again: Seat[] = []
    let bytes = 0
    for (const seat of [...this.#ready].sort((a, b) => a.copy.pace.urgency - b.copy.pace.urgency)) {
      const { copy } = seat
      if (!copy.canSend()) {
        this.#ready.delete(seat)
        continue
      }
      if (sent.length >= REQUEST_BATCHES) break
      if (sent.length > 0 && bytes + copy.headBytes > REQUEST_BYTES) break
      const batch = copy.take()
      bytes += batch.bytes.length
      sent.push({ seat, batch })
      seat.inFlight++
      this.#ready.delete(seat)
      if (copy.canSend()) again.push(seat)
    }
    for (const seat of again) this.#ready.add(seat)
    return sent
  }

  async #send(connection: AppendLane, sent: readonly Sent[]): Promise<void> {
    const { targetWatch } = this.#context
    const entries: AppendEntry[] = sent.map(({ seat: { copy }, batch }) => ({
      topic: copy.topic,
      partition: copy.partition,
      topicId: copy.targetTopicId,
      batch: batch.bytes,
    }))
    let answers: AppendAnswer[]
    try {
      answers = await connection.append(entries, PRODUCE_TIMEOUT_MS)
      targetWatch.seen()
    } catch (error) {
      this.#hasFailed = true
      this.#requests--
      const cause = error instanceof Error ? error.message : String(error)
      for (const { seat, batch } of sent) {
        seat.inFlight--
        seat.copy.onUncertain(batch, cause)
      }
      this.#release(cause)
      await connection.close()
      return
    }
    this.#requests--
    const byName = new Map(answers.map(answer => [`${answer.topic}/${answer.partition}`, answer]))
    for (const { seat, batch } of sent) {
      const { copy } = seat
      const answer = byName.get(copy.name)
      invariant(answer !== undefined, 'a broker answered for other partitions', { copy: copy.name })
      seat.inFlight--
      copy.onAnswer(batch, answer)
    }
    this.#pump()
  }
}
