// Names of the alerts, for whoever refers to one (the config); what each watches stands in api/alerts.ts.

export const ALERT_NAMES = [
  'KdrDown',
  'KdrLinkWithoutControl',
  'KdrTwoControllers',
  'KdrLinkNotRunning',
  'KdrRpoBreached',
  'KdrRpoAtRisk',
  'KdrSourceUnreachable',
  'KdrLinkStalled',
  'KdrRetentionHeadroomLow',
  'KdrDiverged',
  'KdrRecordsLost',
  'KdrGapStopsPartitions',
  'KdrPartitionsFaulted',
  'KdrNoRights',
  'KdrLossAccepted',
  'KdrGroupSyncStale',
  'KdrGroupsBehind',
  'KdrBackupStale',
  'KdrBackupFailing',
  'KdrBackupUnverified',
  'KdrEventLoopSlow',
  'KdrDeadMan',
] as const

export type AlertName = (typeof ALERT_NAMES)[number]
