// Draws the next operation of a history from its seed, knowing what the simulated side holds now: so that most operations
// are near an edge (the next sequence or one beside it, the log's end or one behind it), and many are plainly right.
import { CODECS } from '../../../src/model/batch.ts'
import type { LogPoint } from '../../../src/ports/cluster.ts'
import type { SimCluster, SimPartition } from '../cluster.ts'
import type { Random } from '../random.ts'
import type { At, BatchSpec, Entry, FetchOf, Flaw, IdSymbol, Kind, Operation } from './operations.ts'

const HOUR_MS = 3_600_000
/** Older than a broker remembers a producer, older than a topic's limit below, right, and too far in the future. */
const AGES_MS = [0, 0, 0, 10_000, HOUR_MS, 30 * HOUR_MS, 72 * HOUR_MS, -30 * 60_000, -48 * HOUR_MS]
const FLAWS: readonly Flaw[] = [
  'checksum',
  'baseOffset',
  'control',
  'transactional',
  'recordCount',
  'sequence',
  'deltas',
  'maxTimestamp',
]
const POINTS: readonly LogPoint[] = ['logStart', 'logEnd', 'highWatermark', 'lastStable']
const TOPICS = ['a', 'b']
const NOBODYS_TOPIC = 'z'
const TRANSACTIONS = ['T1', 'T2', 'K1']
const GROUPS = ['g1', 'g2']
const CONFIGS: readonly Readonly<Record<string, string>>[] = [
  {},
  {},
  {},
  { 'cleanup.policy': 'compact' },
  { 'cleanup.policy': 'compact,delete' },
  { 'max.message.bytes': '400' },
  { 'message.timestamp.before.max.ms': String(48 * HOUR_MS) },
  { 'message.timestamp.after.max.ms': String(100 * HOUR_MS), 'retention.ms': '-1' },
]
const WEIGHTS: Readonly<Record<Kind, number>> = {
  describe: 4,
  create: 3,
  delete: 1,
  addPartitions: 1,
  alter: 1,
  configs: 1,
  append: 24,
  markers: 8,
  trim: 4,
  offsets: 6,
  times: 2,
  epochEnds: 4,
  producers: 6,
  fetch: 14,
  init: 3,
  empty: 3,
  send: 8,
  end: 4,
  commitOffsets: 2,
  groupOffsets: 2,
  groups: 1,
}
const KINDS = Object.keys(WEIGHTS) as Kind[]
const BAG = KINDS.flatMap(kind => Array.from({ length: WEIGHTS[kind] }, () => kind))

export class Drawer {
  readonly #random: Random
  readonly #cluster: SimCluster
  readonly #nameOf: (symbol: string) => string
  readonly #ids: ReadonlyMap<IdSymbol, string>
  readonly #producerIds: readonly string[]
  /** Of an application's transactions: the next sequence by `transaction topic/partition`. */
  readonly #sequences = new Map<string, number>()
  readonly #begun = new Set<string>()

  constructor(
    random: Random,
    side: {
      cluster: SimCluster
      nameOf: (symbol: string) => string
      ids: ReadonlyMap<IdSymbol, string>
    },
  ) {
    this.#random = random
    this.#cluster = side.cluster
    this.#nameOf = side.nameOf
    this.#ids = side.ids
    this.#producerIds = [0, 1].map(() => String(BigInt(random.between(1, 2 ** 31)) << 30n))
  }

  next(): Operation {
    const random = this.#random
    if (!TOPICS.some(topic => this.#topic(topic) !== undefined)) return this.#create()
    return this.#draw(random.pick(BAG))
  }

  #draw(kind: Kind): Operation {
    const random = this.#random
    switch (kind) {
      case 'describe':
      case 'groups':
        return { do: kind }
      case 'create':
        return this.#create()
      case 'delete':
        return { do: kind, topic: this.#anyTopic() }
      case 'addPartitions': {
        const topic = this.#anyTopic()
        const count = this.#topic(topic)?.partitions.length ?? 1
        return { do: kind, topic, total: Math.max(1, Math.min(4, count + random.between(-1, 1))) }
      }
      case 'alter':
        return {
          do: kind,
          topic: this.#anyTopic(),
          changes: random.pick<Record<string, string | null>>([
            { 'retention.ms': '123456789' },
            { 'retention.ms': null },
            { 'no.such.config': '1' },
            { 'retention.ms': '5', 'no.such.config': '1' },
            { 'retention.ms': 'many' },
            { 'delete.retention.ms': null, 'retention.bytes': '1000000' },
          ]),
        }
      case 'configs':
        return { do: kind, topics: [...TOPICS, NOBODYS_TOPIC].filter(() => random.chance(0.7)) }
      case 'append':
        return this.#append()
      case 'markers': {
        const fills = this.#some(2).map(at => ({ ...at, count: random.between(0, 3) }))
        const producerId = random.pick(this.#producerIds)
        const known = this.#log(fills[0]!)?.log.producers.get(BigInt(producerId))
        return {
          do: kind,
          broker: this.#broker(),
          producerId,
          epoch: Math.max(0, (known?.epoch ?? 0) + this.#mostly(0, [-1, 1])),
          coordinatorEpoch: Math.max(0, (known?.coordinatorEpoch ?? 0) + this.#mostly(0, [-1, 1])),
          fills,
        }
      }
      case 'trim':
        return {
          do: kind,
          targets: this.#some(2).map(at => ({ ...at, before: this.#offset(at) })),
        }
      case 'offsets':
        return { do: kind, point: random.pick(POINTS), partitions: this.#some(3) }
      case 'times':
        return {
          do: kind,
          partitions: this.#some(2).map(at => ({
            ...at,
            // Between the beginning and now, markers have times of their own.
            ageMs: random.pick(AGES_MS) + random.pick([5_000, 0, 1]),
          })),
        }
      case 'epochEnds':
        return {
          do: kind,
          partitions: this.#some(2).map(at => ({
            ...at,
            epoch: Math.max(0, (this.#log(at)?.log.leaderEpoch ?? 0) + random.between(-3, 1)),
          })),
        }
      case 'producers':
        return { do: kind, partitions: this.#some(2) }
      case 'fetch':
        return {
          do: kind,
          broker: this.#broker(),
          isolation: random.pick(['committed', 'uncommitted']),
          partitions: withIds(this.#some(2).map(at => this.#fetchOf(at))),
        }
      case 'init':
        return this.#init(random.pick(TRANSACTIONS))
      case 'empty':
        return {
          do: kind,
          transaction: 'K1',
          epoch: this.#mostly(0, [-1, 1]),
          isStranger: random.chance(0.08),
          partitions: this.#some(2),
        }
      case 'send':
        return this.#send()
      case 'end': {
        const open = [...this.#begun]
        if (open.length === 0) return this.#send()
        const transaction = random.pick(open)
        this.#begun.delete(transaction)
        return { do: kind, transaction, isCommit: random.chance(0.5) }
      }
      case 'commitOffsets':
        return {
          do: kind,
          group: random.pick(GROUPS),
          offsets: this.#some(2).map(at => ({
            ...at,
            offset: random.between(0, 30),
            metadata: random.pick(['', null]),
          })),
        }
      case 'groupOffsets':
        return { do: kind, group: random.pick([...GROUPS, 'nobody']) }
    }
  }

  #create(): Operation {
    const random = this.#random
    const free = TOPICS.filter(topic => this.#topic(topic) === undefined)
    const topic = free.length > 0 && random.chance(0.8) ? random.pick(free) : random.pick(TOPICS)
    return {
      do: 'create',
      topic,
      partitions: this.#mostly(random.between(1, 3), [0]),
      replicationFactor: this.#mostly(1, [7]),
      configs: this.#mostly(random.pick(CONFIGS), [{ 'no.such.config': '1' }]),
    }
  }

  #append(): Operation {
    const entries = this.#some(this.#mostly(1, [2, 3])).map(at => ({
      ...at,
      id: this.#id(at.topic),
      batch: this.#batch(at),
    }))
    const first = entries[0]!
    // A partition that is named twice is no request of Kafka's.
    const distinct = entries.filter(
      (entry, index) =>
        entries.findIndex(each => each.topic === entry.topic && each.partition === entry.partition) === index,
    )
    return { do: 'append', broker: this.#broker(), entries: [first, ...distinct.slice(1)] satisfies Entry[] }
  }

  #batch(at: At): BatchSpec {
    const random = this.#random
    const count = random.between(1, 4)
    const plain = {
      count,
      ageMs: random.pick(AGES_MS),
      codec: this.#mostly('none', CODECS),
      hasKeys: random.chance(0.8),
      valueBytes: this.#mostly(10, [0, 150, 600]),
    }
    const flaw = random.chance(0.1) ? { flaw: random.pick(FLAWS), codec: random.pick(CODECS) } : {}
    if (random.chance(0.1)) return { ...plain, ...flaw, producerId: undefined, epoch: -1, sequence: -1 }
    const producerId = random.pick(this.#producerIds)
    const known = this.#log(at)?.log.producers.get(BigInt(producerId))
    const last = known?.batches.at(-1)
    const next = last === undefined ? 0 : last.last + 1
    const repeated =
      known === undefined || known.batches.length === 0 ? undefined : random.pick(known.batches)
    const isRepeat = repeated !== undefined && random.chance(0.15)
    return {
      ...plain,
      ...flaw,
      ...(isRepeat ? { count: repeated.last - repeated.first + 1 } : {}),
      producerId,
      epoch: Math.max(0, (known?.epoch ?? 0) + this.#mostly(0, [-1, 1])),
      sequence: isRepeat
        ? repeated.first
        : Math.max(0, this.#mostly(next, [next - 1, next + 1, next + 1000, 0, 2 ** 31 - 1])),
    }
  }

  #fetchOf(at: At): FetchOf {
    const random = this.#random
    const { leaderEpoch } = this.#log(at)?.log ?? { leaderEpoch: 0 }
    return {
      ...at,
      id: this.#id(at.topic),
      offset: this.#offset(at),
      leaderEpoch: random.chance(0.4) ? undefined : this.#mostly(0, [-1, 1]),
      lastFetchedEpoch: random.chance(0.5) ? -1 : Math.max(0, leaderEpoch + this.#mostly(0, [-1, -2, 1])),
      maxBytes: this.#mostly(100_000, [1, 150, 300]),
    }
  }

  #init(transaction: string): Operation {
    for (const key of this.#sequences.keys())
      if (key.startsWith(`${transaction} `)) this.#sequences.delete(key)
    this.#begun.delete(transaction)
    return { do: 'init', transaction }
  }

  #send(): Operation {
    const random = this.#random
    const transaction = random.pick(['T1', 'T2'])
    if (!this.#initialized.has(transaction)) {
      this.#initialized.add(transaction)
      return this.#init(transaction)
    }
    const [at] = this.#some(1)
    const partition = this.#log(at!)
    if (partition === undefined) return { do: 'describe' }
    const key = `${transaction} ${this.#id(at!.topic)} ${at!.partition}`
    const sequence = this.#sequences.get(key) ?? 0
    const count = random.between(1, 3)
    this.#sequences.set(key, sequence + count)
    this.#begun.add(transaction)
    return {
      do: 'send',
      transaction,
      at: at!,
      batch: {
        count,
        sequence,
        ageMs: 0,
        codec: 'none',
        hasKeys: true,
        valueBytes: 10,
        flaw: 'transactional',
      },
    }
  }

  readonly #initialized = new Set<string>()

  #topic(symbol: string) {
    return this.#cluster.topics.get(this.#nameOf(symbol))
  }

  #log(at: At): SimPartition | undefined {
    return this.#topic(at.topic)?.partitions[at.partition]
  }

  #anyTopic(): string {
    const random = this.#random
    const alive = TOPICS.filter(topic => this.#topic(topic) !== undefined)
    return alive.length > 0 && random.chance(0.85)
      ? random.pick(alive)
      : random.pick([...TOPICS, NOBODYS_TOPIC])
  }

  /** Up to `most` partitions, no two the same; at least one. */
  #some(most: number): At[] {
    const random = this.#random
    const found: At[] = []
    for (let i = random.between(1, most); i > 0; i--) {
      const topic = random.chance(0.05) ? NOBODYS_TOPIC : this.#anyTopic()
      const count = this.#topic(topic)?.partitions.length ?? 1
      const partition = random.chance(0.05) ? count : random.between(0, Math.min(1, count - 1))
      if (!found.some(each => each.topic === topic && each.partition === partition))
        found.push({ topic, partition })
    }
    return found
  }

  /** The newest id of the topic, or now and then another one. */
  #id(topic: string): IdSymbol {
    const random = this.#random
    const all = [...this.#ids.keys()].filter(symbol => symbol.startsWith(`${topic}#`))
    const newest = all.at(-1) ?? 'wrong'
    return this.#mostly(newest, [random.pick([...all, 'wrong']), 'none'])
  }

  /** At or near an edge of the log, or inside it. */
  #offset(at: At): number {
    const random = this.#random
    const { logStart, lastStable, end } = this.#log(at)?.log ?? { logStart: 0, lastStable: 0, end: 0 }
    const edges = [logStart, lastStable, end, random.between(logStart, end), random.between(logStart, end)]
    return Math.max(-1, random.pick(edges) + this.#mostly(0, [-1, 1, 5]))
  }

  #broker(): 'leader' | 'other' {
    return this.#random.chance(0.04) ? 'other' : 'leader'
  }

  #mostly<T>(usual: T, rare: readonly T[]): T {
    return this.#random.chance(0.85) ? usual : this.#random.pick(rare)
  }
}

/** A partition without an id makes a broker fail the whole request, unless it stands alone: kdr never sends one. */
function withIds(partitions: readonly FetchOf[]): FetchOf[] {
  const isAlone = partitions.length === 1
  return partitions.map(of => (isAlone || of.id !== 'none' ? of : { ...of, id: 'wrong' }))
}
