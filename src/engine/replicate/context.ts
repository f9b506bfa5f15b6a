// What every part of one link's replication shares. Built once by `startReplication`.
import type { ProducerStamp } from '../../model/batch.ts'
import type { FillMode } from '../../model/link.ts'
import type { LinkSettings } from '../../model/link-settings.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Cluster, FetchedPartition, ProducerState, TopicPartition } from '../../ports/cluster.ts'
import type { Log } from '../../ports/log.ts'
import type { RecordCodec } from '../../ports/records.ts'
import type { StateStore } from '../../ports/state.ts'
import type { ClusterWatch } from './cluster-watch.ts'
import type { Lease } from './lease.ts'
import type { LineLimits, PaceLimits } from './limits.ts'
import type { Slots } from './slots.ts'

/** Who writes to the mirrors of a slot's partitions, as recorded in `_kdr.state` before first use. */
export type SlotIdentity = ProducerStamp & {
  readonly slot: number
  readonly mode: FillMode
  /** Raised by every take-over; carried in the markers' `coordinatorEpoch`. */
  readonly generation: number
  /** Only in mode `transactions`. */
  readonly transactionalId: string | undefined
}

export type EndsAnswer = {
  readonly code: number
  readonly end: number
  readonly highWatermark: number
  readonly leaderEpoch: number
}

/** Reads that many partitions ask for at once, gathered into few requests. */
export type Reads = {
  /** The target's true end and high watermark. */
  readonly targetEnds: (partition: TopicPartition) => Promise<EndsAnswer>
  /** The target's true end alone. */
  readonly targetLogEnd: (partition: TopicPartition) => Promise<{ code: number; offset: number }>
  readonly targetProducers: (
    partition: TopicPartition,
  ) => Promise<{ code: number; producers: readonly ProducerState[] }>
  readonly targetStart: (partition: TopicPartition) => Promise<{ code: number; offset: number }>
  readonly sourceStart: (partition: TopicPartition) => Promise<{ code: number; offset: number }>
  readonly sourceEnd: (
    partition: TopicPartition,
  ) => Promise<{ code: number; offset: number; leaderEpoch: number }>
  readonly sourceEpochEnd: (
    of: TopicPartition & { readonly epoch: number },
  ) => Promise<{ code: number; epoch: number; offset: number }>
  /** One fetch of one partition, by a connection kept for such looks. */
  readonly peek: (
    side: 'source' | 'target',
    of: TopicPartition & {
      readonly topicId: string
      readonly offset: number
      readonly isolation: 'committed' | 'uncommitted'
      readonly maxBytes?: number
    },
  ) => Promise<FetchedPartition>
}

export type LinkContext = {
  readonly link: string
  readonly settings: LinkSettings
  readonly source: Cluster
  readonly target: Cluster
  readonly sourceWatch: ClusterWatch
  readonly targetWatch: ClusterWatch
  readonly clock: Clock
  readonly codec: RecordCodec
  readonly store: StateStore
  readonly log: Log
  /** Which partitions are this worker's. */
  readonly slots: Slots
  readonly reads: Reads
  /** The target's `producer.id.expiration.ms`. */
  readonly producerExpirationMs: number
  /**
   * Throws KdrError('other-controller') when another worker does the control work by now; asked before every call about
   * topics, configs and groups.
   */
  readonly assertControl: () => Promise<void>
  readonly lease: Lease
  readonly pace: PaceLimits
  readonly line: LineLimits
  /** For an error that no partition can answer for: the link ends with it. */
  readonly fail: (error: unknown) => void
  readonly signal: AbortSignal
}
