// Keys and shapes of what a link keeps in `_kdr.state`. Every record carries `v: 1`; the store refuses newer ones.
import { EMPTY_LEDGER, type Ledger, type LossCause, type LossRange } from './ledger.ts'
import type { Deletion, Fault, FillMode, Lineage, PartitionReport } from './link.ts'

/** The part of a state store that these readers need. */
export type StateRecords = {
  get(key: string): unknown
  entries(prefix: string): readonly (readonly [string, unknown])[]
}
type VersionedRecord = { readonly v: 1; readonly kind: string }

export const linkKey = (link: string): string => `link/${link}`
export const topicKey = (link: string, topic: string): string => `topic/${link}/${topic}`
export const partitionKey = (link: string, topic: string, partition: number): string =>
  `partition/${link}/${topic}/${partition}`
export const workerKey = (link: string, worker: string): string => `worker/${link}/${worker}`
/** Reports are cut into pieces of this many partitions: a record holds 64 KB, a sentence with two long names 1 KB. */
export const REPORT_PARTITIONS = 40
/** By slot, because each slot's holder reports for itself. */
export const reportKey = (link: string, topic: string, slot: number, piece: number): string =>
  `report/${link}/${topic}/${slot}.${piece}`

/**
 * Both clusters of a link keep one; the higher generation is the truth. It says which way the link leads: that of `kdr run`
 * changes with every promotion, the config does not.
 */
export type LinkRecord = {
  readonly generation: number
  /** The active cluster. */
  readonly sourceClusterId: string
  readonly targetClusterId: string
  /** How many slots the link has: see slots.ts. */
  readonly slots: number
  /** The source's name in the config, where it is none of the link's two clusters: see `follow` in engine/runs/fan-out.ts. */
  readonly source?: string
  /** The same of the target: it has followed that cluster, and was moved away from it. */
  readonly target?: string
  /** Ids of the clusters that its topics come from before the source (circle.ts). */
  readonly upstream?: readonly string[]
  /** The run that has made it so, and when (ms since 1970). */
  readonly run?: string
  readonly movedAt?: number
  /** After a failover nothing is copied before the old active has been looked at (kdr failback). */
  readonly isWaiting?: boolean
}

/**
 * A run moves the link: workers stand aside from here on, whatever else `_kdr.state` says (see Slots). `generation`: the one of
 * the link that it holds. One that lands late, when the run has promoted, holds nothing.
 */
export type HoldRecord = {
  readonly run: string
  readonly at: number
  readonly generation?: number
  /** No run of the journal: the command that has put it there, and that ends it when it is repeated. */
  readonly resume?: string
}
export const holdKey = (link: string): string => `hold/${link}`
export function readHold(store: StateRecords, link: string): HoldRecord | undefined {
  const hold = read<HoldRecord>(store, holdKey(link))
  const isOver = (hold?.generation ?? Infinity) < (readLink(store, link)?.generation ?? 0)
  const isGivenUp = hold?.run === read<GivenUpRecord>(store, givenUpKey(link))?.run
  return isOver || isGivenUp ? undefined : hold
}

/** The run that was given up last: what it has put down, and what of that lands late, holds nothing. */
export type GivenUpRecord = { readonly run: string }
export const givenUpKey = (link: string): string => `given-up/${link}`

/** Who copies the partitions of a slot, and under what name. Written before anything is copied. */
export type SlotRecord = {
  /** The worker that has taken it; empty when it was let go of. */
  readonly owner: string
  /** Raised by every take-over; carried in the markers' `coordinatorEpoch`. */
  readonly generation: number
  readonly mode: FillMode
  /** Decimal: 62 bits do not fit a JSON number. */
  readonly producerId: string
  readonly producerEpoch: number
  /** All producer ids that ever wrote in this slot. */
  readonly producers: readonly string[]
  /** Its holder has let go of it with nothing in flight or in doubt: whoever comes next need not wait. */
  readonly isClean: boolean
}
export const slotKey = (link: string, slot: number): string => `slot/${link}/${slot}`

export function readSlots(store: StateRecords, link: string): Map<number, SlotRecord> {
  const prefix = `slot/${link}/`
  return new Map(
    store.entries(prefix).map(([key, record]) => [Number(key.slice(prefix.length)), record as SlotRecord]),
  )
}

/** `_kdr.state` of one mirror topic. `creating`: written before the creation, so that a crash in between is no riddle. */
export type TopicRecord = {
  readonly phase: 'creating' | 'mirroring'
  readonly sourceTopicId: string
  /** Undefined while creating. */
  readonly targetTopicId: string | undefined
  /** Topic configs as kdr last applied them. */
  readonly applied: Readonly<Record<string, string>>
  /** What the source has where a mirror must be otherwise, for the promotion: null is the cluster's default. */
  readonly held?: Readonly<Record<string, string | null>>
  /** Ends of partitions that were adopted with their content. */
  readonly adoptedUpTo: readonly number[]
  /** When the source was first seen to have deleted the topic, ms since 1970. */
  readonly sourceDeletedAt?: number | undefined
}

/** Written before the first batch of each new epoch is sent. */
export type PartitionRecord = {
  readonly epochs: Lineage
  /** The source's log start when the copy began. */
  readonly origin: number
  /** Which mirror it is about: tells a topic that kdr has filled from one that somebody else has. */
  readonly targetTopicId?: string
  /** Up to here the mirror's log start may follow the source's without asking: decided before, or an operator has said so. */
  readonly acceptedLogStart?: number
}

export type WorkerRecord = {
  readonly beat: number
  /** Those that it holds. */
  readonly slots: readonly number[]
  /** Those that it is about to take: whoever wants one of them too gives way. */
  readonly taking: readonly number[]
  /** Up to this offset of `_kdr.state` it has done what is asked of every worker. */
  readonly looked: number
  readonly at: number
  readonly state: 'running' | 'stopped'
  readonly sentence: string
  readonly sourceSeenAt: number
}

/** One topic as its worker sees it. */
export type TopicReport = {
  readonly at: number
  readonly worker: string
  /** Of the slot, when this was written: whoever has taken it since, be it the same worker, knows better. */
  readonly generation: number
  /** The mirror that it is about; NO_TOPIC_ID: there was none. Of one that was made since, nothing is known. */
  readonly targetTopicId: string
  readonly partitions: readonly PartitionReport[]
  /** Undefined: not known. */
  readonly deletion?: Deletion | undefined
}

/** A loss that an operator has accepted: exactly these offsets of the partition. */
export type PartitionLoss = LossRange & {
  readonly topic: string
  readonly partition: number
  readonly cause: LossCause
}

/**
 * What an operator asks of the running worker (`kdr link ...`); whoever carries it out deletes it. The journal has an
 * entry of the same id.
 */
export type CommandRecord = {
  readonly verb: 'resume' | 'recopy' | 'accept-loss' | 'forget'
  readonly topic?: string
  readonly partition?: number
  readonly acceptLogStart?: boolean
  /** Of a recopy or forget: the mirror that is meant. A command that comes twice does not meet a mirror made in between. */
  readonly targetTopicId?: string
  readonly losses?: readonly PartitionLoss[]
  readonly at: number
  /** user@host. */
  readonly by: string
  readonly reason?: string
}

export const ledgerKey = (link: string, topic: string, partition: number): string =>
  `ledger/${link}/${topic}/${partition}`

export function readLedger(
  store: StateRecords,
  link: string,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): Ledger {
  return read<Ledger>(store, ledgerKey(link, topic, partition)) ?? EMPTY_LEDGER
}

/** Keys of everything that is known of one mirror topic, but for what it was. */
export function keysOfMirror(store: StateRecords, link: string, topic: string): string[] {
  return ['partition', 'ledger', 'report', 'seeding'].flatMap(kind =>
    store.entries(`${kind}/${link}/${topic}/`).map(([key]) => key),
  )
}

/** By `topic/partition`. */
export function readLedgers(store: StateRecords, link: string): Map<string, Ledger> {
  const prefix = `ledger/${link}/`
  return new Map(store.entries(prefix).map(([key, record]) => [key.slice(prefix.length), record as Ledger]))
}

/** A topic at the target that kdr leaves alone, although the link's patterns take it (`kdr link forget`). */
export type ForgottenRecord = {
  readonly targetTopicId: string
  readonly at: number
  readonly by: string
  readonly reason?: string
}
export const forgottenKey = (link: string, topic: string): string => `forgotten/${link}/${topic}`

export function readForgotten(store: StateRecords, link: string): Map<string, ForgottenRecord> {
  const prefix = forgottenKey(link, '')
  return new Map(
    store.entries(prefix).map(([key, record]) => [key.slice(prefix.length), record as ForgottenRecord]),
  )
}
/** The mirror is about to be deleted or let go of: nobody copies to it any more. */
export type LeavingRecord = { readonly targetTopicId: string | undefined }
export const leavingKey = (link: string, topic: string): string => `leaving/${link}/${topic}`

export function readLeaving(store: StateRecords, link: string): Set<string> {
  const prefix = leavingKey(link, '')
  return new Set(store.entries(prefix).map(([key]) => key.slice(prefix.length)))
}

/** What the control worker has found of a topic that may not be copied, and the others cannot find by themselves. */
export type StoppedRecord = { readonly fault: Fault }
export const stoppedKey = (link: string, topic: string): string => `stopped/${link}/${topic}`

export function readStopped(store: StateRecords, link: string, topic: string): Fault | undefined {
  return read<StoppedRecord>(store, stoppedKey(link, topic))?.fault
}

/** Somebody seeds or trims the topic's partitions of this slot: a mirror that only compacts refuses that. */
export const seedingKey = (link: string, topic: string, slot: number): string =>
  `seeding/${link}/${topic}/${slot}`

/** By topic, the slots. */
export function readSeeding(store: StateRecords, link: string): Map<string, Set<number>> {
  const prefix = `seeding/${link}/`
  const found = new Map<string, Set<number>>()
  for (const [key] of store.entries(prefix)) {
    const at = key.lastIndexOf('/')
    const topic = key.slice(prefix.length, at)
    found.set(topic, (found.get(topic) ?? new Set()).add(Number(key.slice(at + 1))))
  }
  return found
}

export const commandKey = (link: string, id: string): string => `command/${link}/${id}`

export const toRecord = (kind: string, value: object): VersionedRecord => ({ v: 1, kind, ...value })

const read = <T>(store: StateRecords, key: string): T | undefined => store.get(key) as T | undefined

export const readLink = (store: StateRecords, link: string): LinkRecord | undefined =>
  read(store, linkKey(link))

export const readTopic = (store: StateRecords, link: string, topic: string): TopicRecord | undefined =>
  read(store, topicKey(link, topic))

export function readTopics(store: StateRecords, link: string): Map<string, TopicRecord> {
  const prefix = topicKey(link, '')
  return new Map(
    store.entries(prefix).map(([key, record]) => [key.slice(prefix.length), record as TopicRecord]),
  )
}

export function readPartition(
  store: StateRecords,
  link: string,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): PartitionRecord | undefined {
  return read(store, partitionKey(link, topic, partition))
}

export const readWorker = (store: StateRecords, link: string, worker: string): WorkerRecord | undefined =>
  read(store, workerKey(link, worker))

export function readWorkers(store: StateRecords, link: string): Map<string, WorkerRecord> {
  const prefix = workerKey(link, '')
  return new Map(
    store.entries(prefix).map(([key, record]) => [key.slice(prefix.length), record as WorkerRecord]),
  )
}

/** `worker` said so at `at`. */
export type ReportedPartition = PartitionReport &
  Pick<TopicReport, 'at' | 'worker' | 'generation' | 'targetTopicId'>
export type ReportedTopic = {
  readonly deletion: Deletion | undefined
  readonly partitions: readonly ReportedPartition[]
}

/** Per topic, all its pieces put together again; of a partition that two have reported, the later one counts. */
export function readReports(store: StateRecords, link: string): Map<string, ReportedTopic> {
  const prefix = `report/${link}/`
  const reports = new Map<string, ReportedTopic>()
  const pieces = store
    .entries(prefix)
    .map(([key, record]) => ({
      topic: key.slice(prefix.length, key.lastIndexOf('/')),
      piece: record as TopicReport,
    }))
    .toSorted((a, b) => a.piece.at - b.piece.at)
  for (const { topic, piece } of pieces) {
    const before = reports.get(topic)
    const byPartition = new Map(before?.partitions.map(each => [each.partition, each]))
    const { at, worker, generation, targetTopicId } = piece
    for (const each of piece.partitions)
      byPartition.set(each.partition, { ...each, at, worker, generation, targetTopicId })
    reports.set(topic, {
      deletion: piece.deletion ?? before?.deletion,
      partitions: [...byPartition.values()].toSorted((a, b) => a.partition - b.partition),
    })
  }
  return reports
}

export function readCommands(store: StateRecords, link: string): Map<string, CommandRecord> {
  return new Map(store.entries(commandKey(link, '')).map(([key, record]) => [key, record as CommandRecord]))
}
