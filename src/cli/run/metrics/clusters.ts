// What `kdr run` says of the clusters that it watches. Of one that does not answer now, only that: what was seen before is no answer.
import type { Labels, Sample } from '../../../api/metrics/metrics.ts'
import type { MetricName, Samples } from '../../../api/metrics/table.ts'
import type { GroupSight, WatchedCluster } from '../../../engine/monitor/sight.ts'
import { CONSUMER_STATES } from '../../../model/consumer-state.ts'

/** Groups with figures of their own, of all clusters: three series each. Those that are not well come first. */
export const MAX_GROUPS = 2_000
/** As long as this the groups of the look before are told. */
const GROUPS_OLD_MS = 120_000

type Add = (name: MetricName, labels: Labels, value: number | undefined) => void

/** `now`: ms since 1970. */
export function clusterSamples(clusters: readonly WatchedCluster[], now: number): Samples {
  const samples: Partial<Record<MetricName, Sample[]>> = {}
  const add: Add = (name, labels, value) => {
    const found = (samples[name] ??= [])
    found.push({ labels, value })
  }
  const groups: { readonly cluster: string; readonly of: GroupSight }[] = []
  for (const each of clusters) {
    const labels = { cluster: each.name }
    const isLooked = each.seenAt > 0 || each.problem !== undefined
    add('kdr_cluster_up', labels, isLooked ? Number(each.problem === undefined) : undefined)
    add('kdr_cluster_seen_timestamp_seconds', labels, each.seenAt > 0 ? each.seenAt / 1_000 : undefined)
    if (each.problem !== undefined || each.seenAt === 0) continue
    addCluster(add, labels, each)
    for (const { what } of each.notSeen) add('kdr_cluster_unseen', { ...labels, what }, 1)
    if (now - each.groupsAt > GROUPS_OLD_MS) continue
    const states = Map.groupBy(each.groups, ({ state }) => state)
    for (const state of CONSUMER_STATES)
      add('kdr_cluster_groups', { ...labels, state }, states.get(state)?.length ?? 0)
    add('kdr_cluster_groups_unwatched', labels, each.groupsUnwatched)
    groups.push(...each.groups.map(of => ({ cluster: each.name, of })))
  }
  for (const { cluster, of } of worstFirst(groups).slice(0, MAX_GROUPS)) {
    const labels = { cluster, group: of.group }
    add('kdr_group_state', { ...labels, state: of.state }, 1)
    add('kdr_group_lag_records', labels, of.lagRecords)
    add('kdr_group_lag_seconds', labels, of.lagMs / 1_000)
  }
  return samples
}

function addCluster(add: Add, labels: Labels, { brokers, partitions, controllers }: WatchedCluster): void {
  for (const { broker, isThere, freeShare, logDirsOffline } of brokers) {
    const its = { ...labels, broker: String(broker) }
    add('kdr_broker_up', its, Number(isThere))
    add('kdr_broker_disk_free_ratio', its, freeShare)
    add('kdr_broker_log_dirs_offline', its, logDirsOffline)
  }
  add('kdr_cluster_topics', labels, partitions?.topics)
  add('kdr_cluster_partitions', labels, partitions?.partitions)
  add('kdr_cluster_partitions_offline', labels, partitions?.offline)
  add('kdr_cluster_partitions_under_replicated', labels, partitions?.underReplicated)
  add('kdr_cluster_partitions_under_min_isr', labels, partitions?.underMinIsr)
  add('kdr_cluster_partitions_not_preferred', labels, partitions?.notPreferred)
  add('kdr_cluster_controller_up', labels, controllers && Number(controllers.leader >= 0))
  add('kdr_cluster_voters_behind', labels, controllers?.votersBehind.length)
}

/** Where all fit, in their own order, so that answers can be compared. */
function worstFirst<G extends { readonly of: GroupSight }>(groups: readonly G[]): readonly G[] {
  if (groups.length <= MAX_GROUPS) return groups
  const gravity = ({ of }: G): number => CONSUMER_STATES.indexOf(of.state)
  return groups.toSorted((a, b) => gravity(b) - gravity(a) || b.of.lagRecords - a.of.lagRecords)
}
