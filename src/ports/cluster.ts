// What engines may ask of a Kafka cluster. The real adapter is src/kafka; a simulated one stands behind the same types.
// Rules for every implementation:
// - A failure of one partition or topic is a value (`code`, a Kafka error code; 0 is success), never an exception.
// - No connection, a connection lost or no answer in time throws KdrError('unreachable'); for a write the outcome of
//   everything in that request is then unknown. Wrong credentials throw KdrError('not-allowed').
// - Nothing is retried inside an adapter except finding a coordinator or a controller that moved.
// - What is said of a log (its ends, its start, its epochs, that there are no records, an error) is its leader's word, and no older
//   than the request. Only the records of an answer may be another replica's; these are committed, and of the leader's history.
// - Offsets are numbers (exact below 2^53). Topic ids are UUID strings with dashes; NO_TOPIC_ID if a broker has none.

import type { RightsAdmin } from './rights.ts'
import type { SlotGroup } from './slot-group.ts'

export type TopicPartition = { readonly topic: string; readonly partition: number }

export const NO_TOPIC_ID = '00000000-0000-0000-0000-000000000000'

export type BrokerView = {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly rack: string | undefined
}

export type PartitionView = {
  readonly partition: number
  /** -1 when there is none. */
  readonly leader: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

export type TopicView = {
  readonly name: string
  readonly id: string
  readonly isInternal: boolean
  /** Ordered by partition; index i is partition i. */
  readonly partitions: readonly PartitionView[]
}

export type ClusterView = {
  readonly clusterId: string
  readonly brokers: readonly BrokerView[]
  readonly topics: ReadonlyMap<string, TopicView>
}

export type Failure = { readonly code: number; readonly message?: string }
export type Outcome = { readonly code: number; readonly message?: string }

/** One config entry of a topic. `isOverride`: set on the topic itself (not a broker's or Kafka's default). */
export type ConfigEntry = {
  readonly value: string | null
  readonly isOverride: boolean
  readonly isReadOnly: boolean
  readonly isSensitive: boolean
}
export type TopicConfigs = {
  readonly code: number
  readonly message?: string
  readonly entries: ReadonlyMap<string, ConfigEntry>
}

export type NewTopic = {
  readonly name: string
  readonly partitions: number
  /** -1 for the broker's default. */
  readonly replicationFactor: number
  readonly configs: Readonly<Record<string, string>>
}

export type CodeAndOffset = { readonly code: number; readonly message?: string; readonly offset: number }

/** Topics and their configs. */
/** Bytes of its volume; -1: not known. `code`: KAFKA_STORAGE_ERROR for one that has failed, or why nothing is told. */
export type LogDirView = {
  readonly broker: number
  readonly code: number
  readonly path: string
  readonly totalBytes: number
  readonly usableBytes: number
}

export interface TopicAdmin {
  /** Fresh metadata of the whole cluster; also what the other calls route by until the next one. */
  describe(): Promise<ClusterView>
  /**
   * Which of these topic ids the cluster has, in their order: 0, UNKNOWN_TOPIC_ID when there is none any more, or
   * TOPIC_AUTHORIZATION_FAILED. `describe` leaves out both of the latter without a word.
   */
  topicsById(
    ids: readonly string[],
  ): Promise<{ readonly clusterId: string; readonly topics: readonly Outcome[] }>
  /** `names`: only these; an implementation may give more. All when left out. */
  topicConfigs(topics: readonly string[], names?: readonly string[]): Promise<Map<string, TopicConfigs>>
  /** Values of broker configs by name (from any one broker); a name that it does not know is missing. */
  brokerConfigs(names: readonly string[]): Promise<Map<string, string>>
  /** The log directories of every broker that answers; a broker that refuses is there once, with its code. */
  logDirs(): Promise<LogDirView[]>
  /**
   * In one request, answered in the order of `topics`. `id`: the new topic's id (NO_TOPIC_ID when the creation failed).
   * Returns when the controller has accepted or refused each.
   */
  createTopics(topics: readonly NewTopic[]): Promise<(Outcome & { readonly id: string })[]>
  addPartitions(topic: string, totalCount: number): Promise<Outcome>
  /** Incremental; `null` removes an override. */
  alterTopicConfigs(topic: string, changes: Readonly<Record<string, string | null>>): Promise<Outcome>
  /** Moves log starts up to `before`; the answer's offset is the new log start. In the order of `targets`. */
  deleteRecords(targets: readonly (TopicPartition & { readonly before: number })[]): Promise<CodeAndOffset[]>
  /** With an `id` only the one that has it, whatever has its name by now: else UNKNOWN_TOPIC_ID. */
  deleteTopic(topic: string, id?: string): Promise<Outcome>
}

/**
 * Which end of a log: `logStart`; `logEnd` is the leader's true end, uncommitted appends included (ListOffsets with
 * replica_id -2); `highWatermark` what a consumer may read; `lastStable` what a read-committed one may.
 */
export type LogPoint = 'logStart' | 'logEnd' | 'highWatermark' | 'lastStable'

export type FetchPartition = TopicPartition & {
  readonly topicId: string
  readonly offset: number
  /** As far as known, else -1: a stale one is answered FENCED_LEADER_EPOCH. */
  readonly leaderEpoch: number
  /** The epoch of the batch before `offset`, or -1: lets the broker notice a truncated log (KIP-320). */
  readonly lastFetchedEpoch: number
  readonly maxBytes: number
}

export type FetchRequest = {
  readonly isolation: 'committed' | 'uncommitted'
  readonly maxWaitMs: number
  readonly maxBytes: number
  /** Reads ahead of a log that is followed, and so names no epoch of what is before it: as good from a closer replica as the rest. */
  readonly isAhead?: boolean
  readonly partitions: readonly FetchPartition[]
}

export type FetchedPartition = TopicPartition & {
  readonly code: number
  readonly highWatermark: number
  readonly lastStable: number
  readonly logStart: number
  /** Present when the log was truncated below `offset`: the largest epoch both know, and where it ends. */
  readonly diverging?: { readonly epoch: number; readonly endOffset: number }
  /** Aborted transactions that overlap the answer (only with isolation `committed`). */
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[]
  /** Raw batches as the broker sent them; the last may be cut. Owned by the caller, who may write into it. */
  readonly records: Buffer
  /** Who has sent the records, where that is not the leader. All else is the leader's word all the same. */
  readonly replica?: number
}

/** A connection of one's own to one broker, for fetches: a broker answers them one after the other. */
export interface FetchLane {
  readonly broker: number
  /**
   * Of the latest answer, and before the first one of the opening: ms from the request to the first byte. Undefined where
   * the broker held the connection back for a quota's sake.
   */
  readonly firstByteMs: number | undefined
  /** All that has come in so far, an answer that is still under way included. */
  readonly receivedBytes: number
  /** Only partitions that the broker has something to say about may be in the answer. */
  fetch(request: FetchRequest): Promise<FetchedPartition[]>
  close(): Promise<void>
}

/**
 * A fetch session (KIP-227), on a connection of its own: the broker remembers what is asked, so that a round names only
 * what has changed, and partitions with nothing new cost nothing.
 */
export interface FetchSession {
  readonly broker: number
  /** From the next round on; replaces what was asked of this partition. */
  ask(partition: FetchPartition): void
  forget(partition: FetchPartition): void
  /**
   * Waits for news of any of them, at most `maxWaitMs`: answers with records, an error, or a changed high watermark or log
   * start. Whoever gets records must ask for what follows them, or forget the partition: else they come again.
   */
  next(request: Omit<FetchRequest, 'partitions'>): Promise<FetchedPartition[]>
  close(): Promise<void>
}

export type ProducerState = {
  readonly producerId: bigint
  readonly producerEpoch: number
  /** -1: the broker knows no data batch of it, so the next must carry sequence 0. */
  readonly lastSequence: number
  readonly lastTimestamp: number
  readonly coordinatorEpoch: number
  readonly transactionStart: number
}

/** Reading logs. Calls that name partitions answer in the order of their argument, NOT_LEADER included. */
export interface LogReader {
  openFetchLane(broker: number): Promise<FetchLane>
  openFetchSession(broker: number): Promise<FetchSession>
  offsets(
    partitions: readonly TopicPartition[],
    point: LogPoint,
  ): Promise<(CodeAndOffset & { readonly leaderEpoch: number })[]>
  /** The first offset whose record has this timestamp (ms) or a later one; -1 if there is none. */
  offsetsForTime(
    partitions: readonly (TopicPartition & { readonly timestamp: number })[],
  ): Promise<CodeAndOffset[]>
  /** OffsetForLeaderEpoch: the end of the largest epoch not above `epoch`; offset -1 if it knows none. */
  epochEnds(
    partitions: readonly (TopicPartition & { readonly epoch: number })[],
  ): Promise<(CodeAndOffset & { readonly epoch: number })[]>
  /** DescribeProducers, at the leader: its state in memory, uncommitted appends included. */
  producers(
    partitions: readonly TopicPartition[],
  ): Promise<
    { readonly code: number; readonly message?: string; readonly producers: readonly ProducerState[] }[]
  >
}

/** A transaction as its coordinator has it. `startedAt`: ms since 1970, -1 when none is under way. */
export type TransactionView = {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
  /** TransactionState.java: Empty, Ongoing, PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort, ... */
  readonly state: string
  readonly startedAt: number
  readonly timeoutMs: number
  readonly partitions: readonly TopicPartition[]
}
/** `isComplete`: kdr may see every transaction; otherwise those that it may not see are left out without a word. */
export type SeenTransactions = {
  readonly isComplete: boolean
  readonly transactions: readonly TransactionView[]
}

/** What transaction coordinators know (ListTransactions, DescribeTransactions). */
export interface TransactionReader {
  /** Of these producers; or all that are under way: begun, and not yet ended in every partition. */
  transactionsOf(producerIds: readonly bigint[] | 'under way'): Promise<SeenTransactions>
}

export type AppendEntry = TopicPartition & { readonly topicId: string; readonly batch: Buffer }
export type AppendAnswer = TopicPartition & {
  readonly code: number
  readonly message?: string
  /** Where the batch stands; -1 if it was refused. */
  readonly baseOffset: number
}

/** A produce connection of one's own to one broker. Requests are processed in the order they were sent. */
export interface AppendLane {
  readonly broker: number
  /** acks=all. One batch a partition. `timeoutMs`: how long the broker waits for its followers. */
  append(entries: readonly AppendEntry[], timeoutMs: number): Promise<AppendAnswer[]>
  /** True once the connection is gone; every later append throws. */
  readonly isClosed: boolean
  close(): Promise<void>
}

export type MarkerFill = TopicPartition & { readonly count: number }

/** Writing logs. */
export interface LogWriter {
  openAppendLane(broker: number): Promise<AppendLane>
  /** Whether WriteTxnMarkers is allowed here (asked for a topic that cannot exist: authorization is checked first). */
  mayWriteMarkers(): Promise<boolean>
  /**
   * `count` COMMIT markers into each partition, all led by `broker`, in one WriteTxnMarkers v1. One code a partition,
   * whatever the number: only the log end tells how many landed. So the true ends are asked for on the same connection
   * right behind: a broker takes the requests of a connection one by one. `end` is set where `code` is NONE.
   */
  writeMarkers(
    broker: number,
    producer: {
      readonly producerId: bigint
      readonly producerEpoch: number
      readonly coordinatorEpoch: number
    },
    fills: readonly MarkerFill[],
  ): Promise<(TopicPartition & Outcome & { readonly end?: CodeAndOffset })[]>
  /** A membership of the workers' group `group`, which has not joined yet. */
  slotGroup(group: string): SlotGroup
  /** InitProducerId for a transactional id: raises its epoch, which fences older holders. */
  initProducer(
    transactionalId: string,
  ): Promise<Outcome & { readonly producerId: bigint; readonly producerEpoch: number }>
  /**
   * One transaction without data over `partitions` (AddPartitionsToTxn v3, EndTxn v3): leaves at least one marker in
   * each. Returns when the coordinator has completed it: its markers are in the logs. Not retried inside, except
   * CONCURRENT_TRANSACTIONS while the one before is being completed.
   */
  emptyTransaction(
    producer: {
      readonly transactionalId: string
      readonly producerId: bigint
      readonly producerEpoch: number
    },
    partitions: readonly TopicPartition[],
  ): Promise<Outcome>
}

export type GroupOffset = TopicPartition & { readonly offset: number; readonly metadata: string | null }
/** `type`: classic, consumer, share, streams. `state`: as the coordinator says; Empty when it has no members. */
export type ListedGroup = { readonly group: string; readonly type: string; readonly state: string }
export type GroupOffsets = Outcome & {
  readonly offsets: readonly GroupOffset[]
  /** Of these a transaction has a commit under way: what is committed is not known before that ends. */
  readonly pending: readonly TopicPartition[]
}

/** Consumer groups. A group that does not exist has no offsets; one that a principal may not see is not listed. */
export interface GroupAdmin {
  /** Of all types and brokers. Throws KdrError('unreachable') rather than leave some out. */
  listGroups(): Promise<readonly ListedGroup[]>
  /** Committed offsets of many groups, in their order. Where nothing has changed it may be the same object again. */
  groupOffsets(groups: readonly string[]): Promise<GroupOffsets[]>
  /** Commits as an admin, leader epoch -1. Fails with UNKNOWN_MEMBER_ID when the group has members. */
  commitGroupOffsets(group: string, offsets: readonly GroupOffset[]): Promise<Outcome>
  /** Takes committed offsets away; refused where members subscribe to the topic. */
  deleteGroupOffsets(group: string, partitions: readonly TopicPartition[]): Promise<Outcome>
  /** NON_EMPTY_GROUP when it has members, GROUP_ID_NOT_FOUND when there is none. */
  deleteGroup(group: string): Promise<Outcome>
}

export interface Cluster
  extends TopicAdmin,
    LogReader,
    TransactionReader,
    LogWriter,
    GroupAdmin,
    RightsAdmin {
  /** The name it has in the config. */
  readonly name: string
  close(): Promise<void>
}
