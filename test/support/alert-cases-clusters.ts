// Each rule about watched clusters, their groups, and the whole check: what makes it fire, and what does not.
import { type Case, STALE, checked, finding, fires, series } from './alert-series.ts'

export const CLUSTER_CASES: readonly Case[] = [
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
