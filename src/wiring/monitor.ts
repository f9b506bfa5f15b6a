// From a cluster of the config to what watches it.
import type { ClusterWatch, WatchOptions } from '../cli/app-watch.ts'
import type { Config } from '../config/index.ts'
import { MONITOR_LIMITS } from '../engine/monitor/limits.ts'
import { ClusterMonitor } from '../engine/monitor/monitor.ts'
import { compilePatterns } from '../model/patterns.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { systemClock } from './system.ts'

/** Nothing is opened before it runs. */
export function watchCluster(config: Config, name: string, { isMine, onRound }: WatchOptions): ClusterWatch {
  const { everyMs, windowMs, groups } = config.monitor
  const filter = compilePatterns(groups, 'groups')
  return new ClusterMonitor({
    name,
    open: async () => await openCluster(clusterOf(config, name), systemClock),
    clock: systemClock,
    limits: { ...MONITOR_LIMITS, everyMs, windowMs },
    isWanted: group => filter.matches(group),
    isMine,
    onRound,
  })
}
