// Fences a link at its target, with nobody's cooperation (DESIGN 2.1.6): in every mirror partition the link's producer id gets
// the next epoch, after which data and markers of the old one are refused (INVALID_PRODUCER_EPOCH). With cluster rights by a
// marker in each partition; without, by each slot's transactional id. What counts is what the leaders say afterwards
// (DescribeProducers): a partition that does not show the recorded producer id with the new epoch is not fenced.
import { type readBatchHeader, splitBatches } from '../../model/batch.ts'
import { findKdrError } from '../../model/errors.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import { slotOf } from '../../model/slots.ts'
import { readLink, readSlots, readTopics, type SlotRecord } from '../../model/state-records.ts'
import type { Clock } from '../../ports/clock.ts'
import {
  type ClusterView,
  type FetchLane,
  type LogReader,
  type LogWriter,
  type TopicAdmin,
  type TopicPartition,
} from '../../ports/cluster.ts'
import type { StateStore } from '../../ports/state.ts'

export type FenceInput = {
  readonly link: string
  readonly target: Pick<TopicAdmin, 'describe'> &
    Pick<LogReader, 'offsets' | 'producers' | 'openFetchLane'> &
    Pick<LogWriter, 'writeMarkers' | 'initProducer' | 'emptyTransaction'>
  readonly store: StateStore
  readonly clock: Clock
  /** Asked before each write. */
  readonly guard?: () => Promise<void>
  /** Number of the controller's claim: a marker that one before it has sent, and that lands late, is refused. */
  readonly claim?: number
  /** Gives up after this long; what is fenced by then stays so. */
  readonly withinMs: number
}

/** `cut`: the offset of the marker that fenced it; everything of the link's stands below. */
export type FencedPartition = TopicPartition & { readonly cut: number }
export type OpenPartition = TopicPartition & { readonly why: string }
export type Fence = { readonly fenced: readonly FencedPartition[]; readonly open: readonly OpenPartition[] }

/** A mirror partition, who writes to it, and the epoch from which on it is fenced. */
type Mirror = TopicPartition & {
  readonly topicId: string
  readonly slot: number
  readonly leader: number
  readonly record: SlotRecord
}

const LOOK_AGAIN_MS = 200
/** Where the fencing marker is looked for, backwards from the end. */
const CUT_WINDOWS = [2, 16, 1_024, 65_536] as const
/** Of one partition, and of all of a request. */
const FETCH_BYTES = 1024 * 1024
const FETCH_TOTAL_BYTES = 16 * 1024 * 1024
const FETCH_WAIT_MS = 50

/** Acts only where it has to: run again, it finds what it has fenced. Throws KdrError('unreachable') when a leader stays away. */
export async function fenceLink(input: FenceInput): Promise<Fence> {
  return await new LinkFence(input).run()
}

class LinkFence {
  readonly #input: FenceInput
  readonly #why = new Map<string, string>()
  /** Where nothing that is tried again can help. */
  readonly #hopeless = new Set<string>()

  constructor(input: FenceInput) {
    this.#input = input
  }

  async run(): Promise<Fence> {
    const { clock, store, withinMs } = this.#input
    const until = clock.monotonic() + withinMs
    const isOver = (): boolean => clock.monotonic() >= until
    await store.refresh()
    for (;;) {
      try {
        const fence = await this.#round(isOver)
        if (fence !== undefined) return fence
      } catch (error) {
        // A broker was lost a moment ago: others will lead what it led.
        if (findKdrError(error)?.code !== 'unreachable' || isOver()) throw error
      }
      await clock.sleep(LOOK_AGAIN_MS)
    }
  }

  /** Undefined: another one may bring more. */
  async #round(isOver: () => boolean): Promise<Fence | undefined> {
    const mirrors = await this.#mirrors()
    let left = await this.#open(mirrors)
    const hopeful = left.filter(mirror => !this.#isHopeless(mirror))
    if (hopeful.length > 0) {
      await this.#act(hopeful)
      left = await this.#open(mirrors)
    }
    if (!isOver() && left.some(mirror => !this.#isHopeless(mirror))) return undefined
    const isLeft = new Set(left.map(nameOf))
    return {
      fenced: await this.#cuts(mirrors.filter(mirror => !isLeft.has(nameOf(mirror)))),
      open: left.map(mirror => ({
        topic: mirror.topic,
        partition: mirror.partition,
        why: this.#why.get(nameOf(mirror)) ?? 'its leader does not show the new epoch',
      })),
    }
  }

  #isHopeless(mirror: Mirror): boolean {
    return this.#hopeless.has(nameOf(mirror))
  }

  /** As they stand now: leaders move. A topic of the name that is not the recorded one is no mirror. */
  async #mirrors(): Promise<Mirror[]> {
    const { store, link, target } = this.#input
    const view: ClusterView = await target.describe()
    const slots = readSlots(store, link)
    const count = readLink(store, link)?.slots ?? slots.size
    return [...readTopics(store, link)].flatMap(([topic, { targetTopicId }]) => {
      const found = view.topics.get(topic)
      if (found === undefined || found.id !== targetTopicId) return []
      return found.partitions.flatMap(({ partition, leader }) => {
        const slot = slotOf({ topic, partition }, count)
        const record = slots.get(slot)
        // Nobody has ever written to it.
        return record === undefined ? [] : [{ topic, partition, topicId: found.id, leader, slot, record }]
      })
    })
  }

  /** Those of which the leader does not say that the recorded producer id has a newer epoch. */
  async #open(mirrors: readonly Mirror[]): Promise<Mirror[]> {
    const answers = await this.#input.target.producers(mirrors)
    return mirrors.filter((mirror, index) => {
      const answer = answers[index]
      if (answer?.code !== KafkaCode.NONE) {
        this.#why.set(
          nameOf(mirror),
          `its leader answers ${codeName(answer?.code ?? KafkaCode.UNKNOWN_SERVER_ERROR)}`,
        )
        return true
      }
      const own = answer.producers.find(each => each.producerId === BigInt(mirror.record.producerId))
      return own === undefined || own.producerEpoch < fencedFrom(mirror.record)
    })
  }

  async #act(mirrors: readonly Mirror[]): Promise<void> {
    await this.#input.guard?.()
    const byMode = Map.groupBy(mirrors, ({ record }) => record.mode)
    await Promise.all([
      this.#byMarkers(byMode.get('markers') ?? []),
      this.#byTransactions(byMode.get('transactions') ?? []),
    ])
  }

  async #byMarkers(mirrors: readonly Mirror[]): Promise<void> {
    const { target, store, link, claim = 1 } = this.#input
    // Above every holder's and every controller's before: a broker refuses markers of an older coordinator.
    const coordinatorEpoch =
      Math.max(0, ...[...readSlots(store, link).values()].map(({ generation }) => generation)) + claim
    const requests = Map.groupBy(
      mirrors,
      ({ leader, record }) => `${leader} ${record.producerId} ${record.producerEpoch}`,
    )
    await Promise.all(
      [...requests.values()].map(async some => {
        const { leader, record } = some[0]!
        if (leader < 0) return
        const producer = {
          producerId: BigInt(record.producerId),
          producerEpoch: fencedFrom(record),
          coordinatorEpoch,
        }
        const fills = some.map(({ topic, partition }) => ({ topic, partition, count: 1 }))
        for (const answer of await target.writeMarkers(leader, producer, fills))
          if (answer.code !== KafkaCode.NONE)
            this.#why.set(nameOf(answer), `a marker is refused with ${codeName(answer.code)}`)
      }),
    )
  }

  async #byTransactions(mirrors: readonly Mirror[]): Promise<void> {
    for (const [slot, some] of Map.groupBy(mirrors, each => each.slot)) await this.#bySlot(slot, some)
  }

  async #bySlot(slot: number, mirrors: readonly Mirror[]): Promise<void> {
    const { target, link } = this.#input
    const transactionalId = `_kdr.${link}.${slot}`
    const tell = (why: string): void => {
      for (const mirror of mirrors) this.#why.set(nameOf(mirror), why)
    }
    await this.#input.guard?.()
    const { code, producerId, producerEpoch } = await target.initProducer(transactionalId)
    if (code !== KafkaCode.NONE)
      return tell(`transactional id "${transactionalId}" is refused with ${codeName(code)}`)
    const { record } = mirrors[0]!
    // One that has expired gets another producer id, and all seems to succeed.
    if (producerId !== BigInt(record.producerId)) {
      for (const mirror of mirrors) this.#hopeless.add(nameOf(mirror))
      return tell(
        `transactional id "${transactionalId}" has another producer id by now (${producerId}, recorded is ${record.producerId})`,
      )
    }
    await this.#input.guard?.()
    const outcome = await target.emptyTransaction({ transactionalId, producerId, producerEpoch }, mirrors)
    if (outcome.code !== KafkaCode.NONE) tell(`an empty transaction failed with ${codeName(outcome.code)}`)
  }

  /** Of each the first control batch of the link's producer id under the new epoch; its log's end where that is no longer found. */
  async #cuts(mirrors: readonly Mirror[]): Promise<FencedPartition[]> {
    const { target } = this.#input
    // Asked for: a fetch below the log start is refused, and does not say where the log begins.
    const [starts, ends] = await Promise.all([
      target.offsets(mirrors, 'logStart'),
      target.offsets(mirrors, 'logEnd'),
    ])
    const searches = mirrors.map((mirror, index) => ({
      mirror,
      start: starts[index]?.offset ?? 0,
      end: ends[index]?.offset ?? 0,
    }))
    const cuts = new Map<string, number>()
    let left: readonly Search[] = searches
    for (const window of CUT_WINDOWS) {
      const found = await this.#firstFences(left, window)
      const isOver = (search: Search): boolean => {
        const name = nameOf(search.mirror)
        const at = found.get(name)
        const from = fromOf(search, window)
        // Where one stands at the very beginning, there may be another one before it.
        if (at !== undefined && (at > from || from === search.start)) cuts.set(name, at)
        return cuts.has(name) || from === search.start
      }
      left = left.filter(search => !isOver(search))
    }
    return searches.map(({ mirror, end }) => ({
      topic: mirror.topic,
      partition: mirror.partition,
      cut: cuts.get(nameOf(mirror)) ?? end,
    }))
  }

  /** By name: the first control batch of the link's producer id under the new epoch, of those that begin in the window. */
  async #firstFences(searches: readonly Search[], window: number): Promise<ReadonlyMap<string, number>> {
    const found = new Map<string, number>()
    const byLeader = Map.groupBy(searches, ({ mirror }) => mirror.leader)
    await Promise.all(
      [...byLeader].map(async ([leader, some]) => {
        const lane = await this.#input.target.openFetchLane(leader)
        try {
          await readFences(lane, { searches: some, window, found })
        } finally {
          await lane.close()
        }
      }),
    )
    return found
  }
}

type Search = { readonly mirror: Mirror; readonly start: number; readonly end: number }

const fromOf = ({ start, end }: Search, window: number): number => Math.max(start, end - window)

/** All partitions of a leader together. One that is given no room in an answer is asked for first in the next request. */
async function readFences(
  lane: FetchLane,
  {
    searches,
    window,
    found,
  }: { readonly searches: readonly Search[]; readonly window: number; readonly found: Map<string, number> },
): Promise<void> {
  let left = searches.map(search => ({ ...search, offset: fromOf(search, window) }))
  for (;;) {
    left = left.filter(({ offset, end }) => offset < end)
    if (left.length === 0) return
    const answers = await lane.fetch({
      isolation: 'uncommitted',
      maxWaitMs: FETCH_WAIT_MS,
      maxBytes: FETCH_TOTAL_BYTES,
      partitions: left.map(({ mirror: { topic, partition, topicId }, offset }) => ({
        topic,
        partition,
        topicId,
        offset,
        leaderEpoch: -1,
        lastFetchedEpoch: -1,
        maxBytes: FETCH_BYTES,
      })),
    })
    const byName = new Map(answers.map(answer => [nameOf(answer), answer]))
    const waiting: typeof left = []
    const going: typeof left = []
    for (const each of left) {
      const answer = byName.get(nameOf(each.mirror))
      if (answer?.code !== KafkaCode.NONE) continue
      const batches = splitBatches(answer.records)
      const fence = batches.find(({ header }) => isFence(each.mirror.record, header))
      const last = batches.at(-1)
      if (fence !== undefined) found.set(nameOf(each.mirror), fence.header.baseOffset)
      else if (last === undefined) waiting.push(each)
      else going.push({ ...each, offset: last.header.lastOffset + 1 })
    }
    // Nobody was given anything: there is nothing more.
    if (waiting.length === left.length) return
    left = [...waiting, ...going]
  }
}

type Header = ReturnType<typeof readBatchHeader>

function isFence(record: SlotRecord, { isControl, producerId, producerEpoch }: Header): boolean {
  return isControl && producerId === BigInt(record.producerId) && producerEpoch >= fencedFrom(record)
}

const fencedFrom = ({ producerEpoch }: SlotRecord): number => producerEpoch + 1
const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`
