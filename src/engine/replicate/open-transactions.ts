// Which transaction holds a last stable offset of the source, and whether anybody can still end it. A transaction that no
// coordinator knows hangs: read-committed readers, kdr among them, wait for it for ever, until somebody aborts it on its
// partition. The same command on a transaction that is alive loses data: its application's commit answers success and its
// records are gone. So the two are told apart with care, and kdr itself aborts nothing.
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { HoldingTransaction } from '../../model/link.ts'
import { findKdrError } from '../../model/errors.ts'
import { holdingSentence } from '../../model/holding.ts'
import type { ProducerState, SeenTransactions, TransactionView } from '../../ports/cluster.ts'
import { judgeTransaction } from '../log/judge-transaction.ts'
import type { LinkContext } from './context.ts'
import { HELD_LOOK_AFTER_MS, TRANSACTION_MAX_TIMEOUT_MS, WARN_AGAIN_MS } from './limits.ts'
import type { PartitionCopy } from './partition.ts'

type Kind = HoldingTransaction['kind']
type Held = { readonly copy: PartitionCopy; readonly producer: ProducerState }

export class OpenTransactions {
  readonly #context: LinkContext
  #maxTimeoutMs: number | undefined
  #isImpossible = false
  /** Of partitions that were judged: which transaction, and as what. Twice the same is believed. */
  readonly #judged = new WeakMap<PartitionCopy, string>()
  readonly #toldAt = new Map<string, number>()

  constructor(context: LinkContext) {
    this.#context = context
  }

  /** One look at all copies that are held: a request per broker and kind. Throws KdrError('unreachable'). */
  async look(copies: readonly PartitionCopy[]): Promise<void> {
    if (this.#isImpossible) return
    try {
      await this.#look(copies)
    } catch (error) {
      // A service that does not offer these requests is a source all the same.
      if (findKdrError(error)?.code !== 'cluster-lacks') throw error
      this.#isImpossible = true
    }
  }

  async #look(copies: readonly PartitionCopy[]): Promise<void> {
    const now = this.#context.clock.monotonic()
    const held = copies.filter(copy => copy.isOpen && copy.held.heldMs(now) >= HELD_LOOK_AFTER_MS)
    for (const copy of copies)
      if (copy.watched.transaction !== undefined && !held.includes(copy)) this.#clear(copy)
    if (held.length === 0) return
    const holders = await this.#holders(held)
    if (holders.length === 0) return
    const seen = await this.#context.source.transactionsOf([
      ...new Set(holders.map(({ producer }) => producer.producerId)),
    ])
    const maxTimeoutMs = await this.#maxTimeout()
    for (const holder of holders) this.#judge(holder, seen, maxTimeoutMs)
  }

  /** The producer whose transaction begins at the last stable offset, by the leader's own state. */
  async #holders(held: readonly PartitionCopy[]): Promise<Held[]> {
    const answers = await this.#context.source.producers(held)
    return held.flatMap((copy, index) => {
      const { code, producers } = answers[index] ?? { code: KafkaCode.UNKNOWN_SERVER_ERROR, producers: [] }
      const producer = producers.find(each => each.transactionStart === copy.held.offset)
      if (code === KafkaCode.NONE && producer !== undefined) return [{ copy, producer }]
      this.#clear(copy)
      return []
    })
  }

  #judge({ copy, producer }: Held, seen: SeenTransactions, maxTimeoutMs: number): void {
    const { clock } = this.#context
    const known = seen.transactions.find(each => each.producerId === producer.producerId)
    const kind = judgeTransaction(copy, {
      known,
      isComplete: seen.isComplete,
      isOverdue: copy.held.heldMs(clock.monotonic()) > maxTimeoutMs,
    })
    const judgement = `${kind}/${producer.producerId}/${producer.producerEpoch}/${producer.transactionStart}`
    const isSure = this.#judged.get(copy) === judgement
    this.#judged.set(copy, judgement)
    // A transaction that ends at this moment is known to nobody for a moment.
    if (kind === 'hanging' && !isSure) return
    const transaction = this.#describe(producer, kind, known)
    copy.watched.transaction = transaction
    if (kind === 'hanging') this.#tell(copy.topic, holdingSentence(copy, transaction))
  }

  #describe(producer: ProducerState, kind: Kind, known: TransactionView | undefined): HoldingTransaction {
    const isAlive = kind === 'open' && known !== undefined
    const since = isAlive && known.startedAt >= 0 ? known.startedAt : producer.lastTimestamp
    return {
      kind,
      producerId: String(producer.producerId),
      producerEpoch: producer.producerEpoch,
      startOffset: producer.transactionStart,
      since,
      bootstrap: this.#bootstrap(),
      ...(isAlive && { transactionalId: known.transactionalId, timeoutMs: known.timeoutMs }),
    }
  }

  /** An address that Kafka's tools can be given. */
  #bootstrap(): string {
    const [broker] = this.#context.sourceWatch.view?.brokers ?? []
    return broker === undefined ? 'HOST:PORT' : `${broker.host}:${broker.port}`
  }

  #clear(copy: PartitionCopy): void {
    copy.watched.transaction = undefined
    this.#judged.delete(copy)
  }

  #tell(topic: string, sentence: string): void {
    const now = this.#context.clock.monotonic()
    if (now - (this.#toldAt.get(topic) ?? Number.NEGATIVE_INFINITY) < WARN_AGAIN_MS) return
    this.#toldAt.set(topic, now)
    this.#context.log.event('warn', sentence, { link: this.#context.link })
  }

  /** The source's `transaction.max.timeout.ms`; its default where kdr may not read configs of brokers. */
  async #maxTimeout(): Promise<number> {
    if (this.#maxTimeoutMs !== undefined) return this.#maxTimeoutMs
    const name = 'transaction.max.timeout.ms'
    const configs = await this.#context.source.brokerConfigs([name]).catch((error: unknown) => {
      if (findKdrError(error)?.code !== 'not-allowed') throw error
      return new Map<string, string>()
    })
    this.#maxTimeoutMs = Number(configs.get(name) ?? TRANSACTION_MAX_TIMEOUT_MS)
    return this.#maxTimeoutMs
  }
}
