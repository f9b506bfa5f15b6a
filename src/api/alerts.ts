// The alerts that are worth waking somebody for, as rules of Prometheus over the metrics of metrics-table.ts. Each says what has happened
// and what to do. Where a config names an objective the rule takes that; else it has a limit of its own.
import type { MetricName } from './metrics-table.ts'

/** `page`: now. `ticket`: within the day. */
export type Severity = 'page' | 'ticket'

export type Alert = {
  readonly name: string
  readonly expr: string
  readonly for: string
  readonly severity: Severity
  readonly summary: string
  readonly action: string
  /** The metrics that it reads. */
  readonly metrics: readonly MetricName[]
}

/** Of a link that no plan gives an objective. */
const RPO_SECONDS = 60
const GROUP_SYNC_SECONDS = 300
const UNVERIFIED_DAYS = 35

const LINK = '{{ $labels.link }}'
const TOPIC = `${LINK} topic {{ $labels.topic }}`
const SET = '{{ $labels.set }}'

const objective = 'kdr_link_rpo_objective_seconds'

export const ALERTS: readonly Alert[] = [
  {
    name: 'KdrDown',
    expr: 'absent(kdr_build_info)',
    for: '2m',
    severity: 'page',
    summary: 'no kdr answers: nothing is copied, and nothing else can be known',
    action: 'Look at the process and its log; start `kdr run`.',
    metrics: ['kdr_build_info'],
  },
  {
    name: 'KdrLinkWithoutControl',
    expr: 'sum by (link) (kdr_link_control) == 0',
    for: '2m',
    severity: 'page',
    summary: `nobody does the control work of link ${LINK}: new topics, configs and groups do not follow`,
    action: 'Look at `kdr status` and at the logs of its workers.',
    metrics: ['kdr_link_control'],
  },
  {
    name: 'KdrTwoControllers',
    expr: 'sum by (link) (kdr_link_control) > 1',
    for: '2m',
    severity: 'page',
    summary: `{{ $value }} workers take themselves for the owner of slot 0 of link ${LINK}`,
    action:
      'Do they have the same target? Two configs may use one name for two links; else look at `kdr status`.',
    metrics: ['kdr_link_control'],
  },
  {
    name: 'KdrLinkNotRunning',
    expr: 'sum by (link) (kdr_link_running) == 0',
    for: '5m',
    severity: 'page',
    summary: `no kdr runs link ${LINK}, although a config names it`,
    action:
      'Its log says why. While a run moves it that ends with the run (`kdr runs list`); after a failover it waits for `kdr failback`.',
    metrics: ['kdr_link_running'],
  },
  {
    name: 'KdrRpoBreached',
    expr:
      `kdr_link_rpo_seconds > on (link) group_left () max by (link) (${objective}) ` +
      `or (kdr_link_rpo_seconds > ${RPO_SECONDS} unless on (link) ${objective})`,
    for: '1m',
    severity: 'page',
    summary: `if the source of link ${LINK} died now, {{ $value | humanizeDuration }} would be lost: more than the objective`,
    action: 'Look at `kdr status`: which topics lag, and does the source answer?',
    metrics: ['kdr_link_rpo_seconds', objective],
  },
  {
    name: 'KdrRpoAtRisk',
    expr:
      `kdr_link_rpo_seconds > on (link) group_left () (max by (link) (${objective}) / 2) ` +
      `or (kdr_link_rpo_seconds > ${RPO_SECONDS / 2} unless on (link) ${objective})`,
    for: '2m',
    severity: 'ticket',
    summary: `link ${LINK} is {{ $value | humanizeDuration }} behind: more than half of its objective`,
    action:
      'Look at `kdr_lag_seconds` by topic, at the times of fetches and appends, and whether more workers would help.',
    metrics: ['kdr_link_rpo_seconds', objective],
  },
  {
    name: 'KdrSourceUnreachable',
    expr: 'time() - kdr_link_source_seen_timestamp_seconds > 30',
    for: '30s',
    severity: 'page',
    summary: `the source of link ${LINK} was seen {{ $value | humanizeDuration }} ago`,
    action: 'Is it the network, or the cluster? If it is lost: `kdr failover`, after `--dry-run`.',
    metrics: ['kdr_link_source_seen_timestamp_seconds'],
  },
  {
    name: 'KdrLinkStalled',
    expr:
      'sum by (link) (kdr_lag_records) > 0 and sum by (link) (rate(kdr_copied_bytes_total[5m])) == 0 ' +
      'and max by (link) (kdr_lag_seconds) > 120',
    for: '5m',
    severity: 'page',
    summary: `link ${LINK} copies nothing, and {{ $value }} records wait`,
    action: 'Look at `kdr status`: the reason of each partition names its way out.',
    metrics: ['kdr_lag_records', 'kdr_copied_bytes_total', 'kdr_lag_seconds'],
  },
  {
    name: 'KdrRetentionHeadroomLow',
    expr: 'min by (link, topic) (kdr_retention_headroom_seconds) < 14400',
    for: '5m',
    severity: 'page',
    summary: `the source deletes records of link ${TOPIC} within {{ $value | humanizeDuration }}, and they are not copied yet`,
    action:
      'Raise `retention.ms` and `retention.bytes` of the topic at the source until the copy has caught up.',
    metrics: ['kdr_retention_headroom_seconds'],
  },
  {
    name: 'KdrDiverged',
    expr: 'sum by (link, reason) (kdr_partitions_stopped{reason=~"foreign-write|overfilled|unexpected-offset|truncated|wrong-cluster|recreated"}) > 0',
    for: '1m',
    severity: 'page',
    summary: `{{ $value }} partition(s) of link ${LINK} are no copy of the source any more: {{ $labels.reason }}`,
    action:
      'Look at `kdr status`; find out who writes to the mirror, or what happened to the source, before anything is copied anew.',
    metrics: ['kdr_partitions_stopped'],
  },
  {
    name: 'KdrRecordsLost',
    expr: 'sum by (link, reason) (kdr_partitions_stopped{reason=~"lost-to-retention|corrupt|too-large"}) > 0',
    for: '1m',
    severity: 'page',
    summary: `{{ $value }} partition(s) of link ${LINK} have stopped at records that cannot be copied: {{ $labels.reason }}`,
    action: '`kdr status` names the offsets; `kdr link accept-loss --dry-run` what going on would give up.',
    metrics: ['kdr_partitions_stopped'],
  },
  {
    name: 'KdrGapStopsPartitions',
    expr: 'sum by (link) (kdr_partitions_stopped{reason="gap-too-large"}) > 0',
    for: '1m',
    severity: 'page',
    summary: `{{ $value }} partition(s) of link ${LINK} have stopped at gaps that would take too long to fill`,
    action: '`kdr status` says how large they are; `largeGap` of the link says what becomes of such.',
    metrics: ['kdr_partitions_stopped'],
  },
  {
    name: 'KdrPartitionsFaulted',
    expr: 'sum by (link) (kdr_partitions{state="faulted"}) > 0',
    for: '5m',
    severity: 'page',
    summary: `{{ $value }} partition(s) of link ${LINK} have stopped`,
    action: 'Look at `kdr status`: each sentence ends with the way out.',
    metrics: ['kdr_partitions'],
  },
  {
    name: 'KdrNoRights',
    expr: 'sum by (link) (kdr_partitions_stopped{reason="no-rights"}) > 0',
    for: '5m',
    severity: 'page',
    summary: `kdr may not copy {{ $value }} partition(s) of link ${LINK}`,
    action: '`kdr status` names the right that is missing; copying goes on by itself when it is there.',
    metrics: ['kdr_partitions_stopped'],
  },
  {
    name: 'KdrLossAccepted',
    expr: 'max by (link) (kdr_link_lost_offsets) - max by (link) (kdr_link_lost_offsets offset 1h) > 0',
    for: '0s',
    severity: 'ticket',
    summary: `{{ $value }} offsets of link ${LINK} were given up within the last hour`,
    action: '`kdr link log` says by whom and why; `kdr verify` which.',
    metrics: ['kdr_link_lost_offsets'],
  },
  {
    name: 'KdrGroupSyncStale',
    expr: `time() - kdr_group_sync_timestamp_seconds > ${GROUP_SYNC_SECONDS}`,
    for: '2m',
    severity: 'ticket',
    summary: `group offsets of link ${LINK} are {{ $value | humanizeDuration }} old: consumers would read so much again`,
    action: 'Look at `kdr status`, and at the coordinators of both clusters.',
    metrics: ['kdr_group_sync_timestamp_seconds'],
  },
  {
    name: 'KdrGroupsBehind',
    expr: 'sum by (link, reason) (kdr_groups_not_synced{reason=~"beyond-mirror|below-log-start|behind|pending-transaction|no-rights|refused"}) > 0',
    for: '15m',
    severity: 'ticket',
    summary: `{{ $value }} group(s) of link ${LINK} are not in step: {{ $labels.reason }}`,
    action: '`kdr status` names them.',
    metrics: ['kdr_groups_not_synced'],
  },
  {
    name: 'KdrBackupStale',
    expr: 'max by (set) (kdr_backup_late) > 0',
    for: '5m',
    severity: 'page',
    summary: `set ${SET} has no commit as fresh as its schedule wants`,
    action: 'Look at `kdr status` and at the log of `kdr run`; does the vault answer, is there room?',
    metrics: ['kdr_backup_late'],
  },
  {
    name: 'KdrBackupFailing',
    expr: 'min by (set) (kdr_backup_failing) > 0',
    for: '15m',
    severity: 'ticket',
    summary: `backups of set ${SET} fail`,
    action: 'The log of `kdr run` says why.',
    metrics: ['kdr_backup_failing'],
  },
  {
    name: 'KdrBackupUnverified',
    expr:
      `time() - max by (set) (kdr_backup_verified_timestamp_seconds) > ${UNVERIFIED_DAYS} * 86400 ` +
      'or (max by (set) (kdr_backup_last_commit_timestamp_seconds) unless on (set) kdr_backup_verified_timestamp_seconds)',
    for: '1h',
    severity: 'ticket',
    summary: `set ${SET} was not verified in full for ${UNVERIFIED_DAYS} days, or never`,
    action: 'Run `kdr backup verify SET --full`.',
    metrics: ['kdr_backup_verified_timestamp_seconds', 'kdr_backup_last_commit_timestamp_seconds'],
  },
  {
    name: 'KdrEventLoopSlow',
    expr: 'histogram_quantile(0.99, sum by (le, instance) (rate(kdr_event_loop_delay_seconds_bucket[5m]))) > 0.5',
    for: '10m',
    severity: 'ticket',
    summary:
      'kdr at {{ $labels.instance }} comes to its work {{ $value | humanizeDuration }} late: too much for one process',
    action: 'Start another worker, or give it more CPU.',
    metrics: ['kdr_event_loop_delay_seconds'],
  },
  {
    name: 'KdrDeadMan',
    expr: 'vector(1)',
    for: '0s',
    severity: 'ticket',
    summary: 'always firing: whoever does not hear it any more knows that the alerts themselves are down',
    action: 'Route it to something that calls when it stops.',
    metrics: [],
  },
]

/** A file of rules, as Prometheus reads it. JSON strings are YAML. */
export function rulesText(): string {
  const rules = ALERTS.flatMap(({ name, expr, for: wait, severity, summary, action }) => [
    `      - alert: ${name}`,
    `        expr: ${JSON.stringify(expr)}`,
    ...(wait === '0s' ? [] : [`        for: ${wait}`]),
    `        labels: { severity: ${severity} }`,
    '        annotations:',
    `          summary: ${JSON.stringify(summary)}`,
    `          description: ${JSON.stringify(action)}`,
  ])
  return [
    '# Made by `make docs` from src/api/alerts.ts. Prometheus: `rule_files: [alerts.yaml]`.',
    'groups:',
    '  - name: kdr',
    '    rules:',
    ...rules,
    '',
  ].join('\n')
}
