// The alerts that are worth waking somebody for, as rules over the metrics of metrics/table.ts: for Prometheus, and for `kdr run` itself
// (evaluate.ts). Each says what has happened and what to do. Where a config names an objective the rule takes that; else it has a limit
// of its own.
import { spellDuration } from '../../model/units.ts'
import { type Alert, is, of } from './alert.ts'
import { CHECK_ALERTS } from './alerts-check.ts'
import { type Figure, type Limit, promqlOf } from './rules.ts'

/** Of a link that no plan gives an objective. */
const RPO_SECONDS = 60
const GROUP_SYNC_SECONDS = 300
const UNVERIFIED_DAYS = 35

const LINK = '{{ $labels.link }}'
const TOPIC = `${LINK} topic {{ $labels.topic }}`
const SET = '{{ $labels.set }}'
const CLUSTER = '{{ $labels.cluster }}'
const BROKER = `{{ $labels.broker }} of cluster ${CLUSTER}`
const GROUP = `{{ $labels.group }} of cluster ${CLUSTER}`

const stopped = (by: NonNullable<Figure['by']>, ...reasons: string[]): Figure =>
  of('kdr_partitions_stopped', { where: ['reason', ...reasons], by })
/** So much of the objective of the link. */
const objective = (times: number): Limit => ({
  metric: 'kdr_link_rpo_objective_seconds',
  on: 'link',
  times,
  otherwise: RPO_SECONDS * times,
})

export const ALERTS: readonly Alert[] = [
  {
    name: 'KdrDown',
    when: { absent: 'kdr_build_info' },
    forSeconds: 120,
    severity: 'page',
    summary: 'no kdr answers: nothing is copied, and nothing else can be known',
    action: 'Look at the process and its log; start `kdr run`.',
  },
  {
    name: 'KdrLinkWithoutControl',
    when: is(of('kdr_link_control', { by: ['sum', 'link'] }), '==', 0),
    forSeconds: 120,
    severity: 'page',
    summary: `nobody does the control work of link ${LINK}: new topics, configs and groups do not follow`,
    action: 'Look at `kdr status` and at the logs of its workers.',
  },
  {
    name: 'KdrTwoControllers',
    when: is(of('kdr_link_control', { by: ['sum', 'link'] }), '>', 1),
    forSeconds: 120,
    severity: 'page',
    summary: `{{ $value }} workers take themselves for the owner of slot 0 of link ${LINK}`,
    action:
      'Do they have the same target? Two configs may use one name for two links; else look at `kdr status`.',
  },
  {
    name: 'KdrLinkNotRunning',
    when: is(of('kdr_link_running', { by: ['sum', 'link'] }), '==', 0),
    forSeconds: 300,
    severity: 'page',
    summary: `no kdr runs link ${LINK}, although a config names it`,
    action:
      'Its log says why. While a run moves it that ends with the run (`kdr runs list`); after a failover it waits for `kdr failback`.',
  },
  {
    name: 'KdrRpoBreached',
    when: is(of('kdr_link_rpo_seconds'), '>', objective(1)),
    forSeconds: 60,
    severity: 'page',
    summary: `if the source of link ${LINK} died now, {{ $value | humanizeDuration }} would be lost: more than the objective`,
    action: 'Look at `kdr status`: which topics lag, and does the source answer?',
  },
  {
    name: 'KdrRpoAtRisk',
    when: is(of('kdr_link_rpo_seconds'), '>', objective(0.5)),
    forSeconds: 120,
    severity: 'ticket',
    summary: `link ${LINK} is {{ $value | humanizeDuration }} behind: more than half of its objective`,
    action:
      'Look at `kdr_lag_seconds` by topic, at the times of fetches and appends, and whether more workers would help.',
  },
  {
    name: 'KdrSourceUnreachable',
    when: is(of('kdr_link_source_seen_timestamp_seconds', { as: 'age' }), '>', 30),
    forSeconds: 30,
    severity: 'page',
    summary: `the source of link ${LINK} was seen {{ $value | humanizeDuration }} ago`,
    action: 'Is it the network, or the cluster? If it is lost: `kdr failover`, after `--dry-run`.',
  },
  {
    name: 'KdrLinkStalled',
    when: {
      all: [
        is(of('kdr_lag_records', { by: ['sum', 'link'] }), '>', 0),
        is(of('kdr_copied_bytes_total', { by: ['sum', 'link'], as: 'rate' }), '==', 0),
        is(of('kdr_lag_seconds', { by: ['max', 'link'] }), '>', 120),
      ],
    },
    forSeconds: 300,
    severity: 'page',
    summary: `link ${LINK} copies nothing, and {{ $value }} records wait`,
    action: 'Look at `kdr status`: the reason of each partition names its way out.',
  },
  {
    name: 'KdrRetentionHeadroomLow',
    when: is(of('kdr_retention_headroom_seconds', { by: ['min', 'link', 'topic'] }), '<', 14_400),
    forSeconds: 300,
    severity: 'page',
    summary: `the source deletes records of link ${TOPIC} within {{ $value | humanizeDuration }}, and they are not copied yet`,
    action:
      'Raise `retention.ms` and `retention.bytes` of the topic at the source until the copy has caught up.',
  },
  {
    name: 'KdrDiverged',
    when: is(
      stopped(
        ['sum', 'link', 'reason'],
        'foreign-write',
        'overfilled',
        'unexpected-offset',
        'truncated',
        'wrong-cluster',
        'recreated',
      ),
      '>',
      0,
    ),
    forSeconds: 60,
    severity: 'page',
    summary: `{{ $value }} partition(s) of link ${LINK} are no copy of the source any more: {{ $labels.reason }}`,
    action:
      'Look at `kdr status`; find out who writes to the mirror, or what happened to the source, before anything is copied anew.',
  },
  {
    name: 'KdrRecordsLost',
    when: is(stopped(['sum', 'link', 'reason'], 'lost-to-retention', 'corrupt', 'too-large'), '>', 0),
    forSeconds: 60,
    severity: 'page',
    summary: `{{ $value }} partition(s) of link ${LINK} have stopped at records that cannot be copied: {{ $labels.reason }}`,
    action: '`kdr status` names the offsets; `kdr link accept-loss --dry-run` what going on would give up.',
  },
  {
    name: 'KdrGapStopsPartitions',
    when: is(stopped(['sum', 'link'], 'gap-too-large'), '>', 0),
    forSeconds: 60,
    severity: 'page',
    summary: `{{ $value }} partition(s) of link ${LINK} have stopped at gaps that would take too long to fill`,
    action: '`kdr status` says how large they are; `largeGap` of the link says what becomes of such.',
  },
  {
    name: 'KdrPartitionsFaulted',
    when: is(of('kdr_partitions', { where: ['state', 'faulted'], by: ['sum', 'link'] }), '>', 0),
    forSeconds: 300,
    severity: 'page',
    summary: `{{ $value }} partition(s) of link ${LINK} have stopped`,
    action: 'Look at `kdr status`: each sentence ends with the way out.',
  },
  {
    name: 'KdrNoRights',
    when: is(stopped(['sum', 'link'], 'no-rights'), '>', 0),
    forSeconds: 300,
    severity: 'page',
    summary: `kdr may not copy {{ $value }} partition(s) of link ${LINK}`,
    action: '`kdr status` names the right that is missing; copying goes on by itself when it is there.',
  },
  {
    name: 'KdrLossAccepted',
    when: is(of('kdr_link_lost_offsets', { by: ['max', 'link'], as: 'growth' }), '>', 0),
    forSeconds: 0,
    severity: 'ticket',
    summary: `{{ $value }} offsets of link ${LINK} were given up within the last hour`,
    action: '`kdr link log` says by whom and why; `kdr verify` which.',
  },
  {
    name: 'KdrGroupSyncStale',
    when: is(of('kdr_group_sync_timestamp_seconds', { as: 'age' }), '>', GROUP_SYNC_SECONDS),
    forSeconds: 120,
    severity: 'ticket',
    summary: `group offsets of link ${LINK} are {{ $value | humanizeDuration }} old: consumers would read so much again`,
    action: 'Look at `kdr status`, and at the coordinators of both clusters.',
  },
  {
    name: 'KdrGroupsBehind',
    when: is(
      of('kdr_groups_not_synced', {
        where: [
          'reason',
          'beyond-mirror',
          'below-log-start',
          'behind',
          'pending-transaction',
          'no-rights',
          'refused',
        ],
        by: ['sum', 'link', 'reason'],
      }),
      '>',
      0,
    ),
    forSeconds: 900,
    severity: 'ticket',
    summary: `{{ $value }} group(s) of link ${LINK} are not in step: {{ $labels.reason }}`,
    action: '`kdr status` names them.',
  },
  {
    name: 'KdrBackupStale',
    when: is(of('kdr_backup_late', { by: ['max', 'set'] }), '>', 0),
    forSeconds: 300,
    severity: 'page',
    summary: `set ${SET} has no commit as fresh as its schedule wants`,
    action: 'Look at `kdr status` and at the log of `kdr run`; does the vault answer, is there room?',
  },
  {
    name: 'KdrBackupFailing',
    when: is(of('kdr_backup_failing', { by: ['min', 'set'] }), '>', 0),
    forSeconds: 900,
    severity: 'ticket',
    summary: `backups of set ${SET} fail`,
    action: 'The log of `kdr run` says why.',
  },
  {
    name: 'KdrBackupUnverified',
    when: {
      any: [
        is(
          of('kdr_backup_verified_timestamp_seconds', { by: ['max', 'set'], as: 'age' }),
          '>',
          UNVERIFIED_DAYS * 86_400,
        ),
        {
          figure: of('kdr_backup_last_commit_timestamp_seconds', { by: ['max', 'set'] }),
          without: 'kdr_backup_verified_timestamp_seconds',
          on: 'set',
        },
      ],
    },
    forSeconds: 3600,
    severity: 'ticket',
    summary: `set ${SET} was not verified in full for ${UNVERIFIED_DAYS} days, or never`,
    action: 'Run `kdr backup verify SET --full`.',
  },
  {
    name: 'KdrEventLoopSlow',
    when: is(of('kdr_event_loop_delay_seconds', { by: ['sum', 'instance'], as: 'p99' }), '>', 0.5),
    forSeconds: 600,
    severity: 'ticket',
    summary:
      'kdr at {{ $labels.instance }} comes to its work {{ $value | humanizeDuration }} late: too much for one process',
    action: 'Start another worker, or give it more CPU.',
  },
  {
    name: 'KdrClusterUnreachable',
    when: is(of('kdr_cluster_up', { by: ['max', 'cluster'] }), '==', 0),
    forSeconds: 60,
    severity: 'page',
    summary: `cluster ${CLUSTER} does not answer`,
    action: 'Is it the network, or the cluster? `/api/clusters` and the log say what it answered last.',
  },
  {
    name: 'KdrClusterWithoutController',
    when: is(of('kdr_cluster_controller_up', { by: ['max', 'cluster'] }), '==', 0),
    forSeconds: 60,
    severity: 'page',
    summary: `no controller of cluster ${CLUSTER} leads: nothing can be created, changed or elected there`,
    action: 'Look at its controllers: a majority must live and see each other.',
  },
  {
    name: 'KdrPartitionsOffline',
    when: is(of('kdr_cluster_partitions_offline', { by: ['max', 'cluster'] }), '>', 0),
    forSeconds: 60,
    severity: 'page',
    summary: `{{ $value }} partition(s) of cluster ${CLUSTER} have no leader: nobody can read or write there`,
    action: 'Bring their brokers back; `kdr check --cluster` names the topics.',
  },
  {
    name: 'KdrUnderMinIsr',
    when: is(of('kdr_cluster_partitions_under_min_isr', { by: ['max', 'cluster'] }), '>', 0),
    forSeconds: 60,
    severity: 'page',
    summary: `{{ $value }} partition(s) of cluster ${CLUSTER} refuse writes with acks=all: too few replicas are in sync`,
    action: 'Bring their brokers back; `kdr check --cluster` names the topics.',
  },
  {
    name: 'KdrLogDirOffline',
    when: is(of('kdr_broker_log_dirs_offline', { by: ['max', 'cluster', 'broker'] }), '>', 0),
    forSeconds: 60,
    severity: 'page',
    summary: `broker ${BROKER} cannot use {{ $value }} of its log directories`,
    action: 'Look at its disks and its log; `kdr check --cluster` names the directories.',
  },
  {
    name: 'KdrBrokerMissing',
    when: is(of('kdr_broker_up', { by: ['max', 'cluster', 'broker'] }), '==', 0),
    forSeconds: 120,
    severity: 'ticket',
    summary: `broker ${BROKER} is not there`,
    action: 'Bring it back, or move its replicas to others (`kafka-reassign-partitions`).',
  },
  {
    name: 'KdrUnderReplicated',
    when: is(of('kdr_cluster_partitions_under_replicated', { by: ['max', 'cluster'] }), '>', 0),
    forSeconds: 600,
    severity: 'ticket',
    summary: `{{ $value }} partition(s) of cluster ${CLUSTER} have replicas that are not in sync`,
    action: 'Are brokers away, or slow? `/api/clusters` names the worst topics.',
  },
  {
    name: 'KdrDiskLow',
    when: is(of('kdr_broker_disk_free_ratio', { by: ['min', 'cluster', 'broker'] }), '<', 0.15),
    forSeconds: 600,
    severity: 'ticket',
    summary: `broker ${BROKER} has little of a disk left`,
    action: 'Shorten retention, move replicas away, or give it more disk.',
  },
  {
    name: 'KdrGroupStopped',
    when: is(of('kdr_group_state', { where: ['state', 'stopped'], by: ['max', 'cluster', 'group'] }), '>', 0),
    forSeconds: 300,
    severity: 'ticket',
    summary: `group ${GROUP} has stopped: it has no members, nobody commits, and records wait`,
    action: 'Start its consumers; where they are meant to be gone, leave it out by `monitor.groups`.',
  },
  {
    name: 'KdrGroupStalled',
    when: is(of('kdr_group_state', { where: ['state', 'stalled'], by: ['max', 'cluster', 'group'] }), '>', 0),
    forSeconds: 300,
    severity: 'ticket',
    summary: `group ${GROUP} has stalled: it has members that commit nothing new, and records wait`,
    action: 'Look at its consumers; `/api/clusters` names the worst partition and offset.',
  },
  {
    name: 'KdrGroupRewound',
    when: is(of('kdr_group_state', { where: ['state', 'rewound'], by: ['max', 'cluster', 'group'] }), '>', 0),
    forSeconds: 0,
    severity: 'ticket',
    summary: `group ${GROUP} went back to an earlier offset: it reads records again`,
    action: 'Did somebody mean it? Else look for who has reset it, or for a consumer that lost its offset.',
  },
  {
    name: 'KdrGroupLagging',
    when: is(of('kdr_group_state', { where: ['state', 'lagging'], by: ['max', 'cluster', 'group'] }), '>', 0),
    forSeconds: 900,
    severity: 'ticket',
    summary: `group ${GROUP} falls behind: it goes on, and never gains on the end`,
    action: 'Give it more consumers, up to the number of partitions, or faster ones.',
  },
  ...CHECK_ALERTS,
  {
    name: 'KdrDeadMan',
    when: { always: true },
    forSeconds: 0,
    severity: 'ticket',
    summary: 'always firing: whoever does not hear it any more knows that the alerts themselves are down',
    action: 'Route it to something that calls when it stops.',
  },
]

/** A file of rules, as Prometheus reads it. JSON strings are YAML. */
export function rulesText(): string {
  const rules = ALERTS.flatMap(({ name, when, forSeconds, severity, summary, action }) => [
    `      - alert: ${name}`,
    `        expr: ${JSON.stringify(promqlOf(when))}`,
    ...(forSeconds === 0 ? [] : [`        for: ${spellDuration(forSeconds * 1_000)}`]),
    `        labels: { severity: ${severity} }`,
    '        annotations:',
    `          summary: ${JSON.stringify(summary)}`,
    `          description: ${JSON.stringify(action)}`,
  ])
  return [
    '# Made by `make docs` from src/api/alerts/alerts.ts. Prometheus: `rule_files: [alerts.yaml]`.',
    'groups:',
    '  - name: kdr',
    '    rules:',
    ...rules,
    '',
  ].join('\n')
}
