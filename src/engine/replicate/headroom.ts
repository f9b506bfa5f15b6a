// How long until the source deletes what has not been copied yet. Two things tell: the age of the record at the cursor,
// where the source deletes by age; and how fast its log start moves, whatever moves it. What is not known is not guessed.
import { splitBatches } from '../../model/batch.ts'
import { headroomSentence, isShort, shortLimitMs } from '../../model/headroom.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { Deletion, Headroom } from '../../model/link.ts'
import type { LinkContext } from './context.ts'
import { HEADROOM_BEHIND_MS, HEADROOM_PEEKS, WARN_AGAIN_MS } from './limits.ts'
import type { PartitionCopy } from './partition.ts'

/** Moves of a log start older than this say nothing about now. */
const WINDOW_MS = 3_600_000
const MERGE_MS = 60_000
/** One move alone is a rate only after this long: retention runs every five minutes, and takes whole segments. */
const STEADY_MS = 300_000

/** Where a log start stood, and since when. */
export class LogStartMoves {
  #seen: { readonly at: number; readonly logStart: number }[] = []

  observe(logStart: number, at: number): void {
    const [before, last] = [this.#seen.at(-2), this.#seen.at(-1)]
    if (last !== undefined && logStart <= last.logStart) return
    // Many small moves are one.
    if (before !== undefined && at - before.at < MERGE_MS) this.#seen.pop()
    this.#seen.push({ at, logStart })
    while (this.#seen.length > 2 && at - (this.#seen[1]?.at ?? at) > WINDOW_MS) this.#seen.shift()
  }

  /** Offsets per ms; undefined when it has not been seen to move, or not for long enough. */
  rate(now: number): number | undefined {
    const first = this.#seen[0]
    const last = this.#seen.at(-1)
    if (first === undefined || last === undefined || last === first) return undefined
    const ms = now - first.at
    if (ms <= 0 || (this.#seen.length < 3 && ms < STEADY_MS)) return undefined
    return (last.logStart - first.logStart) / ms
  }
}

export type HeadroomInput = {
  readonly cursor: number
  readonly sourceEnd: number
  readonly logStart: number
  /** Offsets per ms that the log start moves by. */
  readonly rate: number | undefined
  /** Undefined: not known. */
  readonly deletion: Deletion | undefined
  /** Timestamp of the batch at the cursor, or of one before it. */
  readonly timestamp: number | undefined
  /** `ms` at the look before. */
  readonly before: number | undefined
  readonly now: number
}

/** Pure. Undefined when nothing is behind, what is behind is gone already, or nothing deletes there. */
export function headroomOf(input: HeadroomInput): Headroom | undefined {
  const { cursor, sourceEnd, logStart, rate, deletion, timestamp, before, now } = input
  if (cursor >= sourceEnd || logStart > cursor) return undefined
  const afterMs = deletion?.afterMs ?? undefined
  const isSafe = deletion !== undefined && afterMs === undefined && !deletion.isBySize
  if (isSafe && rate === undefined) return undefined
  const byAge = afterMs === undefined || timestamp === undefined ? undefined : timestamp + afterMs - now
  const byLogStart = rate === undefined ? undefined : (cursor - logStart) / rate
  const ms = Math.min(byAge ?? Number.POSITIVE_INFINITY, byLogStart ?? Number.POSITIVE_INFINITY)
  const fullMs = afterMs ?? (rate === undefined ? 0 : (sourceEnd - logStart) / rate)
  if (!Number.isFinite(ms))
    return { ms: null, basis: 'unknown', isAtMost: false, limitMs: 0, isGrowing: false, at: now }
  return {
    ms: Math.round(ms),
    basis: ms === byAge ? 'age' : 'log-start',
    isAtMost: deletion === undefined || (deletion.isBySize && rate === undefined),
    limitMs: Math.round(shortLimitMs(fullMs)),
    isGrowing: before !== undefined && ms > before,
    at: now,
  }
}

type Known = {
  readonly moves: LogStartMoves
  timestamp?: number
  askedAt: number
  before?: number | undefined
}

export class HeadroomWatch {
  readonly #context: LinkContext
  readonly #deletionOf: (topic: string) => Deletion | undefined
  readonly #known = new WeakMap<PartitionCopy, Known>()
  readonly #toldAt = new Map<string, number>()

  constructor(context: LinkContext, deletionOf: (topic: string) => Deletion | undefined) {
    this.#context = context
    this.#deletionOf = deletionOf
  }

  /** One look at all copies. Asks the source only about those that have stopped, or are behind. Throws KdrError('unreachable'). */
  async look(copies: readonly PartitionCopy[]): Promise<void> {
    await this.#observeStopped(copies)
    const { clock } = this.#context
    const monotonic = clock.monotonic()
    for (const copy of copies) this.#of(copy).moves.observe(copy.sourceLogStart, monotonic)
    const behind = copies.filter(copy => isBehind(copy, monotonic))
    await this.#readAges(behind)
    const all = new Set(behind)
    for (const copy of copies) {
      copy.watched.headroom = all.has(copy) ? this.#measure(copy, monotonic) : undefined
      this.#of(copy).before = copy.watched.headroom?.ms ?? undefined
      this.#tell(copy)
    }
  }

  #of(copy: PartitionCopy): Known {
    const known = this.#known.get(copy) ?? { moves: new LogStartMoves(), askedAt: 0 }
    this.#known.set(copy, known)
    return known
  }

  /** Whoever copies sees the source in each answer; for the others somebody has to look. */
  async #observeStopped(copies: readonly PartitionCopy[]): Promise<void> {
    const { source, clock } = this.#context
    const stopped = copies.filter(
      // What is paused is looked at anyway.
      copy => !copy.isOpen && copy.isAnchored && copy.state !== 'paused',
    )
    if (stopped.length === 0) return
    const ends = await source.offsets(stopped, 'highWatermark')
    const starts = await source.offsets(stopped, 'logStart')
    stopped.forEach((copy, index) => {
      const [end, start] = [ends[index], starts[index]]
      if (end?.code !== KafkaCode.NONE || start?.code !== KafkaCode.NONE) return
      copy.observeSource({ highWatermark: end.offset, logStart: start.offset }, clock.monotonic())
    })
  }

  /** Timestamps at cursors; those asked longest ago first, and not more than a few at a time. */
  async #readAges(behind: readonly PartitionCopy[]): Promise<void> {
    const asked = behind
      .filter(copy => (this.#deletionOf(copy.topic)?.afterMs ?? null) !== null)
      .toSorted((a, b) => this.#of(a).askedAt - this.#of(b).askedAt)
      .slice(0, HEADROOM_PEEKS)
    await Promise.all(
      asked.map(async copy => {
        const known = this.#of(copy)
        known.askedAt = this.#context.clock.monotonic()
        known.timestamp = (await this.#timestampAt(copy, copy.appended)) ?? known.timestamp ?? -1
      }),
    )
  }

  async #timestampAt(copy: PartitionCopy, offset: number): Promise<number | undefined> {
    const { topic, partition, sourceTopicId: topicId } = copy
    // At least one batch comes, however little is asked for.
    const of = { topic, topicId, partition, offset, isolation: 'uncommitted', maxBytes: 1 } as const
    const answer = await this.#context.reads.peek('source', of)
    const batch = splitBatches(answer.records).find(({ header }) => header.lastOffset >= offset)
    return batch?.header.maxTimestamp
  }

  #measure(copy: PartitionCopy, monotonic: number): Headroom | undefined {
    const { moves, timestamp, before } = this.#of(copy)
    return headroomOf({
      cursor: copy.appended,
      sourceEnd: copy.sourceHighWatermark,
      logStart: copy.sourceLogStart,
      rate: moves.rate(monotonic),
      deletion: this.#deletionOf(copy.topic),
      // Before 1970: the producer gave none.
      timestamp: timestamp === undefined || timestamp < 0 ? undefined : timestamp,
      before,
      now: this.#context.clock.now(),
    })
  }

  /** Once an hour a topic: it is a matter of hours. */
  #tell(copy: PartitionCopy): void {
    const { clock, log, link } = this.#context
    const { headroom } = copy.watched
    if (headroom === undefined || !isShort(headroom)) return
    const now = clock.monotonic()
    if (now - (this.#toldAt.get(copy.topic) ?? Number.NEGATIVE_INFINITY) < WARN_AGAIN_MS) return
    this.#toldAt.set(copy.topic, now)
    log.event('warn', headroomSentence(copy, headroom), { link })
  }
}

const isBehind = (copy: PartitionCopy, monotonic: number): boolean =>
  copy.isAnchored &&
  copy.appended < copy.sourceHighWatermark &&
  copy.lag.lagMs(copy.appended, monotonic) >= HEADROOM_BEHIND_MS
