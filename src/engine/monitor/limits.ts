// How often a watched cluster is asked for what, and how much is kept of it.

export type MonitorLimits = {
  /** Metadata, groups, their offsets, and the ends of their partitions. */
  readonly everyMs: number
  /** What a state of a group is judged by. */
  readonly windowMs: number
  /** Disks and controllers. */
  readonly slowMs: number
  /** `min.insync.replicas` of all topics; of new ones at once. */
  readonly configsMs: number
  /** Committed offsets that are watched, of all groups together: 200 bytes each. */
  readonly maxOffsets: number
}

export const MONITOR_LIMITS: Pick<MonitorLimits, 'slowMs' | 'configsMs' | 'maxOffsets'> = {
  slowMs: 60_000,
  configsMs: 300_000,
  maxOffsets: 250_000,
}
