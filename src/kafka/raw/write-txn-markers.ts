// WriteTxnMarkers v1, which the library does not have: brokers send it to each other to end transactions.
//
//   Request  => [producer_id i64 producer_epoch i16 transaction_result bool [name str [partition i32] TAGS]
//               coordinator_epoch i32 TAGS] TAGS
//   Response => [producer_id i64 [name str [partition i32 error_code i16 TAGS] TAGS] TAGS] TAGS
// Every entry of the request appends one control batch to each of its partitions. The response has one code per producer
// id and partition, whatever the number of entries (the broker keeps the last one).
import { type API, createAPI, type Reader, Writer } from '@platformatic/kafka'
import type { MarkerFill, TopicPartition } from '../../ports/cluster.ts'

export type MarkerProducer = {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly coordinatorEpoch: number
}

export type RawMarked = TopicPartition & { readonly code: number }

/**
 * As many entries as the largest count, each partition in as many as its own: the last ones, so that the last entry holds
 * them all. A broker skips an entry of which it leads nothing, and when the last entry is skipped after others were not, it
 * never answers (KafkaApis.handleWriteTxnMarkersRequest): with the partitions of few markers last, one leader that has
 * moved would let all of them wait for the request's time-out.
 */
export function markerLevels(fills: readonly MarkerFill[]): Map<string, number[]>[] {
  const levels: Map<string, number[]>[] = []
  for (const { topic, partition, count } of fills) {
    for (let level = 0; level < count; level++) {
      const topics = (levels[level] ??= new Map<string, number[]>())
      const partitions = topics.get(topic)
      if (partitions === undefined) topics.set(topic, [partition])
      else partitions.push(partition)
    }
  }
  return levels.reverse()
}

function createRequest(producer: MarkerProducer, fills: readonly MarkerFill[]): Writer {
  return Writer.create()
    .appendArray(markerLevels(fills), (w, topics) => {
      w.appendInt64(producer.producerId)
        .appendInt16(producer.producerEpoch)
        .appendBoolean(true)
        .appendArray([...topics], (inner, [topic, partitions]) => {
          inner
            .appendString(topic)
            .appendArray(partitions, (p, partition) => p.appendInt32(partition), true, false)
        })
        .appendInt32(producer.coordinatorEpoch)
    })
    .appendTaggedFields()
}

function parseResponse(_correlation: number, _key: number, _version: number, reader: Reader): RawMarked[] {
  const producers = reader.readArray(r => {
    r.readInt64()
    const topics = r.readArray(inner => {
      const topic = inner.readString()
      return inner.readArray(p => ({ topic, partition: p.readInt32(), code: p.readInt16() }))
    })
    return topics.flat()
  })
  return producers.flat()
}

export const writeTxnMarkersV1: API<[producer: MarkerProducer, fills: readonly MarkerFill[]], RawMarked[]> =
  createAPI(27, 1, createRequest, parseResponse)
