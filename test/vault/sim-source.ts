// A simulated cluster that is backed up into a vault in memory, in virtual time. What the source holds at a moment, as a
// read-committed consumer sees it, is the oracle for what a commit must hold.
import { backUp, type BackupResult } from '../../src/engine/backup/backup.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import type { RawBatch } from '../../src/model/batch.ts'
import type { PartitionState, SetState } from '../../src/model/vault.ts'
import type { Cluster } from '../../src/ports/cluster.ts'
import type { ObjectStore } from '../../src/ports/store.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { readState } from '../../src/vault/chain.ts'
import { SegmentReader } from '../../src/vault/reader.ts'
import { initVault } from '../../src/vault/vault.ts'
import { openSetWriter } from '../../src/vault/writer.ts'
import { Chaos } from '../sim/chaos.ts'
import { SimClock } from '../sim/clock.ts'
import { SimCluster, type SimPartition } from '../sim/cluster.ts'
import { controlBatch, transactional } from '../sim/marker.ts'
import { SimNetwork, SimProcess } from '../sim/network.ts'
import { simPort } from '../sim/port.ts'
import { Random } from '../sim/random.ts'
import { SET, unique } from './made.ts'

const START = 1_800_000_000_000
const HOUR_MS = 3_600_000

export type SimBackup = {
  readonly meanwhile?: () => void
  /** Those that begin so. */
  readonly topics?: string
  /** Instead of the world's own: in the eyes of one process. */
  readonly store?: ObjectStore
  readonly port?: Cluster
  readonly maxBytesPerSecond?: number | undefined
  readonly renewsBeyondBytes?: number
}

/** What a consumer sees: one line a record. */
export type Seen = readonly string[]

export class SimSource {
  readonly clock = new SimClock(START)
  readonly random: Random
  readonly cluster: SimCluster
  readonly network: SimNetwork
  readonly store: ObjectStore
  readonly port: Cluster
  #values = 0
  #nextProducer = 5_000n

  constructor(seed = 1, store: ObjectStore = new MemoryStore()) {
    this.random = new Random(seed)
    this.store = store
    this.cluster = new SimCluster({
      name: 'source',
      clusterId: 'source-id',
      brokers: 3,
      clock: this.clock,
      random: this.random.stream('cluster'),
      mayWriteMarkers: true,
      producerExpirationMs: HOUR_MS,
    })
    const chaos = new Chaos(new Set(), () => undefined)
    this.network = new SimNetwork(this.clock, this.random.stream('network'), chaos)
    this.port = simPort(this.cluster, this.network, new SimProcess())
  }

  /** Runs `act` in virtual time. */
  async run<T>(act: () => Promise<T>, limitMs = HOUR_MS): Promise<T> {
    let isDone = false
    const work = act().finally(() => {
      isDone = true
    })
    work.catch(() => undefined)
    const ended = await this.clock.run(() => isDone, this.clock.monotonic() + limitMs)
    if (ended !== 'done') throw new Error(`the world came to its end: ${ended}`)
    return await work
  }

  async init(): Promise<void> {
    await initVault(this.store, { vault: 'v', createdAt: new Date(START).toISOString(), by: 'test' })
  }

  async backUp(options: SimBackup = {}): Promise<BackupResult> {
    return await this.run(async () => await this.startBackUp(options))
  }

  /** Within `run`. */
  async startBackUp({
    meanwhile,
    topics = '',
    store,
    port,
    ...limits
  }: SimBackup = {}): Promise<BackupResult> {
    const writer = await openSetWriter({
      store: store ?? this.store,
      set: SET,
      by: 'test',
      unique,
      now: () => this.clock.now(),
      // Compression is real work, and this time is not real.
      compression: 'none',
    })
    return await backUp({
      cluster: port ?? this.port,
      writer,
      isWanted: topic => topic.startsWith(topics),
      clock: this.clock,
      signal: new AbortController().signal,
      isIntact: batch => recordCodec.isIntact(batch),
      segmentBytes: 2_000,
      ...limits,
      onProgress: () => meanwhile?.(),
    })
  }

  /** Nothing happens meanwhile. */
  async pass(ms: number): Promise<void> {
    await this.run(async () => await this.clock.sleep(ms), ms + HOUR_MS)
  }

  /** A cleaner takes some batches below the last stable offset, as if later ones had their keys. */
  compact({ log }: SimPartition): void {
    const upTo = log.lastStable
    const last = log.entries.at(-1)
    log.entries = log.entries.filter(
      each => each === last || each.next > upTo || each.header.isControl || this.random.chance(0.6),
    )
  }

  topic(name: string, partitions = 1): SimPartition[] {
    return (this.cluster.topics.get(name) ?? this.cluster.createTopic(name, partitions, {})).partitions
  }

  /** Each record a value of its own. */
  produce(at: SimPartition, count = 1, producerId?: bigint, skewMs = 0): void {
    const bytes = recordCodec.encode({
      codec: 'none',
      records: Array.from({ length: count }, (_none, offset) => ({
        offset,
        timestamp: this.clock.now() + skewMs + offset,
        key: null,
        value: Buffer.from(`value ${this.#values++}`),
        headers: [],
      })),
    })
    if (producerId !== undefined) {
      bytes.writeBigInt64BE(producerId, 43)
      transactional(bytes)
    }
    at.log.force(bytes)
    at.log.advance()
  }

  newProducer(): bigint {
    return this.#nextProducer++
  }

  end(at: SimPartition, producerId: bigint, isCommit: boolean): void {
    at.log.force(controlBatch({ producerId, producerEpoch: 0, isCommit, now: this.clock.now() }))
    at.log.advance()
  }

  loseEnd(at: SimPartition, to: number): void {
    this.cluster.loseEnd(at, to)
  }

  async state(number: number): Promise<SetState> {
    return await readState(this.store, SET, number)
  }
}

/** What the source holds of a partition below `end`. */
export function seenAtSource({ log }: SimPartition, end = log.lastStable): Seen {
  const isAborted = (producerId: bigint, base: number): boolean =>
    log.aborted.some(
      each => each.producerId === producerId && each.firstOffset <= base && base < each.markerOffset,
    )
  return log.entries
    .filter(({ header, base, next, bytes }) => {
      // A batch that the log start is in may be that of an open transaction: then it begins below the end.
      if (bytes.length === 0 || header.isControl || next > end) return false
      return !header.isTransactional || !isAborted(header.producerId, base)
    })
    .flatMap(({ header, bytes }) => lines({ header, bytes }, log.logStart))
}

/** What the vault holds of a partition. */
export async function seenInVault(
  store: ObjectStore,
  { segments, start, end }: PartitionState,
): Promise<Seen> {
  const reader = new SegmentReader(store, SET)
  const seen: string[] = []
  for (let offset = start; ; ) {
    const run = await reader.read(segments, offset, end)
    if (run === undefined) return seen
    for (const batch of run.batches) {
      const { header } = batch
      const isAborted = run.aborted.some(
        each =>
          each.producer === String(header.producerId) &&
          each.from <= header.baseOffset &&
          header.baseOffset < (each.to ?? Number.POSITIVE_INFINITY),
      )
      if (!header.isControl && !(header.isTransactional && isAborted)) seen.push(...lines(batch, start))
    }
    offset = run.batches.at(-1)!.header.lastOffset + 1
  }
}

function lines(batch: RawBatch, start: number): string[] {
  return recordCodec
    .decode(batch)
    .filter(({ offset }) => offset >= start)
    .map(({ offset, value }) => `${offset} ${String(value)}`)
}
