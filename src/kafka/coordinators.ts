// Requests that only one broker may answer: the coordinator of a group or of a transactional id. Where it is, is asked
// once and remembered; when it has moved or is still loading, it is looked for again until the request timeout is over.
import { findCoordinatorV4 } from '@platformatic/kafka'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { Outcome } from '../ports/cluster.ts'
import type { BrokerConnection } from './connection.ts'
import { type ClusterContext, outcome } from './context.ts'

export type CoordinatorKind = 'group' | 'transaction'
const KEY_TYPES: Readonly<Record<CoordinatorKind, number>> = { group: 0, transaction: 1 }

const FIND_AGAIN_AFTER_MS = 100
/** A transaction is completed within some milliseconds; the next one is refused until then. Doubled at each refusal. */
const CONCURRENT_AFTER_MS = 1
const CONCURRENT_AFTER_AT_MOST_MS = 32

const MOVED: readonly number[] = [
  KafkaCode.COORDINATOR_LOAD_IN_PROGRESS,
  KafkaCode.COORDINATOR_NOT_AVAILABLE,
  KafkaCode.NOT_COORDINATOR,
]

type Found = { readonly broker: number } | Outcome

export class Coordinators {
  readonly #context: ClusterContext
  readonly #kind: CoordinatorKind
  readonly #known = new Map<string, number>()

  constructor(context: ClusterContext, kind: CoordinatorKind) {
    this.#context = context
    this.#kind = kind
  }

  /**
   * Asks the coordinator of `key`. `codeOf` says what the answer amounts to; `refused` makes an answer when there is no
   * coordinator. Repeated for a coordinator that moved, and for CONCURRENT_TRANSACTIONS; the last answer is returned.
   */
  async ask<Answer>(
    key: string,
    ask: (connection: BrokerConnection) => Promise<Answer>,
    codeOf: (answer: Answer) => number,
    refused: (outcome: Outcome) => Answer,
  ): Promise<Answer> {
    const { clock, requestTimeoutMs } = this.#context
    const deadline = clock.monotonic() + requestTimeoutMs
    let concurrentMs = CONCURRENT_AFTER_MS
    for (;;) {
      const answer = await this.#askOnce(key, ask, refused)
      const code = codeOf(answer)
      const hasMoved = MOVED.includes(code)
      if (hasMoved) this.#known.delete(key)
      if (!hasMoved && code !== KafkaCode.CONCURRENT_TRANSACTIONS) return answer
      if (clock.monotonic() >= deadline) return answer
      await clock.sleep(hasMoved ? FIND_AGAIN_AFTER_MS : concurrentMs)
      if (!hasMoved) concurrentMs = Math.min(concurrentMs * 2, CONCURRENT_AFTER_AT_MOST_MS)
    }
  }

  async #askOnce<Answer>(
    key: string,
    ask: (connection: BrokerConnection) => Promise<Answer>,
    refused: (outcome: Outcome) => Answer,
  ): Promise<Answer> {
    const found = await this.#find(key)
    if (!('broker' in found)) return refused(found)
    try {
      return await ask(await this.#context.pool.control(found.broker))
    } catch (error) {
      this.#known.delete(key)
      throw error
    }
  }

  async #find(key: string): Promise<Found> {
    const known = this.#known.get(key)
    if (known !== undefined && this.#context.pool.knows(known)) return { broker: known }
    const answer = await this.#context.pool.askAny(connection => {
      connection.versions.need('FindCoordinator')
      return connection.call(findCoordinatorV4.api, KEY_TYPES[this.#kind], [key])
    })
    const found = answer.coordinators[0]
    if (found === undefined) return outcome(KafkaCode.COORDINATOR_NOT_AVAILABLE)
    if (found.errorCode !== KafkaCode.NONE) return outcome(found.errorCode, found.errorMessage)
    this.#context.pool.learnOne(found.nodeId, { host: found.host, port: found.port })
    this.#known.set(key, found.nodeId)
    return { broker: found.nodeId }
  }
}
