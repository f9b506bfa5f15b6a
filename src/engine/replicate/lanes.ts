// The produce connections of a link: a few per target broker, each partition always on the same one, one batch a
// partition and many partitions a request, several requests under way. Only anchoring moves a partition.
import { type AppendAnswer, type AppendEntry, type AppendLane } from '../../ports/cluster.ts'
import { invariant, KdrError } from '../../model/errors.ts'
import type { LinkContext } from './context.ts'
import { LANES_PER_BROKER, PRODUCE_TIMEOUT_MS, REQUEST_BYTES, REQUESTS_IN_FLIGHT } from './limits.ts'
import type { PartitionCopy } from './partition.ts'
import type { PlannedBatch } from '../log/plan-append.ts'

export class AppendLanes {
  readonly #context: LinkContext
  readonly #lanes = new Map<string, Lane>()
  readonly #assigned = new Map<PartitionCopy, Lane>()

  constructor(context: LinkContext) {
    this.#context = context
  }

  /** Binds an open copy to the connection of its partition at `broker`, opening it if need be. */
  async attach(copy: PartitionCopy, broker: number): Promise<void> {
    const key = `${broker}/${laneIndex(copy)}`
    let lane = this.#lanes.get(key)
    if (lane === undefined || lane.isClosed) {
      lane = new Lane(this.#context, broker)
      this.#lanes.set(key, lane)
    }
    this.#assigned.set(copy, lane)
    await lane.join(copy)
    lane.offer(copy)
  }

  detach(copy: PartitionCopy): void {
    this.#assigned.get(copy)?.forget(copy)
    this.#assigned.delete(copy)
  }

  /** The copy may have something to send. */
  offer(copy: PartitionCopy): void {
    this.#assigned.get(copy)?.offer(copy)
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

type Sent = { readonly copy: PartitionCopy; readonly batch: PlannedBatch }

class Lane {
  readonly #context: LinkContext
  readonly #opening: Promise<AppendLane>
  #connection: AppendLane | undefined
  /** Every copy bound to this connection: all of them anchor anew when it is gone, whether or not they were sending. */
  readonly #members = new Set<PartitionCopy>()
  #hasFailed = false
  #requests = 0
  #ready = new Set<PartitionCopy>()

  constructor(context: LinkContext, broker: number) {
    this.#context = context
    this.#opening = context.target.openAppendLane(broker)
    this.#opening.then(
      connection => {
        this.#connection = connection
        this.#pump()
      },
      () => {
        this.#hasFailed = true
      },
    )
  }

  get isClosed(): boolean {
    return this.#hasFailed || this.#connection?.isClosed === true
  }

  /** Throws KdrError('unreachable') when the connection cannot be made, or is gone by then. */
  async join(copy: PartitionCopy): Promise<void> {
    await this.#opening
    if (this.isClosed) throw new KdrError('unreachable', 'the produce connection is gone')
    this.#members.add(copy)
  }

  offer(copy: PartitionCopy): void {
    if (!copy.canSend()) return
    this.#ready.add(copy)
    this.#pump()
  }

  forget(copy: PartitionCopy): void {
    this.#ready.delete(copy)
    this.#members.delete(copy)
  }

  async close(): Promise<void> {
    await this.#opening.then(
      async connection => await connection.close(),
      () => undefined,
    )
  }

  #pump(): void {
    const connection = this.#connection
    if (this.#ready.size > 0 && !this.#context.lease.isHeld)
      return this.#release('kdr was held up, and asks whether the link is still its own')
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

  /** Nothing is sent any more; every copy anchors anew. */
  #release(cause: string): void {
    this.#ready.clear()
    for (const copy of this.#members) copy.break({ why: 'anchor', cause })
  }

  /** One batch of each ready copy, as far as a request holds; those that were served go to the end of the line. */
  #fillRequest(): Sent[] {
    const sent: Sent[] = []
    const again: PartitionCopy[] = []
    let bytes = 0
    for (const copy of this.#ready) {
      if (!copy.canSend()) {
        this.#ready.delete(copy)
        continue
      }
      if (sent.length > 0 && bytes + copy.headBytes > REQUEST_BYTES) break
      const batch = copy.take()
      bytes += batch.bytes.length
      sent.push({ copy, batch })
      this.#ready.delete(copy)
      if (copy.canSend()) again.push(copy)
    }
    for (const copy of again) this.#ready.add(copy)
    return sent
  }

  async #send(connection: AppendLane, sent: readonly Sent[]): Promise<void> {
    const { targetWatch } = this.#context
    const entries: AppendEntry[] = sent.map(({ copy, batch }) => ({
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
      for (const { copy, batch } of sent) copy.onUncertain(batch, cause)
      for (const copy of this.#members) copy.break({ why: 'anchor', cause })
      await connection.close()
      return
    }
    this.#requests--
    const byName = new Map(answers.map(answer => [`${answer.topic}/${answer.partition}`, answer]))
    for (const { copy, batch } of sent) {
      const answer = byName.get(copy.name)
      invariant(answer !== undefined, 'a broker answered for other partitions', { copy: copy.name })
      copy.onAnswer(batch, answer)
    }
    this.#pump()
  }
}
