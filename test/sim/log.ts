// One partition's log as a broker keeps it: batches with leader epochs, high watermark, last stable offset, log start,
// aborted transactions, and the producer states with which appends are checked. Rules from ProducerAppendInfo.java,
// ProducerStateManager.java and LogValidator.java, as far as kdr can meet them; the real bytes of batches are kept.
import { recordCodec } from '../../src/kafka/records.ts'
import { advanceSequence, type BatchHeader, readBatchHeader } from '../../src/model/batch.ts'
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import type { ProducerState } from '../../src/ports/cluster.ts'
import { type AppendRules, check, withLatest } from './rules.ts'

export type Entry = {
  readonly base: number
  readonly next: number
  readonly bytes: Buffer
  readonly header: BatchHeader
}
export type Aborted = {
  readonly producerId: bigint
  readonly firstOffset: number
  readonly markerOffset: number
}

type SentBatch = { readonly first: number; readonly last: number; readonly base: number }
type Producer = {
  epoch: number
  /** The newest last; at most five, one after a restart. */
  batches: SentBatch[]
  lastTimestamp: number
  coordinatorEpoch: number
}

export type AppendResult = { readonly code: number; readonly base: number }
const refuse = (code: number): AppendResult => ({ code, base: -1 })

const REMEMBERED = 5
const NOTHING = Buffer.alloc(0)

export class SimLog {
  entries: Entry[] = []
  logStart = 0
  highWatermark = 0
  leaderEpoch = 0
  aborted: Aborted[] = []
  /** First offsets of open transactions. */
  readonly open = new Map<bigint, number>()
  readonly producers = new Map<bigint, Producer>()
  /** (epoch, first offset), ascending. */
  epochs: (readonly [number, number])[] = [[0, 0]]
  #emptyEnd = 0
  #hasSnapshot = false
  readonly #onChange: () => void

  /** `onChange`: something may be new for a fetch that waits. */
  constructor(onChange: () => void = () => undefined) {
    this.#onChange = onChange
  }

  get end(): number {
    return this.entries.at(-1)?.next ?? this.#emptyEnd
  }

  get lastStable(): number {
    let stable = this.highWatermark
    for (const first of this.open.values()) stable = Math.min(stable, this.#unstable(first))
    return stable
  }

  /**
   * Up to where a read-committed fetch comes: what the cleaner removed right below an open transaction is not to be seen
   * until that ends.
   */
  get fetchableEnd(): number {
    const stable = this.lastStable
    return Math.max(this.logStart, this.entries.findLast(({ next }) => next <= stable)?.next ?? 0)
  }

  /** Of a transaction that begins below the log start, where the batch begins that the log start is in: even below it. */
  #unstable(first: number): number {
    if (first >= this.logStart) return first
    return this.entries.find(each => each.next > this.logStart)?.base ?? this.logStart
  }

  /** What a Produce request does to the log. Without rules, a topic that takes any record. */
  append(batch: Buffer, rules?: AppendRules): AppendResult {
    const header = readBatchHeader(batch)
    const checked = check(batch, header, rules)
    if (typeof checked === 'number') return refuse(checked)
    if (header.producerId >= 0n) {
      const known = this.producers.get(header.producerId)
      if (known !== undefined && header.producerEpoch < known.epoch)
        return refuse(KafkaCode.INVALID_PRODUCER_EPOCH)
      const sent = { first: header.baseSequence, last: lastSequence(header) }
      const repeated = known?.batches.find(each => each.first === sent.first && each.last === sent.last)
      if (known !== undefined && repeated !== undefined && known.epoch === header.producerEpoch) {
        return { code: KafkaCode.NONE, base: repeated.base }
      }
      if (known !== undefined && !isNext(known, header)) return refuse(KafkaCode.OUT_OF_ORDER_SEQUENCE_NUMBER)
      if (this.open.has(header.producerId) && !header.isTransactional)
        return refuse(KafkaCode.INVALID_TXN_STATE)
    }
    const base = this.end
    this.#push(withLatest(batch, header, checked), base)
    return { code: KafkaCode.NONE, base }
  }

  /** What WriteTxnMarkers does to the log, once. */
  appendMarker(marker: Buffer, coordinatorEpoch: number): number {
    const header = readBatchHeader(marker)
    const known = this.producers.get(header.producerId)
    if (known !== undefined && header.producerEpoch < known.epoch) return KafkaCode.INVALID_PRODUCER_EPOCH
    if (known !== undefined && coordinatorEpoch < known.coordinatorEpoch)
      return KafkaCode.TRANSACTION_COORDINATOR_FENCED
    this.#push(marker, this.end, coordinatorEpoch)
    return KafkaCode.NONE
  }

  /** A batch as the source's own applications leave it: no checks. */
  force(batch: Buffer, coordinatorEpoch = 0): number {
    const base = this.end
    this.#push(batch, base, coordinatorEpoch)
    return base
  }

  /** Offsets without any batch, as compaction leaves them at the end of a cleaned segment. */
  skip(count: number): void {
    const end = this.end + count
    if (this.entries.length === 0) this.#emptyEnd = end
    else
      this.entries.push({
        base: this.end,
        next: end,
        bytes: NOTHING,
        header: this.entries.at(-1)!.header,
      })
    this.highWatermark = end
  }

  advance(): void {
    if (this.highWatermark === this.end) return
    this.highWatermark = this.end
    this.#onChange()
  }

  trim(before: number): number {
    this.#onChange()
    this.logStart = Math.max(this.logStart, Math.min(before, this.highWatermark))
    const end = this.end
    this.entries = this.entries.filter(entry => entry.next > this.logStart)
    if (this.entries.length === 0) this.#emptyEnd = end
    this.aborted = this.aborted.filter(each => each.markerOffset >= this.logStart)
    const kept = this.epochs.filter(([, first]) => first > this.logStart)
    const floor = this.epochs.findLast(([, first]) => first <= this.logStart)
    this.epochs = floor === undefined ? kept : [[floor[0], this.logStart], ...kept]
    return this.logStart
  }

  /** Removes everything from `to` on (a batch that straddles it too), and what producers did there. */
  truncate(to: number): void {
    const kept = this.entries.filter(entry => entry.next <= to)
    this.#emptyEnd = Math.min(this.end, Math.max(this.logStart, kept.at(-1)?.next ?? this.logStart))
    this.entries = []
    this.producers.clear()
    this.open.clear()
    this.aborted = []
    this.epochs = this.epochs.filter(([, first]) => first < to)
    for (const entry of kept) {
      this.entries.push(entry)
      this.#remember(entry, 0)
    }
    this.highWatermark = Math.min(this.highWatermark, this.end)
  }

  /**
   * A broker that ended cleanly loads the log: of each producer the last batch is known, and nothing of those that have
   * expired. It writes no snapshot of producers, the first time, of a log that DeleteRecords has emptied.
   */
  reload(now: number, expirationMs: number): void {
    const isForgotten = this.logStart > 0 && this.logStart === this.end && !this.#hasSnapshot
    this.#hasSnapshot = true
    if (isForgotten) {
      this.producers.clear()
      this.open.clear()
    }
    this.expire(now, expirationMs)
    for (const producer of this.producers.values()) producer.batches = producer.batches.slice(-1)
  }

  expire(now: number, expirationMs: number): void {
    for (const [id, producer] of this.producers) {
      if (!this.open.has(id) && now - producer.lastTimestamp >= expirationMs) this.producers.delete(id)
    }
  }

  /** The new leader's epoch begins at the end of its log; one that left no batch is forgotten. */
  elect(epoch: number): void {
    this.leaderEpoch = epoch
    this.#beginEpoch(epoch, this.end)
    this.#onChange()
  }

  #beginEpoch(epoch: number, first: number): void {
    this.epochs = this.epochs.filter(each => each[0] < epoch && each[1] < first)
    this.epochs.push([epoch, first])
  }

  describeProducers(): ProducerState[] {
    return [...this.producers].map(([producerId, producer]) => ({
      producerId,
      producerEpoch: producer.epoch,
      lastSequence: producer.batches.at(-1)?.last ?? -1,
      lastTimestamp: producer.lastTimestamp,
      coordinatorEpoch: producer.coordinatorEpoch,
      transactionStart: this.open.get(producerId) ?? -1,
    }))
  }

  /** Batches that hold `from` or later offsets and end at or below `to`, as many as fit; at least one. */
  read(from: number, to: number, maxBytes: number): Buffer {
    const parts: Buffer[] = []
    let bytes = 0
    for (let index = this.#indexOf(from); index < this.entries.length; index++) {
      const entry = this.entries[index]!
      if (entry.bytes.length === 0) continue
      if (entry.next > to || (bytes > 0 && bytes + entry.bytes.length > maxBytes)) break
      parts.push(entry.bytes)
      bytes += entry.bytes.length
    }
    return parts.length === 0 ? NOTHING : Buffer.concat(parts)
  }

  /** Of the first entry that ends above `offset`. */
  #indexOf(offset: number): number {
    let [from, to] = [0, this.entries.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if (this.entries[middle]!.next <= offset) from = middle + 1
      else to = middle
    }
    return from
  }

  /** The first offset a consumer may read whose record has this timestamp or a later one, markers included; or -1. */
  findTime(timestamp: number): number {
    for (const { header, bytes, base } of this.entries) {
      if (base >= this.highWatermark) break
      if (bytes.length === 0 || header.maxTimestamp < timestamp) continue
      const records = recordCodec.decode({ header, bytes })
      const found = records.find(each => each.timestamp >= timestamp && each.offset >= this.logStart)
      if (found !== undefined) return found.offset
    }
    return -1
  }

  /** The epoch of the log start. */
  get startEpoch(): number {
    const [epoch, first] = this.epochs[0] ?? [this.leaderEpoch, 0]
    return first <= this.logStart ? epoch : -1
  }

  /** LeaderEpochFileCache.endOffsetFor: the end of the largest epoch not above `epoch`. */
  epochEnd(epoch: number): { readonly epoch: number; readonly offset: number } {
    if (epoch === this.leaderEpoch) return { epoch, offset: this.end }
    const later = this.epochs.find(([each]) => each > epoch)
    if (later === undefined) return { epoch: -1, offset: -1 }
    const before = this.epochs.findLast(([each]) => each <= epoch)
    return { epoch: before?.[0] ?? epoch, offset: later[1] }
  }

  #push(batch: Buffer, base: number, coordinatorEpoch = 0): void {
    const bytes = Buffer.from(batch)
    bytes.writeBigInt64BE(BigInt(base), 0)
    bytes.writeInt32BE(this.leaderEpoch, 12)
    const header = readBatchHeader(bytes)
    const entry: Entry = { base, next: header.lastOffset + 1, bytes, header }
    this.entries.push(entry)
    this.#remember(entry, coordinatorEpoch)
  }

  #remember({ base, next, header }: Entry, coordinatorEpoch: number): void {
    if ((this.epochs.at(-1)?.[0] ?? -1) < header.leaderEpoch) this.#beginEpoch(header.leaderEpoch, base)
    if (header.producerId < 0n) return
    const known = this.producers.get(header.producerId) ?? {
      epoch: header.producerEpoch,
      batches: [],
      lastTimestamp: 0,
      coordinatorEpoch: -1,
    }
    this.producers.set(header.producerId, known)
    if (header.producerEpoch > known.epoch) known.batches = []
    known.epoch = Math.max(known.epoch, header.producerEpoch)
    known.lastTimestamp = header.maxTimestamp
    if (header.isControl) {
      known.coordinatorEpoch = Math.max(known.coordinatorEpoch, coordinatorEpoch)
      const firstOffset = this.open.get(header.producerId)
      this.open.delete(header.producerId)
      this.#onChange()
      if (firstOffset !== undefined && isAbort(this.entries.at(-1)!.bytes)) {
        this.aborted.push({ producerId: header.producerId, firstOffset, markerOffset: next - 1 })
      }
      return
    }
    known.batches = [
      ...known.batches,
      { first: header.baseSequence, last: lastSequence(header), base },
    ].slice(-REMEMBERED)
    if (header.isTransactional && !this.open.has(header.producerId)) this.open.set(header.producerId, base)
  }
}

function lastSequence(header: BatchHeader): number {
  return advanceSequence(header.baseSequence, header.lastOffset - header.baseOffset)
}

function isNext(known: Producer, header: BatchHeader): boolean {
  if (header.producerEpoch !== known.epoch) return header.baseSequence === 0
  const last = known.batches.at(-1)?.last ?? -1
  return header.baseSequence === (last < 0 ? 0 : advanceSequence(last, 1))
}

/** Of a control batch with one record: the type is the second number of its key, 0 for ABORT. */
export function isAbort(bytes: Buffer): boolean {
  // record: length, attributes, timestamp delta, offset delta (a byte each here), key length, key
  const keyAt = 61 + 5
  return bytes.readInt16BE(keyAt + 2) === 0
}
