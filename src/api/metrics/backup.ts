// The part of the table of metrics that is about backup sets.
import type { MetricSpec } from './table.ts'

const SET = ['set', 'cluster', 'vault'] as const

export const BACKUP_METRICS = {
  kdr_backup_last_commit_timestamp_seconds: {
    type: 'gauge',
    help: 'As of when the newest commit holds the source.',
    labels: SET,
    by: 'sets',
    from: 'the vault',
  },
  kdr_backup_age_seconds: {
    type: 'gauge',
    help: 'How old that is.',
    labels: SET,
    by: 'sets',
    from: 'the vault',
  },
  kdr_backup_late: {
    type: 'gauge',
    help: 'Whether another commit should be there by now, as `every` of the set wants.',
    labels: SET,
    by: 'sets',
    from: 'the vault, and the config',
  },
  kdr_backup_verified_timestamp_seconds: {
    type: 'gauge',
    help: 'When the last full verification began that found nothing wrong.',
    labels: SET,
    by: 'sets',
    from: 'the vault, read every 5 minutes',
  },
  kdr_backup_vault_bytes: {
    type: 'gauge',
    help: 'What the newest commit needs, as stored.',
    labels: SET,
    by: 'sets',
    from: 'the vault, read every 5 minutes',
  },
  kdr_backup_bytes_total: {
    type: 'counter',
    help: 'Read from the source by this process.',
    labels: SET,
    by: 'sets',
    from: 'this process',
  },
  kdr_backup_stored_bytes_total: {
    type: 'counter',
    help: 'Written to the vault by this process.',
    labels: SET,
    by: 'sets',
    from: 'this process',
  },
  kdr_backup_commits_total: {
    type: 'counter',
    help: 'Made by this process.',
    labels: SET,
    by: 'sets',
    from: 'this process',
  },
  kdr_backup_failures_total: {
    type: 'counter',
    help: 'Backups of this process that failed.',
    labels: SET,
    by: 'sets',
    from: 'this process',
  },
  kdr_backup_failing: {
    type: 'gauge',
    help: 'Whether the last one failed.',
    labels: SET,
    by: 'sets',
    from: 'this process',
  },
  kdr_backup_verifications_total: {
    type: 'counter',
    help: 'Full verifications of this process that came to their end, where the set has `verify`.',
    labels: SET,
    by: 'sets',
    from: 'this process',
  },
  kdr_backup_damaged_objects: {
    type: 'gauge',
    help: 'What the last of these found damaged or missing.',
    labels: SET,
    by: 'sets',
    from: 'this process',
  },
  kdr_backup_pruned_bytes_total: {
    type: 'counter',
    help: 'Deleted by the prunes of this process, where the set has `prune: auto`.',
    labels: SET,
    by: 'sets',
    from: 'this process',
  },
  kdr_backup_upkeep_failing: {
    type: 'gauge',
    help: 'Whether its last verification or prune failed, found something damaged, or was refused.',
    labels: SET,
    by: 'sets',
    from: 'this process',
  },
} as const satisfies Record<string, MetricSpec>
