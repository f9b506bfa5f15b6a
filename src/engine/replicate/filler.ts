// Fills gaps, for many partitions of a target broker in one request. A partition comes here with nothing in flight;
// afterwards the true end of its log says how many markers landed (one answer stands for all of them), and only an end
// that is as expected lets it go on (DESIGN 2.2.4).
import { findKdrError, KdrError } from '../../model/errors.ts'
import { codeName, isAuthorization, isLeaderChange, KafkaCode } from '../../model/kafka-codes.ts'
import type { LinkContext } from './context.ts'
import { BACKOFF_MS, LEADER_QUIET_MS, MARKERS_PER_PARTITION, MARKERS_PER_REQUEST } from './limits.ts'
import type { PartitionCopy } from './partition.ts'
import type { PlannedGap } from '../log/plan-append.ts'

type Job = { readonly copy: PartitionCopy; readonly gap: PlannedGap; readonly since: number }
type Filled = Job & { readonly count: number }

/** Empty transactions all belong to one transactional id: one at a time, whatever the broker. */
const ALL_BROKERS = -1
/** A gap that may not be filled yet gives its place in memory back after this long, and is planned again later. */
const PATIENCE_MS = 2_000

export class Filler {
  readonly #context: LinkContext
  readonly #waiting = new Map<number, Job[]>()
  readonly #busy = new Set<number>()

  constructor(context: LinkContext) {
    this.#context = context
  }

  /** Takes charge of the gap at the head of the copy's queue; the copy hears of it by onFilled or onFillFailed. */
  add(copy: PartitionCopy, gap: PlannedGap): void {
    const { targetWatch, identity, clock } = this.#context
    const broker =
      identity.mode === 'transactions' ? ALL_BROKERS : (targetWatch.partition(copy)?.leader ?? -1)
    const jobs = this.#waiting.get(broker) ?? []
    jobs.push({ copy, gap, since: clock.monotonic() })
    this.#waiting.set(broker, jobs)
    if (!this.#busy.has(broker)) this.#run(broker).catch((error: unknown) => this.#context.fail(error))
  }

  async #run(broker: number): Promise<void> {
    this.#busy.add(broker)
    // A turn of the microtask queue: partitions that reach a gap in the same answer share the first request.
    await Promise.resolve()
    for (let jobs = this.#open(broker); jobs.length > 0; jobs = this.#open(broker)) {
      const now = this.#cut(broker, jobs)
      if (now.length === 0) await this.#waitForQuiet()
      else await this.#fill(broker, now)
    }
    this.#busy.delete(broker)
  }

  async #fill(broker: number, now: readonly Filled[]): Promise<void> {
    try {
      if (this.#context.identity.mode === 'markers') await this.#fillByMarkers(broker, now)
      else await this.#fillByTransaction(now)
    } catch (error) {
      if (findKdrError(error) === undefined) throw error
      failAll(now, error)
    }
  }

  /** Jobs whose copies still want them; of the others nothing was sent. */
  #open(broker: number): Job[] {
    const { signal, lease, clock } = this.#context
    const jobs = this.#waiting.get(broker) ?? []
    const isOver = signal.aborted || !lease.isHeld
    const isWanted = ({ copy, since }: Job): boolean =>
      copy.isOpen && !isOver && (this.#mayFill(copy) || clock.monotonic() - since < PATIENCE_MS)
    const kept = jobs.filter(isWanted)
    this.#waiting.set(broker, kept)
    for (const { copy } of jobs.filter(job => !isWanted(job))) {
      copy.onFillFailed(
        'a gap waits until all followers of the mirror partition are in step',
        undefined,
        false,
      )
    }
    return kept
  }

  /** What goes into the next request; the rest stays. */
  #cut(broker: number, jobs: readonly Job[]): Filled[] {
    const now: Filled[] = []
    const later: Job[] = []
    let total = 0
    for (const job of jobs) {
      const { copy, gap } = job
      const isOneEach = this.#context.identity.mode === 'transactions' || copy.fillOneFirst
      const count = Math.min(gap.next - copy.appended, isOneEach ? 1 : MARKERS_PER_PARTITION)
      const isFull = now.length > 0 && total + count > MARKERS_PER_REQUEST
      if (isFull || !this.#mayFill(copy)) {
        later.push(job)
        continue
      }
      now.push({ ...job, count })
      total += count
    }
    this.#waiting.set(broker, later)
    return now
  }

  async #fillByMarkers(broker: number, jobs: readonly Filled[]): Promise<void> {
    const { target, identity } = this.#context
    const producer = { ...identity, coordinatorEpoch: identity.slotGeneration }
    const fills = jobs.map(({ copy, count }) => ({ topic: copy.topic, partition: copy.partition, count }))
    const answers = await target.writeMarkers(broker, producer, fills)
    const codes = new Map(answers.map(answer => [`${answer.topic}/${answer.partition}`, answer.code]))
    await Promise.all(
      jobs.map(async job => {
        const code = codes.get(job.copy.name) ?? KafkaCode.UNKNOWN_SERVER_ERROR
        if (code === KafkaCode.NONE) await this.#settle(job)
        else job.copy.onFillFailed(`markers are refused with ${codeName(code)}`, code, mayHaveLanded(code))
      }),
    )
  }

  /** One empty transaction leaves one marker in each partition, or more when its coordinator sends them again. */
  async #fillByTransaction(jobs: readonly Filled[]): Promise<void> {
    const { target, identity } = this.#context
    const outcome = await target.emptyTransaction(
      {
        transactionalId: identity.transactionalId ?? '',
        producerId: identity.producerId,
        producerEpoch: identity.producerEpoch,
      },
      jobs.map(({ copy }) => ({ topic: copy.topic, partition: copy.partition })),
    )
    if (outcome.code === KafkaCode.NONE) {
      await Promise.all(jobs.map(async job => await this.#settle(job)))
      return
    }
    if (outcome.code === KafkaCode.INVALID_PRODUCER_ID_MAPPING) {
      const error = new KdrError(
        'not-ready',
        `the target has forgotten transactional id "${identity.transactionalId ?? ''}"; start kdr again`,
      )
      failAll(jobs, error)
      this.#context.fail(error)
      return
    }
    const cause = `an empty transaction failed with ${codeName(outcome.code)}`
    for (const { copy } of jobs) copy.onFillFailed(cause, outcome.code, true)
  }

  async #waitForQuiet(): Promise<void> {
    const { clock, signal, targetWatch } = this.#context
    await clock.sleep(BACKOFF_MS.first * 5, signal)
    // Unreachable: the fill that follows will say so.
    await targetWatch.refresh().catch(() => undefined)
  }

  /**
   * While a partition is under-replicated or its leader has just moved, its coordinator may send a marker twice
   * (DESIGN 2.1.4): no empty transaction then. Markers of our own are sent once.
   */
  #mayFill(copy: PartitionCopy): boolean {
    const { targetWatch, identity } = this.#context
    if (identity.mode === 'markers') return true
    const view = targetWatch.partition(copy)
    return (
      view !== undefined &&
      view.isr.length >= view.replicas.length &&
      targetWatch.leaderAgeMs(copy) > LEADER_QUIET_MS
    )
  }

  /** Reads the true end and hands it to the copy. */
  async #settle(job: Filled): Promise<void> {
    const { copy, gap, count } = job
    try {
      const answer = await this.#context.reads.targetLogEnd(copy)
      if (answer.code === KafkaCode.NONE) copy.onFilled(gap, count, answer.offset)
      else copy.onFillFailed(`the end after a fill: ${codeName(answer.code)}`, answer.code, true)
    } catch (error) {
      if (findKdrError(error) === undefined) throw error
      failAll([job], error)
    }
  }
}

/** No answer: the markers may stand there or not. */
function failAll(jobs: readonly Job[], error: unknown): void {
  const cause = error instanceof Error ? error.message : String(error)
  for (const { copy } of jobs) copy.onFillFailed(cause, undefined, true)
}

/** A refusal for want of leadership or rights wrote nothing; after any other the markers may stand there all the same. */
function mayHaveLanded(code: number): boolean {
  return !isLeaderChange(code) && !isAuthorization(code) && code !== KafkaCode.NOT_ENOUGH_REPLICAS
}
