// What a cluster that was left by a failover has beyond the cut (DESIGN 3, Failback), partition by partition: held against what the cluster
// has that is active since. A tail of control batches alone is identical where as many stand at the cut on the other side. Reads
// only; batches are looked at by their headers, and markers for how their transactions ended.
import type { RawBatch } from '../../model/batch.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import { epochBefore } from '../../model/link.ts'
import { compilePatterns } from '../../model/patterns.ts'
import type { At, Stranded, StrandedPartition } from '../../model/stranded.ts'
import { readForgotten, readPartition, readTopics } from '../../model/state-records.ts'
import { type ClusterView, type LogReader, NO_TOPIC_ID, type TopicAdmin } from '../../ports/cluster.ts'
import type { RecordCodec } from '../../ports/records.ts'
import type { StateStore } from '../../ports/state.ts'
import { nameOf, offsetsOf } from './mirrors.ts'
import { readLog, unread } from './read-log.ts'

type Reading = Pick<LogReader, 'offsets' | 'epochEnds' | 'openFetchLane'> & Pick<TopicAdmin, 'describe'>

export type TailsInput = {
  readonly link: string
  /** Patterns of the link. */
  readonly topics: readonly string[]
  /** The failover, and where it has cut each partition. */
  readonly failover: string
  readonly cuts: readonly (At & { readonly cut: number })[]
  /** The cluster that has come back. */
  readonly returned: Reading & { readonly name: string }
  /** The one that is active since, and what it remembers of the direction that has ended. */
  readonly active: Reading
  readonly store: StateStore
  readonly codec: Pick<RecordCodec, 'isAbortMarker'>
  /** Of all tails together at most so much is read; the rest is counted by its offsets. */
  readonly budgetBytes?: number
}

/** How the transactions of a producer ended: by the offsets of its markers, ascending. */
export type Fates = ReadonlyMap<bigint, readonly { readonly offset: number; readonly isAbort: boolean }[]>
export type Fate = 'committed' | 'aborted' | 'open'

export type Tail = StrandedPartition & {
  /** At the cluster that has come back. */
  readonly topicId: string
  readonly leader: number
  readonly fates: Fates
  /** It was not read to its end. */
  readonly isCut?: boolean
}

export type Tails = { readonly stranded: Stranded; readonly tails: readonly Tail[] }

type Known = At & {
  readonly topicId: string
  readonly leader: number
  readonly cut: number
  /** It is another topic than the one that was copied, at either side, or the active has it no more. */
  readonly why?: string
  /** At the active; -1: it has no such partition. */
  readonly activeLeader: number
  readonly activeTopicId: string
  /** The active has no topic of the name, and never had a mirror of it. */
  readonly isAlone?: true
}

/** Throws KdrError('unreachable') when one of the two cannot be read. */
export async function observeTails(input: TailsInput): Promise<Tails> {
  const { returned, active, failover, store } = input
  await store.refresh()
  const known = await partitionsOf(input)
  const [starts, ends] = await Promise.all([
    offsetsOf(returned, known, 'logStart'),
    offsetsOf(returned, known, 'logEnd'),
  ])
  const there = known.filter(({ activeLeader }) => activeLeader >= 0)
  const activeStarts = await offsetsOf(active, there, 'logStart')
  const startAt = new Map(there.map((at, index) => [nameOf(at), activeStarts[index]!]))
  const froms = await commonEnds(input, known)
  const isCut = new Set(input.cuts.map(nameOf))
  const budget = { left: input.budgetBytes ?? Infinity }
  const tails: Tail[] = []
  for (const [index, at] of known.entries()) {
    const [start, end] = [starts[index]!, ends[index]!]
    const common = Math.min(froms[index]!, end)
    const activeStart = startAt.get(nameOf(at)) ?? end
    const why = at.isAlone === true ? undefined : (at.why ?? whyOther({ start, end, common, activeStart }))
    const of = {
      cut: Math.max(start, common),
      end,
      older: Math.max(0, Math.min(activeStart, end) - start),
      ...(at.why === undefined && isCut.has(nameOf(at)) && start > common && { gone: start - common }),
      ...(why === undefined && at.isAlone !== true && start > activeStart && { lacks: start - activeStart }),
    }
    tails.push(await tailOf(input, { ...at, ...(why !== undefined && { why }) }, { of, budget }))
  }
  return { stranded: summed(tails, { run: failover, cluster: returned.name }), tails }
}

/**
 * Why a log cannot go on, whatever stands in it. What was deleted beyond the cut cannot be held against what the active has there, and one
 * that is empty holds nothing by which a mirror is known again.
 */
function whyOther({ start, end, common, activeStart }: Extent): string | undefined {
  // One that never held anything is seeded.
  if (end > 0 && activeStart > end)
    return `the active begins at ${activeStart} by now, and there it ends at ${end}`
  if (start > common) return `what stood there from ${common} on was deleted up to ${start}`
  if (start === end && activeStart < start)
    return `all was deleted there, up to ${end}, and the active begins at ${activeStart}`
  return undefined
}

const GRAVITY = { diverged: 0, alone: 1, clean: 2 } as const

type Extent = {
  readonly start: number
  readonly end: number
  readonly common: number
  readonly activeStart: number
}

/** Those that diverged first, in the order of their names; with the sums of all that only this cluster has. */
function summed(tails: readonly Tail[], of: Pick<Stranded, 'run' | 'cluster'>): Stranded {
  const only = tails.filter(({ state }) => state !== 'clean')
  const times = (pick: 'from' | 'to'): string[] =>
    only.flatMap(each => (each[pick] === null ? [] : [each[pick]])).toSorted()
  return {
    ...of,
    records: only.reduce((sum, { records }) => sum + records, 0),
    offsets: only.reduce((sum, { offsets }) => sum + offsets, 0),
    from: times('from')[0] ?? null,
    to: times('to').at(-1) ?? null,
    partitions: tails
      .toSorted((a, b) => GRAVITY[a.state] - GRAVITY[b.state])
      .map(({ topicId: _topicId, leader: _leader, fates: _fates, isCut: _isCut, ...shown }) => shown),
    ...(tails.some(({ isCut }) => isCut === true) && { atMost: true }),
  }
}

/** All that the link takes and the cluster that has come back has: what was copied, and what never was. */
async function partitionsOf(input: TailsInput): Promise<Known[]> {
  const [there, here] = await Promise.all([input.returned.describe(), input.active.describe()])
  return [...copiedOf(input, there, here), ...(await neverCopied(input, there, here))]
}

/** Of topics that hold something, and that were not let go of. Under its name the active may have another one by now. */
async function neverCopied(
  { link, topics, returned, store }: TailsInput,
  there: ClusterView,
  here: ClusterView,
): Promise<Known[]> {
  const filter = compilePatterns(topics, 'topics')
  const mirrored = readTopics(store, link)
  const letGo = readForgotten(store, link)
  const isTaken = (name: string): boolean => filter.matches(name) && !mirrored.has(name) && !letGo.has(name)
  const some = [...there.topics.values()]
    .filter(({ name, isInternal }) => !isInternal && isTaken(name))
    .flatMap(({ name, id, partitions }) => {
      const now = here.topics.get(name)
      return partitions.map(({ partition, leader }): Known => {
        const at = { topic: name, partition, topicId: id, leader, cut: 0 }
        if (now === undefined) return { ...at, activeLeader: -1, activeTopicId: NO_TOPIC_ID, isAlone: true }
        const activeLeader = now.partitions[partition]?.leader ?? -1
        return { ...at, why: 'it was never copied', activeLeader, activeTopicId: now.id }
      })
    })
  const ends = await offsetsOf(returned, some, 'logEnd')
  const held = new Set(some.filter((_at, index) => ends[index]! > 0).map(({ topic }) => topic))
  return some.filter(({ topic }) => held.has(topic))
}

function copiedOf({ link, topics, cuts, store }: TailsInput, there: ClusterView, here: ClusterView): Known[] {
  const filter = compilePatterns(topics, 'topics')
  const cutAt = new Map(cuts.map(each => [nameOf(each), each.cut]))
  return [...readTopics(store, link)].flatMap(
    ([topic, { sourceTopicId, targetTopicId, adoptedUpTo }]): Known[] => {
      const found = there.topics.get(topic)
      const now = here.topics.get(topic)
      if (found === undefined || !filter.matches(topic)) return []
      const why =
        found.id !== sourceTopicId
          ? 'it was deleted and created again there'
          : now !== undefined && now.id !== targetTopicId
            ? 'it was deleted and created again at the active'
            : undefined
      // Deleted by its applications since: it is no business of the link any more.
      if (now === undefined) return []
      return found.partitions.map(({ partition, leader }) => {
        const other =
          why ?? (partition < now.partitions.length ? undefined : 'the active has no such partition')
        return {
          topic,
          partition,
          topicId: found.id,
          leader,
          // One that no fence knows nobody has copied to since it was adopted.
          cut: other === undefined ? (cutAt.get(`${topic}/${partition}`) ?? adoptedUpTo[partition] ?? 0) : 0,
          ...(other !== undefined && { why: other }),
          activeLeader: now.partitions[partition]?.leader ?? -1,
          activeTopicId: now.id,
        }
      })
    },
  )
}

/**
 * Up to here both logs are the same, at least: up to the cut, unless the one that has come back has lost a part of its history
 * (a truncation below the cut shows in its epochs).
 */
async function commonEnds({ link, returned, store }: TailsInput, known: readonly Known[]): Promise<number[]> {
  const asked = known.map(at => ({
    topic: at.topic,
    partition: at.partition,
    epoch: epochBefore(readPartition(store, link, at)?.epochs ?? [], at.cut),
  }))
  const withEpoch = asked.filter(({ epoch }) => epoch >= 0)
  const answers = await returned.epochEnds(withEpoch)
  const endOf = new Map(
    withEpoch.map((at, index) => {
      const { code, offset } = answers[index]!
      if (code !== KafkaCode.NONE) throw unread(at, code)
      // Of an older epoch, or of none: what came after it was lost there.
      return [nameOf(at), Math.max(0, offset)]
    }),
  )
  return known.map(at => Math.min(at.cut, endOf.get(nameOf(at)) ?? at.cut))
}

type Bounds = {
  readonly of: Pick<StrandedPartition, 'cut' | 'end' | 'older' | 'gone' | 'lacks'>
  readonly budget: { left: number }
}

async function tailOf(input: TailsInput, at: Known, { of, budget }: Bounds): Promise<Tail> {
  const { cut, end } = of
  const { returned, active, codec } = input
  const { topic, partition, topicId, leader, why } = at
  const tally = new Tally(codec)
  const read = { isCut: false }
  if (cut < end)
    await readLog(returned, at, { from: cut, to: end }, batches => {
      tally.take(batches, cut)
      budget.left -= batches.reduce((sum, { bytes }) => sum + bytes.length, 0)
      read.isCut = budget.left < 0
      return Promise.resolve(!read.isCut)
    })
  const { isCut } = read
  const isIdentical =
    at.isAlone !== true &&
    why === undefined &&
    (cut === end || (!isCut && !tally.hasData && (await hasOnlyMarkers(active, at, cut, end))))
  const base = { topic, partition, topicId, leader, ...of }
  if (isIdentical)
    return {
      ...base,
      state: 'clean',
      records: 0,
      hidden: 0,
      offsets: 0,
      from: null,
      to: null,
      fates: new Map(),
    }
  return {
    ...base,
    state: at.isAlone === true ? 'alone' : 'diverged',
    records: isCut ? end - cut : tally.count('committed'),
    hidden: isCut ? 0 : tally.count('aborted') + tally.count('open'),
    offsets: end - cut,
    ...tally.times,
    ...(why !== undefined && { why }),
    ...(isCut && { isCut }),
    fates: tally.fates,
  }
}

/** Whether the active has control batches, and nothing else, at these offsets too. */
async function hasOnlyMarkers(active: Reading, at: Known, from: number, to: number): Promise<boolean> {
  if (at.activeLeader < 0) return false
  const [end] = await offsetsOf(active, [at], 'logEnd')
  if (end! < to) return false
  let reached = from
  let isSame = true
  const here = { ...at, topicId: at.activeTopicId, leader: at.activeLeader }
  await readLog(active, here, { from, to }, batches => {
    isSame &&= batches.every(({ header }) => header.isControl && header.baseOffset >= reached)
    reached = batches.at(-1)?.header.lastOffset ?? reached
    return Promise.resolve(isSame)
  })
  return isSame && reached >= to - 1
}

/** Counts what stands in a tail, and learns how its transactions ended. */
class Tally {
  readonly #codec: TailsInput['codec']
  readonly #fates = new Map<bigint, { offset: number; isAbort: boolean }[]>()
  readonly #transactional: {
    readonly producerId: bigint
    readonly offset: number
    readonly records: number
  }[] = []
  #plain = 0
  #first = Infinity
  #last = -Infinity

  constructor(codec: TailsInput['codec']) {
    this.#codec = codec
  }

  take(batches: readonly RawBatch[], from: number): void {
    for (const batch of batches) {
      const { isControl, isTransactional, producerId, baseOffset, lastOffset, recordCount } = batch.header
      if (isControl) {
        const fates = this.#fates.get(producerId) ?? []
        fates.push({ offset: baseOffset, isAbort: this.#codec.isAbortMarker(batch) })
        this.#fates.set(producerId, fates)
        continue
      }
      const records = Math.min(recordCount, lastOffset - Math.max(from, baseOffset) + 1)
      if (isTransactional) this.#transactional.push({ producerId, offset: baseOffset, records })
      else this.#plain += records
      const { baseTimestamp, maxTimestamp } = batch.header
      this.#first = Math.min(this.#first, baseTimestamp < 0n ? maxTimestamp : Number(baseTimestamp))
      this.#last = Math.max(this.#last, maxTimestamp)
    }
  }

  get fates(): Fates {
    return this.#fates
  }

  get hasData(): boolean {
    return this.#plain > 0 || this.#transactional.length > 0 || this.#first !== Infinity
  }

  count(fate: Fate): number {
    const some = this.#transactional.filter(batch => fateOf(this.#fates, batch) === fate)
    return some.reduce((sum, { records }) => sum + records, fate === 'committed' ? this.#plain : 0)
  }

  get times(): { readonly from: string | null; readonly to: string | null } {
    const iso = (ms: number): string | null =>
      Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : null
    return { from: iso(this.#first), to: iso(this.#last) }
  }
}

/** Of a transactional batch: its producer's next marker says it. */
export function fateOf(
  fates: Fates,
  { producerId, offset }: { readonly producerId: bigint; readonly offset: number },
): Fate {
  const marker = fates.get(producerId)?.find(each => each.offset > offset)
  if (marker === undefined) return 'open'
  return marker.isAbort ? 'aborted' : 'committed'
}
