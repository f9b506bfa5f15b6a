// Reads the source: for each broker that leads partitions, a session that watches over those with nothing new
// (QuietSession), and busy connections that take turns at those with data. A fetch holds its connection until data comes,
// so one alone would make a busy partition wait for others: each next one takes what becomes hungry meanwhile.
import { splitBatches } from '../../model/batch.ts'
import { codeName, isAuthorization, isLeaderChange, KafkaCode } from '../../model/kafka-codes.ts'
import { findKdrError } from '../../model/errors.ts'
import type { FetchedPartition, FetchLane, FetchPartition } from '../../ports/cluster.ts'
import type { LinkContext } from './context.ts'
import { BACKOFF_MS, BUSY_WAITS_MS, FETCH_BYTES, FETCH_PARTITION_BYTES, LINK_BUFFER_BYTES } from './limits.ts'
import type { PartitionCopy } from './partition.ts'
import { planAppend } from '../log/plan-append.ts'
import { withTombstones } from '../log/tombstones.ts'
import { lossOf } from './faults.ts'
import { type Fetched, isNews, QuietSession } from './quiet-session.ts'
import { Wake } from './wake.ts'
import { Throttle } from './throttle.ts'
import { Turns } from './turns.ts'

const SMALL_BYTES = 64 * 1024

export class Fetchers {
  readonly #context: LinkContext
  readonly #brokers = new Map<number, BrokerFetcher>()
  readonly #assigned = new Map<PartitionCopy, BrokerFetcher>()
  readonly #budget = { bufferedBytes: 0 }
  readonly #throttle: Throttle

  constructor(context: LinkContext) {
    this.#context = context
    this.#throttle = new Throttle(context.settings.maxBytesPerSecond, context.clock)
  }

  /** Fetches for the copy from its leader now; false when it has none. */
  attach(copy: PartitionCopy): boolean {
    const leader = this.#context.sourceWatch.partition(copy)?.leader ?? -1
    if (leader < 0) return false
    let fetcher = this.#brokers.get(leader)
    if (fetcher === undefined) {
      fetcher = new BrokerFetcher(this.#context, leader, {
        budget: this.#budget,
        throttle: this.#throttle,
        onMoved: () => this.followLeaders(),
        onFree: copy => this.onRoom(copy),
      })
      this.#brokers.set(leader, fetcher)
    }
    this.#assigned.get(copy)?.remove(copy)
    this.#assigned.set(copy, fetcher)
    fetcher.add(copy)
    return true
  }

  detach(copy: PartitionCopy): void {
    this.#assigned.get(copy)?.remove(copy)
    this.#assigned.delete(copy)
  }

  onRoom(copy: PartitionCopy): void {
    this.#assigned.get(copy)?.offer(copy)
  }

  onBuffered(bytes: number): void {
    const before = this.#budget.bufferedBytes
    this.#budget.bufferedBytes += bytes
    const hasRoom = (limit: number): boolean => before >= limit && this.#budget.bufferedBytes < limit
    if (Object.values(LINK_BUFFER_BYTES).some(hasRoom))
      for (const fetcher of this.#brokers.values()) fetcher.wake()
  }

  /** After a refresh of the metadata: moves the copies whose leader is another broker now. */
  followLeaders(): void {
    for (const [copy, fetcher] of this.#assigned) {
      const leader = this.#context.sourceWatch.partition(copy)?.leader ?? -1
      if (leader >= 0 && leader !== fetcher.broker) this.attach(copy)
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#brokers.values()].map(async fetcher => await fetcher.close()))
  }
}

type Shared = {
  readonly budget: { readonly bufferedBytes: number }
  readonly throttle: Throttle
  /** The metadata was read again because a leader moved. */
  readonly onMoved: () => void
  /** The copy may be fetched again. */
  readonly onFree: (copy: PartitionCopy) => void
}

type Round = { readonly copies: PartitionCopy[]; readonly isBehind: boolean }

class BrokerFetcher {
  readonly broker: number
  readonly #context: LinkContext
  readonly #budget: { readonly bufferedBytes: number }
  readonly #throttle: Throttle
  readonly #onMoved: () => void
  readonly #onFree: (copy: PartitionCopy) => void
  readonly #copies = new Set<PartitionCopy>()
  /** Want data from a busy connection. */
  readonly #hungry = new Turns()
  readonly #quiet: QuietSession
  readonly #loops: Promise<void>[]
  readonly #lanes: (FetchLane | undefined)[] = []
  readonly #wakes: Wake[]
  /** Under way, for partitions that are behind. */
  #behindRounds = 0
  #isClosed = false

  constructor(context: LinkContext, broker: number, shared: Shared) {
    this.#context = context
    this.broker = broker
    this.#budget = shared.budget
    this.#throttle = shared.throttle
    this.#onMoved = shared.onMoved
    this.#onFree = shared.onFree
    this.#quiet = new QuietSession(context, broker, {
      request: copy => this.#request(copy),
      mayFetch: () => this.#budget.bufferedBytes < LINK_BUFFER_BYTES.current,
      throttled: async () => await this.#throttle.wait(false, context.signal),
      onTaken: copy => this.#hungry.delete(copy),
      onReleased: copy => this.offer(copy),
      digest: async fetched => await this.#digest(fetched, false),
      recover: async (error, backoffMs) => await this.#recover(error, backoffMs),
    })
    this.#wakes = BUSY_WAITS_MS.map(() => new Wake())
    this.#loops = BUSY_WAITS_MS.map(async (maxWaitMs, index) => await this.#run(index, maxWaitMs))
    this.#loops.push(this.#quiet.run())
  }

  add(copy: PartitionCopy): void {
    this.#copies.add(copy)
    this.offer(copy)
  }

  remove(copy: PartitionCopy): void {
    this.#copies.delete(copy)
    this.#hungry.delete(copy)
    this.#quiet.release(copy)
  }

  /** The copy may want data. */
  offer(copy: PartitionCopy): void {
    if (!this.#copies.has(copy) || !copy.wantsData || this.#quiet.watches(copy)) return
    this.#hungry.add(copy)
    for (const wake of this.#wakes) wake.up()
  }

  /** There is room for more again. */
  wake(): void {
    for (const wake of this.#wakes) wake.up()
    this.#quiet.wake()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.wake()
    await Promise.all([this.#quiet.close(), ...this.#lanes.map(async lane => await lane?.close())])
    await Promise.all(this.#loops)
  }

  async #run(index: number, maxWaitMs: number): Promise<void> {
    let backoffMs: number = BACKOFF_MS.first
    while (!this.#isClosed) {
      const round = this.#nextRound()
      if (round === undefined) {
        await this.#wakes[index]!.wait()
        continue
      }
      const { copies, isBehind } = round
      for (const copy of copies) copy.isFetching = true
      if (isBehind) this.#behindRounds++
      try {
        this.#lanes[index] ??= await this.#context.source.openFetchLane(this.broker)
        await this.#fetch(this.#lanes[index], round, maxWaitMs)
        backoffMs = BACKOFF_MS.first
      } catch (error) {
        const lane = this.#lanes[index]
        this.#lanes[index] = undefined
        await lane?.close()
        if (!this.#isClosed) await this.#recover(error, backoffMs)
        backoffMs = Math.min(backoffMs * 2, BACKOFF_MS.last)
      } finally {
        if (isBehind) this.#behindRounds--
        for (const copy of copies) {
          copy.isFetching = false
          // Its leader may have moved meanwhile: another broker's connections wait for it then.
          this.#onFree(copy)
        }
      }
    }
  }

  /**
   * One connection is always left to those that keep up. Where `maxBytesPerSecond` is what all wait for, those that are
   * behind take turns on one, so that all of it goes to the most urgent.
   */
  #nextRound(): Round | undefined {
    const { bufferedBytes } = this.#budget
    const current = bufferedBytes < LINK_BUFFER_BYTES.current ? this.#hungry.takeCurrent() : []
    if (current.length > 0) return { copies: current, isBehind: false }
    const most = this.#throttle.isLimited ? 1 : BUSY_WAITS_MS.length - 1
    if (bufferedBytes >= LINK_BUFFER_BYTES.behind || this.#behindRounds >= most) return undefined
    const behind = this.#hungry.takeBehind()
    return behind.length > 0 ? { copies: behind, isBehind: true } : undefined
  }

  /**
   * Those that were served come last the next time: only the first with data in a request is sure to get a batch, however
   * large. Those with nothing new go over to the session.
   */
  async #fetch(lane: FetchLane, { copies, isBehind }: Round, maxWaitMs: number): Promise<void> {
    await this.#throttle.wait(isBehind, this.#context.signal)
    const asked = new Map(copies.map(copy => [copy.name, { copy, incarnation: copy.incarnation }]))
    const answers = await lane.fetch({
      isolation: 'committed',
      maxWaitMs,
      maxBytes: FETCH_BYTES,
      partitions: copies.map(copy => this.#request(copy)),
    })
    this.#context.sourceWatch.seen()
    const fetched: Fetched[] = []
    const served = new Set<PartitionCopy>()
    for (const answer of answers) {
      const at = asked.get(`${answer.topic}/${answer.partition}`)
      if (at === undefined) continue
      fetched.push({ ...at, answer })
      if (isNews(answer)) served.add(at.copy)
    }
    copies.sort((a, b) => Number(served.has(a)) - Number(served.has(b)))
    for (const copy of copies) {
      if (served.has(copy)) this.#quiet.release(copy)
      else if (this.#copies.has(copy)) this.#quiet.take(copy)
    }
    await this.#digest(fetched, isBehind)
  }

  async #digest(fetched: readonly Fetched[], isBehind: boolean): Promise<void> {
    const { sourceWatch, clock } = this.#context
    let hasMoved = false
    let hasFailed = false
    for (const { copy, incarnation, answer } of fetched) {
      this.#throttle.spend(answer.records.length, isBehind)
      // Anchored anew meanwhile: the answer is for a plan that is gone, perhaps from a history that is gone.
      if (!copy.isOpen || copy.incarnation !== incarnation) continue
      const outcome = this.#takeSafely(copy, answer, clock.monotonic())
      hasMoved ||= outcome === 'moved'
      hasFailed ||= outcome === 'failed'
    }
    if (hasMoved) {
      await sourceWatch.refresh()
      this.#onMoved()
    }
    if (hasMoved || hasFailed) await clock.sleep(BACKOFF_MS.first, this.#context.signal)
  }

  /** Bytes that cannot be what they say stop their own partition, and no other. */
  #takeSafely(copy: PartitionCopy, answer: FetchedPartition, monotonic: number): 'ok' | 'moved' | 'failed' {
    try {
      return this.#take(copy, answer, monotonic)
    } catch (error) {
      const known = findKdrError(error)
      if (known?.code !== 'corrupt') throw error
      // What stands before it is appended first: then the cursor says where it is.
      if (copy.isIdle) {
        const batch = lossOf(known)
        copy.break({
          why: 'anchor',
          cause: known.message,
          code: KafkaCode.CORRUPT_MESSAGE,
          ...(batch === undefined ? {} : { batch }),
        })
      }
      return 'failed'
    }
  }

  #request(copy: PartitionCopy): FetchPartition {
    const { sourceWatch } = this.#context
    return {
      topic: copy.topic,
      partition: copy.partition,
      topicId: copy.sourceTopicId,
      offset: copy.fetchOffset,
      leaderEpoch: copy.pinnedEpoch ?? sourceWatch.partition(copy)?.leaderEpoch ?? -1,
      lastFetchedEpoch: copy.lastFetchedEpoch,
      maxBytes: Math.max(copy.fetchBytes, FETCH_PARTITION_BYTES),
    }
  }

  #take(copy: PartitionCopy, answer: FetchedPartition, monotonic: number): 'ok' | 'moved' | 'failed' {
    const { code } = answer
    if (code !== KafkaCode.NONE) return this.#takeError(copy, code)
    if (answer.diverging !== undefined) {
      const { epoch, endOffset } = answer.diverging
      copy.break({
        why: 'anchor',
        cause: `the source's epoch ${epoch} ends at ${endOffset}`,
      })
      return 'failed'
    }
    copy.observeSource(answer, monotonic)
    // A few bytes must not hold the whole answer in memory until they are acknowledged.
    const records = answer.records.length <= SMALL_BYTES ? Buffer.from(answer.records) : answer.records
    const batches = splitBatches(records)
    // The session and a busy connection have asked for the same.
    const last = batches.at(-1)
    if (last !== undefined && last.header.lastOffset < copy.planned) return 'ok'
    copy.fetchBytes = batches.length === 0 ? wholeBatchBytes(answer.records) : 0
    const { codec, clock } = this.#context
    const ops = planAppend(copy.planned, batches, answer.aborted, codec)
    const next = ops.at(-1)?.next ?? copy.planned
    copy.enqueue(
      copy.fillsWithTombstones ? withTombstones(ops, codec, clock.now()) : ops,
      batches.findLast(({ header }) => header.lastOffset < next)?.header.leaderEpoch,
    )
    return 'ok'
  }

  #takeError(copy: PartitionCopy, code: number): 'moved' | 'failed' {
    if (copy.pinnedEpoch !== undefined && isLeaderChange(code)) {
      copy.break({ why: 'anchor', cause: `the source answers ${codeName(code)}`, code })
      return 'moved'
    }
    if (
      isLeaderChange(code) ||
      code === KafkaCode.UNKNOWN_TOPIC_ID ||
      code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION
    )
      return 'moved'
    if (code === KafkaCode.OFFSET_OUT_OF_RANGE || isAuthorization(code)) {
      copy.break({ why: 'anchor', cause: `the source answers ${codeName(code)}`, code })
    } else {
      copy.note = `the source answers ${codeName(code)}`
    }
    return 'failed'
  }

  async #recover(error: unknown, backoffMs: number): Promise<void> {
    const { log, sourceWatch, clock, signal } = this.#context
    const known = findKdrError(error)
    // A broker of another cluster answers at that address: nothing of it may be copied.
    if (known === undefined || known.code === 'wrong-cluster') {
      this.#isClosed = true
      this.#context.fail(error)
      return
    }
    log.event('debug', 'a fetch failed', { broker: this.broker, error: known.message })
    await clock.sleep(backoffMs, signal)
    if (signal.aborted) return
    try {
      await sourceWatch.refresh()
      this.#onMoved()
    } catch {
      // The link's control loop notices and says when the whole cluster cannot be reached.
    }
  }
}

/** The size of the batch that was cut, so that the next request has room for it; 0 if there was none. */
function wholeBatchBytes(records: Buffer): number {
  return records.length < 12 ? 0 : records.readInt32BE(8) + 12
}
