// The part of the table of metrics that is about clusters that are watched. Names are Kafka's where Kafka has the same figure.
import type { MetricSpec } from './table.ts'

const CLUSTER = ['cluster'] as const
const BROKER = [...CLUSTER, 'broker'] as const
const GROUP = [...CLUSTER, 'group'] as const

export const CLUSTER_METRICS = {
  kdr_cluster_up: {
    type: 'gauge',
    help: 'Whether the cluster answered when it was looked at last; where it did not, the figures below are left out.',
    labels: CLUSTER,
    by: 'watcher',
    from: 'Metadata',
  },
  kdr_cluster_seen_timestamp_seconds: {
    type: 'gauge',
    help: 'When it answered last, in seconds since 1970.',
    labels: CLUSTER,
    by: 'watcher',
    from: 'Metadata',
  },
  kdr_cluster_unseen: {
    type: 'gauge',
    help: 'What cannot be seen of it, by what; there only while that is so. `/api/clusters` and the log say why.',
    labels: [...CLUSTER, 'what'],
    by: 'watcher',
    from: 'refusals, and what was not answered',
  },
  kdr_cluster_topics: {
    type: 'gauge',
    help: 'Topics that kdr may see.',
    labels: CLUSTER,
    by: 'watcher',
    from: 'Metadata',
  },
  kdr_cluster_partitions: {
    type: 'gauge',
    help: 'Partitions of these.',
    labels: CLUSTER,
    by: 'watcher',
    from: 'Metadata',
  },
  kdr_cluster_partitions_offline: {
    type: 'gauge',
    help: 'Partitions without a leader: nobody can read or write there.',
    labels: CLUSTER,
    by: 'watcher',
    from: 'Metadata',
  },
  kdr_cluster_partitions_under_replicated: {
    type: 'gauge',
    help: 'Partitions with fewer replicas in sync than there are.',
    labels: CLUSTER,
    by: 'watcher',
    from: 'Metadata',
  },
  kdr_cluster_partitions_under_min_isr: {
    type: 'gauge',
    help: 'Partitions with fewer replicas in sync than `min.insync.replicas`: writes with acks=all are refused.',
    labels: CLUSTER,
    by: 'watcher',
    from: 'Metadata, and DescribeConfigs of topics every 5 minutes',
  },
  kdr_cluster_partitions_not_preferred: {
    type: 'gauge',
    help: 'Partitions whose first replica is in sync and does not lead.',
    labels: CLUSTER,
    by: 'watcher',
    from: 'Metadata',
  },
  kdr_cluster_controller_up: {
    type: 'gauge',
    help: 'Whether a controller leads.',
    labels: CLUSTER,
    by: 'watcher',
    from: 'DescribeQuorum, every minute',
  },
  kdr_cluster_voters_behind: {
    type: 'gauge',
    help: 'Controllers that do not keep up with the one that leads.',
    labels: CLUSTER,
    by: 'watcher',
    from: 'DescribeQuorum, every minute',
  },
  kdr_broker_up: {
    type: 'gauge',
    help: 'Whether the broker is there. One that is not is known by the replicas that it should hold.',
    labels: BROKER,
    by: 'watcher',
    from: 'Metadata',
  },
  kdr_broker_disk_free_ratio: {
    type: 'gauge',
    help: 'What is left of the volume of its fullest log directory, 0 to 1.',
    labels: BROKER,
    by: 'watcher',
    from: 'DescribeLogDirs, every minute',
  },
  kdr_broker_log_dirs_offline: {
    type: 'gauge',
    help: 'Log directories that have failed.',
    labels: BROKER,
    by: 'watcher',
    from: 'DescribeLogDirs, every minute',
  },
  kdr_cluster_groups: {
    type: 'gauge',
    help: 'Consumer groups with committed offsets, by state.',
    labels: [...CLUSTER, 'state'],
    by: 'watcher',
    from: 'offsets of groups and ends of logs over `monitor.window`',
  },
  kdr_cluster_groups_unwatched: {
    type: 'gauge',
    help: 'Consumer groups that are not watched: beyond 250,000 committed offsets, or without an answer.',
    labels: CLUSTER,
    by: 'watcher',
    from: 'OffsetFetch',
  },
  kdr_group_state: {
    type: 'gauge',
    help: '1 for the state that the group is in now; its other states are left out.',
    labels: [...GROUP, 'state'],
    by: 'watcher',
    from: 'offsets of groups and ends of logs over `monitor.window`',
  },
  kdr_group_lag_records: {
    type: 'gauge',
    help: 'Offsets behind what the group has committed, over all partitions where it has.',
    labels: GROUP,
    by: 'watcher',
    from: 'OffsetFetch, and then ListOffsets',
  },
  kdr_group_lag_seconds: {
    type: 'gauge',
    help: 'Since when something waits for the group; the largest of its partitions. What waited when kdr began to watch counts from then.',
    labels: GROUP,
    by: 'watcher',
    from: 'when ends of logs were first seen',
  },
} as const satisfies Record<string, MetricSpec>
