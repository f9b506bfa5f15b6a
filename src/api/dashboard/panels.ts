// What the dashboard shows, as data: see dashboard.ts.
import { CLUSTER_ROWS } from './clusters.ts'
import { type Panel, query } from './panel.ts'

/** In rows: the title of each, and its panels from left to right. */
export const ROWS: readonly (readonly [title: string, panels: readonly Panel[]])[] = [
  [
    'May one sleep?',
    [
      {
        title: 'RPO now',
        description: 'What would be lost, in time, if the source died now.',
        type: 'stat',
        unit: 's',
        width: 6,
        red: 60,
        queries: [
          query('max by (link) (kdr_link_rpo_seconds{link=~"$link"})', '{{link}}', 'kdr_link_rpo_seconds'),
        ],
      },
      {
        title: 'Partitions stopped',
        description: 'Each sentence of `kdr status` ends with the way out.',
        type: 'stat',
        unit: 'short',
        width: 6,
        red: 1,
        queries: [
          query(
            'sum by (link) (kdr_partitions{link=~"$link",state="faulted"})',
            '{{link}}',
            'kdr_partitions',
          ),
        ],
      },
      {
        title: 'Source seen',
        description: 'How long ago the source answered last.',
        type: 'stat',
        unit: 's',
        width: 6,
        red: 30,
        queries: [
          query(
            'time() - max by (link) (kdr_link_source_seen_timestamp_seconds{link=~"$link"})',
            '{{link}}',
            'kdr_link_source_seen_timestamp_seconds',
          ),
        ],
      },
      {
        title: 'Age of backups',
        description: 'As of when the newest commit of each set holds the source.',
        type: 'stat',
        unit: 's',
        width: 6,
        queries: [query('min by (set) (kdr_backup_age_seconds)', '{{set}}', 'kdr_backup_age_seconds')],
      },
      {
        title: 'Findings of the last whole check',
        description:
          '`kdr check` says where; docs/findings has a page for each id. Accepted ones are left out.',
        type: 'timeseries',
        unit: 'short',
        width: 24,
        queries: [query('max by (id, severity) (kdr_findings)', '{{severity}} {{id}}', 'kdr_findings')],
      },
    ],
  ],
  [
    'Links',
    [
      {
        title: 'RPO against the objective',
        description: 'Objectives are those of plans.',
        type: 'timeseries',
        unit: 's',
        width: 12,
        queries: [
          query('max by (link) (kdr_link_rpo_seconds{link=~"$link"})', '{{link}}', 'kdr_link_rpo_seconds'),
          query(
            'max by (link) (kdr_link_rpo_objective_seconds{link=~"$link"})',
            '{{link}}: objective',
            'kdr_link_rpo_objective_seconds',
          ),
        ],
      },
      {
        title: 'Behind, in records',
        description: 'Over all partitions.',
        type: 'timeseries',
        unit: 'short',
        width: 12,
        queries: [
          query('max by (link) (kdr_link_lag_records{link=~"$link"})', '{{link}}', 'kdr_link_lag_records'),
        ],
      },
      {
        title: 'Bytes copied',
        description: 'As they are on the wire.',
        type: 'timeseries',
        unit: 'Bps',
        width: 12,
        queries: [
          query(
            'sum by (link) (rate(kdr_copied_bytes_total{link=~"$link"}[$__rate_interval]))',
            '{{link}}',
            'kdr_copied_bytes_total',
          ),
        ],
      },
      {
        title: 'Records copied',
        description: '',
        type: 'timeseries',
        unit: 'ops',
        width: 12,
        queries: [
          query(
            'sum by (link) (rate(kdr_copied_records_total{link=~"$link"}[$__rate_interval]))',
            '{{link}}',
            'kdr_copied_records_total',
          ),
        ],
      },
      {
        title: 'Partitions by state',
        description: '',
        type: 'timeseries',
        unit: 'short',
        width: 12,
        queries: [
          query(
            'sum by (link, state) (kdr_partitions{link=~"$link"})',
            '{{link}} {{state}}',
            'kdr_partitions',
          ),
        ],
      },
      {
        title: 'Why they do not go on',
        description: 'Reasons of partitions that have stopped or wait.',
        type: 'timeseries',
        unit: 'short',
        width: 12,
        queries: [
          query(
            'sum by (link, reason) (kdr_partitions_stopped{link=~"$link"}) > 0',
            '{{link}} {{reason}}',
            'kdr_partitions_stopped',
          ),
        ],
      },
    ],
  ],
  [
    'Topics',
    [
      {
        title: 'The ten topics that lag most',
        description: '',
        type: 'timeseries',
        unit: 's',
        width: 12,
        queries: [
          query(
            'topk(10, max by (link, topic) (kdr_lag_seconds{link=~"$link"}))',
            '{{link}} {{topic}}',
            'kdr_lag_seconds',
          ),
        ],
      },
      {
        title: 'Until the source deletes what is not copied',
        description: 'Only where something is behind, and it can be told.',
        type: 'timeseries',
        unit: 's',
        width: 12,
        queries: [
          query(
            'bottomk(10, min by (link, topic) (kdr_retention_headroom_seconds{link=~"$link"}))',
            '{{link}} {{topic}}',
            'kdr_retention_headroom_seconds',
          ),
        ],
      },
      {
        title: 'What gaps were filled for',
        description: 'Offsets that hold no record at the source, by what they were.',
        type: 'timeseries',
        unit: 'short',
        width: 12,
        queries: [
          query(
            'sum by (link, kind) (kdr_mirror_offsets{link=~"$link",kind!="records"})',
            '{{link}} {{kind}}',
            'kdr_mirror_offsets',
          ),
        ],
      },
      {
        title: 'Lost and accepted',
        description: 'Offsets in the ledger.',
        type: 'timeseries',
        unit: 'short',
        width: 12,
        queries: [
          query('max by (link) (kdr_link_lost_offsets{link=~"$link"})', '{{link}}', 'kdr_link_lost_offsets'),
        ],
      },
    ],
  ],
  [
    'Groups',
    [
      {
        title: 'Groups by state',
        description: '',
        type: 'timeseries',
        unit: 'short',
        width: 12,
        queries: [
          query('max by (link, state) (kdr_groups{link=~"$link"})', '{{link}} {{state}}', 'kdr_groups'),
        ],
      },
      {
        title: 'Groups that are not in step',
        description: '',
        type: 'timeseries',
        unit: 'short',
        width: 12,
        queries: [
          query(
            'max by (link, reason) (kdr_groups_not_synced{link=~"$link"}) > 0',
            '{{link}} {{reason}}',
            'kdr_groups_not_synced',
          ),
        ],
      },
    ],
  ],
  [
    'Workers and brokers',
    [
      {
        title: 'Fetches: 99 of 100 within',
        description: 'From request to answer.',
        type: 'timeseries',
        unit: 's',
        width: 12,
        queries: [
          query(
            'histogram_quantile(0.99, sum by (le, link, cluster) (rate(kdr_fetch_duration_seconds_bucket{link=~"$link"}[$__rate_interval])))',
            '{{link}} {{cluster}}',
            'kdr_fetch_duration_seconds',
          ),
        ],
      },
      {
        title: 'Appends: 99 of 100 within',
        description: 'From request to answer.',
        type: 'timeseries',
        unit: 's',
        width: 12,
        queries: [
          query(
            'histogram_quantile(0.99, sum by (le, link, cluster) (rate(kdr_append_duration_seconds_bucket{link=~"$link"}[$__rate_interval])))',
            '{{link}} {{cluster}}',
            'kdr_append_duration_seconds',
          ),
        ],
      },
      {
        title: 'Share of each worker',
        description: 'Slots held, of all that the link has.',
        type: 'timeseries',
        unit: 'percentunit',
        width: 8,
        queries: [
          query(
            'kdr_slots_held{link=~"$link"} / kdr_slots{link=~"$link"}',
            '{{link}} {{instance}}',
            'kdr_slots_held',
            'kdr_slots',
          ),
        ],
      },
      {
        title: 'Memory',
        description: '',
        type: 'timeseries',
        unit: 'bytes',
        width: 8,
        queries: [
          query(
            'process_resident_memory_bytes and on (instance) kdr_build_info',
            '{{instance}}',
            'process_resident_memory_bytes',
            'kdr_build_info',
          ),
        ],
      },
      {
        title: 'CPU',
        description: 'Of a core.',
        type: 'timeseries',
        unit: 'percentunit',
        width: 8,
        queries: [
          query(
            'rate(process_cpu_seconds_total[$__rate_interval]) and on (instance) kdr_build_info',
            '{{instance}}',
            'process_cpu_seconds_total',
            'kdr_build_info',
          ),
        ],
      },
    ],
  ],
  ...CLUSTER_ROWS,
]
