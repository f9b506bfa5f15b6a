// Connections of a worker's own to one simulated broker: fetches, and produce requests that are processed in the order
// in which they were sent, whatever becomes of their answers.
import { readBatchHeader } from '../../src/model/batch.ts'
import { codeName, KafkaCode } from '../../src/model/kafka-codes.ts'
import * as port from '../../src/ports/cluster.ts'
import type { SimCluster } from './cluster.ts'
import { type Fate, REQUEST_TIMEOUT_MS, type SimNetwork, type SimProcess, unreachable } from './network.ts'
import type { PortObserver } from './observer.ts'

/** The request names no transactional id, so none is allowed. */
const NO_TRANSACTIONAL_ID = KafkaCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED

const NOTHING = Buffer.alloc(0)

export type Call = <T>(what: string, effect: () => T | Promise<T>) => Promise<T>

export async function openFetchLane(
  cluster: SimCluster,
  call: Call,
  broker: number,
): Promise<port.FetchLane> {
  const { clock } = cluster
  let isClosed = false
  let receivedBytes = 0
  const openedAt = clock.monotonic()
  await call('connect', () => undefined)
  let firstByteMs = clock.monotonic() - openedAt
  return {
    broker,
    get firstByteMs() {
      return firstByteMs
    },
    get receivedBytes() {
      return receivedBytes
    },
    async close() {
      isClosed = true
      cluster.tell()
      return Promise.resolve()
    },
    async fetch(request) {
      const askedAt = clock.monotonic()
      const fetched = await call('fetch', async () => {
        const deadline = clock.monotonic() + request.maxWaitMs
        for (;;) {
          const answers = request.partitions.map(of => fetchOne(cluster, broker, request.isolation, of))
          const hasNews = answers.some(
            answer => answer.code !== 0 || answer.records.length > 0 || answer.diverging !== undefined,
          )
          if (hasNews || isClosed || clock.monotonic() >= deadline) return answers
          await clock.sleepUntil(cluster.news, deadline - clock.monotonic())
        }
      })
      firstByteMs = clock.monotonic() - askedAt
      receivedBytes += fetched.reduce((sum, { records }) => sum + records.length, 0)
      return fetched
    },
  }
}

/** What has nothing new is left out; nothing is ever forgotten by the broker. */
export async function openFetchSession(
  cluster: SimCluster,
  call: Call,
  broker: number,
): Promise<port.FetchSession> {
  const lane = await openFetchLane(cluster, call, broker)
  const asked = new Map<string, port.FetchPartition>()
  const seen = new Map<string, string>()
  const keyOf = ({ topicId, partition }: port.FetchPartition): string => `${topicId}/${partition}`
  return {
    broker,
    close: () => lane.close(),
    ask: of => {
      asked.set(keyOf(of), of)
      seen.delete(keyOf(of))
    },
    forget: of => void asked.delete(keyOf(of)),
    async next(request) {
      const partitions = [...asked.values()]
      const answers = await lane.fetch({ ...request, partitions })
      return answers.filter((answer, index) => {
        const key = keyOf(partitions[index]!)
        const state = `${answer.highWatermark} ${answer.logStart}`
        const isNews =
          answer.code !== 0 ||
          answer.records.length > 0 ||
          answer.diverging !== undefined ||
          seen.get(key) !== state
        seen.set(key, state)
        return isNews && asked.has(key)
      })
    },
  }
}

function fetchOne(
  cluster: SimCluster,
  broker: number,
  isolation: 'committed' | 'uncommitted',
  of: port.FetchPartition,
): port.FetchedPartition {
  const { topic, partition, offset } = of
  const at = cluster.partition(of)
  const isKnown = cluster.topics.get(topic)?.id === of.topicId
  const empty = {
    topic,
    partition,
    highWatermark: -1,
    lastStable: -1,
    logStart: -1,
    aborted: [],
    records: NOTHING,
  }
  if (cluster.denies('read', topic)) return { ...empty, code: KafkaCode.TOPIC_AUTHORIZATION_FAILED }
  if (!isKnown) return { ...empty, code: KafkaCode.UNKNOWN_TOPIC_ID }
  const code = cluster.leaderCode(broker, at)
  if (code !== KafkaCode.NONE) return { ...empty, code }
  const { log } = at!
  if (of.leaderEpoch >= 0 && of.leaderEpoch !== log.leaderEpoch) {
    return {
      ...empty,
      code: of.leaderEpoch < log.leaderEpoch ? KafkaCode.FENCED_LEADER_EPOCH : KafkaCode.UNKNOWN_LEADER_EPOCH,
    }
  }
  const state = {
    ...empty,
    code: 0,
    highWatermark: log.highWatermark,
    lastStable: log.lastStable,
    logStart: log.logStart,
  }
  if (of.lastFetchedEpoch >= 0) {
    const end = log.epochEnd(of.lastFetchedEpoch)
    if (end.offset < 0 || offset < log.logStart) return { ...empty, code: KafkaCode.OFFSET_OUT_OF_RANGE }
    if (end.epoch < of.lastFetchedEpoch || end.offset < offset)
      return { ...state, diverging: { epoch: end.epoch, endOffset: end.offset } }
  }
  if (offset < log.logStart || offset > log.end) return { ...empty, code: KafkaCode.OFFSET_OUT_OF_RANGE }
  const upTo = isolation === 'committed' ? log.lastStable : log.highWatermark
  const aborted =
    isolation === 'committed'
      ? log.aborted
          .filter(each => each.markerOffset >= offset && each.firstOffset < upTo)
          .map(({ producerId, firstOffset }) => ({ producerId, firstOffset }))
      : []
  return { ...state, aborted, records: log.read(offset, upTo, of.maxBytes) }
}

type LaneParts = {
  readonly cluster: SimCluster
  readonly network: SimNetwork
  readonly process: SimProcess
  readonly broker: number
  readonly appendOne: (
    broker: number,
    entry: port.AppendEntry,
    timeoutMs: number,
  ) => Promise<port.AppendAnswer>
  readonly observer: PortObserver | undefined
}

/**
 * Requests are processed in the order sent. When the connection breaks, those that the broker had read may still be
 * processed: it notices when it cannot send the answer.
 */
export async function openAppendLane(parts: LaneParts): Promise<port.AppendLane> {
  const { cluster, network, process, broker } = parts
  const what = `cluster "${cluster.options.name}" broker ${broker}`
  await network.call(process, `${what} connect`, () => undefined)
  return new SimAppendLane(parts, what)
}

class SimAppendLane implements port.AppendLane {
  readonly broker: number
  isClosed = false
  readonly #parts: LaneParts
  readonly #what: string
  readonly #broken = Promise.withResolvers<never>()
  #tail: Promise<unknown> = Promise.resolve()
  #isSilent = false
  #afterClose = 0

  constructor(parts: LaneParts, what: string) {
    this.#parts = parts
    this.#what = what
    this.broker = parts.broker
    this.#broken.promise.catch(() => {})
    // Its connections go with it: what the broker has not read by then it reads as one that is closed.
    void parts.process.death.then(() => this.#break('the process is gone'))
  }

  async close(): Promise<void> {
    this.#break('closed')
    return Promise.resolve()
  }

  async append(entries: readonly port.AppendEntry[], timeoutMs: number): Promise<port.AppendAnswer[]> {
    const { process, network, observer } = this.#parts
    const { clock } = this.#parts.cluster
    await process.turn()
    if (this.isClosed) throw unreachable(this.#what, 'closed')
    const crash = process.crashesNow()
    if (crash === 'before') await network.die(process, `before an append to ${this.#what}`)
    for (const entry of entries) observer?.sending(process, entry)
    const copies = entries.map(entry => ({ ...entry, batch: Buffer.from(entry.batch) }))
    const fate = network.fate(`${this.#what} append`, true)
    const arrivesAt = clock.monotonic() + fate.delayMs
    const work = this.#tail.then(async () => await this.#process(copies, timeoutMs, { fate, arrivesAt }))
    this.#tail = work.catch(() => {})
    if (fate.kind === 'late') void clock.sleep(20).then(() => this.#break('the connection broke'))
    if (fate.kind === 'hung') {
      this.#isSilent = true
      void clock.sleep(REQUEST_TIMEOUT_MS).then(() => this.#break('no answer in time'))
    }
    const answers = await Promise.race([work, this.#broken.promise])
    if (crash === 'after') await network.die(process, `after an append to ${this.#what}`)
    if (this.#isSilent) await this.#broken.promise
    try {
      await network.answer(process, this.#what, fate)
    } catch (error) {
      this.#break('the answer is lost')
      throw error
    }
    for (const [index, { code, baseOffset }] of answers.entries())
      if (code === KafkaCode.NONE) observer?.told(process, entries[index]!, baseOffset)
    return answers
  }

  async #process(
    entries: readonly port.AppendEntry[],
    timeoutMs: number,
    { fate, arrivesAt }: { fate: Fate; arrivesAt: number },
  ): Promise<port.AppendAnswer[]> {
    const { cluster, broker, appendOne } = this.#parts
    const { clock, options } = cluster
    await clock.sleep(Math.max(0, arrivesAt - clock.monotonic()))
    // A request behind a lost one is lost too: the connection is gone. Of those that had arrived when it broke, a
    // broker may still process one: it notices when it cannot send the answer.
    if (fate.kind === 'lost') this.#break('the request is lost')
    const isRead = fate.kind === 'late' || !this.isClosed
    if (!isRead && (this.#afterClose++ > 0 || !options.random.chance(0.5)))
      throw unreachable(this.#what, 'closed')
    const isTransactional = entries.some(({ batch }) => readBatchHeader(batch).isTransactional)
    if (isTransactional) return entries.map(entry => refusedAppend(entry, NO_TRANSACTIONAL_ID))
    // One that has no id makes the request name all of them.
    const isById = entries.every(({ topicId }) => topicId !== port.NO_TOPIC_ID)
    const named = isById ? entries : entries.map(entry => ({ ...entry, topicId: port.NO_TOPIC_ID }))
    return await Promise.all(named.map(async entry => await appendOne(broker, entry, timeoutMs)))
  }

  #break(why: string): void {
    this.isClosed = true
    this.#broken.reject(unreachable(this.#what, why))
  }
}

export function refusedAppend({ topic, partition }: port.AppendEntry, code: number): port.AppendAnswer {
  return { topic, partition, code, baseOffset: -1, message: codeName(code) }
}
