// What the dashboard shows of clusters that are watched, and of their consumer groups.
import { type Panel, query } from './panel.ts'

export const CLUSTER_ROWS: readonly (readonly [title: string, panels: readonly Panel[]])[] = [
  [
    'Clusters that are watched',
    [
      {
        title: 'Brokers that are not there',
        description: 'Known by the replicas that they should hold.',
        type: 'stat',
        unit: 'short',
        width: 6,
        red: 1,
        queries: [
          query(
            'count by (cluster) (max by (cluster, broker) (kdr_broker_up) == 0) or max by (cluster) (kdr_cluster_up) * 0',
            '{{cluster}}',
            'kdr_broker_up',
            'kdr_cluster_up',
          ),
        ],
      },
      {
        title: 'Partitions without a leader',
        description: 'Nobody can read or write there.',
        type: 'stat',
        unit: 'short',
        width: 6,
        red: 1,
        queries: [
          query(
            'max by (cluster) (kdr_cluster_partitions_offline)',
            '{{cluster}}',
            'kdr_cluster_partitions_offline',
          ),
        ],
      },
      {
        title: 'Partitions that refuse writes',
        description: 'With fewer replicas in sync than `min.insync.replicas`.',
        type: 'stat',
        unit: 'short',
        width: 6,
        red: 1,
        queries: [
          query(
            'max by (cluster) (kdr_cluster_partitions_under_min_isr)',
            '{{cluster}}',
            'kdr_cluster_partitions_under_min_isr',
          ),
        ],
      },
      {
        title: 'Groups that are not well',
        description: 'Stopped, stalled, rewound or lagging.',
        type: 'stat',
        unit: 'short',
        width: 6,
        red: 1,
        queries: [
          query(
            'sum by (cluster) (max by (cluster, state) (kdr_cluster_groups{state=~"stopped|stalled|rewound|lagging"}))',
            '{{cluster}}',
            'kdr_cluster_groups',
          ),
        ],
      },
      {
        title: 'Partitions that are under-replicated',
        description: 'With fewer replicas in sync than there are.',
        type: 'timeseries',
        unit: 'short',
        width: 12,
        queries: [
          query(
            'max by (cluster) (kdr_cluster_partitions_under_replicated)',
            '{{cluster}}',
            'kdr_cluster_partitions_under_replicated',
          ),
        ],
      },
      {
        title: 'Disks',
        description: 'What is left of the fullest log directory of each broker.',
        type: 'timeseries',
        unit: 'percentunit',
        width: 12,
        queries: [
          query(
            'min by (cluster, broker) (kdr_broker_disk_free_ratio)',
            '{{cluster}} {{broker}}',
            'kdr_broker_disk_free_ratio',
          ),
        ],
      },
      {
        title: 'The ten groups that lag most',
        description: 'Since when something waits for them.',
        type: 'timeseries',
        unit: 's',
        width: 12,
        queries: [
          query(
            'topk(10, max by (cluster, group) (kdr_group_lag_seconds))',
            '{{cluster}} {{group}}',
            'kdr_group_lag_seconds',
          ),
        ],
      },
      {
        title: 'The ten groups furthest behind',
        description: 'In records.',
        type: 'timeseries',
        unit: 'short',
        width: 12,
        queries: [
          query(
            'topk(10, max by (cluster, group) (kdr_group_lag_records))',
            '{{cluster}} {{group}}',
            'kdr_group_lag_records',
          ),
        ],
      },
      {
        title: 'States of groups',
        description: 'By the rules of Burrow.',
        type: 'timeseries',
        unit: 'short',
        width: 12,
        queries: [
          query(
            'max by (cluster, state) (kdr_cluster_groups) > 0',
            '{{cluster}} {{state}}',
            'kdr_cluster_groups',
          ),
        ],
      },
      {
        title: 'What cannot be seen',
        description: '`/api/clusters` and the log say why.',
        type: 'timeseries',
        unit: 'short',
        width: 12,
        queries: [
          query('max by (cluster, what) (kdr_cluster_unseen)', '{{cluster}} {{what}}', 'kdr_cluster_unseen'),
        ],
      },
    ],
  ],
]
