// A point of a set as a cluster that can be read: what copies and compares clusters restores and verifies a backup too. It has one
// broker, all that it holds is stable, and nothing ever changes.
import { type RawBatch, readBatchHeader } from '../model/batch.ts'
import { InvariantViolation } from '../model/errors.ts'
import { KafkaCode } from '../model/kafka-codes.ts'
import { epochsOf, type PartitionState } from '../model/vault.ts'
import type { Clock } from '../ports/clock.ts'
import type {
  Cluster,
  ClusterView,
  FetchedPartition,
  FetchLane,
  FetchPartition,
  FetchSession,
  TopicPartition,
  TopicView,
} from '../ports/cluster.ts'
import type { RecordCodec } from '../ports/records.ts'
import type { ObjectStore } from '../ports/store.ts'
import { FRAME_BYTES } from './frames.ts'
import type { SetPoint } from './point.ts'
import { type BatchRun, SegmentReader } from './reader.ts'
import { isHidden } from './records.ts'
import { firstLater } from './times.ts'

const BROKER = 0
const NOTHING = Buffer.alloc(0)
/** Partitions of one fetch whose frames are read and decompressed at once. */
const READ_AHEAD = 4
const NONE: number = KafkaCode.NONE

export type VaultSource = {
  readonly name: string
  readonly clusterId: string
  readonly store: ObjectStore
  readonly set: string
  readonly point: SetPoint
  readonly codec: RecordCodec
  readonly clock: Clock
}

export function vaultCluster({ name, clusterId, store, set, point, codec, clock }: VaultSource): Cluster {
  const { state } = point
  const reader = new SegmentReader(store, set)
  const view: ClusterView = {
    clusterId,
    brokers: [{ id: BROKER, host: 'vault', port: 0, rack: undefined }],
    topics: new Map([...state.topics.values()].map(topic => [topic.name, viewOf(topic)])),
  }
  const logOf = ({ topic, partition }: TopicPartition): PartitionState | undefined =>
    state.topics.get(topic)?.partitions[partition]
  const each = <Of extends TopicPartition, Answer>(
    items: readonly Of[],
    one: (log: PartitionState, of: Of) => Promise<Answer> | Answer,
    unknown: Answer,
  ): Promise<Answer[]> =>
    Promise.all(
      items.map(async of => {
        const log = logOf(of)
        return log === undefined ? unknown : await one(log, of)
      }),
    )
  const fetchOne = async (of: FetchPartition): Promise<FetchedPartition> =>
    await fetch(reader, { codec, upTo: point.upTo }, logOf(of), of)
  const lanes = { fetchOne, clock }
  const code: number = KafkaCode.UNKNOWN_TOPIC_OR_PARTITION
  return {
    name,
    describe: () => Promise.resolve(view),
    topicsById: ids =>
      Promise.resolve({
        clusterId,
        topics: ids.map(id => ({
          code: [...state.topics.values()].some(topic => topic.id === id)
            ? KafkaCode.NONE
            : KafkaCode.UNKNOWN_TOPIC_ID,
        })),
      }),
    topicConfigs: topics =>
      Promise.resolve(
        new Map(
          topics.map(topic => [
            topic,
            { code: KafkaCode.NONE, entries: entriesOf(state.topics.get(topic)?.configs) },
          ]),
        ),
      ),
    brokerConfigs: () => Promise.resolve(new Map()),
    logDirs: () => Promise.resolve([]),
    offsets: (partitions, at) =>
      each(
        partitions,
        log => ({
          code: NONE,
          offset: at === 'logStart' ? log.start : log.end,
          leaderEpoch: lastEpoch(log),
        }),
        { code, offset: -1, leaderEpoch: -1 },
      ),
    offsetsForTime: partitions =>
      each(
        partitions,
        async ({ segments, start, end }, { timestamp }) => {
          const range = { from: start, end, time: timestamp - 1, codec }
          return { code: NONE, offset: (await firstLater(reader, segments, range)) ?? -1 }
        },
        { code, offset: -1 },
      ),
    epochEnds: partitions =>
      each(partitions, (log, { epoch }) => ({ code: NONE, ...epochEnd(log, epoch) }), {
        code,
        epoch: -1,
        offset: -1,
      }),
    producers: partitions => Promise.resolve(partitions.map(() => ({ code: KafkaCode.NONE, producers: [] }))),
    transactionsOf: () => Promise.resolve({ isComplete: true, transactions: [] }),
    openFetchLane: () => Promise.resolve(openLane(lanes)),
    openFetchSession: () => Promise.resolve(openSession(lanes)),
    listGroups: () =>
      Promise.resolve([...state.groups.values()].map(({ group, type }) => ({ group, type, state: 'Empty' }))),
    groupOffsets: groups =>
      Promise.resolve(
        groups.map(group => ({
          code: KafkaCode.NONE,
          offsets: (state.groups.get(group)?.offsets ?? []).map(([topic, partition, offset, metadata]) => ({
            topic,
            partition,
            offset,
            metadata,
          })),
          pending: [],
        })),
      ),
    describeAcls: () => Promise.resolve({ code: KafkaCode.NONE, rules: state.rights.acls ?? [] }),
    describeQuotas: () => Promise.resolve({ code: KafkaCode.NONE, quotas: state.rights.quotas ?? [] }),
    describeScramUsers: () => Promise.resolve({ code: KafkaCode.NONE, users: state.rights.users ?? [] }),
    close: () => Promise.resolve(),
    ...neverWritten(),
  }
}

function viewOf(topic: {
  readonly name: string
  readonly id: string
  readonly replicationFactor: number
  readonly partitions: readonly PartitionState[]
}): TopicView {
  const replicas = Array.from({ length: topic.replicationFactor }, (_none, id) => id)
  const partitions = topic.partitions.map(log => ({
    partition: log.partition,
    leader: BROKER,
    leaderEpoch: lastEpoch(log),
    replicas,
    isr: replicas,
  }))
  return { name: topic.name, id: topic.id, isInternal: false, partitions }
}

function entriesOf(
  configs: Readonly<Record<string, { readonly value: string | null; readonly isOverride: boolean }>> = {},
) {
  return new Map(
    Object.entries(configs).map(([name, config]) => [
      name,
      { ...config, isReadOnly: false, isSensitive: false },
    ]),
  )
}

const lastEpoch = (log: PartitionState): number => Math.max(0, epochsOf(log).at(-1)?.[0] ?? 0)

/** As a leader answers (LeaderEpochFileCache.endOffsetFor). */
function epochEnd(log: PartitionState, epoch: number): { readonly epoch: number; readonly offset: number } {
  const epochs = epochsOf(log).filter(([, from]) => from < log.end)
  const at = epochs.findLastIndex(([each]) => each <= epoch)
  const found = epochs[at]
  if (found === undefined) return { epoch: -1, offset: -1 }
  return { epoch: found[0], offset: epochs[at + 1]?.[1] ?? log.end }
}

async function fetch(
  reader: SegmentReader,
  { codec, upTo }: Pick<Filtered, 'codec' | 'upTo'>,
  log: PartitionState | undefined,
  { topic, partition, offset, maxBytes }: FetchPartition,
): Promise<FetchedPartition> {
  const end = log?.end ?? -1
  const answer = {
    topic,
    partition,
    code: KafkaCode.NONE as number,
    highWatermark: end,
    lastStable: end,
    logStart: log?.start ?? -1,
    aborted: [],
    records: NOTHING,
  }
  if (log === undefined) return { ...answer, code: KafkaCode.UNKNOWN_TOPIC_OR_PARTITION }
  if (offset < log.start || offset > end) return { ...answer, code: KafkaCode.OFFSET_OUT_OF_RANGE }
  const run = await readRun(reader, { log, upTo, codec }, offset)
  if (run === undefined) return answer
  const batches: RawBatch[] = []
  let bytes = 0
  for (const batch of run.batches) {
    if (batches.length > 0 && bytes + batch.bytes.length > maxBytes) break
    batches.push(batch)
    bytes += batch.bytes.length
  }
  const last = batches.at(-1)!.header.lastOffset
  // A copy: whoever gets it may write into it.
  const records = Buffer.concat(batches.map(batch => cutAt(batch, end, codec)))
  run.done(batches.length === run.batches.length)
  return {
    ...answer,
    records,
    aborted: run.aborted
      .filter(({ from, to }) => from <= last && (to ?? last) >= batches[0]!.header.baseOffset)
      .map(({ producer, from }) => ({ producerId: BigInt(producer), firstOffset: from })),
  }
}

type Filtered = {
  readonly log: PartitionState
  readonly upTo: number | undefined
  readonly codec: RecordCodec
}

/** What is left of the first run that has any left. */
async function readRun(
  reader: SegmentReader,
  { log, upTo, codec }: Filtered,
  from: number,
): Promise<BatchRun | undefined> {
  for (let offset = from; ; ) {
    const run = await reader.read(log.segments, offset, log.end)
    if (run === undefined || upTo === undefined) return run
    const batches = run.batches
      .flatMap(batch => withoutLater(batch, run.aborted, { upTo, codec }))
      // One that was cut short ends earlier than the one it was made of.
      .filter(({ header }) => header.lastOffset >= offset)
    if (batches.length > 0) return { ...run, batches }
    offset = run.batches.at(-1)!.header.lastOffset + 1
    run.done(true)
  }
}

/** Encoded anew it is of no transaction: what was aborted stays as it is, and is passed by. */
function withoutLater(
  batch: RawBatch,
  aborted: BatchRun['aborted'],
  { upTo, codec }: { readonly upTo: number; readonly codec: RecordCodec },
): RawBatch[] {
  const { header } = batch
  if (header.maxTimestamp <= upTo || isHidden(batch, aborted)) return [batch]
  const records = codec.decode(batch).filter(({ timestamp }) => timestamp <= upTo)
  if (records.length === 0) return []
  const bytes = codec.encode({ codec: header.codec, baseOffset: header.baseOffset, records })
  bytes.writeInt32BE(header.leaderEpoch, LEADER_EPOCH_AT)
  return [{ bytes, header: readBatchHeader(bytes) }]
}

/** Only a log that ends at a moment ends in the middle of a batch, and never in one of a transaction. */
function cutAt(batch: RawBatch, end: number, codec: RecordCodec): Buffer {
  const { header } = batch
  if (header.lastOffset < end) return batch.bytes
  const records = codec.decode(batch).filter(({ offset }) => offset < end)
  const bytes = codec.encode({ codec: header.codec, baseOffset: header.baseOffset, records })
  bytes.writeInt32BE(header.leaderEpoch, LEADER_EPOCH_AT)
  return bytes
}

const LEADER_EPOCH_AT = 12

type Lanes = { readonly fetchOne: (of: FetchPartition) => Promise<FetchedPartition>; readonly clock: Clock }

const isNews = ({ code, records }: FetchedPartition): boolean => code !== KafkaCode.NONE || records.length > 0

function openLane({ fetchOne, clock }: Lanes): FetchLane {
  const closed = new AbortController()
  let receivedBytes = 0
  return {
    broker: BROKER,
    // No line to be measured.
    firstByteMs: undefined,
    get receivedBytes() {
      return receivedBytes
    },
    fetch: async ({ partitions, maxBytes, maxWaitMs }) => {
      const answers: FetchedPartition[] = []
      let bytes = 0
      const left = [...partitions]
      const underWay: Promise<FetchedPartition>[] = []
      /** What is read and does not fit would be read again. */
      const fits = (): boolean => underWay.length === 0 || bytes + underWay.length * FRAME_BYTES < maxBytes
      while (bytes < maxBytes && left.length + underWay.length > 0) {
        while (left.length > 0 && underWay.length < READ_AHEAD && fits()) {
          const each = fetchOne(left.shift()!)
          // Whoever takes it gets the failure; nobody may come to take it.
          each.catch(() => undefined)
          underWay.push(each)
        }
        const answer = await underWay.shift()!
        bytes += answer.records.length
        answers.push(answer)
      }
      receivedBytes += bytes
      if (!answers.some(isNews)) await clock.sleep(maxWaitMs, closed.signal)
      return answers
    },
    close: () => Promise.resolve(closed.abort()),
  }
}

/** What has nothing more to say is told once. */
function openSession({ fetchOne, clock }: Lanes): FetchSession {
  const lane = openLane({ fetchOne, clock })
  const asked = new Map<string, { readonly of: FetchPartition; isTold: boolean }>()
  const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`
  return {
    broker: BROKER,
    ask: of => void asked.set(nameOf(of), { of, isTold: false }),
    forget: of => void asked.delete(nameOf(of)),
    next: async request => {
      const open = [...asked.values()].filter(({ isTold }) => !isTold)
      const answers = await lane.fetch({ ...request, partitions: open.map(({ of }) => of) })
      for (const answer of answers) {
        const known = asked.get(nameOf(answer))
        if (known !== undefined && !isNews(answer)) known.isTold = true
      }
      return answers
    },
    close: () => lane.close(),
  }
}

type Writing =
  | 'createTopics'
  | 'addPartitions'
  | 'alterTopicConfigs'
  | 'deleteRecords'
  | 'deleteTopic'
  | 'openAppendLane'
  | 'mayWriteMarkers'
  | 'writeMarkers'
  | 'slotGroup'
  | 'initProducer'
  | 'emptyTransaction'
  | 'commitGroupOffsets'
  | 'deleteGroupOffsets'
  | 'deleteGroup'
  | 'createAcls'
  | 'deleteAcls'
  | 'alterQuotas'
  | 'alterScramUser'

function neverWritten(): Pick<Cluster, Writing> {
  const never = (): never => {
    throw new InvariantViolation('a vault is read as a cluster, and never written')
  }
  return {
    createTopics: never,
    addPartitions: never,
    alterTopicConfigs: never,
    deleteRecords: never,
    deleteTopic: never,
    openAppendLane: never,
    mayWriteMarkers: never,
    writeMarkers: never,
    slotGroup: never,
    initProducer: never,
    emptyTransaction: never,
    commitGroupOffsets: never,
    deleteGroupOffsets: never,
    deleteGroup: never,
    createAcls: never,
    deleteAcls: never,
    alterQuotas: never,
    alterScramUser: never,
  }
}
