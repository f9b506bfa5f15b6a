// A fetch session (KIP-227): what is asked of a broker is told once, then only what changes. A broker that has let the session
// go, or is asked out of turn, says so; then all is asked again. One that keeps no more sessions answers with none: each
// round then asks for all.
import { KafkaCode } from '../model/kafka-codes.ts'
import type { FetchedPartition, FetchPartition, FetchRequest, FetchSession } from '../ports/cluster.ts'
import type { BrokerConnection } from './connection.ts'
import type { ClusterContext } from './context.ts'
import { named, refusedFetch } from './lanes.ts'
import { FETCH, type RawFetchAnswer } from './raw/fetch.ts'

const NONE = 0
const LAST_EPOCH = 2 ** 31 - 1

const LOST: readonly number[] = [
  KafkaCode.FETCH_SESSION_ID_NOT_FOUND,
  KafkaCode.INVALID_FETCH_SESSION_EPOCH,
  KafkaCode.FETCH_SESSION_TOPIC_ID_ERROR,
]

export async function openFetchSession(context: ClusterContext, broker: number): Promise<FetchSession> {
  const connection = await context.pool.openOwn(broker)
  const session = new Session(connection)
  return {
    broker,
    ask: partition => session.ask(partition),
    forget: partition => session.forget(partition),
    next: request => session.next(request),
    close: () => context.pool.closeOwn(connection),
  }
}

const keyOf = ({ topicId, partition }: { readonly topicId: string; readonly partition: number }): string =>
  `${topicId}/${partition}`

class Session {
  readonly #connection: BrokerConnection
  readonly #asked = new Map<string, FetchPartition>()
  /** Not told to the broker yet. */
  readonly #changed = new Map<string, FetchPartition>()
  readonly #forgotten = new Map<string, FetchPartition>()
  #id = NONE
  #epoch = 0

  constructor(connection: BrokerConnection) {
    this.#connection = connection
  }

  ask(partition: FetchPartition): void {
    const key = keyOf(partition)
    this.#asked.set(key, partition)
    this.#changed.set(key, partition)
    this.#forgotten.delete(key)
  }

  forget(partition: FetchPartition): void {
    const key = keyOf(partition)
    if (!this.#asked.delete(key)) return
    this.#changed.delete(key)
    this.#forgotten.set(key, partition)
  }

  async next(request: Omit<FetchRequest, 'partitions'>): Promise<FetchedPartition[]> {
    const answer = await this.#round(request)
    if (!LOST.includes(answer.code)) return this.#read(answer)
    this.#begin(NONE)
    return this.#read(await this.#round(request))
  }

  #round(request: Omit<FetchRequest, 'partitions'>): Promise<RawFetchAnswer> {
    const isFull = this.#id === NONE
    const partitions = [...(isFull ? this.#asked : this.#changed).values()]
    const forgotten = isFull ? [] : [...this.#forgotten.values()]
    this.#changed.clear()
    this.#forgotten.clear()
    const session = { id: this.#id, epoch: this.#epoch, forgotten }
    const api = FETCH[this.#connection.versions.need('Fetch')]!
    return this.#connection.call(api, { ...request, partitions, session })
  }

  #read(answer: RawFetchAnswer): FetchedPartition[] {
    if (answer.code !== KafkaCode.NONE) {
      this.#begin(NONE)
      return [...this.#asked.values()].map(partition => refusedFetch(partition, answer.code))
    }
    if (this.#id === NONE) this.#begin(answer.sessionId)
    else this.#epoch = this.#epoch === LAST_EPOCH ? 1 : this.#epoch + 1
    return answer.partitions.flatMap(partition => {
      const asked = this.#asked.get(keyOf(partition))
      return asked === undefined ? [] : named([partition], () => asked.topic)
    })
  }

  /** The first round of a session has epoch 0, the next one 1. */
  #begin(id: number): void {
    this.#id = id
    this.#epoch = id === NONE ? 0 : 1
  }
}
