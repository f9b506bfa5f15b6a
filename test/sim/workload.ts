// The source's applications: plain and transactional producers, aborts, open transactions; and what the broker does to
// their records: compaction, retention. Remembers what was ever written at each offset: the truth that oracles ask.
import { BATCH_HEADER_BYTES, splitBatches } from '../../src/model/batch.ts'
import { crc32c } from '../../src/kafka/crc.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import type { DecodedRecord } from '../../src/ports/records.ts'
import type { SimPartition } from './cluster.ts'
import type { SimClock } from './clock.ts'
import type { Entry } from './log.ts'
import { controlBatch, transactional } from './marker.ts'
import type { Random } from './random.ts'

type Written = {
  readonly id: string
  state: 'plain' | 'open' | 'committed' | 'aborted'
  /** An unclean election took it. */
  isLost: boolean
  /** The cleaner took it. */
  isCleaned: boolean
}

/** What was written at one partition's offsets, over all its histories (an unclean election starts another). */
export class Truth {
  readonly #at = new Map<number, Written[]>()

  write(offset: number, written: Written): void {
    const before = this.#at.get(offset)
    if (before === undefined) this.#at.set(offset, [written])
    else before.push(written)
  }

  /** Everything from `to` on was lost. */
  truncate(to: number): void {
    for (const [offset, written] of this.#at) if (offset >= to) for (const each of written) each.isLost = true
  }

  /** The cleaner has removed what stands at this offset. */
  clean(offset: number): void {
    for (const each of this.#at.get(offset) ?? []) each.isCleaned = true
  }

  /** What a read-committed consumer would find if nothing had ever been deleted but by the cleaner. */
  *readable(): Generator<readonly [offset: number, id: string]> {
    for (const [offset, written] of this.#at)
      for (const { id, state, isLost, isCleaned } of written)
        if ((state === 'plain' || state === 'committed') && !isLost && !isCleaned) yield [offset, id]
  }

  /** Whether this record was ever written there, by whatever transaction. */
  wasWritten(offset: number, id: string): boolean {
    return this.#at.get(offset)?.some(each => each.id === id) === true
  }

  /** Whether the source has lost this record, so that no mirror of what it is now may hold it. */
  wasLost(offset: number, id: string): boolean {
    return this.#at.get(offset)?.some(each => each.id === id && each.isLost) === true
  }

  /** Whether a read-committed consumer may ever have seen this record there. */
  wasReadable(offset: number, id: string): boolean {
    return (
      this.#at
        .get(offset)
        ?.some(each => each.id === id && (each.state === 'plain' || each.state === 'committed')) === true
    )
  }
}

type Transaction = { readonly producerId: bigint; epoch: number; sequence: number; written: Written[] }

export class PartitionWorkload {
  readonly truth = new Truth()
  readonly at: SimPartition
  /** Where the log ended when it began. */
  readonly firstOffset: number
  readonly #clock: SimClock
  readonly #random: Random
  readonly #ageMs: number
  readonly #transactions: Transaction[]
  readonly #prefix: string
  readonly #hanging: Transaction
  #ids = 0

  /** `prefix`: begins each record's value, so that no two topics ever hold the same record. */
  constructor(
    at: SimPartition,
    options: {
      clock: SimClock
      random: Random
      ageMs: number
      producers: number
      firstProducer: number
      prefix: string
    },
  ) {
    this.at = at
    this.firstOffset = at.log.end
    this.#prefix = options.prefix
    this.#clock = options.clock
    this.#random = options.random
    this.#ageMs = options.ageMs
    this.#transactions = Array.from({ length: options.producers }, (_none, i) => ({
      producerId: BigInt(options.firstProducer + i),
      epoch: 0,
      sequence: 0,
      written: [],
    }))
    const producerId = BigInt(options.firstProducer + options.producers)
    this.#hanging = { producerId, epoch: 0, sequence: 0, written: [] }
  }

  /** One thing that an application does. */
  step(): void {
    const transaction =
      this.#transactions.length > 0 && this.#random.chance(0.6)
        ? this.#random.pick(this.#transactions)
        : undefined
    if (transaction === undefined) this.#plain()
    else if (transaction.written.length === 0 || this.#random.chance(0.4)) this.#send(transaction)
    else this.#end(transaction, this.#random.chance(0.7))
    if (!this.at.isUnderReplicated) this.at.log.advance()
  }

  /** A transaction that its coordinator knows nothing of: it stays open. */
  hang(): void {
    if (this.#hanging.written.length === 0) this.#send(this.#hanging)
    if (!this.at.isUnderReplicated) this.at.log.advance()
  }

  /** `kafka-transactions abort`: somebody ends what hangs. */
  abortHanging(): void {
    if (this.#hanging.written.length > 0) this.#end(this.#hanging, false)
    this.at.log.advance()
  }

  /** An unclean election: what stood from `to` on is gone (a batch that straddles it too); producers find another log. */
  loseFrom(to: number): void {
    const { log } = this.at
    this.truth.truncate(Math.max(log.logStart, log.entries.findLast(({ next }) => next <= to)?.next ?? 0))
    for (const transaction of [...this.#transactions, this.#hanging]) transaction.written = []
  }

  /** No transaction stays open, but those that hang. */
  finish(): void {
    for (const transaction of this.#transactions)
      if (transaction.written.length > 0) this.#end(transaction, true)
    this.at.log.advance()
  }

  /** The cleaner: takes records out of some batches, all of them out of a few, and whole batches. */
  compact(): void {
    const { log } = this.at
    const upTo = log.lastStable
    log.entries = log.entries.flatMap((entry, index) => {
      const isLast = index === log.entries.length - 1
      if (
        isLast ||
        entry.next > upTo ||
        entry.header.isControl ||
        entry.bytes.length === 0 ||
        this.#random.chance(0.5)
      )
        return [entry]
      const left = this.#random.chance(0.2) ? [] : [thinned(entry, this.#random)]
      const kept = new Set(left.flatMap(offsetsOf))
      for (const offset of offsetsOf(entry)) if (!kept.has(offset)) this.truth.clean(offset)
      return left
    })
  }

  retain(): void {
    const { log } = this.at
    log.trim(this.#random.between(log.logStart, Math.min(log.lastStable, log.highWatermark)))
  }

  /** DeleteRecords: up to the high watermark, whatever stands there; not into a batch of an open transaction. */
  purge(): void {
    const { log } = this.at
    const to = this.#random.between(log.logStart, log.highWatermark)
    const holds = log.entries.find(entry => entry.base < to && to < entry.next)
    log.trim(to > log.lastStable ? (holds?.next ?? to) : to)
  }

  #plain(): void {
    const count = this.#random.between(1, 8)
    const batch = recordCodec.encode({ codec: this.#codec(), records: this.#records(count) })
    this.#note(this.at.log.force(batch), count, 'plain')
  }

  #send(transaction: Transaction): void {
    const count = this.#random.between(1, 4)
    const { producerId, epoch } = transaction
    const batch = recordCodec.encode({
      codec: this.#codec(),
      records: this.#records(count),
      producer: { producerId, producerEpoch: epoch },
      baseSequence: transaction.sequence,
    })
    transaction.sequence += count
    transaction.written.push(...this.#note(this.at.log.force(transactional(batch)), count, 'open'))
  }

  #end(transaction: Transaction, isCommit: boolean): void {
    const { producerId, epoch } = transaction
    this.at.log.force(controlBatch({ producerId, producerEpoch: epoch, isCommit, now: this.#clock.now() }))
    for (const written of transaction.written) written.state = isCommit ? 'committed' : 'aborted'
    transaction.written = []
  }

  /** Some are compressed, several in a row, so that neighbours are of one codec here and of two there. */
  #codec(): 'none' | 'lz4' {
    return this.#ids % 40 < 10 ? 'lz4' : 'none'
  }

  #records(count: number): DecodedRecord[] {
    const now = this.#clock.now() - this.#ageMs
    return Array.from({ length: count }, (_none, offset) => {
      const timestamp = now - ((this.#ids + offset) % 7) * 100
      const key = Buffer.from(`k${this.#random.between(0, 9)}`)
      return {
        offset,
        timestamp,
        key,
        value: Buffer.from(`${this.#prefix}${this.#ids + offset}`, 'latin1'),
        headers: [[IDENTITY_KEY, Buffer.from(identity({ key, timestamp }), 'latin1')]],
      }
    })
  }

  #note(base: number, count: number, state: Written['state']): Written[] {
    return Array.from({ length: count }, (_none, i) => {
      const written: Written = { id: `${this.#prefix}${this.#ids++}`, state, isLost: false, isCleaned: false }
      this.truth.write(base + i, written)
      return written
    })
  }
}

/** A record's header that repeats what else it has, so that its value alone may stand for all of it. */
const IDENTITY_KEY = Buffer.from('is')

function identity({ key, timestamp }: Pick<DecodedRecord, 'key' | 'timestamp'>): string {
  return `${key?.toString('latin1') ?? 'null'} at ${timestamp}`
}

/** What oracles know a record by: its value, unless its key, timestamp or headers are no longer those it was written with. */
export function idOf(record: DecodedRecord): string {
  const id = record.value?.toString('latin1') ?? 'null'
  const [header] = record.headers
  const is = identity(record)
  const isAsWritten = header?.[0].equals(IDENTITY_KEY) === true && header[1]?.toString('latin1') === is
  return isAsWritten || !/^\d+\.\d+\./.test(id) ? id : `${id}, altered: ${is}`
}

function offsetsOf({ bytes }: Entry): number[] {
  const [raw] = splitBatches(bytes)
  return raw === undefined ? [] : recordCodec.decode(raw).map(({ offset }) => offset)
}

/** The batch with some of its records, as the cleaner leaves it: the same span, fewer records, perhaps none. */
function thinned(entry: Entry, random: Random): Entry {
  const [raw] = splitBatches(entry.bytes)
  const kept = recordCodec.decode(raw!).filter(() => random.chance(0.6))
  if (kept.length === entry.header.recordCount) return entry
  const { header } = entry
  const body =
    kept.length === 0
      ? Buffer.alloc(0)
      : recordCodec
          .encode({ codec: header.codec, baseOffset: entry.base, records: kept })
          .subarray(BATCH_HEADER_BYTES)
  const bytes = Buffer.concat([entry.bytes.subarray(0, BATCH_HEADER_BYTES), body])
  bytes.writeInt32BE(bytes.length - 12, 8)
  if (kept.length > 0) bytes.writeBigInt64BE(BigInt(kept[0]!.timestamp), 27)
  bytes.writeInt32BE(kept.length, 57)
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
  return { ...entry, bytes, header: { ...header, sizeBytes: bytes.length, recordCount: kept.length } }
}
