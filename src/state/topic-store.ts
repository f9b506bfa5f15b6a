// `_kdr.state` and `_kdr.journal`: compacted topics of one partition, one JSON record per key. Puts made while a write is
// under way travel together in the next one. A record is a whole value, so writing it again after a doubt does no harm:
// unlike data, state may be resent. But what was given up must not land behind what was written later: each store writes
// with a producer id of its own, and after every doubt with a newer epoch, under which a broker refuses what is late.
import { type ProducerStamp, splitBatches } from '../model/batch.ts'
import { findKdrError, InvariantViolation, KdrError } from '../model/errors.ts'
import { codeName, isAuthorization, isLeaderChange, KafkaCode, lackingRight } from '../model/kafka-codes.ts'
import { memoryConfigs, RAISE_MAX_BYTES, replicasOf } from '../model/own-topics.ts'
import { assertVersion } from '../model/versioned.ts'
import type { Clock } from '../ports/clock.ts'
import { type AppendLane, type Cluster, type FetchLane, NO_TOPIC_ID, type Outcome } from '../ports/cluster.ts'
import type { RecordCodec } from '../ports/records.ts'
import type { StateRecord, StateStore } from '../ports/state.ts'

export const STATE_TOPIC = '_kdr.state'
/** What runs have done, on the cluster that each has made active. */
export const JOURNAL_TOPIC = '_kdr.journal'
const MAX_RECORD_BYTES = 64 * 1024
const MAX_WRITE_BYTES = 512 * 1024
const WRITE_TIMEOUT_MS = 10_000
/** After this long without success a put gives up; whoever waits for it decides what then. */
const GIVE_UP_MS = 30_000
/** Producer epochs are 16 bits. */
const LAST_EPOCH = 32_767

type Waiting = {
  key: string
  value: Buffer | null
  record: StateRecord | undefined
  mayStill: (() => boolean) | undefined
  resolve: () => void
  reject: (error: unknown) => void
}
/** What the log says of a key, as far as it is known, and where. */
type Logged = { readonly record: StateRecord | undefined; readonly offset: number }

/**
 * `create`: makes the topic when it is missing; without it, a missing topic is an empty store that refuses puts. `writer`:
 * 62 random bits, others for every store that is opened.
 */
export async function openTopicStore(
  cluster: Cluster,
  codec: RecordCodec,
  clock: Clock,
  options: { readonly create: boolean; readonly writer: bigint; readonly topic?: string },
): Promise<StateStore & { close(): Promise<void> }> {
  const { writer, topic = STATE_TOPIC } = options
  const store = new TopicStore({ cluster, codec, clock, writer, topic })
  await store.open(options.create)
  return store
}

type StoreInput = {
  readonly cluster: Cluster
  readonly codec: RecordCodec
  readonly clock: Clock
  readonly writer: bigint
  readonly topic: string
}

class TopicStore implements StateStore {
  readonly #topic: string
  readonly #cluster: Cluster
  readonly #codec: RecordCodec
  readonly #clock: Clock
  readonly #records = new Map<string, StateRecord>()
  #topicId = NO_TOPIC_ID
  #leader = -1
  #exists = false
  #position = 0
  #fetchLane: FetchLane | undefined
  #appendLane: AppendLane | undefined
  #waiting: Waiting[] = []
  /** Of keys that have puts waiting: what holds when those have come to nothing. */
  readonly #logged = new Map<string, Logged>()
  #isWriting = false
  #reading: Promise<void> = Promise.resolve()
  #producer: ProducerStamp
  #sequence = 0

  constructor({ cluster, codec, clock, writer, topic }: StoreInput) {
    this.#producer = { producerId: writer, producerEpoch: 0 }
    this.#topic = topic
    this.#cluster = cluster
    this.#codec = codec
    this.#clock = clock
  }

  async open(create: boolean): Promise<void> {
    await this.#locate()
    if (!this.#exists && create) await this.#create()
  }

  async refresh(): Promise<void> {
    const turn = this.#reading.then(async () => await this.#readToEnd())
    this.#reading = turn.catch(() => undefined)
    await turn
  }

  get position(): number {
    return this.#position
  }

  get(key: string): StateRecord | undefined {
    return this.#records.get(key)
  }

  entries(prefix: string): readonly (readonly [string, StateRecord])[] {
    const found: [string, StateRecord][] = []
    // By keys: it is asked for often, and a map of thousands makes a pair of each only to throw it away.
    for (const key of this.#records.keys())
      if (key.startsWith(prefix)) found.push([key, this.#records.get(key)!])
    return found
  }

  async put(key: string, record: StateRecord | undefined, mayStill?: () => boolean): Promise<void> {
    const value = record === undefined ? null : Buffer.from(JSON.stringify(record))
    if (value !== null && value.length > MAX_RECORD_BYTES) {
      throw new InvariantViolation('a state record is too large', { key, bytes: value.length })
    }
    if (!this.#logged.has(key)) this.#logged.set(key, { record: this.#records.get(key), offset: -1 })
    this.#set(key, record)
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ key, value, record, mayStill, resolve, reject })
      if (!this.#isWriting) void this.#write()
    })
  }

  #set(key: string, record: StateRecord | undefined): void {
    if (record === undefined) this.#records.delete(key)
    else this.#records.set(key, record)
  }

  async close(): Promise<void> {
    await Promise.all([this.#fetchLane?.close(), this.#appendLane?.close()])
  }

  async #create(): Promise<void> {
    const { brokers } = await this.#cluster.describe()
    const [created] = await this.#cluster.createTopics([
      {
        name: this.#topic,
        partitions: 1,
        replicationFactor: replicasOf(brokers.length),
        configs: memoryConfigs(brokers.length),
      },
    ])
    const { code, message = '' }: Outcome = created ?? { code: KafkaCode.UNKNOWN_SERVER_ERROR }
    if (code !== KafkaCode.NONE && code !== KafkaCode.TOPIC_ALREADY_EXISTS) {
      throw new KdrError(
        isAuthorization(code) ? 'not-allowed' : 'not-ready',
        `topic "${this.#topic}" cannot be created on "${this.#cluster.name}": ${codeName(code)} ${message}`.trim(),
      )
    }
    const deadline = this.#clock.monotonic() + GIVE_UP_MS
    while (this.#leader < 0 && this.#clock.monotonic() < deadline) {
      await this.#clock.sleep(100)
      await this.#locate()
    }
    if (this.#leader < 0)
      throw new KdrError('not-ready', `topic "${this.#topic}" on "${this.#cluster.name}" has no leader`)
  }

  async #locate(): Promise<void> {
    const topic = (await this.#cluster.describe()).topics.get(this.#topic)
    this.#exists = topic !== undefined
    this.#topicId = topic?.id ?? NO_TOPIC_ID
    this.#leader = topic?.partitions[0]?.leader ?? -1
  }

  /** Up to the high watermark as of now. */
  async #readToEnd(): Promise<void> {
    if (!this.#exists) await this.#locate()
    if (!this.#exists) return
    await this.#trying(async () => {
      const of = { topic: this.#topic, partition: 0 }
      const [end] = await this.#cluster.offsets([of], 'highWatermark')
      assertAnswered(this.#topic, end?.code, 'read')
      while (this.#position < end!.offset) {
        this.#fetchLane ??= await this.#cluster.openFetchLane(this.#leader)
        const [answer] = await this.#fetchLane.fetch({
          isolation: 'uncommitted',
          maxWaitMs: 100,
          maxBytes: 8 * 1024 * 1024,
          partitions: [
            {
              ...of,
              topicId: this.#topicId,
              offset: this.#position,
              leaderEpoch: -1,
              lastFetchedEpoch: -1,
              maxBytes: 8 * 1024 * 1024,
            },
          ],
        })
        if (answer?.code === KafkaCode.OFFSET_OUT_OF_RANGE && answer.logStart > this.#position) {
          this.#position = answer.logStart
          continue
        }
        assertAnswered(this.#topic, answer?.code, 'read')
        this.#apply(answer!.records, end!.offset)
      }
    }, this.#closeFetchLane)
  }

  #apply(records: Buffer, end: number): void {
    const batches = splitBatches(records)
    // Of a key that was written many times the newest counts, and the others are not read.
    const newest = new Map<string, { readonly value: Buffer | null; readonly offset: number }>()
    for (const batch of batches) {
      if (!batch.header.isControl)
        for (const { key, value, offset } of this.#codec.decode(batch))
          if (key !== null) newest.set(key.toString(), { value, offset })
    }
    for (const [key, { value, offset }] of newest) {
      const record = value === null ? undefined : parse(this.#topic, key, value)
      // A put of ours that is under way is shown rather than what the log has; but that may be another's, and come last.
      if (this.#logged.has(key)) this.#logged.set(key, { record, offset })
      else this.#set(key, record)
    }
    const last = batches.at(-1)
    this.#position = last === undefined ? end : last.header.lastOffset + 1
  }

  async #write(): Promise<void> {
    this.#isWriting = true
    await Promise.resolve()
    while (this.#waiting.length > 0) {
      let now = this.#cut()
      let base = 0
      try {
        const attempt = async (): Promise<void> => {
          // Before it is asked what may still be written: a connection takes its time.
          this.#appendLane ??= await this.#cluster.openAppendLane(this.#leader)
          now = this.#giveUpStale(now)
          if (now.length > 0) base = await this.#append(now)
        }
        await this.#trying(attempt, this.#closeAppendLane)
        now.forEach(({ key, record }, index) => this.#learn(key, { record, offset: base + index }))
        this.#settle(now)
        for (const waiting of now) waiting.resolve()
      } catch (error) {
        this.#raiseEpoch()
        this.#giveUp(now, error)
      }
    }
    this.#isWriting = false
  }

  /** What may not be written any more goes; the rest is answered. */
  #giveUpStale(now: readonly Waiting[]): Waiting[] {
    const isStale = ({ mayStill }: Waiting): boolean => mayStill?.() === false
    const stale = now.filter(isStale)
    if (stale.length > 0)
      this.#giveUp(stale, new KdrError('unreachable', `a record of topic "${this.#topic}" came too late`))
    return now.filter(waiting => !stale.includes(waiting))
  }

  /** Not known to be durable: what is shown is what the log has, as far as it has been read. */
  #giveUp(puts: readonly Waiting[], error: unknown): void {
    this.#settle(puts)
    for (const { reject } of puts) reject(error)
  }

  #learn(key: string, logged: Logged): void {
    if (logged.offset > this.#logged.get(key)!.offset) this.#logged.set(key, logged)
  }

  /** They wait no longer. What is shown of their keys is the last that still waits, or what the log has. */
  #settle(puts: readonly Waiting[]): void {
    const settled = new Set(puts)
    this.#waiting = this.#waiting.filter(waiting => !settled.has(waiting))
    const last = new Map(this.#waiting.map(waiting => [waiting.key, waiting]))
    for (const key of new Set(puts.map(each => each.key))) {
      this.#set(key, (last.get(key) ?? this.#logged.get(key))?.record)
      if (!last.has(key)) this.#logged.delete(key)
    }
  }

  #cut(): Waiting[] {
    let bytes = 0
    const end = this.#waiting.findIndex(({ key, value }, index) => {
      bytes += key.length + (value?.length ?? 0)
      return index > 0 && bytes > MAX_WRITE_BYTES
    })
    return this.#waiting.slice(0, end < 0 ? undefined : end)
  }

  /** Where the first of them stands. */
  async #append(puts: readonly Waiting[]): Promise<number> {
    const batch = this.#codec.encode({
      baseOffset: 0,
      codec: 'none',
      records: puts.map(({ key, value }, offset) => ({
        offset,
        timestamp: this.#clock.now(),
        key: Buffer.from(key),
        value,
        headers: [],
      })),
      producer: this.#producer,
      baseSequence: this.#sequence,
    })
    const [answer] = await this.#appendLane!.append(
      [{ topic: this.#topic, partition: 0, topicId: this.#topicId, batch }],
      WRITE_TIMEOUT_MS,
    )
    assertAnswered(this.#topic, answer?.code, 'write')
    this.#sequence += puts.length
    return answer!.baseOffset
  }

  /** From now on a broker that has seen the next write refuses those before. */
  #raiseEpoch(): void {
    const { producerId, producerEpoch } = this.#producer
    this.#producer =
      producerEpoch < LAST_EPOCH
        ? { producerId, producerEpoch: producerEpoch + 1 }
        : { producerId: producerId + 1n, producerEpoch: 0 }
    this.#sequence = 0
  }

  /** Tries until it works, the operator's credentials are refused, or the time is up. */
  async #trying(act: () => Promise<void>, closeLane: () => Promise<void>): Promise<void> {
    const deadline = this.#clock.monotonic() + GIVE_UP_MS
    for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, 2_000)) {
      try {
        await act()
        return
      } catch (error) {
        const known = findKdrError(error)
        if (known?.code !== 'unreachable' || this.#clock.monotonic() > deadline) throw error
        await closeLane()
        this.#raiseEpoch()
        await this.#clock.sleep(waitMs)
        await this.#locate().catch(() => undefined)
      }
    }
  }

  readonly #closeFetchLane = async (): Promise<void> => {
    await this.#fetchLane?.close()
    this.#fetchLane = undefined
  }

  readonly #closeAppendLane = async (): Promise<void> => {
    await this.#appendLane?.close()
    this.#appendLane = undefined
  }
}

function parse(topic: string, key: string, value: Buffer): StateRecord {
  const record = JSON.parse(value.toString()) as StateRecord
  assertVersion(record, `record "${key}" of topic "${topic}"`)
  return record
}

/** Throws 'unreachable' for what a retry may mend, so that `#trying` tries again. */
function assertAnswered(topic: string, code: number | undefined, verb: 'read' | 'write'): void {
  if (code === KafkaCode.NONE) return
  const text = `topic "${topic}" cannot be ${verb === 'read' ? 'read' : 'written'}: ${code === undefined ? 'no answer' : codeName(code)}`
  if (code !== undefined && isAuthorization(code))
    throw new KdrError('not-allowed', `${text}${lackingRight(code, `${verb.toUpperCase()} on it`)}`)
  if (code === KafkaCode.MESSAGE_TOO_LARGE || code === KafkaCode.RECORD_LIST_TOO_LARGE)
    throw new KdrError('not-ready', text, { hint: RAISE_MAX_BYTES })
  const mayPass =
    code === undefined ||
    isLeaderChange(code) ||
    code === KafkaCode.REQUEST_TIMED_OUT ||
    code === KafkaCode.NOT_ENOUGH_REPLICAS ||
    code === KafkaCode.NOT_ENOUGH_REPLICAS_AFTER_APPEND ||
    code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION ||
    code === KafkaCode.UNKNOWN_TOPIC_ID ||
    code === KafkaCode.OFFSET_NOT_AVAILABLE ||
    code === KafkaCode.OUT_OF_ORDER_SEQUENCE_NUMBER ||
    code === KafkaCode.INVALID_PRODUCER_EPOCH ||
    code === KafkaCode.KAFKA_STORAGE_ERROR
  throw new KdrError(mayPass ? 'unreachable' : 'not-ready', text)
}
