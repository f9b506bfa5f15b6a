// Requests that only one broker may answer: the coordinator of a group or of a transactional id. Where it is, is asked
// once and remembered; when it has moved or is still loading, it is looked for again until the request timeout is over.
import { findCoordinatorV4 } from '@platformatic/kafka'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { Outcome } from '../ports/cluster.ts'
import type { BrokerConnection } from './connection.ts'
import { allDone, type ClusterContext, outcome } from './context.ts'

export type CoordinatorKind = 'group' | 'transaction'
const KEY_TYPES: Readonly<Record<CoordinatorKind, number>> = { group: 0, transaction: 1 }

const FIND_AGAIN_AFTER_MS = 100
const FOUND_AT_ONCE = 1_000
/** A transaction is completed within some milliseconds; the next one is refused until then. Doubled at each refusal. */
const CONCURRENT_AFTER_MS = 1
const CONCURRENT_AFTER_AT_MOST_MS = 32

const MOVED: readonly number[] = [
  KafkaCode.COORDINATOR_LOAD_IN_PROGRESS,
  KafkaCode.COORDINATOR_NOT_AVAILABLE,
  KafkaCode.NOT_COORDINATOR,
]

type Found = { readonly broker: number } | Outcome
/** A request that is about to leave; afterwards, those that nobody coordinates now. */
type Seeking = { readonly keys: Set<string>; readonly unknown: Promise<Map<string, Outcome>> }
/** Asks a broker by one of its connections. */
type Use = <Answer>(broker: number, ask: (connection: BrokerConnection) => Promise<Answer>) => Promise<Answer>

export class Coordinators {
  readonly #context: ClusterContext
  readonly #kind: CoordinatorKind
  readonly #use: Use
  readonly #patienceMs: number
  readonly #known = new Map<string, number>()
  #seeking: Seeking | undefined

  /** By default the control connections serve, and a coordinator that moves is waited for as long as for any answer. */
  constructor(
    context: ClusterContext,
    kind: CoordinatorKind,
    { use, patienceMs }: { readonly use?: Use; readonly patienceMs?: number } = {},
  ) {
    this.#context = context
    this.#kind = kind
    this.#use = use ?? (async (broker, ask) => await ask(await context.pool.control(broker)))
    this.#patienceMs = patienceMs ?? context.requestTimeoutMs
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
    const { clock } = this.#context
    const deadline = clock.monotonic() + this.#patienceMs
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

  /**
   * The same for many keys: each coordinator is asked for up to `atOnce` of its keys in one request, several requests at a
   * time. `ask` answers in the order of its keys. In the order of `keys`.
   */
  async askMany<Answer>(
    keys: readonly string[],
    atOnce: number,
    ask: (connection: BrokerConnection, keys: readonly string[]) => Promise<Answer[]>,
    codeOf: (answer: Answer) => number,
    refused: (outcome: Outcome) => Answer,
  ): Promise<Answer[]> {
    const { clock } = this.#context
    const deadline = clock.monotonic() + this.#patienceMs
    const answers = new Map<string, Answer>()
    for (let left = [...new Set(keys)]; left.length > 0; ) {
      const unknown = await this.#findMany(left)
      for (const [key, why] of unknown) answers.set(key, refused(why))
      const found = left.filter(key => !unknown.has(key))
      const byBroker = Map.groupBy(found, key => this.#known.get(key) ?? -1)
      const requests = [...byBroker].flatMap(([broker, mine]) =>
        cut(mine, atOnce).map(part => ({ broker, part })),
      )
      await allDone(
        requests.map(async ({ broker, part }) => {
          const got = await this.#using(broker, part, async connection => await ask(connection, part))
          part.forEach((key, index) => {
            const answer = got[index]
            if (answer !== undefined) answers.set(key, answer)
          })
        }),
      )
      left = left.filter(key => MOVED.includes(codeOf(answers.get(key)!)))
      for (const key of left) this.#known.delete(key)
      if (left.length === 0 || clock.monotonic() >= deadline) break
      await clock.sleep(FIND_AGAIN_AFTER_MS)
    }
    return keys.map(key => answers.get(key)!)
  }

  async #askOnce<Answer>(
    key: string,
    ask: (connection: BrokerConnection) => Promise<Answer>,
    refused: (outcome: Outcome) => Answer,
  ): Promise<Answer> {
    const found = await this.#find(key)
    if (!('broker' in found)) return refused(found)
    return await this.#using(found.broker, [key], ask)
  }

  /** Where it went wrong it is looked for anew. */
  async #using<Answer>(
    broker: number,
    keys: readonly string[],
    ask: (connection: BrokerConnection) => Promise<Answer>,
  ): Promise<Answer> {
    try {
      return await this.#use(broker, ask)
    } catch (error) {
      for (const key of keys) this.#known.delete(key)
      throw error
    }
  }

  /** Learns where `keys` are; those that nobody coordinates now, with the reason. */
  async #findMany(keys: readonly string[]): Promise<Map<string, Outcome>> {
    const { pool } = this.#context
    const missing = keys.filter(key => !pool.knows(this.#known.get(key) ?? -1))
    const unknown = new Map<string, Outcome>()
    for (const part of cut(missing, FOUND_AT_ONCE)) {
      const answer = await pool.askAny(connection => {
        connection.versions.need('FindCoordinator')
        return connection.call(findCoordinatorV4.api, KEY_TYPES[this.#kind], [...part])
      })
      for (const key of part) unknown.set(key, outcome(KafkaCode.COORDINATOR_NOT_AVAILABLE))
      for (const { key, nodeId, host, port, errorCode, errorMessage } of answer.coordinators) {
        if (errorCode !== KafkaCode.NONE) unknown.set(key, outcome(errorCode, errorMessage))
        else {
          unknown.delete(key)
          pool.learnOne(nodeId, { host, port })
          this.#known.set(key, nodeId)
        }
      }
    }
    return unknown
  }

  /** Those that are looked for at the same moment share a request. */
  async #find(key: string): Promise<Found> {
    const known = this.#known.get(key)
    if (known !== undefined && this.#context.pool.knows(known)) return { broker: known }
    const seeking = this.#seeking ?? this.#seek()
    seeking.keys.add(key)
    const why = (await seeking.unknown).get(key)
    const broker = this.#known.get(key)
    if (why !== undefined || broker === undefined) return why ?? outcome(KafkaCode.COORDINATOR_NOT_AVAILABLE)
    return { broker }
  }

  #seek(): Seeking {
    const keys = new Set<string>()
    const unknown = Promise.resolve().then(async () => {
      this.#seeking = undefined
      return await this.#findMany([...keys])
    })
    this.#seeking = { keys, unknown }
    return this.#seeking
  }
}

function cut<T>(items: readonly T[], atOnce: number): T[][] {
  const parts: T[][] = []
  for (let at = 0; at < items.length; at += atOnce) parts.push(items.slice(at, at + atOnce))
  return parts
}
