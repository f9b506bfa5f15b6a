// Fetch v13 to v17, written by hand because the library decodes every record: here records stay one run of bytes.
//
//   Request  => replica_id i32 (v13, v14 only; later a tagged field that consumers leave out) max_wait_ms i32 min_bytes i32
//               max_bytes i32 isolation_level i8 session_id i32 session_epoch i32 [topics] [forgotten_topics] rack_id str TAGS
//     topics => topic_id uuid [partition i32 current_leader_epoch i32 fetch_offset i64 last_fetched_epoch i32
//               log_start_offset i64 partition_max_bytes i32 TAGS] TAGS
//   Response => throttle_time_ms i32 error_code i16 session_id i32 [topics] TAGS (0: node endpoints, from v16)
//     topics => topic_id uuid [partition i32 error_code i16 high_watermark i64 last_stable_offset i64 log_start_offset i64
//               [aborted: producer_id i64 first_offset i64 TAGS] preferred_read_replica i32 records bytes
//               TAGS (0: diverging epoch i32 and end offset i64, 1: current leader, 2: snapshot id)] TAGS
//     forgotten => topic_id uuid [partition i32] TAGS
// Session id 0 with epoch -1 asks for a full answer and keeps no session; epoch 0 asks for a new session (KIP-227).
import { type API, createAPI, readKnownTaggedFields, type Reader, Writer } from '@platformatic/kafka'
import type { FetchPartition, FetchRequest } from '../../ports/cluster.ts'

const CONSUMER = -1
const EMPTY = Buffer.alloc(0)

export type RawFetched = {
  readonly topicId: string
  readonly partition: number
  readonly code: number
  readonly highWatermark: number
  readonly lastStable: number
  readonly logStart: number
  readonly diverging: { readonly epoch: number; readonly endOffset: number } | undefined
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: number }[]
  /** KIP-392: who is to be asked instead, and there are no records then; -1: nobody. */
  readonly preferredReplica: number
  readonly records: Buffer
}

export type RawSession = {
  readonly id: number
  readonly epoch: number
  readonly forgotten: readonly FetchPartition[]
}
/** `rack`: the leader may name a replica that is closer to it. */
export type RawFetchRequest = FetchRequest & { readonly session?: RawSession; readonly rack?: string }

/** `code`: of the whole request; then there are no partitions. */
export type RawFetchAnswer = {
  readonly code: number
  /** The broker holds the connection back for so long, for a quota's sake. */
  readonly throttleMs: number
  readonly sessionId: number
  readonly partitions: readonly RawFetched[]
}

const NO_SESSION: RawSession = { id: 0, epoch: -1, forgotten: [] }

function byTopicId(partitions: readonly FetchPartition[]): [string, FetchPartition[]][] {
  const topics = new Map<string, FetchPartition[]>()
  for (const partition of partitions) {
    const same = topics.get(partition.topicId)
    if (same === undefined) topics.set(partition.topicId, [partition])
    else same.push(partition)
  }
  return [...topics]
}

function createRequest(version: number, request: RawFetchRequest): Writer {
  const { id, epoch, forgotten } = request.session ?? NO_SESSION
  const writer = Writer.create()
  if (version < 15) writer.appendInt32(CONSUMER)
  return writer
    .appendInt32(request.maxWaitMs)
    .appendInt32(1)
    .appendInt32(request.maxBytes)
    .appendInt8(request.isolation === 'committed' ? 1 : 0)
    .appendInt32(id)
    .appendInt32(epoch)
    .appendArray(byTopicId(request.partitions), (w, [topicId, partitions]) => {
      w.appendUUID(topicId).appendArray(partitions, (inner, p) => {
        inner
          .appendInt32(p.partition)
          .appendInt32(p.leaderEpoch)
          .appendInt64(BigInt(p.offset))
          .appendInt32(p.lastFetchedEpoch)
          .appendInt64(-1n)
          .appendInt32(p.maxBytes)
      })
    })
    .appendArray(byTopicId(forgotten), (w, [topicId, partitions]) => {
      w.appendUUID(topicId).appendArray(partitions, (inner, p) => inner.appendInt32(p.partition), true, false)
    })
    .appendString(request.rack ?? '')
    .appendTaggedFields()
}

function parsePartition(reader: Reader, topicId: string): RawFetched {
  const partition = reader.readInt32()
  const code = reader.readInt16()
  const highWatermark = Number(reader.readInt64())
  const lastStable = Number(reader.readInt64())
  const logStart = Number(reader.readInt64())
  const aborted = reader.readArray(r => ({ producerId: r.readInt64(), firstOffset: Number(r.readInt64()) }))
  const preferredReplica = reader.readInt32()
  const records = reader.readNullableBytes() ?? EMPTY
  let diverging: RawFetched['diverging']
  readKnownTaggedFields(reader, {
    0: tagged => {
      diverging = { epoch: tagged.readInt32(), endOffset: Number(tagged.readInt64()) }
    },
  })
  const ends = { highWatermark, lastStable, logStart }
  return { topicId, partition, code, ...ends, diverging, aborted, preferredReplica, records }
}

function parseResponse(_correlation: number, _key: number, _version: number, reader: Reader): RawFetchAnswer {
  const throttleMs = reader.readInt32()
  const code = reader.readInt16()
  const sessionId = reader.readInt32()
  const topics = reader.readArray(r => {
    const topicId = r.readUUID()
    return r.readArray(inner => parsePartition(inner, topicId), true, false)
  })
  return { code, throttleMs, sessionId, partitions: topics.flat() }
}

function fetchApi(version: number): API<[RawFetchRequest], RawFetchAnswer> {
  return createAPI(1, version, (request: RawFetchRequest) => createRequest(version, request), parseResponse)
}

/** By version. */
export const FETCH: Readonly<Record<number, API<[RawFetchRequest], RawFetchAnswer>>> = {
  13: fetchApi(13),
  14: fetchApi(14),
  15: fetchApi(15),
  16: fetchApi(16),
  17: fetchApi(17),
}
