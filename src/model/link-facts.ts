// What a worker can say of a link beside its own partitions: its share of the work, what it asks of both clusters, and, where it
// does the control work, where the link as a whole stands.
import type { DurationCounts } from './durations.ts'
import type { GroupReason, GroupState } from './group-records.ts'
import type { PartitionReport } from './link.ts'

export type ConnectionKind = 'fetch' | 'watch' | 'append'

/** Of one cluster, by this process, since the link was started. */
export type Traffic = {
  readonly cluster: string
  /** Open now: those that carry data, those that wait for news, those that append. */
  readonly connections: Readonly<Record<ConnectionKind, number>>
  /** Fetches that brought records; what waited in vain says nothing of the cluster. */
  readonly fetches: DurationCounts
  readonly appends: DurationCounts
  readonly fetchedBytes: number
  /** Of these, from replicas that are closer than the leader. */
  readonly closestBytes: number
  /** How long connections have rested because a broker had become slow. */
  readonly restMs: number
  readonly batches: number
  /** Requests of these connections that got no answer. */
  readonly failures: number
}

/** All partitions, whoever copies them. */
export type WholeLink = {
  readonly generation: number
  /** Workers that have shown a sign of life lately, this one included. */
  readonly workers: number
  readonly lagRecords: number
  /** The largest. */
  readonly lagMs: number
  /** Otherwise there is a partition, or all are, of which nobody knows how long it has been behind. */
  readonly isLagKnown: boolean
  /** When the source answered last; ms since 1970, 0: never. */
  readonly sourceSeenAt: number
  /** Lost and accepted. */
  readonly lost: { readonly offsets: number; readonly ranges: number }
  readonly groups: readonly { readonly state: GroupState; readonly reason?: GroupReason }[]
  /** When all groups of the source were looked at last; ms since 1970, 0: never. */
  readonly groupsAt: number
}

export type LinkFacts = {
  readonly slots: number
  readonly slotsHeld: number
  readonly traffic: readonly Traffic[]
  /** Undefined: another worker does the control work (slot 0), and says it. */
  readonly whole: WholeLink | undefined
}

/** As its worker sees it, or has reported it. */
export type ViewedPartition = Pick<
  PartitionReport,
  'partition' | 'state' | 'reason' | 'cursor' | 'isAnchored' | 'lagRecords' | 'lagMs' | 'headroom'
> & { readonly topic: string }

/** All of a link, as any of its workers sees it. */
export type LinkView = {
  readonly partitions: readonly ViewedPartition[]
  /** Living workers that take themselves for the owner of slot 0, this one included: one, if all is well. */
  readonly controllers: number
}
