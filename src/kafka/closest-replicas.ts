// Which partitions are read from a replica that is closer than the leader (KIP-392), for all connections to a cluster. The rules that
// keep this as strict as reading from the leader:
// - Only a leader names a replica, and only one that has fetched the offset from it (of newer versions one in sync). So that replica has
//   cut its log to the history of the leader's epoch, and below its high watermark it is a part of the leader's log. This holds for as
//   long as the epoch lasts, and no longer: what is known is known of one epoch, and both are asked under it.
// - A leader that names one does not look at its log: whether what was fetched before is of its history, the replica says, which is held
//   against that under the same epoch. Where it disagrees the leader is asked for records, and then it looks.
// - Compacted topics are read from the leader: each replica is compacted at a time of its own, so that two of them hold different
//   records.
// - A replica that fails, or has not what its leader has shown, is left alone for a while; so is one whose records are asked for again
//   and again, as nobody could use them. Once more they are asked for where what was read ahead is thrown away.
import type { Clock } from '../ports/clock.ts'
import type { FetchPartition, TopicConfigs } from '../ports/cluster.ts'
import { KafkaCode } from '../model/kafka-codes.ts'

/**
 * What the leader has not said again for so long counts no more: Java's client keeps it for five minutes (metadata.max.age.ms). Here the
 * leader is asked with each round, and this often where it has named nobody; so are the configs of topics.
 */
const ASK_AGAIN_MS = 60_000
const KEEP_MS = 300_000
/** How long a replica is left alone; a broker that goes on failing longer and longer. */
const HOLD_MS = { first: 10_000, last: 300_000 } as const
/** One that lags a little has what is missing the next time. */
const LATE_TIMES = 3
/** Of one partition: its connections ask for so many places in turn; and how often for the same one. */
const GIVEN = 64
const GIVEN_TIMES = 2

type Known = {
  readonly epoch: number
  /** -1: the leader has named nobody. */
  replica: number
  at: number
  /** Up to here the leader has shown records. */
  end: number
  late: number
  heldUntil: number
  /** Offsets that the replica has answered with records, and how often. */
  readonly given: Map<number, number>
}

export class ClosestReplicas {
  readonly #clock: Clock
  readonly #configsOf: (topics: readonly string[]) => Promise<ReadonlyMap<string, TopicConfigs>>
  readonly #known = new Map<string, Known>()
  readonly #topics = new Map<string, { readonly isCompacted: boolean; readonly at: number }>()
  readonly #brokers = new Map<number, { readonly until: number; readonly ms: number }>()
  #sweptAt = 0

  constructor(
    clock: Clock,
    configsOf: (topics: readonly string[]) => Promise<ReadonlyMap<string, TopicConfigs>>,
  ) {
    this.#clock = clock
    this.#configsOf = configsOf
  }

  /** Whom to ask for the records at this offset; undefined: the leader. */
  of(asked: FetchPartition): number | undefined {
    const known = this.#of(asked)
    if (known === undefined || known.replica < 0) return undefined
    const now = this.#clock.monotonic()
    if (now - known.at > ASK_AGAIN_MS || now < known.heldUntil || this.#isHeld(known.replica))
      return undefined
    if (!this.#mayBeRead(asked.topic)) return undefined
    if ((known.given.get(asked.offset) ?? 0) < GIVEN_TIMES) return known.replica
    this.#hold(known, ASK_AGAIN_MS)
    return undefined
  }

  /** Of these, those whose leader is to be asked now whether there is a closer one. */
  due(partitions: readonly FetchPartition[]): FetchPartition[] {
    const now = this.#clock.monotonic()
    const asked = partitions.filter(({ leaderEpoch }) => leaderEpoch >= 0)
    void this.#look(new Set(asked.map(({ topic }) => topic)))
    return asked.filter(each => {
      const known = this.#of(each)
      return this.#mayBeRead(each.topic) && (known === undefined || now - known.at > ASK_AGAIN_MS)
    })
  }

  /** The leader's word: `replica` is closer (-1: none is), and it has records up to `end`. */
  learn(asked: FetchPartition, replica: number, end: number): void {
    const now = this.#clock.monotonic()
    this.#sweep(now)
    const known = this.#of(asked)
    if (known !== undefined) {
      if (known.replica !== replica) known.given.clear()
      Object.assign(known, { replica, at: now, end })
      return
    }
    const { leaderEpoch: epoch } = asked
    const fresh = {
      epoch,
      replica,
      at: now,
      end,
      late: 0,
      heldUntil: -Infinity,
      given: new Map<number, number>(),
    }
    this.#known.set(keyOf(asked), fresh)
  }

  gave(asked: FetchPartition): void {
    const known = this.#of(asked)
    if (known === undefined) return
    this.#brokers.delete(known.replica)
    known.late = 0
    known.given.set(asked.offset, (known.given.get(asked.offset) ?? 0) + 1)
    for (const oldest of known.given.keys()) {
      if (known.given.size <= GIVEN) break
      known.given.delete(oldest)
    }
  }

  /** It gave nothing; true where its leader had shown records there before it was asked. */
  isLate(asked: FetchPartition): boolean {
    const known = this.#of(asked)
    if (known === undefined || asked.offset >= known.end) return false
    if (++known.late >= LATE_TIMES) this.#hold(known, HOLD_MS.first)
    return true
  }

  /** It answered with an error, or knows another history. */
  refused(asked: FetchPartition): void {
    const known = this.#of(asked)
    if (known !== undefined) this.#hold(known, HOLD_MS.first)
  }

  /** The broker gave no answer at all. Of many that were asked for at once the first one counts. */
  failed(broker: number): void {
    if (this.#isHeld(broker)) return
    const ms = Math.min((this.#brokers.get(broker)?.ms ?? HOLD_MS.first / 2) * 2, HOLD_MS.last)
    this.#brokers.set(broker, { until: this.#clock.monotonic() + ms, ms })
  }

  #of(asked: FetchPartition): Known | undefined {
    const known = this.#known.get(keyOf(asked))
    return known?.epoch === asked.leaderEpoch ? known : undefined
  }

  #hold(known: Known, ms: number): void {
    known.heldUntil = this.#clock.monotonic() + ms
    known.late = 0
    known.given.clear()
  }

  #isHeld(broker: number): boolean {
    return this.#clock.monotonic() < (this.#brokers.get(broker)?.until ?? -Infinity)
  }

  #mayBeRead(topic: string): boolean {
    const looked = this.#topics.get(topic)
    return looked?.isCompacted === false && this.#clock.monotonic() - looked.at <= KEEP_MS
  }

  /** What kdr may not look at, or has not looked at yet, is taken for compacted. Nobody waits for it. */
  async #look(topics: ReadonlySet<string>): Promise<void> {
    const now = this.#clock.monotonic()
    const wanted = [...topics].filter(
      topic => now - (this.#topics.get(topic)?.at ?? -Infinity) > ASK_AGAIN_MS,
    )
    if (wanted.length === 0) return
    for (const topic of wanted) this.#topics.set(topic, { isCompacted: this.#isCompacted(topic), at: now })
    const configs = await this.#configsOf(wanted).catch(() => new Map<string, TopicConfigs>())
    for (const topic of wanted) {
      const found = configs.get(topic)
      const policy = found?.code === KafkaCode.NONE ? found.entries.get('cleanup.policy')?.value : undefined
      this.#topics.set(topic, { isCompacted: policy !== 'delete', at: now })
    }
  }

  #isCompacted(topic: string): boolean {
    return this.#topics.get(topic)?.isCompacted !== false
  }

  #sweep(now: number): void {
    if (now - this.#sweptAt < KEEP_MS) return
    this.#sweptAt = now
    for (const [key, { at }] of this.#known) if (now - at > KEEP_MS) this.#known.delete(key)
    for (const [topic, { at }] of this.#topics) if (now - at > KEEP_MS) this.#topics.delete(topic)
  }
}

const keyOf = ({ topicId, partition }: FetchPartition): string => `${topicId}/${partition}`
