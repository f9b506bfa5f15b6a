// What `kdr run` says of its links and sets to whoever watches it.
import type { Metric, Sample } from '../api/metrics.ts'
import type { SetStatus } from '../model/set-status.ts'
import { lateAt } from '../model/schedule.ts'
import type { RunningLink } from './app.ts'
import type { FollowedSet } from './app-vault.ts'

type Part = readonly [
  name: string,
  type: Metric['type'],
  help: string,
  value: (set: FollowedSet) => number | undefined,
]

/** `vaults`: what was read of the sets' vaults, some minutes ago maybe. `now`: ms since 1970. */
export function setMetrics(
  sets: readonly FollowedSet[],
  vaults: ReadonlyMap<string, SetStatus>,
  now: number,
): Metric[] {
  const newest = ({ sight }: FollowedSet): number | undefined => sight.newest?.at
  const isLate = ({ set, sight }: FollowedSet): number | undefined => {
    const at = sight.newest?.at
    if (at === undefined || set.every === undefined) return undefined
    return now > lateAt(set.every.schedule, at) ? 1 : 0
  }
  const verified = ({ set }: FollowedSet): number | undefined => {
    const at = vaults.get(set.name)?.verifiedAt ?? undefined
    return at === undefined ? undefined : Date.parse(at) / 1_000
  }
  const parts: readonly Part[] = [
    [
      'kdr_backup_last_commit_timestamp_seconds',
      'gauge',
      'As of when the newest commit holds the source.',
      set => seconds(newest(set)),
    ],
    [
      'kdr_backup_age_seconds',
      'gauge',
      'How old that is.',
      set => {
        const at = newest(set)
        return at === undefined ? undefined : Math.max(0, now - at) / 1_000
      },
    ],
    [
      'kdr_backup_late',
      'gauge',
      'Whether another commit should be there by now, as `every` of the set wants.',
      isLate,
    ],
    [
      'kdr_backup_verified_timestamp_seconds',
      'gauge',
      'When the last full verification began that found nothing wrong.',
      verified,
    ],
    [
      'kdr_backup_vault_bytes',
      'gauge',
      'What the newest commit needs, as stored.',
      ({ set }) => vaults.get(set.name)?.bytes ?? undefined,
    ],
    [
      'kdr_backup_bytes_total',
      'counter',
      'Read from the source by this process.',
      ({ sight }) => sight.bytesRead,
    ],
    [
      'kdr_backup_stored_bytes_total',
      'counter',
      'Written to the vault by this process.',
      ({ sight }) => sight.bytesStored,
    ],
    ['kdr_backup_commits_total', 'counter', 'Made by this process.', ({ sight }) => sight.commits],
    [
      'kdr_backup_failures_total',
      'counter',
      'Backups of this process that failed.',
      ({ sight }) => sight.failures,
    ],
    [
      'kdr_backup_failing',
      'gauge',
      'Whether the last one failed.',
      ({ sight }) => (sight.failure === undefined ? 0 : 1),
    ],
  ]
  return parts.map(([name, type, help, value]) => ({
    name,
    type,
    help,
    samples: sets.map(each => ({
      labels: { set: each.set.name, cluster: each.set.cluster, vault: each.set.vault },
      value: value(each),
    })),
  }))
}

const seconds = (ms: number | undefined): number | undefined => (ms === undefined ? undefined : ms / 1_000)

export function linkMetrics(links: readonly RunningLink[]): Metric[] {
  const of = links.map(running => ({
    labels: { link: running.link.name, source: running.link.source, target: running.link.target },
    partitions: running.progress(),
  }))
  const states: Sample[] = of.flatMap(({ labels, partitions }) =>
    [...Map.groupBy(partitions, ({ state }) => state)].map(([state, same]) => ({
      labels: { ...labels, state },
      value: same.length,
    })),
  )
  return [
    {
      name: 'kdr_link_lag_records',
      type: 'gauge',
      help: 'Records of the partitions of this process that the target does not hold yet.',
      samples: of.map(({ labels, partitions }) => ({
        labels,
        value: partitions.reduce((sum, { lagRecords }) => sum + lagRecords, 0),
      })),
    },
    {
      name: 'kdr_link_lag_seconds',
      type: 'gauge',
      help: 'The largest lag of a partition of this process.',
      samples: of.map(({ labels, partitions }) => ({
        labels,
        value: partitions.reduce((most, { lagMs }) => Math.max(most, lagMs), 0) / 1_000,
      })),
    },
    { name: 'kdr_link_partitions', type: 'gauge', help: 'Of this process, by state.', samples: states },
  ]
}
