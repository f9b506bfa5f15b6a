// What `kdr run` says of its links, beside their partitions one by one. Figures that may be zero are there from the start, so that an
// alert on them does not have to know that nothing is nothing.
import type { Labels, Sample } from '../../../api/metrics/metrics.ts'
import type { MetricName, Samples } from '../../../api/metrics/table.ts'
import type { PartitionProgress } from '../../../engine/replicate/replication.ts'
import type { LinkFacts, Traffic, WholeLink } from '../../../model/link-facts.ts'
import { FAULT_REASONS, PARTITION_STATES } from '../../../model/link.ts'
import { GROUP_REASONS, GROUP_STATES } from '../../../model/group-records.ts'

type Standing = Pick<PartitionProgress, 'state' | 'reason'>

export type WatchedLink = {
  /** Of the link. */
  readonly labels: Labels
  /** Undefined: it does not run here. */
  readonly running: { readonly facts: LinkFacts; readonly partitions: readonly Standing[] } | undefined
  readonly rpoObjectiveMs: number | undefined
  /** Undefined: not known. */
  readonly withinObjective?: number | undefined
}

/** `now`: ms since 1970. */
export function linkSamples(links: readonly WatchedLink[], now: number): Samples {
  const samples: Partial<Record<MetricName, Sample[]>> = {}
  const add = (name: MetricName, labels: Labels, value: Sample['value']): void => {
    const found = (samples[name] ??= [])
    found.push({ labels, value })
  }
  for (const { labels, running, rpoObjectiveMs, withinObjective } of links) {
    add('kdr_link_running', labels, running === undefined ? 0 : 1)
    if (running === undefined) continue
    const { slots, slotsHeld, traffic, whole } = running.facts
    add('kdr_link_control', labels, whole === undefined ? 0 : 1)
    add('kdr_slots', labels, slots)
    add('kdr_slots_held', labels, slotsHeld)
    for (const each of traffic) addTraffic(add, labels, each)
    addStates(add, labels, running.partitions)
    if (whole === undefined) continue
    addWhole(add, labels, whole, now)
    if (rpoObjectiveMs === undefined) continue
    add('kdr_link_rpo_objective_seconds', labels, rpoObjectiveMs / 1_000)
    add('kdr_link_rpo_within_objective_ratio', labels, withinObjective)
  }
  return samples
}

type Add = (name: MetricName, labels: Labels, value: Sample['value']) => void

function addTraffic(add: Add, link: Labels, traffic: Traffic): void {
  const labels = { ...link, cluster: traffic.cluster }
  for (const [kind, count] of Object.entries(traffic.connections))
    add('kdr_connections', { ...labels, kind }, count)
  add('kdr_fetch_duration_seconds', labels, traffic.fetches)
  add('kdr_fetched_bytes_total', labels, traffic.fetchedBytes)
  add('kdr_fetched_closest_bytes_total', labels, traffic.closestBytes)
  add('kdr_fetch_rest_seconds_total', labels, traffic.restMs / 1_000)
  add('kdr_append_duration_seconds', labels, traffic.appends)
  add('kdr_appended_batches_total', labels, traffic.batches)
  add('kdr_request_failures_total', labels, traffic.failures)
}

function addStates(add: Add, labels: Labels, partitions: readonly Standing[]): void {
  const states = Map.groupBy(partitions, ({ state }) => state)
  for (const state of PARTITION_STATES)
    add('kdr_partitions', { ...labels, state }, states.get(state)?.length ?? 0)
  const reasons = Map.groupBy(partitions, ({ reason }) => reason)
  for (const reason of FAULT_REASONS)
    add('kdr_partitions_stopped', { ...labels, reason }, reasons.get(reason)?.length ?? 0)
}

/** Undefined: the source was never seen. */
export const rpoOf = ({ lagMs, sourceSeenAt }: WholeLink, now: number): number | undefined =>
  sourceSeenAt > 0 ? lagMs + Math.max(0, now - sourceSeenAt) : undefined

function addWhole(add: Add, labels: Labels, whole: WholeLink, now: number): void {
  const { lagMs, sourceSeenAt, lost, groups, groupsAt } = whole
  add('kdr_link_generation', labels, whole.generation)
  add('kdr_link_workers', labels, whole.workers)
  add('kdr_link_lag_records', labels, whole.lagRecords)
  add('kdr_link_lag_seconds', labels, lagMs / 1_000)
  const rpoMs = rpoOf(whole, now)
  add('kdr_link_rpo_seconds', labels, rpoMs === undefined ? undefined : rpoMs / 1_000)
  add('kdr_link_source_seen_timestamp_seconds', labels, sourceSeenAt > 0 ? sourceSeenAt / 1_000 : undefined)
  add('kdr_link_lost_offsets', labels, lost.offsets)
  add('kdr_link_lost_ranges', labels, lost.ranges)
  const states = Map.groupBy(groups, ({ state }) => state)
  for (const state of GROUP_STATES) add('kdr_groups', { ...labels, state }, states.get(state)?.length ?? 0)
  const reasons = Map.groupBy(groups, ({ reason }) => reason)
  for (const reason of GROUP_REASONS)
    add('kdr_groups_not_synced', { ...labels, reason }, reasons.get(reason)?.length ?? 0)
  add('kdr_group_sync_timestamp_seconds', labels, groupsAt > 0 ? groupsAt / 1_000 : undefined)
}
