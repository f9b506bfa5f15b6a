// Reads what one source broker leads: a session watches over partitions with nothing new (QuietSession), and busy connections
// take turns at those with data. A fetch holds its connection until data comes, so one alone would make a busy partition
// wait for others: each next one takes what becomes hungry meanwhile, in a round. Over a long line there are more of them,
// and a partition that is far behind is fetched by several at once, each with a stripe of it (LineGauge, Stripes).
import type { FetchedPartition, FetchLane, FetchPartition } from '../../ports/cluster.ts'
import { BusyLanes } from './busy-lanes.ts'
import type { LinkContext } from './context.ts'
import { recoverFetch, settle } from './fetch-failures.ts'
import { readAnswer, readStripe, type Taken, takeRecords, takeRefusal, takeSafely } from './intake.ts'
import {
  BUSY_WAITS_MS,
  FETCH_BYTES,
  FETCH_PARTITION_BYTES,
  FIRST_FETCH_BYTES,
  LINK_BUFFER_BYTES,
} from './limits.ts'
import type { PartitionCopy } from './partition.ts'
import { type Fetched, isNews, QuietSession } from './quiet-session.ts'
import { requestOf } from './request-of.ts'
import { BrokerSilence } from './silence.ts'
import { type Stripe, Stripes } from './stripes.ts'
import type { Throttle } from './throttle.ts'
import { Turns } from './turns.ts'

/** Of the whole link, in bytes. `ahead`: what stripes have asked for, or hold until what comes before them is there. */
export type FetchBudget = { buffered: number; ahead: number }

export type Shared = {
  readonly budget: FetchBudget
  readonly throttle: Throttle
  /** The metadata was read again because a leader moved. */
  readonly onMoved: () => void
  /** The copy may be fetched again. */
  readonly onFree: (copy: PartitionCopy) => void
}

type Asked = { readonly copy: PartitionCopy; readonly incarnation: number; readonly asked: FetchPartition }
/** `mayWait`: perhaps none of them has anything yet. */
type Round = {
  readonly kind: 'round'
  readonly copies: PartitionCopy[]
  readonly isBehind: boolean
  readonly mayWait: boolean
}
type StripeJob = {
  readonly kind: 'stripe'
  readonly isBehind: true
  readonly copy: PartitionCopy
  readonly stripes: Stripes
  readonly stripe: Stripe
  readonly asked: FetchPartition
}

/** A partition of which nothing is known but that there is something counts as one of so many that fill a round. */
const UNKNOWN_SHARE = 4

export class BrokerFetcher {
  readonly broker: number
  readonly #context: LinkContext
  readonly #shared: Shared
  /** Those that this broker leads, each with what is ahead of its plan: of this opening, since each opening adds it anew. */
  readonly #copies = new Map<PartitionCopy, Stripes>()
  /** Want data in a round. */
  readonly #hungry = new Turns()
  /** Are fetched in stripes; the one served longest ago first. */
  readonly #deep = new Set<PartitionCopy>()
  /** Rounds under way that may wait for news. */
  #waiting = 0
  /** Jobs under way for partitions that are behind. */
  #behindJobs = 0
  readonly #quiet: QuietSession
  readonly #lanes: BusyLanes<Round | StripeJob>
  readonly #watching: Promise<void>
  readonly #silence: BrokerSilence

  constructor(context: LinkContext, broker: number, shared: Shared) {
    this.#context = context
    this.broker = broker
    this.#shared = shared
    this.#silence = new BrokerSilence(context, broker)
    const recover = async (error: unknown, backoffMs: number): Promise<void> => {
      this.#silence.failed(error, this.#copies.keys())
      if (await recoverFetch(context, error, { broker, backoffMs, onMoved: shared.onMoved })) return
      this.#lanes.stop()
    }
    this.#lanes = new BusyLanes(context, broker, {
      hasWork: () => !this.#hungry.isEmpty || this.#deep.size > 0,
      next: () => this.#next(),
      run: async (job, connection, index) =>
        job.kind === 'round'
          ? await this.#round(connection, job, index)
          : await this.#fetchStripe(connection, job),
      free: job => this.#free(job),
      recover,
    })
    this.#quiet = new QuietSession(context, broker, {
      request: copy => this.#request(copy),
      mayFetch: () => shared.budget.buffered < LINK_BUFFER_BYTES.current,
      throttled: async () => await shared.throttle.wait(false, context.signal),
      onTaken: copy => this.#hungry.delete(copy),
      onReleased: copy => this.offer(copy),
      digest: async fetched => {
        this.#silence.answered(this.#copies.keys())
        await this.#digest(fetched, false)
        // The session goes round as long as anything is watched over.
        await this.#lanes.tidy()
      },
      recover,
    })
    this.#watching = this.#quiet.run()
  }

  add(copy: PartitionCopy): void {
    const { budget } = this.#shared
    this.#copies.set(copy, new Stripes(bytes => (budget.ahead += bytes)))
    this.#silence.mark(copy)
    this.offer(copy)
  }

  remove(copy: PartitionCopy): void {
    this.#copies.get(copy)?.clear()
    this.#copies.delete(copy)
    this.#hungry.delete(copy)
    this.#deep.delete(copy)
    this.#quiet.release(copy)
    copy.lag.unread = undefined
  }

  /** The copy may want data. */
  offer(copy: PartitionCopy): void {
    const stripes = this.#copies.get(copy)
    if (stripes === undefined || !copy.wantsData || this.#quiet.watches(copy)) return
    const isDeep = !stripes.isEmpty || this.#isDeep(copy, stripes)
    const [queue, other] = isDeep ? [this.#deep, this.#hungry] : [this.#hungry, this.#deep]
    other.delete(copy)
    queue.add(copy)
    this.#lanes.employ()
  }

  /** There is room for more again. */
  wake(): void {
    this.#lanes.employ()
    this.#quiet.wake()
  }

  async close(): Promise<void> {
    await Promise.all([this.#quiet.close(), this.#lanes.close()])
    await this.#watching
  }

  #isDeep(copy: PartitionCopy, stripes: Stripes): boolean {
    return this.#lanes.gauge.isLong && stripes.isBehind(copy.fetchOffset, this.#context.line.roundBytes)
  }

  /**
   * One connection is always left to those that keep up. Where `maxBytesPerSecond` is what all wait for, those that are behind
   * take turns on one, so that all of it goes to the most urgent.
   */
  #next(): Round | StripeJob | undefined {
    const { budget, throttle } = this.#shared
    if (budget.buffered >= LINK_BUFFER_BYTES.current) return undefined
    const most = throttle.isLimited ? 1 : this.#lanes.gauge.connections - 1
    const mayBehind = budget.buffered < LINK_BUFFER_BYTES.behind && this.#behindJobs < most
    const job =
      this.#currentRound() ??
      (mayBehind ? (this.#behindRound() ?? this.#nextStripe() ?? this.#behindRound()) : undefined)
    if (job?.kind === 'round') for (const copy of job.copies) copy.isFetching = true
    if (job?.isBehind === true) this.#behindJobs++
    if (job?.kind === 'round' && job.mayWait) this.#waiting++
    return job
  }

  /** Over a long line one connection at most waits for news; those with data fill as many answers as it takes. */
  #currentRound(): Round | undefined {
    const { isLong } = this.#lanes.gauge
    const withData = isLong ? this.#hungry.takeCurrent(this.#filling(left => left !== 0)) : []
    if (withData.length > 0) return { kind: 'round', copies: withData, isBehind: false, mayWait: false }
    const copies = isLong && this.#waiting > 0 ? [] : this.#hungry.takeCurrent()
    return copies.length > 0 ? { kind: 'round', copies, isBehind: false, mayWait: true } : undefined
  }

  #behindRound(): Round | undefined {
    const copies = this.#hungry.takeBehind(this.#lanes.gauge.isLong ? this.#filling() : undefined)
    return copies.length > 0 ? { kind: 'round', copies, isBehind: true, mayWait: false } : undefined
  }

  /** As many as it takes to fill an answer over a long line: the others are left to the next connection. */
  #filling(
    isMeant: (leftBytes: number | undefined) => boolean = () => true,
  ): (copy: PartitionCopy) => boolean {
    const { roundBytes } = this.#context.line
    let bytes = 0
    return copy => {
      const left = this.#leftBytes(copy)
      if (bytes >= roundBytes || !isMeant(left)) return false
      bytes += left ?? roundBytes / UNKNOWN_SHARE
      return true
    }
  }

  #leftBytes(copy: PartitionCopy): number | undefined {
    return this.#copies.get(copy)?.leftBytes(copy.fetchOffset)
  }

  /** Of those that are far behind, the most urgent first. */
  #nextStripe(): StripeJob | undefined {
    const { isLong, stripeBytes } = this.#lanes.gauge
    const share = Math.max(2 * stripeBytes, this.#context.line.aheadBytes / this.#deep.size)
    for (const urgency of this.#urgencies()) {
      for (const copy of this.#deep) {
        if (copy.pace.urgency !== urgency) continue
        this.#deep.delete(copy)
        const stripes = this.#copies.get(copy)
        if (stripes === undefined || !copy.wantsData) continue
        if (!isLong) stripes.clear()
        const job = isLong ? this.#stripeOf(copy, stripes, { bytes: stripeBytes, share }) : undefined
        if (job !== undefined) {
          this.#deep.add(copy)
          return job
        }
        // It comes back with the next of its stripes. With none under way it is no longer far behind, and what is parked stands
        // beyond the end of the log (an election has taken back what was between).
        if (stripes.isUnderWay) continue
        stripes.clear()
        this.#hungry.add(copy)
      }
    }
    return undefined
  }

  #urgencies(): number[] {
    const urgencies = new Set<number>()
    for (const { pace } of this.#deep) urgencies.add(pace.urgency)
    return [...urgencies].toSorted((a, b) => a - b)
  }

  /** `share`: bytes that this copy may have ahead of its plan. */
  #stripeOf(
    copy: PartitionCopy,
    stripes: Stripes,
    { bytes, share }: { bytes: number; share: number },
  ): StripeJob | undefined {
    const asked = this.#request(copy)
    const left = this.#context.line.aheadBytes - this.#shared.budget.ahead
    const roomBytes = Math.min(left, share - stripes.aheadBytes)
    const stripe = stripes.next(copy.fetchOffset, { bytes, roomBytes, headEpoch: asked.leaderEpoch })
    if (stripe === undefined) return undefined
    stripes.begin(stripe)
    const { from: offset, epoch: leaderEpoch, isHead } = stripe
    const lastFetchedEpoch = isHead ? asked.lastFetchedEpoch : -1
    const maxBytes = Math.max(copy.fetchBytes, stripe.maxBytes)
    return {
      kind: 'stripe',
      isBehind: true,
      copy,
      stripes,
      stripe,
      asked: { ...asked, offset, leaderEpoch, lastFetchedEpoch, maxBytes },
    }
  }

  /** Its leader may have moved meanwhile: another broker's connections wait for it then. */
  #free(job: Round | StripeJob): void {
    if (job.isBehind) this.#behindJobs--
    if (job.kind === 'stripe') {
      job.stripes.end(job.stripe)
      this.#shared.onFree(job.copy)
      return
    }
    if (job.mayWait) this.#waiting--
    for (const copy of job.copies) {
      copy.isFetching = false
      this.#shared.onFree(copy)
    }
  }

  /**
   * Those that were served come last the next time: only the first with data in a request is sure to get a batch, however
   * large. Those with nothing new go over to the session.
   */
  async #round(connection: FetchLane, { copies, isBehind }: Round, index: number): Promise<void> {
    const { signal, sourceWatch } = this.#context
    await this.#shared.throttle.wait(isBehind, signal)
    const asked = new Map<string, Asked>()
    for (const copy of copies)
      asked.set(copy.name, { copy, incarnation: copy.incarnation, asked: this.#request(copy) })
    const isDataKnown = copies.some(copy => this.#copies.get(copy)?.hasDataAt(copy.fetchOffset))
    const answers = await connection.fetch({
      isolation: 'committed',
      maxWaitMs: index === 0 ? BUSY_WAITS_MS.first : BUSY_WAITS_MS.further,
      maxBytes: this.#lanes.gauge.isLong ? this.#context.line.roundBytes : FETCH_BYTES,
      partitions: [...asked.values()].map(each => each.asked),
    })
    sourceWatch.seen()
    this.#silence.answered(this.#copies.keys())
    if (isDataKnown) this.#lanes.gauge.sample(connection.firstByteMs)
    const isAllEmpty = answers.every(({ records }) => records.length === 0)
    const fetched: (Asked & Fetched)[] = []
    const served = new Set<PartitionCopy>()
    for (const answer of answers) {
      const at = asked.get(`${answer.topic}/${answer.partition}`)
      if (at === undefined) continue
      fetched.push({ ...at, answer })
      // What did not fit is not for the session: it would be fetched by both.
      const isLeft = !isAllEmpty && at.asked.offset < answer.lastStable
      if (isNews(answer) || isLeft) served.add(at.copy)
    }
    copies.sort((a, b) => Number(served.has(a)) - Number(served.has(b)))
    for (const copy of copies) {
      if (served.has(copy)) this.#quiet.release(copy)
      else if (this.#copies.has(copy)) this.#quiet.take(copy)
    }
    await this.#digest(fetched, isBehind)
  }

  async #digest(fetched: readonly (Fetched & Partial<Asked>)[], isBehind: boolean): Promise<void> {
    const outcomes = fetched.map(({ copy, incarnation, answer, asked }) => {
      this.#shared.throttle.spend(answer.records.length, isBehind)
      // Anchored anew meanwhile: the answer is for a plan that is gone, perhaps from a history that is gone.
      if (!copy.isOpen || copy.incarnation !== incarnation) return 'ok'
      return takeSafely(copy, () => this.#take(copy, answer, asked))
    })
    await settle(this.#context, outcomes, this.#shared.onMoved)
  }

  #take(copy: PartitionCopy, answer: FetchedPartition, asked: FetchPartition | undefined): Taken {
    const refused = takeRefusal(copy, answer)
    if (refused !== undefined) return refused
    copy.observeSource(answer, this.#context.clock.monotonic())
    const at = copy.fetchOffset
    const read = readAnswer(answer)
    const taken = takeRecords(this.#context, copy, read)
    // What was asked for elsewhere than where the plan ended does not say of which history that was.
    if (asked !== undefined || copy.fetchOffset !== at)
      this.#copies.get(copy)?.follow(read, asked?.offset === at ? asked.leaderEpoch : -1)
    return taken
  }

  async #fetchStripe(connection: FetchLane, job: StripeJob): Promise<void> {
    const { signal, sourceWatch } = this.#context
    const { throttle } = this.#shared
    await throttle.wait(true, signal)
    const [answer] = await connection.fetch({
      isolation: 'committed',
      maxWaitMs: BUSY_WAITS_MS.further,
      maxBytes: job.asked.maxBytes,
      isAhead: !job.stripe.isHead,
      partitions: [job.asked],
    })
    sourceWatch.seen()
    this.#silence.answered(this.#copies.keys())
    this.#lanes.gauge.sample(connection.firstByteMs)
    if (answer === undefined) return
    throttle.spend(answer.records.length, true)
    const taken = takeSafely(job.copy, () => this.#takeStripe(job, answer))
    await settle(this.#context, [taken], this.#shared.onMoved)
  }

  /** Parks it, and plans whatever joins now. */
  #takeStripe({ copy, stripes, stripe }: StripeJob, answer: FetchedPartition): Taken {
    // Anchored anew meanwhile, or thrown away.
    if (!copy.isOpen || this.#copies.get(copy) !== stripes || !stripes.awaits(stripe)) return 'ok'
    const refused = stripe.isHead ? takeRefusal(copy, answer) : undefined
    if (refused !== undefined) {
      stripes.clear()
      return refused
    }
    const read = stripe.isHead ? readAnswer(answer) : readStripe(answer)
    if (read === undefined) {
      stripes.fail(stripe)
      return 'ok'
    }
    if (answer.highWatermark >= copy.sourceHighWatermark)
      copy.observeSource(answer, this.#context.clock.monotonic())
    stripes.park(stripe, read)
    return this.#takeJoined(copy, stripes)
  }

  #takeJoined(copy: PartitionCopy, stripes: Stripes): Taken {
    for (;;) {
      const joined = stripes.join(copy.fetchOffset)
      if (joined?.parked === undefined) return 'ok'
      try {
        takeRecords(this.#context, copy, joined.parked)
      } catch (error) {
        stripes.clear()
        throw error
      }
    }
  }

  #request(copy: PartitionCopy): FetchPartition {
    const most = this.#lanes.gauge.isLong ? this.#context.line.roundBytes : FETCH_PARTITION_BYTES
    const bytes = copy.pace.isKnown ? most : Math.min(most, FIRST_FETCH_BYTES)
    return requestOf(this.#context.sourceWatch, copy, { broker: this.broker, bytes })
  }
}
