// Produce v9 to v13, written by hand because the library builds its batches itself: here a batch goes out as it is.
//
//   Request  => transactional_id nullable-str acks i16 timeout_ms i32 [topics] TAGS
//     topics => (name str, up to v12 | topic_id uuid, from v13) [partition i32 records bytes TAGS] TAGS
//   Response => [topics] throttle_time_ms i32 TAGS (0: node endpoints, from v10)
//     topics => (name | topic_id) [partition i32 error_code i16 base_offset i64 log_append_time_ms i64 log_start_offset i64
//               [record_errors: batch_index i32 message nullable-str TAGS] error_message nullable-str
//               TAGS (0: current leader, from v10)] TAGS
// v13 (Kafka 4.1) names topics by id, so that a late batch cannot land in a topic made anew under the same name.
import { type API, createAPI, type Reader, Writer } from '@platformatic/kafka'
import type { AppendEntry } from '../../ports/cluster.ts'
import type { Acks } from '../../ports/probe.ts'

/** What a broker waits for before it answers. */
const ACKS: Readonly<Record<Acks, number>> = { all: -1, leader: 1 }
const BY_ID = 13

export type RawAppended = {
  /** A name, or from v13 on an id. */
  readonly topic: string
  readonly partition: number
  readonly code: number
  readonly message: string | undefined
  readonly baseOffset: number
}

function createRequest(
  version: number,
  entries: readonly AppendEntry[],
  timeoutMs: number,
  acks: Acks,
): Writer {
  const topics = new Map<string, AppendEntry[]>()
  for (const entry of entries) {
    const topic = version < BY_ID ? entry.topic : entry.topicId
    const same = topics.get(topic)
    if (same === undefined) topics.set(topic, [entry])
    else same.push(entry)
  }
  return Writer.create()
    .appendString(null)
    .appendInt16(ACKS[acks])
    .appendInt32(timeoutMs)
    .appendArray([...topics], (w, [topic, mine]) => {
      if (version < BY_ID) w.appendString(topic)
      else w.appendUUID(topic)
      w.appendArray(mine, (inner, entry) => {
        inner.appendInt32(entry.partition).appendBytes(entry.batch)
      })
    })
    .appendTaggedFields()
}

function parsePartition(reader: Reader, topic: string): RawAppended {
  const partition = reader.readInt32()
  const code = reader.readInt16()
  const baseOffset = Number(reader.readInt64())
  reader.readInt64()
  reader.readInt64()
  const records = reader.readArray(r => ({ index: r.readInt32(), message: r.readNullableString() }))
  const message = reader.readNullableString() ?? records.find(record => record.message !== null)?.message
  return { topic, partition, code, message: message ?? undefined, baseOffset: code === 0 ? baseOffset : -1 }
}

function parseResponse(_correlation: number, _key: number, version: number, reader: Reader): RawAppended[] {
  const topics = reader.readArray(r => {
    const topic = version < BY_ID ? r.readString() : r.readUUID()
    return r.readArray(inner => parsePartition(inner, topic))
  })
  return topics.flat()
}

type ProduceApi = API<[entries: readonly AppendEntry[], timeoutMs: number, acks: Acks], RawAppended[]>

function produceApi(version: number): ProduceApi {
  return createAPI(
    0,
    version,
    (entries: readonly AppendEntry[], timeoutMs: number, acks: Acks) =>
      createRequest(version, entries, timeoutMs, acks),
    parseResponse,
  )
}

/** By version. */
export const PRODUCE: Readonly<Record<number, ProduceApi>> = {
  9: produceApi(9),
  10: produceApi(10),
  11: produceApi(11),
  12: produceApi(12),
  13: produceApi(13),
}

export const PRODUCE_BY_ID = BY_ID
