// Fills gaps, for many partitions of a target broker in one request. A partition comes here with nothing in flight;
// afterwards the true end of its log says how many markers landed (one answer stands for all of them), and only an end
// that is as expected lets it go on (DESIGN 2.2.4).
import { findKdrError, KdrError } from '../../model/errors.ts'
import { codeName, isAuthorization, isLeaderChange, KafkaCode } from '../../model/kafka-codes.ts'
import type { CodeAndOffset } from '../../ports/cluster.ts'
import type { LinkContext } from './context.ts'
import {
  BACKOFF_MS,
  FILLS_IN_FLIGHT,
  LEADER_QUIET_MS,
  MARKERS_PER_PARTITION,
  MARKERS_PER_REQUEST,
} from './limits.ts'
import type { PartitionCopy } from './partition.ts'
import type { PlannedGap } from '../log/plan-append.ts'

type Job = { readonly copy: PartitionCopy; readonly gap: PlannedGap; readonly since: number }
type Filled = Job & { readonly count: number }

/** Empty transactions all belong to one transactional id: one at a time, whatever the broker. */
const ALL_BROKERS = -1
/** A gap that may not be filled yet gives its place in memory back after this long, and is planned again later. */
const PATIENCE_MS = 2_000

/** The gaps that wait for one broker, and how many requests to it are under way. */
type Line = { readonly broker: number; jobs: Job[]; rounds: number; isScheduled: boolean }

export class Filler {
  readonly #context: LinkContext
  readonly #lines = new Map<number, Line>()

  constructor(context: LinkContext) {
    this.#context = context
  }

  /** Takes charge of the gap at the head of the copy's queue; the copy hears of it by onFilled or onFillFailed. */
  add(copy: PartitionCopy, gap: PlannedGap): void {
    const { targetWatch, identity, clock } = this.#context
    const broker =
      identity.mode === 'transactions' ? ALL_BROKERS : (targetWatch.partition(copy)?.leader ?? -1)
    const line = this.#lines.get(broker) ?? { broker, jobs: [], rounds: 0, isScheduled: false }
    this.#lines.set(broker, line)
    line.jobs.push({ copy, gap, since: clock.monotonic() })
    // A turn of the microtask queue: partitions that reach a gap in the same answer share a request.
    this.#schedule(line, async () => await Promise.resolve())
  }

  #schedule(line: Line, wait: () => Promise<void>): void {
    if (line.isScheduled) return
    line.isScheduled = true
    wait()
      .then(() => {
        line.isScheduled = false
        this.#pump(line)
      })
      .catch((error: unknown) => this.#context.fail(error))
  }

  /** Sends what may be sent, beside what is under way: a partition is in one request at most. */
  #pump(line: Line): void {
    const limit = this.#context.identity.mode === 'markers' ? FILLS_IN_FLIGHT : 1
    this.#dropUnwanted(line)
    while (line.rounds < limit) {
      const now = this.#cut(line)
      if (now.length === 0) break
      line.rounds++
      this.#fill(line.broker, now)
        .finally(() => {
          line.rounds--
          this.#pump(line)
        })
        .catch((error: unknown) => this.#context.fail(error))
    }
    if (line.rounds === 0 && line.jobs.length > 0)
      this.#schedule(line, async () => await this.#waitForQuiet())
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

  /** Keeps the jobs whose copies still want them; of the others nothing was sent. */
  #dropUnwanted(line: Line): void {
    const { signal, lease, clock } = this.#context
    const isOver = signal.aborted || !lease.isHeld
    const isWanted = ({ copy, since }: Job): boolean =>
      copy.isOpen && !isOver && (this.#mayFill(copy) || clock.monotonic() - since < PATIENCE_MS)
    const dropped = line.jobs.filter(job => !isWanted(job))
    line.jobs = line.jobs.filter(isWanted)
    for (const { copy } of dropped) {
      copy.onFillFailed(
        'a gap waits until all followers of the mirror partition are in step',
        undefined,
        false,
      )
    }
  }

  /** Takes what goes into the next request; the rest stays. */
  #cut(line: Line): Filled[] {
    const now: Filled[] = []
    const later: Job[] = []
    let total = 0
    for (const job of line.jobs) {
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
    line.jobs = later
    return now
  }

  async #fillByMarkers(broker: number, jobs: readonly Filled[]): Promise<void> {
    const { target, identity } = this.#context
    const producer = { ...identity, coordinatorEpoch: identity.slotGeneration }
    const fills = jobs.map(({ copy, count }) => ({ topic: copy.topic, partition: copy.partition, count }))
    const answers = await target.writeMarkers(broker, producer, fills)
    const found = new Map(answers.map(answer => [`${answer.topic}/${answer.partition}`, answer]))
    for (const job of jobs) {
      const answer = found.get(job.copy.name)
      const code = answer?.code ?? KafkaCode.UNKNOWN_SERVER_ERROR
      if (code === KafkaCode.NONE) settle(job, answer?.end)
      else job.copy.onFillFailed(`markers are refused with ${codeName(code)}`, code, mayHaveLanded(code))
    }
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
      await Promise.all(jobs.map(async job => await this.#readEnd(job)))
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

  async #readEnd(job: Filled): Promise<void> {
    try {
      settle(job, await this.#context.reads.targetLogEnd(job.copy))
    } catch (error) {
      if (findKdrError(error) === undefined) throw error
      failAll([job], error)
    }
  }
}

/** Hands the copy the true end of its log after a fill. */
function settle({ copy, gap, count }: Filled, end: CodeAndOffset | undefined): void {
  const code = end?.code ?? KafkaCode.UNKNOWN_SERVER_ERROR
  if (end !== undefined && code === KafkaCode.NONE) copy.onFilled(gap, count, end.offset)
  else copy.onFillFailed(`the end after a fill: ${codeName(code)}`, code, true)
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
