// Fills gaps, for many partitions of a target broker in one request. A partition comes here with nothing in flight;
// afterwards the true end of its log says how many markers landed (one answer stands for all of them), and only an end
// that is as expected lets it go on (DESIGN 2.2.4).
import { findKdrError, KdrError } from '../../model/errors.ts'
import { codeName, isAuthorization, isLeaderChange, KafkaCode } from '../../model/kafka-codes.ts'
import type { CodeAndOffset } from '../../ports/cluster.ts'
import type { LinkContext, SlotIdentity } from './context.ts'
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

/** A gap that may not be filled yet gives its place in memory back after this long, and is planned again later. */
const PATIENCE_MS = 2_000

/**
 * Gaps that can share a request, and how many requests are under way. Markers: those of one broker that carry the same
 * generation. (A request with two stamps is never answered when its last partition is skipped.) Empty transactions: those of
 * one slot, whose transactional id has one transaction at a time, whatever the brokers.
 */
type Line = {
  readonly key: string
  readonly broker: number
  readonly identity: SlotIdentity
  jobs: Job[]
  rounds: number
  isScheduled: boolean
}

export class Filler {
  readonly #context: LinkContext
  readonly #lines = new Map<string, Line>()

  constructor(context: LinkContext) {
    this.#context = context
  }

  /** Takes charge of the gap at the head of the copy's queue; the copy hears of it by onFilled or onFillFailed. */
  add(copy: PartitionCopy, gap: PlannedGap): void {
    const { targetWatch, clock } = this.#context
    const { identity } = copy
    const broker = targetWatch.partition(copy)?.leader ?? -1
    const key =
      identity.mode === 'markers'
        ? `broker ${broker}, generation ${identity.generation}`
        : `slot ${identity.slot}, epoch ${identity.producerEpoch}`
    const line = this.#lines.get(key) ?? { key, broker, identity, jobs: [], rounds: 0, isScheduled: false }
    this.#lines.set(key, line)
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
    const limit = line.identity.mode === 'markers' ? FILLS_IN_FLIGHT : 1
    this.#dropUnwanted(line)
    while (line.rounds < limit) {
      const now = this.#cut(line)
      if (now.length === 0) break
      line.rounds++
      this.#fill(line, now)
        .finally(() => {
          line.rounds--
          this.#pump(line)
        })
        .catch((error: unknown) => this.#context.fail(error))
    }
    if (line.rounds === 0 && line.jobs.length === 0) this.#lines.delete(line.key)
    if (line.rounds === 0 && line.jobs.length > 0)
      this.#schedule(line, async () => await this.#waitForQuiet())
  }

  async #fill(line: Line, now: readonly Filled[]): Promise<void> {
    try {
      if (line.identity.mode === 'markers') await this.#fillByMarkers(line, now)
      else await this.#fillByTransaction(line, now)
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
      const isOneEach = line.identity.mode === 'transactions' || copy.fillOneFirst
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

  async #fillByMarkers({ broker, identity }: Line, jobs: readonly Filled[]): Promise<void> {
    const { target } = this.#context
    const producer = { ...identity, coordinatorEpoch: identity.generation }
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
  async #fillByTransaction({ identity }: Line, jobs: readonly Filled[]): Promise<void> {
    const { target } = this.#context
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
    const { targetWatch } = this.#context
    if (copy.identity.mode === 'markers') return true
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
