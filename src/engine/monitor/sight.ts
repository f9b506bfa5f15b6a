// What is known of a cluster that is watched, as plain data: metrics, `/api/status` and the log are made of it.
import type { ConsumerState } from '../../model/consumer-state.ts'
import type { PartitionHealth } from './partition-health.ts'

export type GroupSight = {
  readonly group: string
  /** Of its partitions, the gravest. */
  readonly state: ConsumerState
  readonly hasMembers: boolean
  readonly lagRecords: number
  /** The largest: since when something waits for it. */
  readonly lagMs: number
  /** It waited already when it was seen for the first time. */
  readonly isLagAtLeast: boolean
  /** With a committed offset. */
  readonly partitions: number
  /** The gravest, and among those the one furthest behind; undefined where all are well. */
  readonly worst?: {
    readonly topic: string
    readonly partition: number
    readonly state: ConsumerState
    readonly committed: number
    readonly end: number
  }
}

export type BrokerSight = {
  readonly broker: number
  readonly isThere: boolean
  /** Of its fullest log directory that works: what is left of the volume, 0 to 1. Undefined: not known. */
  readonly freeShare?: number
  /** Log directories that have failed. */
  readonly logDirsOffline?: number
}

export type ControllerSight = {
  /** -1: none leads. */
  readonly leader: number
  readonly voters: number
  /** Voters that do not keep up with the leader. */
  readonly votersBehind: readonly number[]
}

export type WatchedCluster = {
  readonly name: string
  /** When it answered last; ms since 1970, 0: never. */
  readonly seenAt: number
  /** Why it cannot be looked at now. */
  readonly problem?: string
  readonly partitions?: PartitionHealth
  readonly brokers: readonly BrokerSight[]
  readonly controllers?: ControllerSight
  /** When groups were looked at last; ms since 1970, 0: never. */
  readonly groupsAt: number
  readonly groups: readonly GroupSight[]
  /** That there are, and are not watched: there are too many offsets, or the group did not show its own. */
  readonly groupsUnwatched: number
  /** Of what it would otherwise know: what it could not see, and why. */
  readonly notSeen: readonly { readonly what: string; readonly why: string }[]
}
