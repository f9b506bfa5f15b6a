// Reads one partition's batches up to an end, and hands them to the vault, a segment at a time; what comes next is fetched while these
// are compressed and written, the next partition's beginning too. Of batches only headers and checksums are looked at (0.25 ms a megabyte). What cannot be read, or is corrupt at the source, is a value: the next commit goes on there.
import { type RawBatch, splitBatches } from '../../model/batch.ts'
import { findKdrError } from '../../model/errors.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import { release } from '../../model/release.ts'
import type { Note, Segment } from '../../model/vault.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Cluster, ClusterView, FetchedPartition, FetchLane } from '../../ports/cluster.ts'
import type { PartWriter, SetWriter } from '../../ports/vault.ts'
import {
  BACKOFF_MS,
  CORRUPT_LOOKS,
  EMPTY_ANSWERS,
  FETCH_WAIT_MS,
  PATIENCE_MS,
  SEGMENT_BYTES,
} from './limits.ts'
import { lostNote } from './plan.ts'
import type { Rate } from './rate.ts'

export type Reading = {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly from: number
  readonly end: number
  readonly lastEpoch: number
}

export type ReadPartition = {
  readonly segments: readonly Segment[]
  /** Up to here all is in the vault, or is in `notes`. */
  readonly end: number
  readonly notes: readonly Note[]
}

/** All of it is read; the last segment may be on its way into the vault still. `written` throws what the vault throws. */
export type ReadToEnd = { readonly written: Promise<ReadPartition> }

export type ReaderWorld = {
  readonly cluster: Cluster
  readonly writer: SetWriter
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly rate: Rate
  readonly segmentBytes?: number | undefined
  /** Whether a batch's bytes match its checksum. */
  readonly isIntact: (batch: RawBatch) => boolean
  readonly onRead: (batches: readonly RawBatch[]) => void
}

/** A connection of its own to each broker that it has to ask. */
export class PartitionReader {
  readonly #world: ReaderWorld
  readonly #lanes = new Map<number, FetchLane>()
  readonly #fetchBytes: number
  readonly #writing = new Writing()
  #view: ClusterView
  /** What follows what is being taken. */
  #ahead: Promise<FetchAnswer> | undefined

  constructor(world: ReaderWorld, view: ClusterView) {
    this.#world = world
    this.#view = view
    this.#fetchBytes = Math.min(world.rate.fetchBytes, world.segmentBytes ?? SEGMENT_BYTES)
  }

  /** Whatever fails: nothing is written any more behind the back of whoever is told. */
  async close(): Promise<void> {
    await this.#writing.settled()
    await Promise.allSettled([...this.#lanes.values()].map(async lane => await lane.close()))
    this.#lanes.clear()
  }

  /** Throws the reason of the signal, and what the vault throws. */
  async read(of: Reading): Promise<ReadToEnd> {
    const gathering = new Gathering(this.#world, of, this.#writing)
    try {
      return await gathering.finish(await this.#readTo(of, gathering))
    } finally {
      // Its lane is this reader's, and what it brings is nobody's any more.
      await this.#ahead?.catch(() => undefined)
      this.#ahead = undefined
    }
  }

  /** Undefined: all is read; else why the rest is not. */
  async #readTo(of: Reading, gathering: Gathering): Promise<string | undefined> {
    const { clock, signal, rate } = this.#world
    let failingSince: number | undefined
    let waitMs: number = BACKOFF_MS.first
    let empty = 0
    let corrupt = 0
    while (gathering.next < of.end) {
      const answer = await (this.#ahead ?? this.#fetch(of, gathering))
      this.#ahead = undefined
      if (answer.kind === 'gone') return answer.why
      if (answer.kind === 'failed') {
        failingSince ??= clock.monotonic()
        if (clock.monotonic() - failingSince >= PATIENCE_MS) return answer.why
        await clock.sleep(waitMs, signal)
        waitMs = Math.min(waitMs * 2, BACKOFF_MS.last)
        await this.#refresh()
        continue
      }
      failingSince = undefined
      waitMs = BACKOFF_MS.first
      if (answer.kind === 'starts-later') {
        gathering.lose(answer.start)
        continue
      }
      const before = gathering.next
      rate.pay(answer.fetched.records.length)
      const taking = gathering.take(answer.fetched)
      // What follows is fetched while this is compressed and written.
      if (gathering.next > before && gathering.next < of.end) {
        this.#ahead = this.#fetch(of, gathering)
        this.#ahead.catch(() => undefined)
      }
      const corruptAt = await taking
      if (gathering.next > before) empty = corrupt = 0
      if (corruptAt !== undefined) {
        if (++corrupt >= CORRUPT_LOOKS)
          return `the batch at offset ${corruptAt} does not match its checksum at the source`
        await clock.sleep(BACKOFF_MS.first, signal)
      }
      if (gathering.next > before || corruptAt !== undefined) continue
      // Compacted away, up to the end.
      if (answer.fetched.lastStable >= of.end && ++empty >= EMPTY_ANSWERS) return undefined
      if (answer.fetched.lastStable < of.end) {
        failingSince ??= clock.monotonic()
        if (clock.monotonic() - failingSince >= PATIENCE_MS) return 'the leader is not stable so far any more'
        await clock.sleep(BACKOFF_MS.first, signal)
      }
    }
    return undefined
  }

  async #fetch(of: Reading, { next, lastEpoch }: Gathering): Promise<FetchAnswer> {
    const { rate, signal } = this.#world
    await rate.wait(signal)
    signal.throwIfAborted()
    const { topic, topicId, partition } = of
    const described = this.#view.topics.get(topic)
    if (described !== undefined && described.id !== topicId)
      return { kind: 'gone', why: 'it was created again meanwhile' }
    const leader = described?.partitions[partition]
    if (leader === undefined || leader.leader < 0) return { kind: 'failed', why: 'it has no leader' }
    let answers: FetchedPartition[]
    try {
      const lane = await this.#lane(leader.leader)
      answers = await lane.fetch({
        isolation: 'committed',
        maxWaitMs: FETCH_WAIT_MS,
        maxBytes: this.#fetchBytes,
        partitions: [
          {
            topic,
            topicId,
            partition,
            offset: next,
            leaderEpoch: leader.leaderEpoch,
            lastFetchedEpoch: lastEpoch,
            maxBytes: this.#fetchBytes,
          },
        ],
      })
    } catch (error) {
      const known = findKdrError(error)
      if (known?.code !== 'unreachable') throw error
      await this.#lanes.get(leader.leader)?.close()
      this.#lanes.delete(leader.leader)
      return { kind: 'failed', why: known.message }
    }
    const fetched = answers[0]
    if (fetched === undefined) return { kind: 'failed', why: 'the broker says nothing of it' }
    return await this.#judge(of, next, fetched)
  }

  async #judge(of: Reading, next: number, fetched: FetchedPartition): Promise<FetchAnswer> {
    const { code, diverging } = fetched
    if (diverging !== undefined)
      return { kind: 'gone', why: `its log was truncated to ${diverging.endOffset} while it was read` }
    if (code === KafkaCode.NONE) return { kind: 'fetched', fetched }
    const why = codeName(code)
    if (code === KafkaCode.UNKNOWN_TOPIC_ID) return { kind: 'gone', why: 'it was deleted meanwhile' }
    if (code === KafkaCode.TOPIC_AUTHORIZATION_FAILED)
      return { kind: 'gone', why: 'kdr may not read it (it needs READ)' }
    if (code !== KafkaCode.OFFSET_OUT_OF_RANGE) return { kind: 'failed', why }
    const [start] = await this.#world.cluster.offsets([of], 'logStart')
    if (start?.code !== KafkaCode.NONE || start.offset <= next) return { kind: 'failed', why }
    return { kind: 'starts-later', start: start.offset }
  }

  async #lane(broker: number): Promise<FetchLane> {
    const known = this.#lanes.get(broker)
    if (known !== undefined) return known
    const lane = await this.#world.cluster.openFetchLane(broker)
    this.#lanes.set(broker, lane)
    return lane
  }

  async #refresh(): Promise<void> {
    try {
      this.#view = await this.#world.cluster.describe()
    } catch (error) {
      // The one that follows may be answered.
      if (findKdrError(error)?.code !== 'unreachable') throw error
    }
  }
}

type FetchAnswer =
  | { readonly kind: 'fetched'; readonly fetched: FetchedPartition }
  | { readonly kind: 'starts-later'; readonly start: number }
  | { readonly kind: 'failed'; readonly why: string }
  | { readonly kind: 'gone'; readonly why: string }

/** What has been read and is not a segment yet. */
class Gathering {
  readonly #world: ReaderWorld
  readonly #of: Reading
  /** Read from here next. */
  next: number
  lastEpoch: number
  #part: PartWriter | undefined
  #bytes = 0
  readonly #writing: Writing
  readonly #segments: Promise<Segment>[] = []
  readonly #notes: Note[] = []

  constructor(world: ReaderWorld, of: Reading, writing: Writing) {
    this.#world = world
    this.#of = of
    this.#writing = writing
    this.next = of.from
    this.lastEpoch = of.lastEpoch
  }

  /** The base offset of a batch that does not match its checksum: it and what follows are not taken. */
  async take({ records, aborted }: FetchedPartition): Promise<number | undefined> {
    // A fetch begins with the batch that holds the offset; what has become stable since is for the next commit.
    const fetched = splitBatches(records).filter(
      ({ header }) => header.lastOffset >= this.next && header.baseOffset < this.#of.end,
    )
    const broken = fetched.findIndex(batch => !this.#world.isIntact(batch))
    const corruptAt = fetched[broken]?.header.baseOffset
    const batches = broken < 0 ? fetched : fetched.slice(0, broken)
    const last = batches.at(-1)
    if (last === undefined) return corruptAt
    this.next = last.header.lastOffset + 1
    this.lastEpoch = last.header.leaderEpoch
    this.#world.onRead(batches)
    this.#part ??= this.#world.writer.open(this.#of)
    await this.#part.add(batches, aborted)
    this.#bytes += records.length
    release(records)
    if (this.#bytes >= (this.#world.segmentBytes ?? SEGMENT_BYTES)) await this.#write()
    return corruptAt
  }

  /** The source's log starts later than what was to be read next. */
  lose(start: number): void {
    const to = Math.min(start, this.#of.end)
    this.#notes.push(lostNote(this.#of, this.next, to))
    this.next = to
    // Nothing that was read stands right before it.
    this.lastEpoch = -1
  }

  /** `rest`: why what is left is not read. */
  async finish(rest: string | undefined): Promise<ReadToEnd> {
    await this.#write()
    const written = this.#written(rest)
    // Whoever asked looks at it when he has time.
    written.catch(() => undefined)
    return { written }
  }

  async #written(rest: string | undefined): Promise<ReadPartition> {
    const segments = await Promise.all(this.#segments)
    const { end, ...of } = this.#of
    const { topic, partition } = of
    if (rest === undefined) return { segments, end, notes: this.#notes }
    const what = `offsets ${this.next} to ${end - 1} were not read: ${rest}`
    const note: Note = { kind: 'unread', topic, partition, from: this.next, to: end, what }
    return { segments, end: this.next, notes: [...this.#notes, note] }
  }

  /** Begins to. */
  async #write(): Promise<void> {
    const part = this.#part
    if (part === undefined) return
    this.#part = undefined
    this.#bytes = 0
    const { segment } = await this.#writing.begin(async () => await part.close())
    this.#segments.push(segment)
  }
}

/** One reader's segments on their way into the vault: one at a time, which bounds memory, while the next one is read. */
class Writing {
  #latest: Promise<unknown> = Promise.resolve()

  /** Resolves when it has begun; throws what the one before it threw. */
  async begin(write: () => Promise<Segment>): Promise<{ readonly segment: Promise<Segment> }> {
    await this.#latest
    const segment = write()
    // It is waited for later.
    segment.catch(() => undefined)
    this.#latest = segment
    return { segment }
  }

  async settled(): Promise<void> {
    await this.#latest.catch(() => undefined)
  }
}
