// What alerts are looked for in: the metrics of the table, of whole links instead of the share of one process, from whoever speaks for
// them. A link is spoken for by the owner of slot 0; while there is none, by all that run it.
import type { Labels, Sample } from '../../../api/metrics/metrics.ts'
import type { MetricName, Samples } from '../../../api/metrics/table.ts'
import type { Config, LinkConfig } from '../../../config/index.ts'
import type { WatchedCluster } from '../../../engine/monitor/sight.ts'
import type { DurationCounts } from '../../../model/durations.ts'
import type { LinkView, ViewedPartition } from '../../../model/link-facts.ts'
import { rpoObjectiveOf } from '../../../model/objectives.ts'
import type { SetStatus } from '../../../model/set-status.ts'
import type { RunningLink } from '../../app.ts'
import type { FollowedSet } from '../../app-vault.ts'
import type { CheckSight } from '../checks.ts'
import { checkSamples } from '../metrics/checks.ts'
import { clusterSamples } from '../metrics/clusters.ts'
import { linkSamples, type WatchedLink } from '../metrics/links.ts'
import { processSamples } from '../metrics/process.ts'
import { setSamples } from '../metrics/sets.ts'

export type AlertWorld = {
  readonly version: string
  readonly delay: DurationCounts
  /** Which process this is, to whoever is told. */
  readonly instance: string
  readonly config: Pick<Config, 'plans' | 'objectives'>
  /** Those of the config. */
  readonly wanted: readonly LinkConfig[]
  readonly spoken: readonly SpokenLink[]
  /** Links that run here, or elsewhere. */
  readonly isRunning: (link: string) => boolean
  readonly sets: readonly FollowedSet[]
  readonly vaults: ReadonlyMap<string, SetStatus>
  readonly clusters: readonly WatchedCluster[]
  /** Undefined: another process checks, or nobody. */
  readonly check: CheckSight | undefined
  /** ms since 1970. */
  readonly now: number
}

export type SpokenLink = { readonly running: RunningLink; readonly view: LinkView }

/** Undefined: another process does. */
export function spokenFor(running: RunningLink): SpokenLink | undefined {
  const view = running.view()
  const isOwner = running.facts().whole !== undefined
  return isOwner || view.controllers === 0 ? { running, view } : undefined
}

export function alertSamples(of: AlertWorld): Samples {
  const links = of.spoken.map(({ running, view }) => ({ labels: labelsOf(running.link), running, view }))
  const watched = links.map(
    ({ labels, running, view }): WatchedLink => ({
      labels,
      running: { facts: running.facts(), partitions: view.partitions },
      rpoObjectiveMs: rpoObjectiveOf(of.config, running.link.name),
    }),
  )
  const running = of.wanted.map(link => ({
    labels: labelsOf(link),
    value: of.isRunning(link.name) ? 1 : 0,
  }))
  return {
    ...ofInstance(processSamples(of.version, of.delay), of.instance),
    ...linkSamples(watched, of.now),
    kdr_link_running: running,
    kdr_link_control: links.map(({ labels, view }) => ({ labels, value: view.controllers })),
    ...partitionSamples(links),
    ...setSamples(of.sets, of.vaults, of.now),
    ...clusterSamples(of.clusters, of.now),
    ...ofInstance(checkSamples(of.check), of.instance),
  }
}

const labelsOf = ({ name, source, target }: LinkConfig): Labels => ({ link: name, source, target })

function ofInstance(samples: Samples, instance: string): Samples {
  const entries = Object.entries(samples).map(([name, all]) => [
    name,
    all.map(({ labels, value }) => ({ labels: { ...labels, instance }, value })),
  ])
  return Object.fromEntries(entries) as Samples
}

type ViewedLink = { readonly labels: Labels; readonly view: LinkView }

/** As coarse as the rules look at them. */
function partitionSamples(links: readonly ViewedLink[]): Samples {
  const of = (
    value: (partition: ViewedPartition) => number,
    fold: (all: readonly number[]) => number,
  ): Sample[] => links.map(({ labels, view }) => ({ labels, value: fold(view.partitions.map(value)) }))
  return {
    kdr_lag_records: of(({ lagRecords }) => lagRecords, sum),
    kdr_lag_seconds: of(({ lagMs }) => lagMs / 1_000, most),
    // How many bytes other workers have copied is not known here; that their mirrors grow is.
    kdr_copied_bytes_total: of(({ cursor }) => cursor, sum),
    kdr_retention_headroom_seconds: links.flatMap(headroomSamples),
  } satisfies Partial<Record<MetricName, Sample[]>>
}

function headroomSamples({ labels, view }: ViewedLink): Sample[] {
  const least = new Map<string, number>()
  for (const { topic, headroom } of view.partitions) {
    const ms = headroom?.ms
    if (typeof ms === 'number') least.set(topic, Math.min(least.get(topic) ?? Infinity, Math.max(0, ms)))
  }
  return [...least].map(([topic, ms]) => ({ labels: { ...labels, topic }, value: ms / 1_000 }))
}

const sum = (all: readonly number[]): number => all.reduce((total, each) => total + each, 0)
const most = (all: readonly number[]): number => all.reduce((a, b) => Math.max(a, b), 0)
