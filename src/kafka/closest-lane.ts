// A fetch lane that takes records from a closer replica where the leader has named one (KIP-392). Whoever uses it sees what the leader
// would have answered: each round ends with a question to the leader, which says where the log begins and ends, and whether it is
// still its leader under that epoch. What a replica says of the log is not used, and where it gives no records the leader is
// read. Without an answer of the leader there is none.
import { findKdrError, KdrError } from '../model/errors.ts'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { Clock } from '../ports/clock.ts'
import type { FetchedPartition, FetchLane, FetchPartition, FetchRequest } from '../ports/cluster.ts'
import type { ClosestReplicas } from './closest-replicas.ts'
import { allDone, type ClusterContext, partitionKey } from './context.ts'
import { FetchConnection, openFetchLane } from './lanes.ts'

/** While another broker is waited for too: whoever has something must not wait long for those that have nothing. */
const SHARED_WAIT_MS = 10
/** A replica that gives not a byte for so long, beyond what it was allowed to wait, is given up. */
const PATIENCE_MS = 2_000
/** What the leader is asked for where only its word is wanted. */
const NO_BYTES = 1

/** Where a batch says how many bytes follow. */
const LENGTH_AT = 8
const LENGTH_END = 12

export type Closest = { readonly rack: string; readonly replicas: ClosestReplicas }

export async function openClosestLane(
  context: ClusterContext,
  broker: number,
  closest: Closest,
): Promise<FetchLane> {
  const isClose = context.view().brokers.find(({ id }) => id === broker)?.rack === closest.rack
  if (isClose) return await openFetchLane(context, broker)
  return new ClosestLane(context, closest, { broker, leader: await FetchConnection.open(context, broker) })
}

type Answers = Map<string, FetchedPartition>
/** What replicas have given. */
type Given = {
  readonly records: Map<string, { readonly answer: FetchedPartition; readonly replica: number }>
  /** The request brought nothing, or the leader had shown more before: what the leader has there is read from the leader. */
  readonly lacking: Set<string>
  /** By a replica, or by none for want of an answer: the leader is asked instead. */
  readonly refused: FetchPartition[]
  /** All others that replicas were asked for. */
  readonly looked: FetchPartition[]
}

class ClosestLane implements FetchLane {
  readonly broker: number
  readonly #context: ClusterContext
  readonly #rack: string
  readonly #replicas: ClosestReplicas
  readonly #leader: FetchConnection
  readonly #near = new Map<number, Promise<FetchConnection>>()
  readonly #open = new Set<FetchConnection>()
  /**
   * Whoever follows a log names the epoch of what it has (KIP-320), or says that it reads ahead. A lane that nobody follows one with is
   * for looks, and what is concluded from these is the leader's word alone.
   */
  #follows = false
  /** By connections that are closed. */
  #receivedBytes = 0
  #isClosed = false

  constructor(
    context: ClusterContext,
    { rack, replicas }: Closest,
    { broker, leader }: { readonly broker: number; readonly leader: FetchConnection },
  ) {
    this.#context = context
    this.#rack = rack
    this.#replicas = replicas
    this.broker = broker
    this.#leader = leader
  }

  /** To the leader: its line is the long one. */
  get firstByteMs(): number | undefined {
    return this.#leader.firstByteMs
  }

  get receivedBytes(): number {
    const near = [...this.#open].reduce((sum, connection) => sum + connection.receivedBytes, 0)
    return this.#leader.receivedBytes + near + this.#receivedBytes
  }

  async fetch(request: FetchRequest): Promise<FetchedPartition[]> {
    this.#follows ||=
      request.isAhead === true || request.partitions.some(({ lastFetchedEpoch }) => lastFetchedEpoch >= 0)
    const due = this.#replicas.due(request.partitions)
    if (!this.#follows) return await this.#ask(request)
    if (due.length > 0) await this.#hear(request, due)
    const { near, own } = this.#split(request.partitions)
    const parts = near.size + (own.length > 0 ? 1 : 0)
    const part = {
      ...request,
      maxBytes: Math.ceil(request.maxBytes / Math.max(1, parts)),
      maxWaitMs: parts > 1 ? Math.min(request.maxWaitMs, SHARED_WAIT_MS) : request.maxWaitMs,
    }
    const given: Given = { records: new Map(), lacking: new Set(), refused: [], looked: [] }
    const [answers] = await allDone([
      own.length === 0 ? Promise.resolve([]) : this.#ask({ ...part, partitions: own }),
      ...[...near].map(async ([replica, partitions]) => {
        await this.#take(given, replica, { ...part, partitions })
        return []
      }),
    ])
    const found: Answers = new Map((answers ?? []).map(answer => [partitionKey(answer), answer]))
    const again = [...given.refused, ...(await this.#look(request, given, found))]
    if (again.length > 0)
      for (const answer of await this.#ask({ ...part, maxWaitMs: 0, partitions: again }))
        found.set(partitionKey(answer), answer)
    return [...found.values()]
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([
      this.#leader.close(),
      ...[...this.#near.keys()].map(async each => await this.#drop(each)),
    ])
  }

  #split(partitions: readonly FetchPartition[]) {
    const near = new Map<number, FetchPartition[]>()
    const own: FetchPartition[] = []
    for (const asked of partitions) {
      const replica = this.#replicas.of(asked)
      if (replica === undefined || replica === this.broker) own.push(asked)
      else near.set(replica, [...(near.get(replica) ?? []), asked])
    }
    return { near, own }
  }

  async #ask(request: FetchRequest): Promise<FetchedPartition[]> {
    return (await this.#leader.fetch(request)).answers
  }

  /** Reads from a replica, and sorts what it says. */
  async #take(given: Given, replica: number, request: FetchRequest): Promise<void> {
    const answers = await this.#read(replica, request)
    // Nobody says anything then, as where a leader holds back: a quota is not to be got round.
    if (answers === 'held back') return
    const found: Answers = new Map((answers ?? []).map(answer => [partitionKey(answer), answer]))
    // Brokers fill an answer in its order: where there was room left, those behind have taken nothing from anybody.
    const hadRoom = new Set<string>()
    let bytes = 0
    for (const answer of answers ?? []) {
      if (bytes < request.maxBytes / 2) hadRoom.add(partitionKey(answer))
      bytes += answer.records.length
    }
    for (const asked of request.partitions) {
      const key = partitionKey(asked)
      const answer = found.get(key)
      if (answer === undefined || !isWell(answer)) {
        if (answer !== undefined) this.#replicas.refused(asked)
        given.refused.push(asked)
        continue
      }
      given.looked.push(asked)
      if (answer.records.length > 0) {
        if (hasBatch(answer.records)) this.#replicas.gave(asked)
        given.records.set(key, { answer, replica })
      } else if (hadRoom.has(key)) {
        // Otherwise others have filled the answer, as at the leader.
        const isLate = this.#replicas.isLate(asked)
        if (bytes === 0 || isLate) given.lacking.add(key)
      }
    }
  }

  /** `held back`: for a quota's sake it says nothing. Undefined: no answer, for whatever reason. */
  async #read(replica: number, request: FetchRequest): Promise<FetchedPartition[] | 'held back' | undefined> {
    try {
      const connection = await this.#connect(replica)
      const { answers } = await patiently(this.#context.clock, connection.fetch(request), {
        firstMs: request.maxWaitMs + PATIENCE_MS + connection.heldBackMs,
        progress: () => connection.receivedBytes,
      })
      return answers.length === 0 && connection.heldBackMs > 0 ? 'held back' : answers
    } catch (error) {
      const known = findKdrError(error)
      if (known === undefined || known.code === 'wrong-cluster') throw error
      this.#replicas.failed(replica)
      await this.#drop(replica)
      return undefined
    }
  }

  async #connect(replica: number): Promise<FetchConnection> {
    const opening = this.#near.get(replica) ?? FetchConnection.open(this.#context, replica)
    this.#near.set(replica, opening)
    const connection = await patiently(this.#context.clock, opening, {
      firstMs: PATIENCE_MS,
      progress: () => 0,
    })
    this.#open.add(connection)
    return connection
  }

  /** Closed as soon as it is open, if it ever is. */
  async #drop(replica: number): Promise<void> {
    const opening = this.#near.get(replica)
    this.#near.delete(replica)
    const closing = opening?.then(
      async connection => {
        if (this.#open.delete(connection)) this.#receivedBytes += connection.receivedBytes
        await connection.close()
      },
      () => undefined,
    )
    if (this.#isClosed) await closing
  }

  /** The leader's word about these; whom it names for them is learnt. */
  async #hear(request: FetchRequest, partitions: readonly FetchPartition[]): Promise<FetchedPartition[]> {
    const { answers, preferred } = await this.#leader.fetch({
      ...request,
      maxWaitMs: 0,
      maxBytes: NO_BYTES,
      rack: this.#rack,
      partitions: partitions.map(asked => ({ ...asked, maxBytes: NO_BYTES })),
    })
    const askedOf = new Map(partitions.map(asked => [partitionKey(asked), asked]))
    for (const [index, answer] of answers.entries()) {
      const asked = askedOf.get(partitionKey(answer))
      if (asked === undefined || !isWell(answer)) continue
      this.#replicas.learn(asked, preferred[index] ?? -1, stableEnd(request, answer))
    }
    return answers
  }

  /** Joins what replicas have given with the leader's word about it; answers what must be read from the leader. */
  async #look(request: FetchRequest, given: Given, found: Answers): Promise<FetchPartition[]> {
    if (given.looked.length === 0) return []
    const askedOf = new Map(given.looked.map(asked => [partitionKey(asked), asked]))
    const again: FetchPartition[] = []
    for (const answer of await this.#hear(request, given.looked)) {
      const key = partitionKey(answer)
      const [asked, taken] = [askedOf.get(key), given.records.get(key)]
      const hasMore = asked !== undefined && asked.offset < stableEnd(request, answer)
      if (!isWell(answer)) found.set(key, answer)
      else if (taken !== undefined) found.set(key, joined(answer, taken))
      else if (asked !== undefined && given.lacking.has(key) && hasMore) again.push(asked)
      else found.set(key, answer)
    }
    return again
  }
}

const isWell = ({ code, diverging }: FetchedPartition): boolean =>
  code === KafkaCode.NONE && diverging === undefined

const stableEnd = ({ isolation }: FetchRequest, { lastStable, highWatermark }: FetchedPartition): number =>
  isolation === 'committed' ? lastStable : highWatermark

/** A whole one: otherwise more is asked for at the same place. */
const hasBatch = (records: Buffer): boolean =>
  records.length > LENGTH_END && records.readInt32BE(LENGTH_AT) <= records.length - LENGTH_END

function joined(
  leader: FetchedPartition,
  { answer, replica }: { readonly answer: FetchedPartition; readonly replica: number },
): FetchedPartition {
  return { ...leader, records: answer.records, aborted: answer.aborted, replica }
}

/** Throws KdrError('unreachable') when it takes longer, and no byte has come for PATIENCE_MS. */
async function patiently<T>(
  clock: Clock,
  work: Promise<T>,
  { firstMs, progress }: { readonly firstMs: number; readonly progress: () => number },
): Promise<T> {
  const over = new AbortController()
  const silence = async (): Promise<never> => {
    for (let before = progress(), ms = firstMs; ; ms = PATIENCE_MS) {
      await clock.sleep(ms, over.signal)
      const now = progress()
      if (now === before || over.signal.aborted) break
      before = now
    }
    throw new KdrError('unreachable', 'the closest replica gives no answer in time')
  }
  try {
    return await Promise.race([work, silence()])
  } finally {
    over.abort()
  }
}
