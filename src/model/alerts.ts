// Names of the alerts, for whoever refers to one (the config), and what of them is kept. What each watches stands in api/alerts/alerts.ts.
import type { StateRecords } from './state-records.ts'

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
  'KdrClusterUnreachable',
  'KdrClusterWithoutController',
  'KdrPartitionsOffline',
  'KdrUnderMinIsr',
  'KdrLogDirOffline',
  'KdrBrokerMissing',
  'KdrUnderReplicated',
  'KdrDiskLow',
  'KdrGroupStopped',
  'KdrGroupStalled',
  'KdrGroupRewound',
  'KdrGroupLagging',
  'KdrNotReady',
  'KdrDrift',
  'KdrCertificateExpires',
  'KdrCheckStale',
  'KdrDeadMan',
] as const

export type AlertName = (typeof ALERT_NAMES)[number]

/** One that fires. */
export type KeptAlert = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  /** It holds since, and it fires since; ms since 1970. */
  readonly since: number
  readonly firesSince: number
  /** Whoever is to hear of it has been told, or is about to be. Otherwise it is silenced. */
  readonly isTold: boolean
}

/** Those of a link, or of a set, that fire, by whoever speaks for it: so that the next one neither tells of them again nor forgets that they are over. */
export type AlertsRecord = { readonly alerts: readonly KeptAlert[] }
export const alertsKey = (link: string): string => `alerts/${link}`
/** A record holds 64 KB. */
export const MAX_KEPT_ALERTS = 100

export const readAlerts = (store: StateRecords, link: string): readonly KeptAlert[] =>
  (store.get(alertsKey(link)) as AlertsRecord | undefined)?.alerts ?? []
