// Each rule, run by Prometheus's own tool and by kdr itself: what makes it fire, and what does not. long: because it is a table of cases.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { isThere, promtool } from '../../test/support/promtool.ts'
import { AlertStates, isFiring } from './alert-states.ts'
import { ALERTS, rulesText } from './alerts.ts'
import { dashboard } from './dashboard.ts'
import { ROWS } from './dashboard-panels.ts'
import type { Sample } from './metrics.ts'
import { METRICS, type Samples } from './metrics-table.ts'
import { toldOf } from './notification.ts'
import { metricsIn as metricsOf, promqlOf } from './rules.ts'

const skip = !isThere && 'promtool is not installed: apt-get install --no-install-recommends prometheus'
const dir = mkdtempSync(join(tmpdir(), 'kdr-alerts-'))
after(() => rmSync(dir, { recursive: true, force: true }))
writeFileSync(join(dir, 'alerts.yaml'), rulesText())

const LINK = { link: 'ew', source: 'east', target: 'west' }
const AT = { instance: 'a', job: 'kdr' }
type Labels = Readonly<Record<string, string>>
type Series = Readonly<Record<string, string>>

const series = (name: string, values: string, more: Labels = LINK): Series => ({
  series: `${name}{${Object.entries({ ...AT, ...more })
    .map(([label, value]) => `${label}="${value}"`)
    .join(',')}}`,
  values,
})
const stopped = (reason: string, values: string): Series =>
  series('kdr_partitions_stopped', values, { ...LINK, reason })
const rpo = (seconds: number): Series => series('kdr_link_rpo_seconds', `${seconds}x90`)
const objective = (seconds: number): Series => series('kdr_link_rpo_objective_seconds', `${seconds}x90`)
const set = (name: string, values: string): Series => series(name, values, { set: 'all' })
const lag = (bytes: string): Series[] => [
  series('kdr_lag_records', '5x20', { ...LINK, topic: 't' }),
  series('kdr_lag_seconds', '200x20', { ...LINK, topic: 't' }),
  series('kdr_copied_bytes_total', bytes, { ...LINK, topic: 't' }),
]
const late = (values: string): Series[] =>
  ['0.5', '1', '+Inf'].map(le =>
    series('kdr_event_loop_delay_seconds_bucket', le === '0.5' ? '0x90' : values, { le }),
  )

const finding = (id: string, severity: string, values: string): Series =>
  series('kdr_findings', values, { id, severity })
/** Every hour; never carried out without `ended`. */
const checked = ({ failing, ended }: { readonly failing: string; readonly ended?: string }): Series[] => [
  series('kdr_check_failing', failing, {}),
  ...(ended === undefined ? [] : [series('kdr_check_timestamp_seconds', ended, {})]),
  series('kdr_check_interval_seconds', '3600x200', {}),
]

/** One value a minute, from 0 on; `at`: minutes. `labels` and `summary`: what fires; without them nothing does. */
type Case = {
  readonly alert: string
  readonly what: string
  readonly given: readonly Series[]
  readonly at: number
  readonly fires?: Firing
}
type Firing = { readonly labels: Labels; readonly summary: string }
const fires = (labels: Labels, summary: string): Firing => ({ labels, summary })
const ofLink = { link: 'ew' }
const STALE = fires(
  { instance: 'a' },
  'kdr at a cannot carry out the whole check: nobody knows what it would find now',
)
const ofSeries = { ...LINK, ...AT }

const CASES: readonly Case[] = [
  {
    alert: 'KdrDown',
    what: 'nobody answers',
    given: [],
    at: 3,
    fires: fires({}, 'no kdr answers: nothing is copied, and nothing else can be known'),
  },
  {
    alert: 'KdrLinkWithoutControl',
    what: 'no worker has slot 0',
    given: [series('kdr_link_control', '0x10')],
    at: 3,
    fires: fires(
      ofLink,
      'nobody does the control work of link ew: new topics, configs and groups do not follow',
    ),
  },
  {
    alert: 'KdrLinkWithoutControl',
    what: 'another one has it',
    given: [
      series('kdr_link_control', '0x10'),
      series('kdr_link_control', '1x10', { ...LINK, instance: 'b' }),
    ],
    at: 3,
  },
  {
    alert: 'KdrTwoControllers',
    what: 'two say so',
    given: [
      series('kdr_link_control', '1x10'),
      series('kdr_link_control', '1x10', { ...LINK, instance: 'b' }),
    ],
    at: 3,
    fires: fires(ofLink, '2 workers take themselves for the owner of slot 0 of link ew'),
  },
  {
    alert: 'KdrTwoControllers',
    what: 'it changes hands',
    given: [
      series('kdr_link_control', '1 1 1 0x9'),
      series('kdr_link_control', '0 0 1x10', { ...LINK, instance: 'b' }),
    ],
    at: 5,
  },
  {
    alert: 'KdrLinkNotRunning',
    what: 'it could not be started anywhere',
    given: [series('kdr_link_running', '0x10')],
    at: 6,
    fires: fires(ofLink, 'no kdr runs link ew, although a config names it'),
  },
  {
    alert: 'KdrRpoBreached',
    what: 'beyond the objective',
    given: [rpo(40), objective(30)],
    at: 2,
    fires: fires(ofSeries, 'if the source of link ew died now, 40s would be lost: more than the objective'),
  },
  { alert: 'KdrRpoBreached', what: 'within a wider one', given: [rpo(70), objective(120)], at: 5 },
  {
    alert: 'KdrRpoBreached',
    what: 'without an objective, beyond a minute',
    given: [rpo(70)],
    at: 2,
    fires: fires(
      ofSeries,
      'if the source of link ew died now, 1m 10s would be lost: more than the objective',
    ),
  },
  { alert: 'KdrRpoBreached', what: 'without one, within a minute', given: [rpo(50)], at: 5 },
  {
    alert: 'KdrRpoAtRisk',
    what: 'beyond half of the objective',
    given: [rpo(20), objective(30)],
    at: 3,
    fires: fires(ofSeries, 'link ew is 20s behind: more than half of its objective'),
  },
  { alert: 'KdrRpoAtRisk', what: 'well below', given: [rpo(10), objective(30)], at: 5 },
  {
    alert: 'KdrSourceUnreachable',
    what: 'it keeps silent',
    given: [series('kdr_link_source_seen_timestamp_seconds', '0x10')],
    at: 2,
    fires: fires(ofSeries, 'the source of link ew was seen 2m 0s ago'),
  },
  {
    alert: 'KdrSourceUnreachable',
    what: 'it answers',
    given: [series('kdr_link_source_seen_timestamp_seconds', '0+60x10')],
    at: 5,
  },
  {
    alert: 'KdrLinkStalled',
    what: 'records wait, and nothing moves',
    given: lag('100x20'),
    at: 12,
    fires: fires(ofLink, 'link ew copies nothing, and 5 records wait'),
  },
  { alert: 'KdrLinkStalled', what: 'records wait, and others are copied', given: lag('100+1x20'), at: 12 },
  {
    alert: 'KdrRetentionHeadroomLow',
    what: 'ten minutes left',
    given: [series('kdr_retention_headroom_seconds', '600x10', { ...LINK, topic: 't' })],
    at: 6,
    fires: fires(
      { link: 'ew', topic: 't' },
      'the source deletes records of link ew topic t within 10m 0s, and they are not copied yet',
    ),
  },
  {
    alert: 'KdrRetentionHeadroomLow',
    what: 'a day left',
    given: [series('kdr_retention_headroom_seconds', '86400x10', { ...LINK, topic: 't' })],
    at: 6,
  },
  {
    alert: 'KdrDiverged',
    what: 'somebody writes to a mirror',
    given: [stopped('foreign-write', '1x5'), stopped('no-rights', '7x5')],
    at: 2,
    fires: fires(
      { link: 'ew', reason: 'foreign-write' },
      '1 partition(s) of link ew are no copy of the source any more: foreign-write',
    ),
  },
  {
    alert: 'KdrRecordsLost',
    what: 'retention was faster',
    given: [stopped('lost-to-retention', '2x5'), stopped('corrupt', '0x5')],
    at: 2,
    fires: fires(
      { link: 'ew', reason: 'lost-to-retention' },
      '2 partition(s) of link ew have stopped at records that cannot be copied: lost-to-retention',
    ),
  },
  {
    alert: 'KdrGapStopsPartitions',
    what: 'a gap is too large',
    given: [stopped('gap-too-large', '1x5')],
    at: 2,
    fires: fires(ofLink, '1 partition(s) of link ew have stopped at gaps that would take too long to fill'),
  },
  {
    alert: 'KdrPartitionsFaulted',
    what: 'three have stopped',
    given: [series('kdr_partitions', '3x10', { ...LINK, state: 'faulted' })],
    at: 6,
    fires: fires(ofLink, '3 partition(s) of link ew have stopped'),
  },
  {
    alert: 'KdrPartitionsFaulted',
    what: 'three wait',
    given: [series('kdr_partitions', '3x10', { ...LINK, state: 'waiting' })],
    at: 6,
  },
  {
    alert: 'KdrNoRights',
    what: 'a right was taken away',
    given: [stopped('no-rights', '4x10')],
    at: 6,
    fires: fires(ofLink, 'kdr may not copy 4 partition(s) of link ew'),
  },
  {
    alert: 'KdrLossAccepted',
    what: 'also when another worker says it by now',
    given: [
      series('kdr_link_lost_offsets', '3x30'),
      series('kdr_link_lost_offsets', '_x30 15x60', { ...LINK, instance: 'b' }),
    ],
    at: 70,
    fires: fires(ofLink, '12 offsets of link ew were given up within the last hour'),
  },
  {
    alert: 'KdrLossAccepted',
    what: 'what was lost long ago',
    given: [series('kdr_link_lost_offsets', '12x90')],
    at: 70,
  },
  {
    alert: 'KdrGroupSyncStale',
    what: 'nobody looks at groups any more',
    given: [series('kdr_group_sync_timestamp_seconds', '0x20')],
    at: 8,
    fires: fires(ofSeries, 'group offsets of link ew are 8m 0s old: consumers would read so much again'),
  },
  {
    alert: 'KdrGroupsBehind',
    what: 'four are behind',
    given: [
      series('kdr_groups_not_synced', '4x30', { ...LINK, reason: 'behind' }),
      series('kdr_groups_not_synced', '9x30', { ...LINK, reason: 'share-group' }),
    ],
    at: 16,
    fires: fires({ link: 'ew', reason: 'behind' }, '4 group(s) of link ew are not in step: behind'),
  },
  {
    alert: 'KdrBackupStale',
    what: 'a commit is late',
    given: [set('kdr_backup_late', '1x10')],
    at: 6,
    fires: fires({ set: 'all' }, 'set all has no commit as fresh as its schedule wants'),
  },
  {
    alert: 'KdrBackupFailing',
    what: 'whoever tries it fails',
    given: [set('kdr_backup_failing', '1x30')],
    at: 16,
    fires: fires({ set: 'all' }, 'backups of set all fail'),
  },
  {
    alert: 'KdrBackupFailing',
    what: 'another one succeeds',
    given: [
      set('kdr_backup_failing', '1x30'),
      series('kdr_backup_failing', '0x30', { set: 'all', instance: 'b' }),
    ],
    at: 16,
  },
  {
    alert: 'KdrBackupUnverified',
    what: 'never',
    given: [set('kdr_backup_last_commit_timestamp_seconds', '0x90')],
    at: 61,
    fires: fires({ set: 'all' }, 'set all was not verified in full for 35 days, or never'),
  },
  {
    alert: 'KdrBackupUnverified',
    what: 'too long ago',
    given: [
      set('kdr_backup_last_commit_timestamp_seconds', '0x90'),
      set('kdr_backup_verified_timestamp_seconds', `${-36 * 86_400}x90`),
    ],
    at: 61,
    fires: fires({ set: 'all' }, 'set all was not verified in full for 35 days, or never'),
  },
  {
    alert: 'KdrBackupUnverified',
    what: 'a month ago',
    given: [
      set('kdr_backup_last_commit_timestamp_seconds', '0x90'),
      set('kdr_backup_verified_timestamp_seconds', `${-30 * 86_400}x90`),
    ],
    at: 61,
  },
  {
    alert: 'KdrEventLoopSlow',
    what: 'timers come half a second late and more',
    given: late('0+10x90'),
    at: 16,
    fires: fires({ instance: 'a' }, 'kdr at a comes to its work 995ms late: too much for one process'),
  },
  {
    alert: 'KdrClusterUnreachable',
    what: 'it does not answer',
    given: [series('kdr_cluster_up', '0x5', { cluster: 'east' })],
    at: 2,
    fires: fires({ cluster: 'east' }, 'cluster east does not answer'),
  },
  {
    alert: 'KdrClusterUnreachable',
    what: 'another kdr sees it',
    given: [
      series('kdr_cluster_up', '0x5', { cluster: 'east' }),
      series('kdr_cluster_up', '1x5', { cluster: 'east', instance: 'b' }),
    ],
    at: 2,
  },
  {
    alert: 'KdrClusterWithoutController',
    what: 'none leads',
    given: [series('kdr_cluster_controller_up', '0x5', { cluster: 'east' })],
    at: 2,
    fires: fires(
      { cluster: 'east' },
      'no controller of cluster east leads: nothing can be created, changed or elected there',
    ),
  },
  {
    alert: 'KdrPartitionsOffline',
    what: 'two have no leader',
    given: [series('kdr_cluster_partitions_offline', '2x5', { cluster: 'east' })],
    at: 2,
    fires: fires(
      { cluster: 'east' },
      '2 partition(s) of cluster east have no leader: nobody can read or write there',
    ),
  },
  {
    alert: 'KdrUnderMinIsr',
    what: 'four refuse writes',
    given: [series('kdr_cluster_partitions_under_min_isr', '4x5', { cluster: 'east' })],
    at: 2,
    fires: fires(
      { cluster: 'east' },
      '4 partition(s) of cluster east refuse writes with acks=all: too few replicas are in sync',
    ),
  },
  {
    alert: 'KdrLogDirOffline',
    what: 'one has failed',
    given: [series('kdr_broker_log_dirs_offline', '1x5', { cluster: 'east', broker: '3' })],
    at: 2,
    fires: fires(
      { cluster: 'east', broker: '3' },
      'broker 3 of cluster east cannot use 1 of its log directories',
    ),
  },
  {
    alert: 'KdrBrokerMissing',
    what: 'it is away',
    given: [series('kdr_broker_up', '0x5', { cluster: 'east', broker: '3' })],
    at: 3,
    fires: fires({ cluster: 'east', broker: '3' }, 'broker 3 of cluster east is not there'),
  },
  {
    alert: 'KdrBrokerMissing',
    what: 'it was away for a minute',
    given: [series('kdr_broker_up', '1 0 1x5', { cluster: 'east', broker: '3' })],
    at: 3,
  },
  {
    alert: 'KdrUnderReplicated',
    what: 'for ten minutes',
    given: [series('kdr_cluster_partitions_under_replicated', '9x20', { cluster: 'east' })],
    at: 11,
    fires: fires({ cluster: 'east' }, '9 partition(s) of cluster east have replicas that are not in sync'),
  },
  {
    alert: 'KdrUnderReplicated',
    what: 'a broker was restarted',
    given: [series('kdr_cluster_partitions_under_replicated', '9x5 0x20', { cluster: 'east' })],
    at: 11,
  },
  {
    alert: 'KdrDiskLow',
    what: 'a tenth is left',
    given: [series('kdr_broker_disk_free_ratio', '0.1x20', { cluster: 'east', broker: '3' })],
    at: 11,
    fires: fires({ cluster: 'east', broker: '3' }, 'broker 3 of cluster east has little of a disk left'),
  },
  {
    alert: 'KdrDiskLow',
    what: 'half is left',
    given: [series('kdr_broker_disk_free_ratio', '0.5x20', { cluster: 'east', broker: '3' })],
    at: 11,
  },
  {
    alert: 'KdrGroupStopped',
    what: 'nobody is there',
    given: [series('kdr_group_state', '1x10', { cluster: 'east', group: 'app', state: 'stopped' })],
    at: 6,
    fires: fires(
      { cluster: 'east', group: 'app' },
      'group app of cluster east has stopped: it has no members, nobody commits, and records wait',
    ),
  },
  {
    alert: 'KdrGroupStopped',
    what: 'it is well',
    given: [series('kdr_group_state', '1x10', { cluster: 'east', group: 'app', state: 'ok' })],
    at: 6,
  },
  {
    alert: 'KdrGroupStalled',
    what: 'it hangs',
    given: [series('kdr_group_state', '1x10', { cluster: 'east', group: 'app', state: 'stalled' })],
    at: 6,
    fires: fires(
      { cluster: 'east', group: 'app' },
      'group app of cluster east has stalled: it has members that commit nothing new, and records wait',
    ),
  },
  {
    alert: 'KdrGroupRewound',
    what: 'somebody has reset it',
    given: [series('kdr_group_state', '1x10', { cluster: 'east', group: 'app', state: 'rewound' })],
    at: 1,
    fires: fires(
      { cluster: 'east', group: 'app' },
      'group app of cluster east went back to an earlier offset: it reads records again',
    ),
  },
  {
    alert: 'KdrGroupLagging',
    what: 'for a quarter of an hour',
    given: [series('kdr_group_state', '1x30', { cluster: 'east', group: 'app', state: 'lagging' })],
    at: 16,
    fires: fires(
      { cluster: 'east', group: 'app' },
      'group app of cluster east falls behind: it goes on, and never gains on the end',
    ),
  },
  {
    alert: 'KdrGroupLagging',
    what: 'for ten minutes',
    given: [
      series('kdr_group_state', '1x10', { cluster: 'east', group: 'app', state: 'lagging' }),
      series('kdr_group_state', '_x10 1x20', { cluster: 'east', group: 'app', state: 'ok' }),
    ],
    at: 16,
  },
  {
    alert: 'KdrDeadMan',
    what: 'whatever happens',
    given: [],
    at: 0,
    fires: fires(
      {},
      'always firing: whoever does not hear it any more knows that the alerts themselves are down',
    ),
  },
  {
    alert: 'KdrNotReady',
    what: 'two checks have found an error',
    given: [finding('C012', 'error', '3x30'), finding('C018', 'warning', '9x30')],
    at: 16,
    fires: fires({ id: 'C012' }, 'kdr check says NOT READY: it finds C012 3 time(s)'),
  },
  {
    alert: 'KdrNotReady',
    what: 'the next check does not find it any more',
    given: [finding('C012', 'error', '3x4 _x30')],
    at: 16,
  },
  { alert: 'KdrNotReady', what: 'warnings alone', given: [finding('C012', 'warning', '3x30')], at: 16 },
  {
    alert: 'KdrDrift',
    what: 'somebody has changed a mirror, and two processes check',
    given: [
      finding('C076', 'warning', '2x30'),
      series('kdr_findings', '2x30', { id: 'C076', severity: 'warning', instance: 'b' }),
      finding('C012', 'warning', '1x30'),
    ],
    at: 16,
    fires: fires({ id: 'C076' }, 'the two sides of a link differ: kdr check finds C076 2 time(s)'),
  },
  { alert: 'KdrDrift', what: 'for a moment', given: [finding('C074', 'error', '1x5 _x30')], at: 16 },
  {
    alert: 'KdrCertificateExpires',
    what: 'within weeks',
    given: [finding('C035', 'warning', '1x5')],
    at: 0,
    fires: fires({ id: 'C035' }, 'certificates of brokers, or of kdr itself, are about to expire'),
  },
  {
    alert: 'KdrCertificateExpires',
    what: 'another finding',
    given: [finding('C034', 'warning', '1x5')],
    at: 0,
  },
  {
    alert: 'KdrCheckStale',
    what: 'it fails',
    given: checked({ failing: '1x40', ended: '0+60x40' }),
    at: 16,
    fires: STALE,
  },
  {
    alert: 'KdrCheckStale',
    what: 'it was not carried out for three intervals',
    given: checked({ failing: '0x200', ended: '0x200' }),
    at: 196,
    fires: STALE,
  },
  {
    alert: 'KdrCheckStale',
    what: 'it has never come to an end',
    given: checked({ failing: '0x40' }),
    at: 16,
    fires: STALE,
  },
  {
    alert: 'KdrCheckStale',
    what: 'the interval is longer',
    given: [
      ...checked({ failing: '0x200', ended: '0x200' }).slice(0, 2),
      series('kdr_check_interval_seconds', '7200x200', {}),
    ],
    at: 196,
  },
]

/** As promtool wants it; JSON is YAML. */
function unitTest({ alert, given, at, fires: expected }: Case): object {
  const rule = ALERTS.find(({ name }) => name === alert)
  assert.ok(rule !== undefined, alert)
  const { severity, action: description } = rule
  return {
    interval: '1m',
    input_series: given,
    alert_rule_test: [
      {
        eval_time: `${at}m`,
        alertname: alert,
        exp_alerts:
          expected === undefined
            ? []
            : [
                {
                  exp_labels: { severity, ...expected.labels },
                  exp_annotations: { summary: expected.summary, description },
                },
              ],
      },
    ],
  }
}

function run(cases: readonly Case[]): void {
  const file = { rule_files: ['alerts.yaml'], evaluation_interval: '1m', tests: cases.map(unitTest) }
  writeFileSync(join(dir, 'test.yaml'), JSON.stringify(file))
  const { code, output } = promtool(['test', 'rules', 'test.yaml'], '', dir)
  assert.equal(code, 0, output)
}

describe('alert rules', { skip }, () => {
  test('are rules to Prometheus', () => {
    const { code, output } = promtool(['check', 'rules', 'alerts.yaml'], '', dir)
    assert.equal(code, 0, output)
    assert.match(output, new RegExp(`SUCCESS: ${ALERTS.length} rules found`))
  })

  for (const { name } of ALERTS)
    test(name, () => {
      const cases = CASES.filter(({ alert }) => alert === name)
      assert.ok(
        cases.some(each => each.fires !== undefined),
        'nothing makes it fire',
      )
      run(cases)
    })

  test('none fires while all is well, but the one that always does', () => {
    const given = [
      series('kdr_build_info', '1x200', { version: '1' }),
      series('kdr_link_running', '1x200'),
      series('kdr_link_control', '1x200'),
      series('kdr_link_source_seen_timestamp_seconds', '0+60x200'),
      series('kdr_group_sync_timestamp_seconds', '0+60x200'),
      series('kdr_link_lost_offsets', '0x200'),
      rpo(2),
      ...lag('0+100x200'),
      ...Object.entries({ seeding: 0, mirroring: 9, faulted: 0 }).map(([state, count]) =>
        series('kdr_partitions', `${count}x200`, { ...LINK, state }),
      ),
      stopped('foreign-write', '0x200'),
      stopped('gap-too-large', '0x200'),
      set('kdr_backup_late', '0x200'),
      set('kdr_backup_failing', '0x200'),
      set('kdr_backup_last_commit_timestamp_seconds', '0+60x200'),
      set('kdr_backup_verified_timestamp_seconds', '0x200'),
      series('kdr_cluster_up', '1x200', { cluster: 'east' }),
      series('kdr_cluster_controller_up', '1x200', { cluster: 'east' }),
      series('kdr_cluster_partitions_under_replicated', '0x200', { cluster: 'east' }),
      series('kdr_broker_up', '1x200', { cluster: 'east', broker: '3' }),
      series('kdr_broker_disk_free_ratio', '0.5x200', { cluster: 'east', broker: '3' }),
      series('kdr_group_state', '1x200', { cluster: 'east', group: 'app', state: 'ok' }),
      finding('C018', 'warning', '2x200'),
      ...checked({ failing: '0x200', ended: '0+60x200' }),
    ]
    const quiet = ALERTS.filter(({ name }) => name !== 'KdrDeadMan')
    run(quiet.map(({ name }) => ({ alert: name, what: 'all is well', given, at: 80 })))
  })
})

/** Notation of promtool: `3x2 _ 1+2x3` are 3 3 3, nothing, 1 3 5 7. */
function valuesOf(notation: string): (number | undefined)[] {
  return notation.split(' ').flatMap(each => {
    const [, first = '', step = '0', times = '0'] = /^(_|-?[\d.]+)(?:\+(\d+))?(?:x(\d+))?$/.exec(each) ?? []
    if (first === '_') return Array.from({ length: Math.max(1, Number(times)) }, () => undefined)
    return Array.from({ length: Number(times) + 1 }, (_none, index) => Number(first) + index * Number(step))
  })
}

/** What kdr would have at that minute. */
function samplesAt(given: readonly Series[], minute: number): Samples {
  const samples: Record<string, Sample[]> = {}
  const histograms = new Map<string, { labels: Labels; upTo: [number, number][] }>()
  for (const { series: text = '', values = '' } of given) {
    const [, name = '', inside = ''] = /^(\w+)\{(.*)\}$/.exec(text) ?? []
    const { le, ...labels } = Object.fromEntries(
      [...inside.matchAll(/(\w+)="(.*?)"/g)].map(([, label = '', value = '']) => [label, value] as const),
    )
    const value = valuesOf(values)[minute]
    if (value === undefined) continue
    if (le === undefined) (samples[name] ??= []).push({ labels, value })
    else {
      const at = histograms.get(name) ?? { labels, upTo: [] }
      histograms.set(name, at)
      at.upTo.push([Number(le.replace('+Inf', 'Infinity')), value])
    }
  }
  for (const [name, { labels, upTo }] of histograms)
    samples[name.replace(/_bucket$/, '')] = [
      { labels, value: { upTo: upTo.slice(0, -1), count: upTo.at(-1)?.[1] ?? 0, sumSeconds: 0 } },
    ]
  return samples
}

describe('kdr itself says the same', () => {
  for (const { alert, what, given, at, fires: expected } of CASES)
    test(`${alert}: ${what}`, () => {
      const states = new AlertStates(ALERTS.filter(({ name }) => name === alert))
      for (let minute = 0; minute <= at; minute++) states.look(samplesAt(given, minute), minute * 60_000)
      const firing = states.active.filter(isFiring).map(each => ({
        labels: each.labels,
        summary: toldOf({ alert: each, status: 'firing' }, at * 60_000).annotations.summary,
      }))
      assert.deepEqual(firing, expected === undefined ? [] : [expected])
    })
})

const metricsIn = (expr: string): string[] =>
  [...expr.matchAll(/\b(?:kdr|process)_\w+/g)].map(([name]) => name.replace(/_bucket$/, ''))

const queries = ROWS.flatMap(([, panels]) => panels.flatMap(panel => panel.queries))

test('alerts and the dashboard read what the table has, and say which', () => {
  const rules = ALERTS.map(({ when }) => ({ expr: promqlOf(when), metrics: metricsOf(when) }))
  for (const { expr, metrics } of [...rules, ...queries]) {
    const read = new Set(metricsIn(expr))
    assert.deepEqual([...read].toSorted(), [...metrics].toSorted(), expr)
    for (const name of read) assert.ok(name in METRICS, `${name} is not served`)
  }
})

describe('the dashboard', () => {
  type Place = { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  const panels = dashboard()['panels'] as {
    readonly id: number
    readonly title: string
    readonly gridPos: Place
  }[]

  test('has panels that do not cover each other, each with an id of its own', () => {
    assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
    const taken = new Map<string, string>()
    for (const {
      title,
      gridPos: { x, y, w, h },
    } of panels) {
      assert.ok(x + w <= 24, title)
      for (let column = x; column < x + w; column++)
        for (let line = y; line < y + h; line++) {
          const cell = `${column}/${line}`
          assert.equal(taken.get(cell), undefined, `${title} covers another panel`)
          taken.set(cell, title)
        }
    }
  })

  test('asks what Prometheus can answer', { skip }, () => {
    const rules = queries.map(({ expr }, index) => ({
      record: `panel_${index}`,
      expr: expr.replaceAll('$__rate_interval', '5m').replaceAll('$link', '.*'),
    }))
    const path = join(dir, 'panels.yaml')
    writeFileSync(path, JSON.stringify({ groups: [{ name: 'panels', rules }] }))
    const { code, output } = promtool(['check', 'rules', path])
    assert.equal(code, 0, output)
  })
})
