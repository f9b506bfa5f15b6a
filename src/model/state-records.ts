// Keys and shapes of what a link keeps in `_kdr.state`. Every record carries `v: 1`; the store refuses newer ones.
import { EMPTY_LEDGER, type Ledger, type LossCause, type LossRange } from './ledger.ts'
import type { Deletion, FillMode, Lineage, PartitionReport } from './link.ts'

/** The part of a state store that these readers need. */
type StateReader = {
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
export const reportKey = (link: string, topic: string, piece: number): string =>
  `report/${link}/${topic}/${piece}`

export type LinkRecord = {
  readonly generation: number
  readonly sourceClusterId: string
  readonly targetClusterId: string
  readonly slotGeneration: number
  /** The worker that has taken the link over. */
  readonly owner: string
  readonly mode: FillMode
  /** Decimal: 62 bits do not fit a JSON number. */
  readonly producerId: string
  readonly producerEpoch: number
  /** All producer ids that ever wrote for this link. */
  readonly producers: readonly string[]
  /** Whether the last worker finished what it had in flight: then its requests need not be waited out. */
  readonly isClean: boolean
  /** Ids of the clusters that its topics come from before the source (circle.ts). */
  readonly upstream?: readonly string[]
}

/** `_kdr.state` of one mirror topic. `creating`: written before the creation, so that a crash in between is no riddle. */
export type TopicRecord = {
  readonly phase: 'creating' | 'mirroring'
  readonly sourceTopicId: string
  /** Undefined while creating. */
  readonly targetTopicId: string | undefined
  /** Topic configs as kdr last applied them. */
  readonly applied: Readonly<Record<string, string>>
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
}

export type WorkerRecord = {
  readonly beat: number
  readonly at: number
  readonly state: 'running' | 'stopped'
  readonly sentence: string
  readonly sourceSeenAt: number
}

/** One topic as its worker sees it. */
export type TopicReport = {
  readonly at: number
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
  store: StateReader,
  link: string,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): Ledger {
  return read<Ledger>(store, ledgerKey(link, topic, partition)) ?? EMPTY_LEDGER
}

/** Keys of everything that is known of one mirror topic, but for what it was. */
export function keysOfMirror(store: StateReader, link: string, topic: string): string[] {
  return ['partition', 'ledger', 'report'].flatMap(kind =>
    store.entries(`${kind}/${link}/${topic}/`).map(([key]) => key),
  )
}

/** By `topic/partition`. */
export function readLedgers(store: StateReader, link: string): Map<string, Ledger> {
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

export function readForgotten(store: StateReader, link: string): Map<string, ForgottenRecord> {
  const prefix = forgottenKey(link, '')
  return new Map(
    store.entries(prefix).map(([key, record]) => [key.slice(prefix.length), record as ForgottenRecord]),
  )
}
/** Who is about to take the link over. */
export const claimKey = (link: string, worker: string): string => `claim/${link}/${worker}`
export const commandKey = (link: string, id: string): string => `command/${link}/${id}`

export const toRecord = (kind: string, value: object): VersionedRecord => ({ v: 1, kind, ...value })

const read = <T>(store: StateReader, key: string): T | undefined => store.get(key) as T | undefined

export const readLink = (store: StateReader, link: string): LinkRecord | undefined =>
  read(store, linkKey(link))

export function readTopics(store: StateReader, link: string): Map<string, TopicRecord> {
  const prefix = topicKey(link, '')
  return new Map(
    store.entries(prefix).map(([key, record]) => [key.slice(prefix.length), record as TopicRecord]),
  )
}

export function readPartition(
  store: StateReader,
  link: string,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): PartitionRecord | undefined {
  return read(store, partitionKey(link, topic, partition))
}

export function readWorkers(store: StateReader, link: string): Map<string, WorkerRecord> {
  const prefix = workerKey(link, '')
  return new Map(
    store.entries(prefix).map(([key, record]) => [key.slice(prefix.length), record as WorkerRecord]),
  )
}

/** Per topic, all its pieces put together again. */
export function readReports(store: StateReader, link: string): Map<string, TopicReport> {
  const prefix = `report/${link}/`
  const reports = new Map<string, TopicReport>()
  for (const [key, record] of store.entries(prefix)) {
    const topic = key.slice(prefix.length, key.lastIndexOf('/'))
    const piece = record as TopicReport
    const before = reports.get(topic)
    reports.set(topic, {
      at: Math.max(piece.at, before?.at ?? 0),
      deletion: piece.deletion ?? before?.deletion,
      partitions: [...(before?.partitions ?? []), ...piece.partitions].toSorted(
        (a, b) => a.partition - b.partition,
      ),
    })
  }
  return reports
}

export function readCommands(store: StateReader, link: string): Map<string, CommandRecord> {
  return new Map(store.entries(commandKey(link, '')).map(([key, record]) => [key, record as CommandRecord]))
}

/** Workers that are about to take the link over. */
export function readClaims(store: StateReader, link: string): string[] {
  const prefix = claimKey(link, '')
  return store.entries(prefix).map(([key]) => key.slice(prefix.length))
}
