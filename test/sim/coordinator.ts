// The transaction coordinator of a simulated cluster: transactional ids with their producers, which partitions a
// transaction has, and the markers that end it (TransactionCoordinator.scala, as before KIP-890).
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import type { TopicPartition } from '../../src/ports/cluster.ts'
import type { Coordinated, SimCluster } from './cluster.ts'
import { controlBatch } from './marker.ts'

export type TransactionalProducer = Coordinated & { readonly transactionalId: string }
/** By name: a topic that was made anew gets the markers of a transaction that had its predecessor. */
type Held = Coordinated & { open?: Map<string, TopicPartition> }

/** Raises the epoch; a transaction that is open is aborted first, under an epoch of its own that fences its producer. */
export function initProducer(cluster: SimCluster, transactionalId: string): Coordinated & { code: number } {
  const held: Held = cluster.coordinated.get(transactionalId) ?? {
    producerId: cluster.newProducerId(),
    producerEpoch: -1,
  }
  cluster.coordinated.set(transactionalId, held)
  if (held.open !== undefined && held.open.size > 0) {
    held.producerEpoch++
    writeMarkers(cluster, held, false)
  }
  held.producerEpoch++
  return { code: KafkaCode.NONE, producerId: held.producerId, producerEpoch: held.producerEpoch }
}

/** Whether the partitions may become part of its transaction: all or none. */
export function checkTransaction(
  cluster: SimCluster,
  producer: TransactionalProducer,
  partitions: readonly TopicPartition[],
): number {
  if (partitions.some(of => cluster.partition(of) === undefined)) return KafkaCode.UNKNOWN_TOPIC_OR_PARTITION
  const held = cluster.coordinated.get(producer.transactionalId)
  if (held === undefined || held.producerId !== producer.producerId)
    return KafkaCode.INVALID_PRODUCER_ID_MAPPING
  return held.producerEpoch === producer.producerEpoch ? KafkaCode.NONE : KafkaCode.PRODUCER_FENCED
}

export function addToTransaction(
  cluster: SimCluster,
  producer: TransactionalProducer,
  partitions: readonly TopicPartition[],
): number {
  const code = checkTransaction(cluster, producer, partitions)
  const held: Held | undefined = cluster.coordinated.get(producer.transactionalId)
  if (code !== KafkaCode.NONE || held === undefined) return code
  held.open ??= new Map()
  for (const of of partitions) held.open.set(`${of.topic}/${of.partition}`, of)
  return KafkaCode.NONE
}

export function endTransaction(
  cluster: SimCluster,
  producer: TransactionalProducer,
  isCommit: boolean,
): number {
  const held: Held | undefined = cluster.coordinated.get(producer.transactionalId)
  if (held === undefined || held.producerId !== producer.producerId)
    return KafkaCode.INVALID_PRODUCER_ID_MAPPING
  if (held.producerEpoch !== producer.producerEpoch) return KafkaCode.PRODUCER_FENCED
  if (held.open === undefined || held.open.size === 0) return KafkaCode.INVALID_TXN_STATE
  writeMarkers(cluster, held, isCommit)
  return KafkaCode.NONE
}

function writeMarkers(cluster: SimCluster, held: Held, isCommit: boolean): void {
  const { producerId, producerEpoch } = held
  for (const of of held.open?.values() ?? []) {
    const log = cluster.partition(of)?.log
    log?.appendMarker(controlBatch({ producerId, producerEpoch, isCommit, now: cluster.clock.now() }), 0)
    log?.advance()
  }
  held.open?.clear()
}
