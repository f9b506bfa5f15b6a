// ElectLeaders v2 (KIP-460), which the library does not have.
//
//   Request  => election_type i8 [topic str [partition i32] TAGS] timeout_ms i32 TAGS
//   Response => throttle_ms i32 error_code i16 [topic str [partition i32 error_code i16 error_message str? TAGS] TAGS] TAGS
import { type API, createAPI, type Reader, Writer } from '@platformatic/kafka'
import type { Outcome, TopicPartition } from '../../ports/cluster.ts'
import { byTopic } from '../context.ts'

const PREFERRED = 0

export type RawElected = Outcome & { readonly partitions: readonly (TopicPartition & Outcome)[] }

function createRequest(partitions: readonly TopicPartition[], timeoutMs: number): Writer {
  return Writer.create()
    .appendInt8(PREFERRED)
    .appendArray(byTopic(partitions), (w, { topic, partitions: mine }) => {
      w.appendString(topic).appendArray(mine, (p, { partition }) => p.appendInt32(partition), true, false)
    })
    .appendInt32(timeoutMs)
    .appendTaggedFields()
}

function parseResponse(_correlation: number, _key: number, _version: number, reader: Reader): RawElected {
  reader.readInt32()
  const code = reader.readInt16()
  const topics = reader.readArray(r => {
    const topic = r.readString()
    return r.readArray(p => {
      const partition = p.readInt32()
      const of = p.readInt16()
      const message = p.readNullableString()
      return { topic, partition, code: of, ...(message !== null && { message }) }
    })
  })
  return { code, partitions: topics.flat() }
}

export const electLeadersV2: API<[partitions: readonly TopicPartition[], timeoutMs: number], RawElected> =
  createAPI(43, 2, createRequest, parseResponse)
