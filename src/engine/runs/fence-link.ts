// Fences a link at its target, with nobody's cooperation (DESIGN 2.1.6): in every mirror partition the link's producer id gets
// the next epoch, after which data and markers of the old one are refused (INVALID_PRODUCER_EPOCH). With cluster rights by a
// marker in each partition; without, by each slot's transactional id. What counts is what the leaders say afterwards
// (DescribeProducers): a partition that does not show the recorded producer id with the new epoch is not fenced.
import { readBatchHeader, splitBatches } from '../../model/batch.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import { slotOf } from '../../model/slots.ts'
import { readLink, readSlots, readTopics, type SlotRecord } from '../../model/state-records.ts'
import type { Clock } from '../../ports/clock.ts'
import {
  type ClusterView,
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
const CUT_WINDOWS = [16, 1_024, 65_536] as const
const FETCH_BYTES = 1024 * 1024
const FETCH_WAIT_MS = 50

/** Acts only where it has to: run again, it finds what it has fenced. Throws KdrError('unreachable'). */
export async function fenceLink(input: FenceInput): Promise<Fence> {
  return await new LinkFence(input).run()
}

class LinkFence {
  readonly #input: FenceInput
  readonly #why = new Map<string, string>()

  constructor(input: FenceInput) {
    this.#input = input
  }

  async run(): Promise<Fence> {
    const { clock, store, withinMs } = this.#input
    const until = clock.monotonic() + withinMs
    await store.refresh()
    let left: readonly Mirror[]
    for (;;) {
      const mirrors = await this.#mirrors()
      left = await this.#open(mirrors)
      if (left.length > 0) {
        await this.#act(left)
        left = await this.#open(mirrors)
      }
      if (left.length === 0) return { fenced: await this.#cuts(mirrors), open: [] }
      if (clock.monotonic() >= until) {
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
      await clock.sleep(LOOK_AGAIN_MS)
    }
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
    const byMode = Map.groupBy(mirrors, ({ record }) => record.mode)
    await Promise.all([
      this.#byMarkers(byMode.get('markers') ?? []),
      this.#byTransactions(byMode.get('transactions') ?? []),
    ])
  }

  async #byMarkers(mirrors: readonly Mirror[]): Promise<void> {
    const { target, store, link } = this.#input
    // Above every holder's: a broker refuses markers of an older coordinator.
    const coordinatorEpoch =
      Math.max(0, ...[...readSlots(store, link).values()].map(({ generation }) => generation)) + 1
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
    const { code, producerId, producerEpoch } = await target.initProducer(transactionalId)
    if (code !== KafkaCode.NONE)
      return tell(`transactional id "${transactionalId}" is refused with ${codeName(code)}`)
    const { record } = mirrors[0]!
    // One that has expired gets another producer id, and all seems to succeed.
    if (producerId !== BigInt(record.producerId))
      return tell(
        `transactional id "${transactionalId}" has another producer id by now (${producerId}, recorded is ${record.producerId})`,
      )
    const outcome = await target.emptyTransaction({ transactionalId, producerId, producerEpoch }, mirrors)
    if (outcome.code !== KafkaCode.NONE) tell(`an empty transaction failed with ${codeName(outcome.code)}`)
  }

  async #cuts(mirrors: readonly Mirror[]): Promise<FencedPartition[]> {
    const { target } = this.#input
    // Asked for: a fetch below the log start is refused, and does not say where the log begins.
    const [starts, ends] = await Promise.all([
      target.offsets(mirrors, 'logStart'),
      target.offsets(mirrors, 'logEnd'),
    ])
    return await Promise.all(
      mirrors.map(async (mirror, index) => ({
        topic: mirror.topic,
        partition: mirror.partition,
        cut: await this.#cut(mirror, starts[index]?.offset ?? 0, ends[index]?.offset ?? 0),
      })),
    )
  }

  /** The first control batch of the link's producer id under the new epoch. The log's end where it is no longer found. */
  async #cut(mirror: Mirror, start: number, end: number): Promise<number> {
    for (const window of CUT_WINDOWS) {
      const from = Math.max(start, end - window)
      const found = await this.#firstFence(mirror, from, end)
      if (found !== undefined) return found
      if (from === start) break
    }
    return end
  }

  async #firstFence(mirror: Mirror, from: number, end: number): Promise<number | undefined> {
    const { target } = this.#input
    const lane = await target.openFetchLane(mirror.leader)
    try {
      for (let offset = from; offset < end; ) {
        const { topic, partition, topicId } = mirror
        const of = {
          topic,
          partition,
          topicId,
          offset,
          leaderEpoch: -1,
          lastFetchedEpoch: -1,
          maxBytes: FETCH_BYTES,
        }
        const [answer] = await lane.fetch({
          isolation: 'uncommitted',
          maxWaitMs: FETCH_WAIT_MS,
          maxBytes: FETCH_BYTES,
          partitions: [of],
        })
        const batches = answer?.code === KafkaCode.NONE ? splitBatches(answer.records) : []
        const fence = batches.find(batch => isFence(mirror.record, batch.header))
        if (fence !== undefined) return fence.header.baseOffset
        const last = batches.at(-1)
        if (last === undefined) return undefined
        offset = last.header.lastOffset + 1
      }
      return undefined
    } finally {
      await lane.close()
    }
  }
}

type Header = ReturnType<typeof readBatchHeader>

function isFence(record: SlotRecord, { isControl, producerId, producerEpoch }: Header): boolean {
  return isControl && producerId === BigInt(record.producerId) && producerEpoch >= fencedFrom(record)
}

const fencedFrom = ({ producerEpoch }: SlotRecord): number => producerEpoch + 1
const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`
