// One partition of one side, batch by batch, as a read-committed consumer sees it: no control batches, nothing aborted,
// nothing outside of the range. Records are decoded only when asked for. The next answer is fetched while the one before
// is being compared; at most two are held, and given back by hand when they have been compared (model/release.ts).
import { type RawBatch, splitBatches } from '../../model/batch.ts'
import { KdrError } from '../../model/errors.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import { release } from '../../model/release.ts'
import type { FetchedPartition, TopicPartition } from '../../ports/cluster.ts'
import type { DecodedRecord, RecordCodec } from '../../ports/records.ts'
import { AbortedFilter } from '../log/plan-append.ts'
import type { LogSource, OffsetRange } from './sides.ts'

/** A batch with records that a consumer sees, of which [base, next) lies in the range. */
export type VisibleBatch = {
  readonly raw: RawBatch
  readonly base: number
  readonly next: number
  /** All of its offsets are in the range. */
  readonly isInside: boolean
}

/** A new leader may not know yet how far its followers are; each such answer takes the broker a quarter of a second. */
const MAX_SHORT_ANSWERS = 80

export class Walk {
  readonly #source: LogSource
  readonly #of: TopicPartition
  readonly #codec: RecordCodec
  readonly #to: number
  #position: number
  /** Fetched, not parsed yet; for `#position`. */
  #coming: Promise<FetchedPartition> | undefined
  #queue: VisibleBatch[] = []
  /** What the queue stands in; undefined once it was decoded, as its records may stand there too, and be kept. */
  #held: Buffer | undefined
  #at = 0
  #records: readonly DecodedRecord[] | undefined
  #recordAt = 0
  #logStart = 0
  #bytes = 0
  #shortAnswers = 0
  #skipBelow = 0

  constructor(source: LogSource, of: TopicPartition, codec: RecordCodec, range: OffsetRange) {
    this.#source = source
    this.#of = of
    this.#codec = codec
    this.#position = range.from
    this.#to = range.to
  }

  /** Log start in the latest answer; 0 before the first. */
  get logStart(): number {
    return this.#logStart
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The batch that is next, after `fill` has resolved; undefined at the end. */
  get head(): VisibleBatch | undefined {
    return this.#queue[this.#at]
  }

  /** Whether nothing of the head has been taken yet. */
  get isAtStart(): boolean {
    return this.#records === undefined
  }

  /** Sees to it that there is a head, unless the range is at its end. */
  async fill(): Promise<void> {
    while (this.head === undefined && this.#position < this.#to) {
      const answer = await (this.#coming ?? this.#fetch())
      this.#coming = undefined
      this.#parse(answer)
      this.#held = answer.records
      if (this.head === undefined) this.#letGo()
      if (this.#position < this.#to && this.head !== undefined) this.#prefetch()
    }
  }

  /** Takes the whole head. */
  pop(): void {
    this.#at++
    this.#records = undefined
    this.#recordAt = 0
    if (this.#at < this.#queue.length) return
    this.#queue = []
    this.#at = 0
    this.#letGo()
  }

  /** The next record of the head; undefined when it has no more. Throws KdrError('corrupt') when it cannot be decoded. */
  peekRecord(): DecodedRecord | undefined {
    const { head } = this
    if (head === undefined) return undefined
    if (this.#records === undefined) {
      this.#held = undefined
      const all = this.#codec.decode(head.raw)
      this.#records = head.isInside
        ? all
        : all.filter(({ offset }) => offset >= head.base && offset < head.next)
    }
    while ((this.#records[this.#recordAt]?.offset ?? Infinity) < this.#skipBelow) this.#recordAt++
    return this.#records[this.#recordAt]
  }

  /** Records below `offset` are passed by. */
  skipTo(offset: number): void {
    this.#skipBelow = offset
  }

  takeRecord(): void {
    this.#recordAt++
  }

  /** Waits for what is under way, so that the lane is free for others. */
  async close(): Promise<void> {
    await this.#coming?.catch(() => undefined)
  }

  #letGo(): void {
    if (this.#held !== undefined) release(this.#held)
    this.#held = undefined
  }

  #prefetch(): void {
    this.#coming = this.#fetch()
    // Whoever awaits it gets the failure; until then nobody has to.
    this.#coming.catch(() => undefined)
  }

  #fetch(): Promise<FetchedPartition> {
    return this.#source.fetch(this.#of, this.#position)
  }

  #parse(answer: FetchedPartition): void {
    this.#logStart = Math.max(this.#logStart, answer.logStart)
    this.#bytes += answer.records.length
    if (answer.code === KafkaCode.OFFSET_OUT_OF_RANGE) {
      this.#position = answer.logStart
      return
    }
    const from = this.#position
    const filter = new AbortedFilter(answer.aborted)
    for (const raw of splitBatches(answer.records)) {
      const { header } = raw
      const isHidden = filter.covers(raw, this.#codec) || header.isControl || header.recordCount === 0
      // Formats v0 and v1 name the last offset of a compressed batch, not the first.
      const first = header.magic < 2 ? this.#position : header.baseOffset
      this.#position = Math.max(this.#position, header.lastOffset + 1)
      if (isHidden || header.lastOffset < from || first >= this.#to) continue
      const base = Math.max(first, from)
      const next = Math.min(header.lastOffset + 1, this.#to)
      const isInside = header.magic >= 2 && base === header.baseOffset && next === header.lastOffset + 1
      this.#queue.push({ raw, base, next, isInside })
    }
    if (this.#position > from) return
    // A broker that has nothing to send below its last stable offset has nothing there: the cleaner took it all.
    if (answer.lastStable >= this.#to) this.#position = this.#to
    else if (++this.#shortAnswers > MAX_SHORT_ANSWERS) throw shorter(this.#of, answer.lastStable, this.#to)
  }
}

function shorter({ topic, partition }: TopicPartition, now: number, before: number): KdrError {
  return new KdrError(
    'not-ready',
    `"${topic}" partition ${partition} could be read up to offset ${before} a moment ago, and now only up to ${now}`,
    {
      hint: 'A leader was lost, or the topic was made anew; look at the cluster, then run the command again.',
    },
  )
}
