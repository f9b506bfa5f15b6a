// What must hold. At every step: what lands on a mirror stood at the source at that offset; nobody goes on after having
// been told otherwise; log starts and groups do not run ahead; one producer id. In the end: each partition is identical,
// or says why not, with a reason that this history can have.
import type { PartitionCopy } from '../../src/engine/replicate/partition.ts'
import { surplusOf } from '../../src/engine/replicate/report-of.ts'
import { recordCodec } from '../../src/kafka/records.ts'
import { readBatchHeader, splitBatches } from '../../src/model/batch.ts'
import { EMPTY_LEDGER, type Ledger, lossAt } from '../../src/model/ledger.ts'
import type { FaultReason } from '../../src/model/link.ts'
import type { AppendEntry, GroupOffset, TopicPartition } from '../../src/ports/cluster.ts'
import type { SimPartition } from './cluster.ts'
import { FOREIGN } from './disturb.ts'
import type { Entry, SimLog } from './log.ts'
import type { SimProcess } from './network.ts'
import type { PortObserver } from './observer.ts'
import type { Trouble } from './trouble.ts'
import type { Workers } from './workers.ts'
import { idOf, type Truth } from './workload.ts'
import { type Life, TOPIC, type World } from './world.ts'

/** A log start that would drop more than this share of a mirror waits for a person (limits.ts). */
const JUMP_SHARE = 0.5
/** What a worker reports, and when it does so next (limits.ts). */
const REPORTED_WITHIN_MS = 6_000
/** Producer ids of links lie above (identity.ts). */
const LINK_IDS_FROM = 2n ** 61n

/** What each reason may come from. */
const CAUSES: Readonly<Record<string, (trouble: Trouble, world: World) => boolean>> = {
  'lost-to-retention': ({ retention, purges }) => retention || purges,
  'log-start-jump': ({ retention, purges }) => retention || purges,
  truncated: ({ unclean }) => unclean,
  'foreign-write': ({ foreignWriter, unclean }) => foreignWriter || unclean,
  'unexpected-offset': ({ foreignWriter, targetUnclean }) => foreignWriter || targetUnclean,
  'not-empty': ({ foreignWriter }) => foreignWriter,
  recreated: ({ recreatedSource, recreatedTarget }) => recreatedSource || recreatedTarget,
  // The source came back with fewer partitions after the mirror's creation was left without an answer.
  'target-refuses': ({ recreatedSource }, world) =>
    recreatedSource && world.mirrors().length > world.workloads.length,
  overfilled: trouble =>
    trouble.foreignWriter ||
    trouble.unclean ||
    // A fill that was under way when the mirror lost its end.
    trouble.targetUnclean ||
    // Empty transactions: a coordinator may write a marker twice.
    (!trouble.mayWriteMarkers && (trouble.markersRepeat > 0 || trouble.targetLeaders)),
}

export class Oracle {
  readonly observer: PortObserver
  readonly #world: World
  /** Records of kdr's at another offset than their source's: as long as a log holds one, its partition must stop. */
  readonly #displaced = new WeakSet<Entry>()
  readonly #lives = new Map<SimLog, Life>()
  /** Where the source began when the first record came: up to there nothing was ever to be copied. */
  readonly #origins = new Map<SimLog, number>()
  /** Where each log has begun, besides: a group that is below is committed there, by whoever knows no later one yet. */
  readonly #logStarts = new Map<SimLog, Set<number>>()
  /** The furthest that each log has ever come. */
  readonly #ends = new Map<SimLog, number>()
  /** What a process was told of; an election may take it away again. */
  readonly #told = new Map<SimProcess, Map<SimLog, Set<Entry>>>()
  #isRecopying: () => boolean = () => false
  #copies: () => readonly PartitionCopy[] = () => []
  #leftCopy: Workers['leftCopy'] = () => undefined
  #hasSeenStop: Workers['hasSeenStop'] = () => false
  #linkId: bigint | undefined

  constructor(world: World) {
    this.#world = world
    const isMirror = ({ topic }: TopicPartition): boolean => topic === TOPIC
    this.observer = {
      sending: (process, entry) => isMirror(entry) && this.#onSending(process, entry),
      appended: (_process, entry, at, base) => isMirror(entry) && this.#onAppended(entry, at, base),
      told: (process, entry, base) => isMirror(entry) && this.#onTold(process, entry, base),
      marked: (of, _at, producerId) => isMirror(of) && this.#onProducer(of, producerId),
      trimming: (of, at, before) => isMirror(of) && this.#onTrimming(of, at, before),
      committing: (process, group, offsets) => this.#onCommitting(process, group, offsets),
    }
  }

  watch(workers: Workers): void {
    this.#copies = () => workers.livingCopies()
    this.#isRecopying = () => workers.areRecopying()
    this.#leftCopy = (process, of) => workers.leftCopy(process, of)
    this.#hasSeenStop = (process, of) => workers.hasSeenStop(process, of)
  }

  /** After a mirror was made anew there is nothing left to hold against it. */
  judge(copies: readonly PartitionCopy[]): void {
    const stopped = new Map<number, FaultReason>()
    const ledgers = new Map(copies.map(({ partition, ledger }) => [partition, ledger]))
    // Whether a surplus of markers is one too many only the source's next offsets can tell, and none may come: a hanging
    // transaction holds them back. It may stay if it is said.
    const longer = new Set<number>()
    for (const copy of copies) {
      const { partition, name, fault } = copy
      const why = fault ?? surplusOf(copy)
      if (why === undefined) continue
      if (fault === undefined) longer.add(partition)
      else stopped.set(partition, fault.reason)
      const mayBe = CAUSES[why.reason]?.(this.#world.trouble, this.#world) ?? false
      if (!mayBe) this.#violate(`${name} stopped for no reason: ${why.reason}: ${why.sentence}`)
    }
    this.#world.workloads.forEach((_workload, partition) => {
      const at = this.#world.mirror(partition)
      const reason = stopped.get(partition)
      const said = { stopped: reason, isLonger: longer.has(partition) }
      if (at !== undefined) this.#compare(partition, at, said, ledgers.get(partition) ?? EMPTY_LEDGER)
      else if (reason === undefined) this.#violate(`partition ${partition} is missing at the target`)
    })
  }

  /** The mirror holds records of a topic that was deleted since. */
  isOfEarlierLife(partition: number): boolean {
    const at = this.#world.mirror(partition)
    const life = at && this.#lives.get(at.log)
    return life !== undefined && life !== this.#world.life
  }

  /** Everything committed at the source is committed at the target, unless the mirror begins later. */
  groupsDiffer(): string | undefined {
    for (const [group, offsets] of this.#world.source.groups) {
      for (const [at, offset] of offsets) {
        const partition = Number(at.split('/')[1])
        const logStart = this.#world.mirror(partition)?.log.logStart ?? 0
        // An unclean election may leave a group beyond the end of its partition.
        const end = this.#world.workloads[partition]?.at.log.lastStable ?? 0
        const found = this.#world.target.groups.get(group)?.get(at)
        if (found !== Math.max(Math.min(offset, end), logStart))
          return `${group} at ${at}: ${found ?? 'nothing'} instead of ${offset}`
      }
    }
    return undefined
  }

  #onSending(process: SimProcess, { topic, partition }: AppendEntry): void {
    const log = this.#world.target.partition({ topic, partition })?.log
    const told = log && this.#told.get(process)?.get(log)
    if (log !== undefined && told?.values().some(entry => log.entries.includes(entry)) === true)
      this.#violate(`${topic}/${partition}: kdr goes on though it was told that a batch stands elsewhere`)
  }

  #onAppended({ partition, batch }: AppendEntry, at: SimPartition, base: number): void {
    this.#onProducer({ topic: TOPIC, partition }, readBatchHeader(batch).producerId)
    this.#ends.set(at.log, Math.max(at.log.end, this.#ends.get(at.log) ?? 0))
    const records = recordsAt(at.log, base)
    const [first] = records
    // Of the log that they came from: their topic may have been made anew while they were on their way.
    if (first !== undefined && !this.#origins.has(at.log))
      this.#origins.set(at.log, this.#world.origin(first[1])?.life.workloads[partition]?.at.log.logStart ?? 0)
    for (const [offset, id] of records) {
      const origin = this.#world.origin(id)
      const isRight =
        origin?.partition === partition && origin.life.workloads[partition]!.truth.wasReadable(offset, id)
      if (!isRight) return this.#onDisplaced({ partition, offset, id }, entryAt(at.log, base))
      const life = this.#lives.get(at.log) ?? origin.life
      this.#lives.set(at.log, life)
      if (life !== origin.life)
        return this.#violate(
          `${TOPIC}/${partition}: offset ${offset} of the mirror of life ${life.number} holds ${id}`,
        )
    }
  }

  #onDisplaced(what: { partition: number; offset: number; id: string }, entry: Entry | undefined): void {
    const { foreignWriter, targetUnclean, recreatedTarget, namesTopicsById } = this.#world.trouble
    if (entry !== undefined) this.#displaced.add(entry)
    // In flight at that moment, it cannot be stopped; the partition must be.
    const isExcused = foreignWriter || targetUnclean || (recreatedTarget && !namesTopicsById)
    if (!isExcused)
      this.#violate(
        `${TOPIC}/${what.partition}: offset ${what.offset} of the target gets ${what.id}, which the source never had there`,
      )
  }

  #onTold(process: SimProcess, { topic, partition }: AppendEntry, base: number): void {
    const log = this.#world.target.partition({ topic, partition })?.log
    const entry = log && entryAt(log, base)
    if (log === undefined || entry === undefined || !this.#displaced.has(entry)) return
    const told = this.#told.get(process) ?? new Map<SimLog, Set<Entry>>()
    this.#told.set(process, told)
    told.set(log, (told.get(log) ?? new Set()).add(entry))
  }

  /** Data and fills carry one id, so that one fence stops both; with empty transactions, the coordinator's. */
  #onProducer({ partition }: TopicPartition, producerId: bigint): void {
    if (producerId < LINK_IDS_FROM) {
      const ids = [...this.#world.target.coordinated.values()].map(each => each.producerId)
      if (!ids.includes(producerId))
        this.#violate(
          `${TOPIC}/${partition}: written with producer id ${producerId}, which no fence would stop`,
        )
      return
    }
    this.#linkId ??= producerId
    if (producerId !== this.#linkId)
      this.#violate(`${TOPIC}/${partition}: written with producer ids ${this.#linkId} and ${producerId}`)
  }

  #onTrimming({ partition }: TopicPartition, { log }: SimPartition, before: number): void {
    this.#logStarts.set(log, (this.#logStarts.get(log) ?? new Set()).add(before))
    const life = this.#lives.get(log)
    const source = life?.workloads[partition]?.at.log
    if (source !== undefined && before > source.logStart)
      this.#violate(
        `t/${partition}: the mirror is trimmed to ${before}, the source begins at ${source.logStart}`,
      )
    if (this.#world.isJumpAccepted || before <= (this.#origins.get(log) ?? 0)) return
    // kdr may not know yet that elections have taken the end.
    const end = Math.max(log.end, this.#ends.get(log) ?? 0)
    const share = (before - log.logStart) / (end - log.logStart)
    const isMissed = [...readable(log)].some(([offset, id]) => offset < before && id !== SEED)
    if (share > JUMP_SHARE && isMissed)
      this.#violate(
        `t/${partition}: the mirror is trimmed from ${log.logStart} to ${before} without a question`,
      )
  }

  #onCommitting(process: SimProcess, group: string, offsets: readonly GroupOffset[]): void {
    const { commits, life } = this.#world
    const copies = this.#copies()
    // Its workers end: what was stopped is not to be seen any more.
    if (copies.length === 0) return
    const isRecopying = this.#isRecopying()
    const { answered, clock } = this.#world
    const isStopped = (other: number): boolean => {
      // A loss was accepted, and the worker that follows the groups has not heard that the partition goes on.
      if (answered !== undefined && clock.monotonic() - answered.at < REPORTED_WITHIN_MS) return true
      if (this.#hasSeenStop(process, { topic: TOPIC, partition: other })) return true
      // Whoever has its slot may have ended, or be about to: where it had stopped, it stands still until another takes it, and one
      // that had it before and has slept since knows nothing of that.
      if (this.#leftCopy(process, { topic: TOPIC, partition: other })?.state === 'faulted') return true
      const own = copies.filter(({ partition }) => partition === other)
      // Its copy is gone already, and so will be its mirror, and what was committed for that.
      if (own.length === 0) return isRecopying
      return own.some(({ state, fault }) => state === 'faulted' || fault !== undefined)
    }
    for (const { topic, partition, offset } of offsets) {
      const log = this.#world.mirror(partition)?.log
      if (topic !== TOPIC || log === undefined || this.#lives.get(log) !== life) continue
      if (offset > log.end && !this.#world.trouble.targetUnclean)
        this.#violate(`group ${group}: offset ${offset} of t/${partition}, whose mirror ends at ${log.end}`)
      if (offset === log.logStart || this.#logStarts.get(log)?.has(offset) === true) continue
      const implied = commits.findLast(
        each => each.partition === partition && each.life === life.number && each.offset <= offset,
      )
      implied?.ends.forEach((end, other) => {
        const mirror = this.#world.mirror(other)?.log
        if (isStopped(other) || this.#world.trouble.unclean || this.#world.trouble.targetUnclean) return
        if ((mirror?.end ?? 0) < end)
          this.#violate(
            `group ${group} is committed at ${offset} of t/${partition}, which implies t/${other} up to ${end}; its mirror ends at ${mirror?.end ?? 0}`,
          )
      })
    }
  }

  #compare(
    partition: number,
    { log }: SimPartition,
    { stopped, isLonger }: { stopped: FaultReason | undefined; isLonger: boolean },
    ledger: Ledger,
  ): void {
    const { at, truth } = this.#world.workloads[partition]!
    const life = this.#lives.get(log)
    const name = `${TOPIC}/${partition}`
    if (this.isOfEarlierLife(partition) && stopped !== 'recreated')
      return this.#violate(`${name} mirrors a topic that is gone, and says ${stopped ?? 'nothing'}`)
    const truthOf = life?.workloads[partition]?.truth ?? truth
    const mirrored = readable(log)
    const isDisplaced = log.entries.some(entry => this.#displaced.has(entry))
    for (const [offset, id] of mirrored) {
      // Stopped while it was seeded.
      if (id === SEED && stopped !== undefined) continue
      if (id === FOREIGN || isDisplaced) {
        if (stopped === undefined)
          this.#violate(`${name}: offset ${offset} is ${id}, and nothing is said of it`)
        continue
      }
      if (!truthOf.wasReadable(offset, id))
        this.#violate(`${name}: offset ${offset} of the target holds ${id}, which the source never had there`)
      // An election's other history, and all trace of it, may be deleted before anybody could look: epochs are forgotten with records.
      else if (stopped === undefined && offset >= at.log.logStart && truthOf.wasLost(offset, id))
        this.#violate(`${name}: offset ${offset} of the target holds ${id}, which the source has lost`)
    }
    if (stopped !== undefined) return
    if (isLonger !== log.end > at.log.lastStable)
      this.#violate(
        `${name}: ends at ${log.end}, the source at ${at.log.lastStable}, and kdr says ${isLonger ? 'that it is longer' : 'nothing'}`,
      )
    this.#compareWhole(name, at.log, log, mirrored)
    this.#findSkipped(name, truth, log, { mirrored, ledger, sourceStart: at.log.logStart })
  }

  /** What the source has deleted since, or before it was copied, stands at the target too, or in the ledger. */
  #findSkipped(
    name: string,
    truth: Truth,
    { logStart, end }: SimLog,
    {
      mirrored,
      ledger,
      sourceStart,
    }: { mirrored: ReadonlyMap<number, string>; ledger: Ledger; sourceStart: number },
  ): void {
    for (const [offset, id] of truth.readable()) {
      const here = mirrored.get(offset)
      if (offset < logStart || offset >= end || here === id) continue
      if (offset < sourceStart && here !== undefined && truth.wasLost(offset, here)) continue
      if (lossAt(ledger, offset) === undefined)
        this.#violate(`${name}: offset ${offset} (${id}) was skipped, and nothing is said of it`)
    }
  }

  #compareWhole(name: string, source: SimLog, target: SimLog, mirrored: ReadonlyMap<number, string>): void {
    // What was copied may have been compacted since.
    if (target.end < source.fetchableEnd)
      this.#violate(`${name}: ends at ${target.end}, the source at ${source.fetchableEnd}`)
    for (const [offset, id] of readable(source)) {
      if (offset < target.logStart) this.#violate(`${name}: offset ${offset} is below the mirror's log start`)
      else if (mirrored.get(offset) !== id) this.#violate(`${name}: offset ${offset} (${id}) is missing`)
    }
  }

  #violate(text: string): void {
    this.#world.violate(text)
  }
}

const SEED = 'null'

type Identified = readonly (readonly [offset: number, id: string])[]

/** An entry never changes: what the cleaner leaves is another one. */
const identified = new WeakMap<Entry, Identified>()

function recordsOf(entry: Entry): Identified {
  const known = identified.get(entry)
  if (known !== undefined) return known
  const [raw] = splitBatches(entry.bytes)
  const records = recordCodec.decode(raw!).map(record => [record.offset, idOf(record)] as const)
  identified.set(entry, records)
  return records
}

function entryAt(log: SimLog, base: number): Entry | undefined {
  return log.entries.findLast(each => each.base === base)
}

/** Of the batch at `base`, seeds left out. */
function recordsAt(log: SimLog, base: number): Identified {
  const entry = entryAt(log, base)
  return entry === undefined ? [] : recordsOf(entry).filter(([, id]) => id !== SEED)
}

/** What a read-committed consumer reads: offset to value. Seeds (neither key nor value) count as `null`. */
export function readable(log: SimLog): Map<number, string> {
  const found = new Map<number, string>()
  for (const entry of log.entries) {
    const { isControl, isTransactional, producerId } = entry.header
    if (isControl || entry.bytes.length === 0 || entry.base >= log.lastStable) continue
    const isAborted =
      isTransactional &&
      log.aborted.some(
        each =>
          each.producerId === producerId && entry.base >= each.firstOffset && entry.base <= each.markerOffset,
      )
    if (isAborted) continue
    for (const [offset, id] of recordsOf(entry)) if (offset >= log.logStart) found.set(offset, id)
  }
  return found
}
