// Replays an export of a stranded tail into topics of the active cluster: each record once, also when it is killed in between. As for a link,
// the target's own log says how far it has come: before the first append of a partition it is recorded where its log ended; each replay
// of a partition writes under a producer id of its own, with the number of the record as the sequence. So whoever begins again reads the
// log from there on, and goes on behind the last that stands there; after an answer that leaves a doubt nothing is sent before that.
import { type RawBatch, splitBatches } from '../../model/batch.ts'
import { findKdrError, KdrError } from '../../model/errors.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import { replicasOf, strandedConfigs } from '../../model/own-topics.ts'
import { toRecord } from '../../model/state-records.ts'
import type { At } from '../../model/stranded.ts'
import type { Clock } from '../../ports/clock.ts'
import type { AppendLane, LogReader, LogWriter, TopicAdmin } from '../../ports/cluster.ts'
import type { DecodedRecord, RecordCodec } from '../../ports/records.ts'
import type { StateStore } from '../../ports/state.ts'
import { nameOf, offsetsOf } from './mirrors.ts'
import { readLog } from './read-log.ts'

export type Into = 'original' | 'stranded'

export type ReplayInput = {
  /** The run that has exported it; with `into` it says which replay this is. */
  readonly run: string
  readonly into: Into
  /** The cluster that it was written to first. */
  readonly clusterId: string
  readonly target: Pick<TopicAdmin, 'describe' | 'topicConfigs' | 'createTopics'> &
    Pick<LogReader, 'offsets' | 'openFetchLane'> &
    Pick<LogWriter, 'openAppendLane'> & { readonly name: string }
  /** Of the target; takes records only while this process may act. */
  readonly store: StateStore
  /** Of the cluster at the other end of the link, which may have been the active one before; undefined: it does not answer. */
  readonly elsewhere?: Pick<StateStore, 'get'> | undefined
  readonly guard: () => Promise<void>
  readonly clock: Clock
  readonly codec: RecordCodec
  readonly progress: (sentence: string) => void
}

/** A partition of an export: what a reader would have seen and the filters take, in its order. `keys`: the filter, as it was given. */
export type ReplayPartition = At & {
  readonly keys: readonly string[]
  readonly records: () => AsyncIterable<DecodedRecord>
}

/** Of one topic: which records, so that nobody takes others later and counts them twice. `count`: of one that is done. */
type ReplayRecord = {
  readonly keys: readonly string[]
  readonly topicId: string
  readonly isDone?: true
  readonly count?: number
}
/** `from`: where the partition ended before anything was replayed into it; `count`: all of it has been. */
type PlaceRecord = { readonly from: number; readonly topicId: string; readonly count?: number }

const BATCH_RECORDS = 500
const BATCH_BYTES = 256 * 1024
const TIMEOUT_MS = 5_000
const LOOK_EVERY_MS = 200
/** Without any progress. */
const PATIENCE_MS = 60_000
/** For rights that were given a moment ago to reach every broker. */
const RIGHTS_MS = 15_000
const HEADERS = 'kdr.stranded.'

export const strandedTopic = (topic: string): string => `${topic}.stranded`

/** All partitions of one topic. Returns how many records stand there. Throws KdrError: usage, not-ready, not-allowed, unreachable. */
export async function replayTopic(
  input: ReplayInput,
  topic: string,
  partitions: readonly ReplayPartition[],
): Promise<number> {
  const { store, elsewhere, run, into, guard } = input
  const key = `replay/${run}/${into}/${topic}`
  await store.refresh()
  const { keys } = partitions[0]!
  const before = store.get(key) as ReplayRecord | undefined
  const said = elsewhere?.get(key) as ReplayRecord | undefined
  const there = said !== undefined && (await isPlaceThere(input, topic)) ? said : undefined
  const known = before ?? there
  if (known !== undefined && known.keys.join('\n') !== keys.join('\n'))
    throw new KdrError(
      'usage',
      `records of "${topic}" were replayed before, and chosen otherwise (${known.keys.length === 0 ? 'all' : `--key ${known.keys.join(' --key ')}`}): what both take would be there twice`,
      { hint: 'Repeat it as it was, or replay the rest with a program of your own from the JSON lines.' },
    )
  // The link has brought it here.
  if (before === undefined && there?.isDone === true) return there.count ?? 0
  if (before === undefined && there !== undefined)
    throw new KdrError(
      'not-ready',
      `records of "${topic}" were replayed at the other cluster, and not to their end: how far cannot be told from what the link has brought here`,
      {
        hint: 'Replay into the other place (--into), or the rest with a program of your own from the JSON lines.',
      },
    )
  const place = await placeOf(input, topic, partitions)
  if (before !== undefined && before.topicId !== place.topicId)
    throw new KdrError(
      'not-ready',
      `"${place.topic}" was deleted and created again since this was begun: what was replayed is gone with it`,
      { hint: 'Replay into the other place (--into), or with a program of your own from the JSON lines.' },
    )
  // What stands there retention may have taken since.
  if (before?.isDone === true && before.count !== undefined) return before.count
  await guard()
  if (before === undefined) await store.put(key, toRecord('replay', { keys, topicId: place.topicId }))
  let count = 0
  for (const each of partitions) count += await new PartitionReplay(input, place, each).run()
  await store.put(key, toRecord('replay', { keys, topicId: place.topicId, isDone: true, count }))
  return count
}

async function isPlaceThere({ target, into }: ReplayInput, topic: string): Promise<boolean> {
  const { topics } = await target.describe()
  return topics.has(into === 'original' ? topic : strandedTopic(topic))
}

type Place = { readonly topic: string; readonly topicId: string }

async function placeOf(
  { target, into, guard, clock }: ReplayInput,
  topic: string,
  partitions: readonly At[],
): Promise<Place> {
  const name = into === 'original' ? topic : strandedTopic(topic)
  const needed = Math.max(...partitions.map(({ partition }) => partition)) + 1
  const until = clock.monotonic() + PATIENCE_MS
  for (let isAsked = false; ; ) {
    const view = await target.describe()
    const found = view.topics.get(name)
    const isLed = found?.partitions.every(({ leader }) => leader >= 0) === true
    if (found !== undefined && found.partitions.length < needed)
      throw new KdrError(
        'not-ready',
        `"${name}" of "${target.name}" has ${found.partitions.length} partition(s), and ${needed} are needed`,
      )
    if (found !== undefined && isLed) return { topic: name, topicId: found.id }
    if (found === undefined && into === 'original')
      throw new KdrError('not-ready', `"${target.name}" has no topic "${name}"`, {
        hint: 'Replay into a topic of its own: --into stranded.',
      })
    if (clock.monotonic() > until) throw new KdrError('not-ready', `"${name}" has no leader`)
    if (found === undefined && !isAsked) {
      isAsked = true
      await guard()
      const count = Math.max(needed, view.topics.get(topic)?.partitions.length ?? 0)
      const known = (await target.topicConfigs([topic])).get(topic)?.entries.keys() ?? []
      const configs = strandedConfigs(new Set(known))
      const [made] = await target.createTopics([
        { name, partitions: count, replicationFactor: replicasOf(view.brokers.length), configs },
      ])
      const { code, message = '' } = made!
      if (code !== KafkaCode.NONE && code !== KafkaCode.TOPIC_ALREADY_EXISTS)
        throw new KdrError('not-ready', `"${name}" cannot be created: ${codeName(code)} ${message}`.trim())
    }
    await clock.sleep(LOOK_EVERY_MS)
  }
}

class PartitionReplay {
  readonly #input: ReplayInput
  readonly #at: At & { readonly topicId: string }
  readonly #origin: ReplayPartition
  readonly #producerId: bigint
  #lane: AppendLane | undefined
  #from = 0
  /** Up to here the target's log was looked at. */
  #looked = 0
  /** So many records stand there. */
  #count = 0

  constructor(input: ReplayInput, { topic, topicId }: Place, origin: ReplayPartition) {
    this.#input = input
    this.#origin = origin
    this.#at = { topic, topicId, partition: origin.partition }
    this.#producerId = producerOf(`${input.run} ${input.into} ${nameOf(origin)}`)
  }

  async run(): Promise<number> {
    try {
      await this.#begin()
      let chunk: DecodedRecord[] = []
      let bytes = 0
      let index = 0
      for await (const record of this.#origin.records()) {
        // Found there: it was replayed before.
        if (index++ < this.#count) continue
        chunk.push(record)
        bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0)
        if (chunk.length < BATCH_RECORDS && bytes < BATCH_BYTES) continue
        await this.#bring(chunk)
        chunk = []
        bytes = 0
      }
      await this.#bring(chunk)
      await this.#remember({ from: this.#from, topicId: this.#at.topicId, count: this.#count })
      return this.#count
    } finally {
      await this.#lane?.close()
    }
  }

  /** Where the log ended is durable before anything is sent. */
  async #begin(): Promise<void> {
    const { store, target, clock } = this.#input
    const before = store.get(this.#key) as PlaceRecord | undefined
    if (before !== undefined) {
      this.#from = before.from
      this.#looked = before.from
      this.#count = before.count ?? 0
      if (before.count !== undefined) return
      // What a process that is gone has sent last may still be under way.
      await clock.sleep(TIMEOUT_MS)
      return await this.#look()
    }
    const [from = 0] = await offsetsOf(target, [this.#at], 'logEnd')
    await this.#remember({ from, topicId: this.#at.topicId })
    this.#from = from
    this.#looked = from
  }

  get #key(): string {
    const { run, into } = this.#input
    return `replay/${run}/${into}/${nameOf(this.#origin)}`
  }

  async #remember(place: PlaceRecord): Promise<void> {
    await this.#input.guard()
    await this.#input.store.put(this.#key, toRecord('replay-place', place))
  }

  /** Until all of these stand there. */
  async #bring(chunk: readonly DecodedRecord[]): Promise<void> {
    const { clock, progress, guard } = this.#input
    const first = this.#count
    const to = first + chunk.length
    const until = clock.monotonic() + PATIENCE_MS
    while (this.#count < to) {
      await guard()
      const left = chunk.slice(this.#count - first)
      const why = await this.#send(left)
      if (why === undefined) {
        this.#count += left.length
        progress(`"${nameOf(this.#at)}": ${this.#count} record(s)`)
        return
      }
      if (clock.monotonic() > (why.isRight === true ? until - PATIENCE_MS + RIGHTS_MS : until))
        throw new KdrError(
          why.isRight ? 'not-allowed' : 'unreachable',
          `"${nameOf(this.#at)}" of "${this.#input.target.name}" does not take records: ${why.text}`,
        )
      await this.#lane?.close()
      this.#lane = undefined
      await clock.sleep(TIMEOUT_MS)
      await this.#look()
    }
  }

  /** Undefined: all of them stand there. Throws KdrError('not-ready') for what no repetition helps. */
  async #send(records: readonly DecodedRecord[]): Promise<{ text: string; isRight?: boolean } | undefined> {
    const { target, codec } = this.#input
    const batch = codec.encode({
      codec: 'lz4',
      baseOffset: 0,
      records: records.map((record, index) => ({
        ...record,
        offset: index,
        headers: [...record.headers, ...this.#headersOf(record)],
      })),
      producer: { producerId: this.#producerId, producerEpoch: 0 },
      baseSequence: this.#count,
    })
    try {
      if (this.#lane === undefined || this.#lane.isClosed) {
        const leader = await this.#leader()
        if (leader < 0) return { text: 'it has no leader' }
        this.#lane = await target.openAppendLane(leader)
      }
      const [answer] = await this.#lane.append([{ ...this.#at, batch }], TIMEOUT_MS)
      const code = answer?.code ?? KafkaCode.UNKNOWN_SERVER_ERROR
      if (code === KafkaCode.NONE) return undefined
      const text = `${codeName(code)} ${answer?.message ?? ''}`.trim()
      if (code === KafkaCode.INVALID_RECORD || code === KafkaCode.MESSAGE_TOO_LARGE)
        throw new KdrError('not-ready', `"${nameOf(this.#at)}" refuses records: ${text}`, {
          hint: 'Replay into a topic of its own: --into stranded.',
        })
      return { text, isRight: code === KafkaCode.TOPIC_AUTHORIZATION_FAILED }
    } catch (error) {
      const known = findKdrError(error)
      if (known?.code !== 'unreachable') throw error
      return { text: known.message }
    }
  }

  #headersOf({ offset }: DecodedRecord): [Buffer, Buffer][] {
    const { clusterId } = this.#input
    const { topic, partition } = this.#origin
    const of = { cluster: clusterId, topic, partition, offset }
    return Object.entries(of).map(([name, value]) => [
      Buffer.from(`${HEADERS}${name}`),
      Buffer.from(String(value)),
    ])
  }

  /** What of this replay stands there: nothing else has its producer id. The log must have come to rest up to where it ends now. */
  async #look(): Promise<void> {
    const { target, clock } = this.#input
    const until = clock.monotonic() + PATIENCE_MS
    for (;;) {
      try {
        return await this.#lookOnce()
      } catch (error) {
        if (findKdrError(error)?.code !== 'unreachable' || clock.monotonic() > until) throw error
      }
      await clock.sleep(LOOK_EVERY_MS)
      await target.describe().catch((error: unknown) => {
        if (findKdrError(error) === undefined) throw error
      })
    }
  }

  async #lookOnce(): Promise<void> {
    const { target } = this.#input
    const [end = 0] = await offsetsOf(target, [this.#at], 'logEnd')
    const [watermark = 0] = await offsetsOf(target, [this.#at], 'highWatermark')
    if (watermark < end) throw new KdrError('unreachable', `followers hold up to ${watermark} of ${end}`)
    const leader = await this.#leader()
    const [start = 0] = await offsetsOf(target, [this.#at], 'logStart')
    const from = Math.max(start, this.#looked)
    let isFound = false
    await readLog(target, { ...this.#at, leader }, { from, to: end }, batches => {
      for (const { header } of batches)
        if (header.producerId === this.#producerId && !header.isControl) {
          // By its offsets: the cleaner may have taken some of its records.
          const records = header.lastOffset - header.baseOffset + 1
          this.#count = Math.max(this.#count, header.baseSequence + records)
          isFound = true
        }
      return Promise.resolve(true)
    })
    if (start > this.#looked && !isFound)
      throw new KdrError(
        'not-ready',
        `"${nameOf(this.#at)}" of "${target.name}" was deleted up to ${start} since this was begun: how much of it was replayed cannot be told`,
        {
          hint: 'Replay into the other place (--into), or the rest with a program of your own from the JSON lines.',
        },
      )
    this.#looked = end
  }

  async #leader(): Promise<number> {
    const { topics } = await this.#input.target.describe()
    return topics.get(this.#at.topic)?.partitions[this.#at.partition]?.leader ?? -1
  }
}

const FNV_OFFSET = 0xcbf29ce484222325n
const FNV_PRIME = 0x100000001b3n
/** Brokers number producers from 0 up; links have the upper half of 62 bits, replays the quarter below. */
const REPLAYS_FROM = 2n ** 60n

/** FNV-1a: the same for whoever takes the replay up again. */
function producerOf(text: string): bigint {
  let hash = FNV_OFFSET
  for (const character of text)
    hash = BigInt.asUintN(64, (hash ^ BigInt(character.codePointAt(0) ?? 0)) * FNV_PRIME)
  return REPLAYS_FROM + 1n + (hash % (REPLAYS_FROM - 1n))
}

/** What a reader would have seen of these segments, which follow on each other; `read` gives one again each time. */
export async function* visibleRecords(
  segments: readonly string[],
  read: (segment: string) => Promise<Buffer>,
  { codec, from }: { readonly codec: RecordCodec; readonly from: number },
): AsyncIterable<DecodedRecord> {
  const markers = new Map<bigint, { readonly offset: number; readonly isAbort: boolean }[]>()
  for (const segment of segments)
    for (const batch of splitBatches(await read(segment))) {
      const { isControl, producerId, baseOffset } = batch.header
      if (!isControl) continue
      const known = markers.get(producerId) ?? []
      known.push({ offset: baseOffset, isAbort: codec.isAbortMarker(batch) })
      markers.set(producerId, known)
    }
  const isVisible = ({ header }: RawBatch): boolean => {
    if (header.isControl || !header.isTransactional) return !header.isControl
    const marker = markers.get(header.producerId)?.find(({ offset }) => offset > header.baseOffset)
    return marker?.isAbort === false
  }
  for (const segment of segments)
    for (const batch of splitBatches(await read(segment)))
      if (isVisible(batch)) for (const record of codec.decode(batch)) if (record.offset >= from) yield record
}
