// Every metric that `kdr run` serves, in the order in which it is served. The reference page, the alert rules and the dashboard are
// made from this table, and nothing is served that does not stand here. Names end in their unit, which is a base unit of Prometheus.
import { BACKUP_METRICS } from './backup.ts'
import { CHECK_METRICS } from './check.ts'
import { CLUSTER_METRICS } from './clusters.ts'
import type { Metric, Sample } from './metrics.ts'
import { TRAFFIC } from './traffic.ts'

/**
 * Who says it. `process`: each kdr of itself. `share`: each of what it copies, so that the sum over all is the link. `owner`: only the
 * worker that does the control work of the link (slot 0), for the whole link. `sets`: each kdr, of sets that all of them see alike.
 * `watcher`: whoever watches the cluster: `kdr run --only monitor`, or the owner of a link that names it, or each where none does.
 * `checker`: the one that carries out the whole check.
 */
export type SaidBy = 'process' | 'share' | 'owner' | 'sets' | 'watcher' | 'checker'

export type MetricSpec = {
  readonly type: Metric['type']
  readonly help: string
  readonly labels: readonly string[]
  readonly by: SaidBy
  /** For people who want to know what the figure is made of. */
  readonly from: string
}

const LINK = ['link', 'source', 'target'] as const
/** Left out where it would be too many series: see `kdr_metrics_coarsened`. */
const PLACE = [...LINK, 'topic', 'partition'] as const

export const METRICS = {
  kdr_build_info: {
    type: 'gauge',
    help: 'Which kdr this is.',
    labels: ['version'],
    by: 'process',
    from: 'the package',
  },
  process_start_time_seconds: {
    type: 'gauge',
    help: 'When this process began, in seconds since 1970.',
    labels: [],
    by: 'process',
    from: 'Node',
  },
  process_cpu_seconds_total: {
    type: 'counter',
    help: 'CPU time of this process, user and system.',
    labels: [],
    by: 'process',
    from: 'the kernel',
  },
  process_resident_memory_bytes: {
    type: 'gauge',
    help: 'Memory that this process holds.',
    labels: [],
    by: 'process',
    from: 'the kernel',
  },
  kdr_heap_used_bytes: {
    type: 'gauge',
    help: 'JavaScript objects; buffers of records are not among them.',
    labels: [],
    by: 'process',
    from: 'Node',
  },
  kdr_event_loop_delay_seconds: {
    type: 'histogram',
    help: 'How late a timer came that was due every 100 ms: how long anything else had to wait.',
    labels: [],
    by: 'process',
    from: 'a timer of its own',
  },
  kdr_metrics_series: {
    type: 'gauge',
    help: 'Series in this answer.',
    labels: [],
    by: 'process',
    from: 'this answer',
  },
  kdr_metrics_coarsened: {
    type: 'gauge',
    help: 'Metrics that are summed up more than was asked for, because there would be too many series.',
    labels: ['metric', 'level'],
    by: 'process',
    from: 'this answer',
  },

  kdr_link_running: {
    type: 'gauge',
    help: 'Whether this process runs the link that its config names.',
    labels: LINK,
    by: 'process',
    from: 'this process',
  },
  kdr_link_control: {
    type: 'gauge',
    help: 'Whether this process does the control work of the link: exactly one should.',
    labels: LINK,
    by: 'process',
    from: 'slot 0',
  },
  kdr_slots: {
    type: 'gauge',
    help: 'Slots that the link has.',
    labels: LINK,
    by: 'process',
    from: '`_kdr.state`',
  },
  kdr_slots_held: {
    type: 'gauge',
    help: 'Slots that this process holds: its share of the partitions.',
    labels: LINK,
    by: 'share',
    from: 'this process',
  },
  ...TRAFFIC,

  kdr_partitions: {
    type: 'gauge',
    help: 'Partitions that this process copies, by state.',
    labels: [...LINK, 'state'],
    by: 'share',
    from: 'its copies',
  },
  kdr_partitions_stopped: {
    type: 'gauge',
    help: 'Partitions that do not go on, or not fully, by reason.',
    labels: [...LINK, 'reason'],
    by: 'share',
    from: 'its copies',
  },

  kdr_link_generation: {
    type: 'gauge',
    help: 'How often the link was moved; rises with every promotion.',
    labels: LINK,
    by: 'owner',
    from: '`_kdr.state`',
  },
  kdr_link_workers: {
    type: 'gauge',
    help: 'Workers that have shown a sign of life lately.',
    labels: LINK,
    by: 'owner',
    from: '`_kdr.state`',
  },
  kdr_link_lag_records: {
    type: 'gauge',
    help: 'Offsets of the source that the target does not hold yet, over all partitions.',
    labels: LINK,
    by: 'owner',
    from: 'its copies, and reports of other workers',
  },
  kdr_link_lag_seconds: {
    type: 'gauge',
    help: 'The largest lag of a partition: since when something waits there.',
    labels: LINK,
    by: 'owner',
    from: 'its copies, and reports of other workers',
  },
  kdr_link_rpo_seconds: {
    type: 'gauge',
    help: 'What would be lost if the source died now, in time: the largest lag, and since when nobody has seen the source.',
    labels: LINK,
    by: 'owner',
    from: 'lag and the last answer of the source',
  },
  kdr_link_rpo_objective_seconds: {
    type: 'gauge',
    help: 'At most so much is to be lost.',
    labels: LINK,
    by: 'owner',
    from: '`objectives:` for the link as a whole, and `objectives.rpo` of the plans that name it: the strictest',
  },
  kdr_link_rpo_within_objective_ratio: {
    type: 'gauge',
    help: 'For which share of the last day the RPO was within its objective, 0 to 1; as far as this process has seen it, from scrape to scrape. Time of which nobody knows how far behind a partition was is left out.',
    labels: LINK,
    by: 'owner',
    from: '`kdr_link_rpo_seconds` and `kdr_link_rpo_objective_seconds`',
  },
  kdr_link_source_seen_timestamp_seconds: {
    type: 'gauge',
    help: 'When the source answered last, in seconds since 1970.',
    labels: LINK,
    by: 'owner',
    from: 'this worker, and beats of the others',
  },
  kdr_link_lost_offsets: {
    type: 'gauge',
    help: 'Offsets that were lost and accepted: what stands in the ledger.',
    labels: LINK,
    by: 'owner',
    from: 'the ledger in `_kdr.state`',
  },
  kdr_link_lost_ranges: {
    type: 'gauge',
    help: 'Ranges of such offsets.',
    labels: LINK,
    by: 'owner',
    from: 'the ledger in `_kdr.state`',
  },
  kdr_groups: {
    type: 'gauge',
    help: 'Consumer groups, by whether the target holds all that the source has.',
    labels: [...LINK, 'state'],
    by: 'owner',
    from: 'the group sync',
  },
  kdr_groups_not_synced: {
    type: 'gauge',
    help: 'Consumer groups that are not in step, by reason.',
    labels: [...LINK, 'reason'],
    by: 'owner',
    from: 'the group sync',
  },
  kdr_group_sync_timestamp_seconds: {
    type: 'gauge',
    help: 'When all groups of the source were looked at last, in seconds since 1970.',
    labels: LINK,
    by: 'owner',
    from: 'the group sync',
  },

  kdr_lag_records: {
    type: 'gauge',
    help: 'Offsets of the source that the target does not hold yet.',
    labels: PLACE,
    by: 'share',
    from: 'its copies',
  },
  kdr_lag_seconds: {
    type: 'gauge',
    help: 'Since when something waits to be copied; the largest of those that are summed up.',
    labels: PLACE,
    by: 'share',
    from: 'its copies',
  },
  kdr_copied_records_total: {
    type: 'counter',
    help: 'Records that this process has copied.',
    labels: PLACE,
    by: 'share',
    from: 'its copies',
  },
  kdr_copied_bytes_total: {
    type: 'counter',
    help: 'Bytes of batches that this process has copied, as they are on the wire.',
    labels: PLACE,
    by: 'share',
    from: 'its copies',
  },
  kdr_retention_headroom_seconds: {
    type: 'gauge',
    help: 'How long until the source deletes what is not copied yet; absent where nothing is behind, or it is not known.',
    labels: PLACE,
    by: 'share',
    from: 'retention of the source, and how fast its log start moves',
  },
  kdr_mirror_offsets: {
    type: 'gauge',
    help: 'What the offsets of the mirrors are: records, or what a gap was. All kinds together are the cursor.',
    labels: [...PLACE, 'kind'],
    by: 'share',
    from: 'its copies, and those before them',
  },

  ...BACKUP_METRICS,
  ...CLUSTER_METRICS,
  ...CHECK_METRICS,
} as const satisfies Record<string, MetricSpec>

export type MetricName = keyof typeof METRICS

export type Samples = Partial<Record<MetricName, readonly Sample[]>>

/** In the order of the table. */
export function metricsOf(samples: Samples): Metric[] {
  return (Object.keys(METRICS) as MetricName[]).flatMap(name => {
    const { type, help } = METRICS[name]
    const found = samples[name]
    return found === undefined ? [] : [{ name, type, help, samples: found }]
  })
}
