// After the fence, an open transaction holds the last stable offset back, and its marker would land behind the cut. So it is
// waited for, briefly, and then ended through its coordinator: with InitProducerId, which aborts it and fences its producer, so
// that a later commit fails as it should. Markers written past a coordinator would let that commit answer success while its
// records are gone, so kdr writes none: a transaction that no coordinator knows is named, with Kafka's own command for it.
import { holdingSentence } from '../../model/holding.ts'
import { KdrError } from '../../model/errors.ts'
import { codeName, isAuthorization, KafkaCode } from '../../model/kafka-codes.ts'
import { isPlanned, type StepData } from '../../model/runs.ts'
import type { Cluster, ProducerState, TransactionView } from '../../ports/cluster.ts'
import { judgeTransaction } from '../log/judge-transaction.ts'
import type { RunContext, StepEnd } from './context.ts'
import { nameOf, someOf, type SourcePartition, sourcePartitions } from './source-partitions.ts'

export type EndLimits = {
  /** For applications to end their transactions themselves. */
  readonly waitMs?: number
  /** For all the rest. */
  readonly withinMs?: number
}

const WAIT_MS = 5_000
const WITHIN_MS = 30_000
const LOOK_AGAIN_MS = 200
/** What is known to no coordinator for so long is not just being ended. */
const HANGING_AFTER_MS = 2_000

type Known = RunContext & { readonly source: Cluster }
type Ended = StepData['end-transactions']['ended'][number]

/** A transaction that holds a partition. `view`: as its coordinator has it. */
type Holder = {
  readonly at: SourcePartition
  readonly producer: ProducerState
  readonly view: TransactionView | undefined
  readonly kind: ReturnType<typeof judgeTransaction>
}

/** Throws KdrError: not-ready, not-allowed. A failover goes on all the same, and what is not read counts as lost. */
export async function endTransactions(
  context: RunContext,
  limits: EndLimits = {},
): Promise<StepEnd<'end-transactions'>> {
  const { source, record } = context
  if (source === undefined)
    return { what: `"${record.active}" does not answer`, data: { ended: [] }, isSkipped: true }
  return await new Ending({ ...context, source }, limits).run()
}

class Ending {
  readonly #context: Known
  readonly #limits: Required<EndLimits>
  readonly #startedAt: number
  readonly #seen = new Set<string>()
  readonly #aborted = new Set<string>()
  readonly #refused = new Map<string, string>()
  /** Since when it is known to nobody. */
  readonly #unknownSince = new Map<string, number>()
  /** An address that Kafka's tools can be given. */
  #bootstrap = 'HOST:PORT'

  constructor(context: Known, { waitMs = WAIT_MS, withinMs = WITHIN_MS }: EndLimits) {
    this.#context = context
    this.#limits = { waitMs, withinMs }
    this.#startedAt = context.clock.monotonic()
  }

  async run(): Promise<StepEnd<'end-transactions'>> {
    const { clock, record } = this.#context
    const { waitMs, withinMs } = this.#limits
    for (;;) {
      const held = await this.#held()
      if (held.length === 0) return this.#done()
      const holders = await this.#holders(held)
      const passed = clock.monotonic() - this.#startedAt
      if (passed >= waitMs) await this.#end(holders)
      const problem = this.#hopeless(holders) ?? (passed >= waitMs + withinMs ? this.#late(held) : undefined)
      if (problem !== undefined) {
        if (isPlanned(record.kind)) throw problem
        return this.#done(`; gave up on the rest (${problem.message}): what stands behind it counts as lost`)
      }
      this.#context.progress(`waits for transactions that hold ${someOf(held.map(nameOf))}`)
      await clock.sleep(LOOK_AGAIN_MS)
    }
  }

  /** Partitions where last stable offset, high watermark and end differ. */
  async #held(): Promise<SourcePartition[]> {
    const { source } = this.#context
    const { view, partitions } = await sourcePartitions(this.#context, source)
    const [broker] = view.brokers
    if (broker !== undefined) this.#bootstrap = `${broker.host}:${broker.port}`
    // In this order: each is at most what the next will be.
    const stable = await source.offsets(partitions, 'lastStable')
    const high = await source.offsets(partitions, 'highWatermark')
    const ends = await source.offsets(partitions, 'logEnd')
    return partitions.filter((_, index) => {
      const answers = [stable[index], high[index], ends[index]]
      const isKnown = answers.every(answer => answer?.code === KafkaCode.NONE)
      return !isKnown || answers.some(answer => answer?.offset !== ends[index]?.offset)
    })
  }

  async #holders(held: readonly SourcePartition[]): Promise<Holder[]> {
    const { source } = this.#context
    const answers = await source.producers(held)
    const open = held.flatMap((at, index) =>
      (answers[index]?.producers ?? [])
        .filter(({ transactionStart }) => transactionStart >= 0)
        .map(producer => ({ at, producer })),
    )
    const ids = [...new Set(open.map(({ producer }) => producer.producerId))]
    if (ids.length === 0) return []
    const seen = await source.transactionsOf(ids)
    return open.map(({ at, producer }) => {
      const view = seen.transactions.find(each => each.producerId === producer.producerId)
      const kind = judgeTransaction(at, { known: view, isComplete: seen.isComplete, isOverdue: false })
      if (kind === 'open' && view !== undefined) this.#seen.add(view.transactionalId)
      return { at, producer, view, kind }
    })
  }

  /** Only those that are Ongoing: one that is being completed needs nothing but time. */
  async #end(holders: readonly Holder[]): Promise<void> {
    const { source } = this.#context
    const ongoing = holders.filter(({ kind, view }) => kind === 'open' && view?.state === 'Ongoing')
    const ids = [...new Set(ongoing.map(({ view }) => view!.transactionalId))].filter(
      id => !this.#aborted.has(id) && !this.#refused.has(id),
    )
    if (ids.length === 0) return
    this.#context.progress(`ends ${ids.length} transaction(s) through their coordinators`)
    await this.#context.guard()
    await Promise.all(
      ids.map(async id => {
        const { code } = await source.initProducer(id)
        if (code === KafkaCode.NONE) this.#aborted.add(id)
        // It is being ended: asked again in the next round, if that is still needed.
        else if (code !== KafkaCode.CONCURRENT_TRANSACTIONS)
          this.#refused.set(
            id,
            isAuthorization(code)
              ? `kdr may not end transaction "${id}" at "${source.name}": it needs WRITE on that transactional id (${codeName(code)})`
              : `the coordinator of transaction "${id}" at "${source.name}" refuses to end it: ${codeName(code)}`,
          )
      }),
    )
  }

  /** What no waiting mends. */
  #hopeless(holders: readonly Holder[]): KdrError | undefined {
    const stuck = holders.find(({ view }) => view !== undefined && this.#refused.has(view.transactionalId))
    if (stuck !== undefined)
      return new KdrError('not-allowed', this.#refused.get(stuck.view!.transactionalId)!)
    const now = this.#context.clock.monotonic()
    const isKnown = new Set<string>()
    for (const { at, producer, kind } of holders) {
      const key = `${nameOf(at)} ${producer.producerId} ${producer.producerEpoch} ${producer.transactionStart}`
      if (kind === 'open') continue
      isKnown.add(key)
      if (!this.#unknownSince.has(key)) this.#unknownSince.set(key, now)
    }
    for (const key of this.#unknownSince.keys()) if (!isKnown.has(key)) this.#unknownSince.delete(key)
    const longest = Math.max(0, ...[...this.#unknownSince.values()].map(since => now - since))
    if (longest < Math.max(HANGING_AFTER_MS, this.#limits.waitMs)) return undefined
    const lost = holders.filter(({ kind }) => kind !== 'open')
    return new KdrError('not-ready', lost.map(holder => this.#sentence(holder)).join('\n'), {
      hint: 'Make sure that its application is gone (a commit that comes after such an abort answers success, and its records are lost), then run the command and resume the run.',
    })
  }

  #sentence({ at, producer, kind }: Holder): string {
    return holdingSentence(at, {
      kind,
      producerId: String(producer.producerId),
      producerEpoch: producer.producerEpoch,
      startOffset: producer.transactionStart,
      since: producer.lastTimestamp,
      bootstrap: this.#bootstrap,
    })
  }

  #late(held: readonly SourcePartition[]): KdrError {
    const { withinMs, waitMs } = this.#limits
    return new KdrError(
      'not-ready',
      `the last stable offset of ${someOf(held.map(nameOf))} at "${this.#context.source.name}" has not reached the end within ${waitMs + withinMs} ms`,
    )
  }

  #done(rest = ''): StepEnd<'end-transactions'> {
    const ended = [...this.#seen].map((transactionalId): Ended => {
      const how = this.#aborted.has(transactionalId) ? 'aborted' : 'committed-or-aborted'
      return { transactionalId, how }
    })
    const by = (how: Ended['how']): number => ended.filter(each => each.how === how).length
    const what =
      ended.length === 0
        ? 'no transaction was open'
        : `${by('committed-or-aborted')} transaction(s) ended by themselves, ${by('aborted')} were ended through their coordinators`
    return { what: `${what}${rest}`, data: { ended } }
  }
}
