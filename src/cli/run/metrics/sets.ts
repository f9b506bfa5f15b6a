// What `kdr run` says of its sets to whoever watches it.
import type { MetricName, Samples } from '../../../api/metrics/table.ts'
import { lateAt } from '../../../model/schedule.ts'
import type { SetStatus } from '../../../model/set-status.ts'
import type { FollowedSet } from '../../app-vault.ts'

type Value = (set: FollowedSet) => number | undefined

/** `vaults`: what was read of the sets' vaults, some minutes ago maybe. `now`: ms since 1970. */
export function setSamples(
  sets: readonly FollowedSet[],
  vaults: ReadonlyMap<string, SetStatus>,
  now: number,
): Samples {
  const newest: Value = ({ sight }) => sight.newest?.at
  const values: Partial<Record<MetricName, Value>> = {
    kdr_backup_last_commit_timestamp_seconds: set => seconds(newest(set)),
    kdr_backup_age_seconds: set => {
      const at = newest(set)
      return at === undefined ? undefined : Math.max(0, now - at) / 1_000
    },
    kdr_backup_late: ({ set, sight }) => {
      const at = sight.newest?.at
      if (at === undefined || set.every === undefined) return undefined
      return now > lateAt(set.every.schedule, at) ? 1 : 0
    },
    kdr_backup_verified_timestamp_seconds: ({ set }) => {
      const at = vaults.get(set.name)?.verifiedAt ?? undefined
      return at === undefined ? undefined : Date.parse(at) / 1_000
    },
    kdr_backup_vault_bytes: ({ set }) => vaults.get(set.name)?.bytes ?? undefined,
    kdr_backup_bytes_total: ({ sight }) => sight.bytesRead,
    kdr_backup_stored_bytes_total: ({ sight }) => sight.bytesStored,
    kdr_backup_commits_total: ({ sight }) => sight.commits,
    kdr_backup_failures_total: ({ sight }) => sight.failures,
    kdr_backup_failing: ({ sight }) => (sight.failure === undefined ? 0 : 1),
    kdr_backup_verifications_total: ({ upkeep }) => upkeep?.verifications,
    kdr_backup_damaged_objects: ({ upkeep }) => upkeep?.problems,
    kdr_backup_pruned_bytes_total: ({ upkeep }) => upkeep?.deletedBytes,
    kdr_backup_upkeep_failing: ({ upkeep }) =>
      upkeep === undefined ? undefined : upkeep.failure === undefined ? 0 : 1,
  }
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      sets.map(each => ({
        labels: { set: each.set.name, cluster: each.set.cluster, vault: each.set.vault },
        value: value(each),
      })),
    ]),
  )
}

const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1_000)
