// long: because the script, its actors and the oracles of one history are read together.
// One history: two clusters, applications, a worker that may die, and trouble; then quiet; then the oracles. Everything
// follows from the seed, so a history run twice is the same.
import type { PartitionCopy } from '../../src/engine/replicate/partition.ts'
import { startReplication, type Replication } from '../../src/engine/replicate/replication.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import { splitBatches } from '../../src/model/batch.ts'
import type { FaultReason } from '../../src/model/link.ts'
import type { LinkSettings } from '../../src/model/link-settings.ts'
import { openTopicStore } from '../../src/state/topic-store.ts'
import { SimClock } from './clock.ts'
import { SimCluster, type SimPartition } from './cluster.ts'
import { SimNetwork, SimProcess } from './network.ts'
import { simPort } from './port.ts'
import { Random } from './random.ts'
import { idOf, PartitionWorkload } from './workload.ts'

const DAY_MS = 86_400_000
const START = 1_800_000_000_000

/** What may go wrong in a history; drawn from the seed, each present or not. */
export type Trouble = {
  readonly lost: number
  readonly answerLost: number
  readonly slow: number
  readonly crashes: boolean
  /** A worker is stopped as by SIGSTOP, another takes over, and the first wakes. */
  readonly pauses: boolean
  /** A worker is stopped cleanly, and the next one starts at once; now and then two start together. */
  readonly restarts: boolean
  /** Somebody else writes to a mirror. */
  readonly foreignWriter: boolean
  readonly targetLeaders: boolean
  readonly sourceLeaders: boolean
  readonly underReplication: boolean
  /**
   * Unclean elections at the source: committed records vanish, others take their offsets. Only without transactions: a
   * lost marker would give its producer's earlier records another fate, and the truth would have to follow.
   */
  readonly unclean: boolean
  readonly compaction: boolean
  readonly retention: boolean
  readonly producers: number
  readonly ageMs: number
  readonly expiryMs: number
  readonly mayWriteMarkers: boolean
  readonly markersRepeat: number
  readonly partitions: number
  readonly brokers: number
  readonly seconds: number
  /** Source offsets that were gone before the link began. */
  readonly lateStart: boolean
}

export function drawTrouble(random: Random): Trouble {
  const sometimes = (value: number): number => (random.chance(0.5) ? value * random.fraction() : 0)
  const mayWriteMarkers = random.chance(0.7)
  const lateStart = random.chance(0.3)
  const producers = random.chance(0.6) ? random.between(1, 3) : 0
  return {
    lost: sometimes(0.05),
    answerLost: sometimes(0.08),
    slow: sometimes(0.1),
    crashes: random.chance(0.4),
    pauses: random.chance(0.25),
    restarts: random.chance(0.3),
    foreignWriter: random.chance(0.15),
    targetLeaders: random.chance(0.5),
    sourceLeaders: random.chance(0.4),
    underReplication: random.chance(0.4),
    unclean: producers === 0 && !lateStart && random.chance(0.3),
    compaction: random.chance(0.4),
    retention: random.chance(0.2),
    producers,
    ageMs: random.chance(0.4) ? 2 * DAY_MS : 0,
    expiryMs: random.chance(0.5) ? DAY_MS : 10 * DAY_MS,
    mayWriteMarkers,
    markersRepeat: mayWriteMarkers || random.chance(0.5) ? 0 : 0.05,
    partitions: random.between(1, 3),
    brokers: random.between(1, 3),
    seconds: random.between(4, 20),
    lateStart,
  }
}

export type HistoryResult = {
  readonly seed: number
  readonly trouble: Trouble
  readonly violations: readonly string[]
  readonly faults: readonly string[]
  readonly trace: readonly string[]
  readonly records: number
}

const SETTINGS: LinkSettings = {
  name: 'sim',
  source: 'source',
  target: 'target',
  mode: 'exact',
  topics: ['t'],
  groups: [],
  overrides: [],
  onSourceDelete: 'keep',
  largeGap: 'markers',
  onOverfilled: 'stop',
  maxBytesPerSecond: undefined,
  sync: { configsMs: 30_000, aclsMs: 30_000, quotasMs: 30_000, groupsMs: 5_000 },
}

/** Within this much quiet virtual time everything must have been copied. */
const HEAL_MS = 240_000

export async function runHistory(seed: number, given?: Partial<Trouble>): Promise<HistoryResult> {
  const history = new History(seed, given)
  return await history.run()
}

class History {
  readonly #seed: number
  readonly #random: Random
  readonly #trouble: Trouble
  readonly #clock = new SimClock(START)
  readonly #source: SimCluster
  readonly #target: SimCluster
  readonly #workloads: PartitionWorkload[] = []
  readonly #networks: { readonly source: SimNetwork; readonly target: SimNetwork }
  readonly #violations: string[] = []
  readonly #trace: string[] = []
  #process = new SimProcess()
  /** Those that have taken the link over and have not ended: several, for a moment, when one was paused. */
  readonly #running = new Map<SimProcess, Replication>()
  #records = 0
  #workers = 0

  constructor(seed: number, given: Partial<Trouble> | undefined) {
    this.#seed = seed
    this.#random = new Random(seed)
    this.#trouble = { ...drawTrouble(this.#random.stream('trouble')), ...given }
    const { brokers, expiryMs, mayWriteMarkers } = this.#trouble
    const cluster = (name: string, may: boolean): SimCluster =>
      new SimCluster({
        name,
        clusterId: `id-${name}`,
        brokers,
        clock: this.#clock,
        random: this.#random.stream(name),
        mayWriteMarkers: may,
        producerExpirationMs: expiryMs,
      })
    this.#source = cluster('source', true)
    this.#target = cluster('target', mayWriteMarkers)
    this.#networks = {
      source: new SimNetwork(this.#clock, this.#random.stream('net-source')),
      target: new SimNetwork(this.#clock, this.#random.stream('net-target')),
    }
  }

  async run(): Promise<HistoryResult> {
    this.#prepare()
    let isOver = false
    const script = this.#script().then(
      () => {
        isOver = true
      },
      (error: unknown) => {
        this.#violate(
          `the script broke: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        )
        isOver = true
      },
    )
    const ended = await this.#clock.run(() => isOver, 3_600_000)
    if (ended !== 'done') this.#violate(`the history is ${ended}`)
    else await script
    this.#process.kill()
    return {
      seed: this.#seed,
      trouble: this.#trouble,
      violations: this.#violations,
      faults: this.#faults().map(({ name, reason, sentence }) => `${name} ${reason}: ${sentence}`),
      trace: this.#trace,
      records: this.#records,
    }
  }

  #prepare(): void {
    const { partitions, producers, ageMs, lateStart, compaction } = this.#trouble
    const random = this.#random.stream('prepare')
    const topic = this.#source.createTopic('t', partitions, {
      'cleanup.policy': compaction ? 'compact,delete' : 'delete',
    })
    topic.partitions.forEach((at, i) => {
      const workload = new PartitionWorkload(at, {
        clock: this.#clock,
        random: this.#random.stream(`workload-${i}`),
        ageMs,
        producers,
        firstProducer: 10 * (i + 1),
      })
      this.#workloads.push(workload)
      for (let n = random.between(0, 60); n > 0; n--) workload.step()
      if (lateStart && at.log.lastStable > 0) at.log.trim(random.between(1, at.log.lastStable))
    })
  }

  async #script(): Promise<void> {
    const { seconds } = this.#trouble
    const until = this.#clock.monotonic() + seconds * 1_000
    this.#setFaults(true)
    const parts = [this.#applications(until), this.#disturb(until), this.#operate(until)]
    await Promise.all(parts)
    this.#heal()
    await this.#converge()
    this.#judge()
  }

  async #applications(until: number): Promise<void> {
    const random = this.#random.stream('applications')
    while (this.#clock.monotonic() < until) {
      await this.#clock.sleep(random.between(5, 120))
      for (const workload of this.#workloads) if (random.chance(0.6)) workload.step()
    }
  }

  async #disturb(until: number): Promise<void> {
    const random = this.#random.stream('disturb')
    const { trouble } = { trouble: this.#trouble }
    while (this.#clock.monotonic() < until) {
      await this.#clock.sleep(random.between(50, 1_200))
      const source = random.pick(this.#workloads)
      const target = this.#target.all().filter(({ topic }) => topic === 't')
      if (trouble.compaction && random.chance(0.3)) this.#note('compaction', () => source.compact())
      if (trouble.retention && random.chance(0.15)) this.#note('retention', () => source.retain())
      if (trouble.sourceLeaders && random.chance(0.3))
        this.#note('source leader moves', () => this.#source.moveLeader(source.at))
      if (trouble.unclean && random.chance(0.1))
        this.#note('unclean election at the source', () => this.#loseEnd(source, random))
      if (target.length === 0) continue
      const { at, partition } = random.pick(target)
      if (trouble.targetLeaders && random.chance(0.4)) {
        if (random.chance(0.5))
          this.#note(`target leader of ${partition} moves`, () => this.#target.moveLeader(at))
        else this.#note(`target broker of ${partition} restarts`, () => this.#target.restart(at))
      }
      if (trouble.underReplication && random.chance(0.3)) {
        at.isUnderReplicated = !at.isUnderReplicated
        this.#note(`target ${partition} under-replicated: ${at.isUnderReplicated}`, () => undefined)
      }
      if (trouble.foreignWriter && random.chance(0.1))
        this.#note(`somebody writes to ${partition}`, () => writeForeign(at))
      if (random.chance(0.2)) this.#note('producers expire', () => this.#target.expireProducers())
    }
  }

  #loseEnd(workload: PartitionWorkload, random: Random): void {
    const { log } = workload.at
    log.truncate(random.between(Math.max(log.logStart, log.end - 30), log.end))
    workload.forgetTransactions()
    this.#source.moveLeader(workload.at)
  }

  /** Starts workers, kills them, starts the next. */
  async #operate(until: number): Promise<void> {
    const random = this.#random.stream('operate')
    while (this.#clock.monotonic() < until) {
      void this.#start()
      if (this.#trouble.restarts && random.chance(0.2))
        this.#note('a second kdr starts', () => void this.#start())
      const ends = this.#ends()
      if (ends.length === 0) {
        await this.#clock.sleep(until - this.#clock.monotonic())
        return
      }
      await this.#clock.sleep(random.between(500, 12_000))
      await random.pick(ends)(random)
    }
  }

  get #replication(): Replication | undefined {
    return [...this.#running].findLast(([process]) => !process.isPaused)?.[1]
  }

  /** The ways in which a worker's time may end in this history. */
  #ends(): ((random: Random) => Promise<void>)[] {
    const { crashes, pauses, restarts } = this.#trouble
    return [
      ...(crashes ? [this.#crash] : []),
      ...(pauses ? [this.#pause] : []),
      ...(restarts ? [this.#restart] : []),
    ]
  }

  readonly #crash = async (random: Random): Promise<void> => {
    this.#note('kdr is killed', () => this.#process.kill())
    this.#running.delete(this.#process)
    await this.#clock.sleep(random.between(10, 3_000))
  }

  readonly #pause = async (random: Random): Promise<void> => {
    const process = this.#process
    this.#note('kdr is paused', () => process.pause())
    const wakesAfter = random.between(100, 20_000)
    void this.#clock.sleep(wakesAfter).then(() => this.#note('the paused kdr wakes', () => process.resume()))
    await this.#clock.sleep(random.between(10, 6_000))
  }

  readonly #restart = async (random: Random): Promise<void> => {
    const process = this.#process
    const replication = this.#running.get(process)
    this.#running.delete(process)
    await replication?.stop()
    this.#note(`kdr ${replication === undefined ? 'is killed while it starts' : 'has stopped'}`, () =>
      process.kill(),
    )
    await this.#clock.sleep(random.between(0, 200))
  }

  /** Until it works: whoever runs kdr starts it again. */
  async #start(): Promise<void> {
    const process = new SimProcess()
    this.#process = process
    const number = ++this.#workers
    while (!process.isKilled) {
      try {
        const source = simPort(this.#source, this.#networks.source, process)
        const target = simPort(this.#target, this.#networks.target, process)
        const clock = this.#workerClock(process)
        await source.describe()
        await target.describe()
        const store = await openTopicStore(target, recordCodec, clock, { create: true })
        const entropy = this.#random.stream(`worker-${number}`)
        const replication = await startReplication({
          settings: SETTINGS,
          source,
          target,
          store,
          codec: recordCodec,
          clock,
          entropy: {
            bits62: () => BigInt(entropy.between(0, 2 ** 31)) * 2n ** 30n,
            uuid: () => `worker-${number}`,
            fraction: () => entropy.fraction(),
          },
          log: { event: (level, message) => this.#say(`${level} ${message}`) },
          firstDifference: () => Promise.resolve('something'),
        })
        if (process.isKilled) return
        this.#process = process
        this.#running.set(process, replication)
        await replication.failed
      } catch (error) {
        if (process.isKilled) return
        const text = error instanceof Error ? error.message : String(error)
        this.#say(`kdr ends: ${text}`)
        if (!/unreachable|lost|answer|another kdr|closed|cannot be/.test(text))
          this.#violate(`kdr broke: ${error instanceof Error ? (error.stack ?? text) : text}`)
        this.#running.delete(process)
        await this.#clock.sleep(1_000)
      }
    }
  }

  #workerClock(process: SimProcess) {
    return {
      now: () => this.#clock.now(),
      monotonic: () => this.#clock.monotonic(),
      sleep: async (ms: number, signal?: AbortSignal) => {
        await this.#clock.sleep(ms, signal)
        await process.turn()
      },
    }
  }

  #setFaults(isOn: boolean): void {
    const { lost, answerLost, slow, markersRepeat } = this.#trouble
    for (const { faults } of [this.#networks.source, this.#networks.target]) {
      Object.assign(faults, isOn ? { lost, answerLost, slow } : { lost: 0, answerLost: 0, slow: 0 })
    }
    this.#target.markersRepeat = isOn ? markersRepeat : 0
  }

  #heal(): void {
    this.#setFaults(false)
    for (const workload of this.#workloads) {
      workload.step()
      workload.finish()
    }
    for (const { at } of [...this.#target.all(), ...this.#source.all()]) {
      at.isUnderReplicated = false
      at.log.advance()
    }
    this.#note('heal', () => undefined)
    for (const process of this.#running.keys()) process.resume()
    if (this.#process.isKilled) void this.#start()
  }

  async #converge(): Promise<void> {
    const until = this.#clock.monotonic() + HEAL_MS
    while (this.#clock.monotonic() < until) {
      await this.#clock.sleep(500)
      const copies = this.#replication?.copies() ?? []
      if (copies.length < this.#trouble.partitions) continue
      if (copies.every(copy => copy.state === 'faulted' || this.#hasConverged(copy))) return
    }
    const copies = this.#replication
      ?.copies()
      .map(copy => `${copy.name} ${copy.state} ${copy.inspect()} ${copy.note ?? ''}`) ?? ['no worker']
    this.#violate(`no convergence: ${copies.join('; ')}`)
  }

  #hasConverged(copy: PartitionCopy): boolean {
    const { log } = this.#workloads[copy.partition]!.at
    const isTrimmed =
      copy.heldLogStart !== undefined || copy.targetLogStart >= Math.min(log.logStart, copy.appended)
    return copy.isIdle && copy.appended >= log.end && isTrimmed
  }

  #faults(): { name: string; reason: FaultReason; sentence: string; partition: number }[] {
    return (this.#replication?.copies() ?? []).flatMap(copy =>
      copy.fault === undefined ? [] : [{ name: copy.name, partition: copy.partition, ...copy.fault }],
    )
  }

  /** The oracles: nothing is at the target that the source never had there; nothing of the source is missing, or it says so. */
  #judge(): void {
    const stopped = new Set<number>()
    for (const { partition, reason, name, sentence } of this.#faults()) {
      stopped.add(partition)
      if (!this.#mayHappen(reason)) this.#violate(`${name} stopped for no reason: ${reason}: ${sentence}`)
    }
    this.#workloads.forEach((workload, partition) => {
      const target = this.#target.topics.get('t')?.partitions[partition]
      if (target === undefined) this.#violate(`partition ${partition} is missing at the target`)
      else this.#compare(workload, target, { partition, isStopped: stopped.has(partition) })
    })
  }

  #mayHappen(reason: FaultReason): boolean {
    const { retention, markersRepeat, mayWriteMarkers, targetLeaders } = this.#trouble
    if (reason === 'lost-to-retention') return retention
    const isForeign = ['foreign-write', 'unexpected-offset', 'overfilled', 'not-empty'].includes(reason)
    if (isForeign && this.#trouble.foreignWriter) return true
    // What was lost may show as the end of an epoch, as another record at an offset, or as one where the mirror has a marker.
    const isHistory = ['truncated', 'foreign-write', 'overfilled'].includes(reason)
    if (isHistory && this.#trouble.unclean) return true
    return reason === 'overfilled' && !mayWriteMarkers && (markersRepeat > 0 || targetLeaders)
  }

  #compare(
    workload: PartitionWorkload,
    target: SimPartition,
    { partition, isStopped }: { partition: number; isStopped: boolean },
  ): void {
    const source = workload.at.log
    const mirrored = readable(target)
    for (const [offset, id] of mirrored) {
      // A foreign write displaces what is in flight; the partition stops, and says so.
      if (isStopped && this.#trouble.foreignWriter) continue
      if (!workload.truth.wasReadable(offset, id))
        this.#violate(
          `t/${partition}: offset ${offset} of the target holds ${id}, which the source never had there`,
        )
    }
    if (isStopped) return
    if (target.log.end !== source.end)
      this.#violate(`t/${partition}: ends at ${target.log.end}, the source at ${source.end}`)
    for (const [offset, id] of readable(workload.at)) {
      if (offset < target.log.logStart)
        this.#violate(`t/${partition}: offset ${offset} is below the mirror's log start`)
      else if (mirrored.get(offset) !== id)
        this.#violate(`t/${partition}: offset ${offset} (${id}) is missing at the target`)
    }
  }

  #note(what: string, act: () => void): void {
    this.#say(`-- ${what}`)
    act()
  }

  #say(text: string): void {
    this.#trace.push(`${this.#clock.monotonic()} ${text}`)
  }

  #violate(text: string): void {
    this.#violations.push(text)
    this.#say(`VIOLATION ${text}`)
  }
}

const FOREIGN = 'foreign'

/** An ordinary producer that has taken the mirror for its topic. */
function writeForeign({ log }: SimPartition): void {
  const records = [{ offset: 0, timestamp: START, key: null, value: Buffer.from(FOREIGN), headers: [] }]
  log.force(recordCodec.encode({ codec: 'none', records }))
}

/** What a read-committed consumer reads: offset to value. Seeds (neither key nor value) count as nothing only below the log start. */
function readable({ log }: SimPartition): Map<number, string> {
  const found = new Map<number, string>()
  const open = log.aborted.map(each => ({ ...each }))
  for (const entry of log.entries) {
    if (entry.header.isControl || entry.bytes.length === 0) continue
    const { producerId, isTransactional } = entry.header
    const isAborted =
      isTransactional &&
      open.some(
        each =>
          each.producerId === producerId && entry.base >= each.firstOffset && entry.base <= each.markerOffset,
      )
    if (isAborted) continue
    const [raw] = splitBatches(entry.bytes)
    for (const record of recordCodec.decode(raw!)) {
      if (record.offset >= log.logStart) found.set(record.offset, idOf(record))
    }
  }
  return found
}
