// Everything that `kdr run` serves at /metrics, put together: what is of a fixed size first, and the partitions in the room that is left.
import { formatMetrics, type Sample } from '../../../api/metrics/metrics.ts'
import { metricsOf, type Samples } from '../../../api/metrics/table.ts'
import type { Config, LinkConfig } from '../../../config/index.ts'
import { type DurationCounts, DURATION_SERIES } from '../../../model/durations.ts'
import { rpoObjectiveOf } from '../../../model/objectives.ts'
import type { SetStatus } from '../../../model/set-status.ts'
import type { RunningLink } from '../../app.ts'
import type { FollowedSet } from '../../app-vault.ts'
import type { WatchedCluster } from '../../../engine/monitor/sight.ts'
import type { CheckSight } from '../checks.ts'
import { checkSamples } from './checks.ts'
import { clusterSamples } from './clusters.ts'
import { CopiedTotals } from './copied.ts'
import { type Level, MAX_SERIES } from './levels.ts'
import { linkSamples, rpoOf } from './links.ts'
import { ObjectiveShare } from './objective-share.ts'
import { partitionSamples } from './partitions.ts'
import { processSamples } from './process.ts'
import { setSamples } from './sets.ts'

export type Gathered = {
  readonly version: string
  readonly delay: DurationCounts
  /** Those that this process is to run, by the config; and those that it runs. */
  readonly wanted: readonly LinkConfig[]
  readonly links: readonly RunningLink[]
  readonly plans: Config['plans']
  readonly objectives: Config['objectives']
  readonly sets: readonly FollowedSet[]
  /** What was read of their vaults. */
  readonly vaults: ReadonlyMap<string, SetStatus>
  /** Those that this process watches. */
  readonly clusters: readonly WatchedCluster[]
  /** Undefined: another process checks, or nobody. */
  readonly check: CheckSight | undefined
  /** ms since 1970. */
  readonly now: number
  readonly level: Level
}

export class MetricsGatherer {
  readonly #totals = new WeakMap<RunningLink, CopiedTotals>()
  readonly #shares = new WeakMap<RunningLink, ObjectiveShare>()

  text(of: Gathered): string {
    const running = of.links.map(link => ({ link, partitions: link.progress() }))
    const known = new Map(running.map(each => [each.link.link.name, each]))
    const watched = of.wanted.map(link => {
      const each = known.get(link.name)
      const rpoObjectiveMs = rpoObjectiveOf(of, link.name)
      return {
        // Which way it leads now is what the running one says.
        labels: labelsOf(each?.link.link ?? link),
        running: each && { facts: each.link.facts(), partitions: each.partitions },
        rpoObjectiveMs,
        withinObjective: each && this.#shareWithin(each.link, rpoObjectiveMs, of.now),
      }
    })
    const copied = running.map(({ link, partitions }) => {
      const totals = this.#totalsOf(link)
      totals.observe(partitions)
      return { labels: labelsOf(link.link), partitions, totals }
    })
    const fixed: Samples = {
      ...processSamples(of.version, of.delay),
      ...linkSamples(watched, of.now),
      ...setSamples(of.sets, of.vaults, of.now),
      ...clusterSamples(of.clusters, of.now),
      ...checkSamples(of.check),
    }
    // What says how many there are, and what was coarsened, is some more.
    const room = MAX_SERIES - seriesIn(fixed) - 10
    const all = { ...fixed, ...partitionSamples(copied, { wanted: of.level, room }) }
    const count = [{ labels: {}, value: seriesIn(all) + 1 }]
    return formatMetrics(metricsOf({ ...all, kdr_metrics_series: count }))
  }

  /** Of the worker that does the control work of the link. */
  #shareWithin(link: RunningLink, objectiveMs: number | undefined, now: number): number | undefined {
    const { whole } = link.facts()
    if (objectiveMs === undefined || whole === undefined) return undefined
    const share = this.#shares.get(link) ?? new ObjectiveShare()
    this.#shares.set(link, share)
    const rpoMs = rpoOf(whole, now)
    const isWithin = rpoMs !== undefined && rpoMs <= objectiveMs
    // It is beyond it for certain also where another partition may be further behind than is known.
    if (rpoMs === undefined || (isWithin && !whole.isLagKnown)) share.skip()
    else share.observe(now, isWithin)
    return share.ratio
  }

  #totalsOf(link: RunningLink): CopiedTotals {
    const totals = this.#totals.get(link) ?? new CopiedTotals()
    this.#totals.set(link, totals)
    return totals
  }
}

const labelsOf = ({ name, source, target }: LinkConfig) => ({ link: name, source, target })

const seriesOf = ({ value }: Sample): number =>
  value === undefined ? 0 : typeof value === 'number' ? 1 : DURATION_SERIES

function seriesIn(samples: Samples): number {
  return Object.values(samples)
    .flat()
    .reduce((sum, each) => sum + seriesOf(each), 0)
}
