// The clusters that `kdr run` watches: all of the config. One that a link names is watched by whoever does the control work of the link
// (slot 0): otherwise each of many workers would ask, and say, the same.
import { isSameWatch, type WatchSnapshot, watchSnapshotsOf } from '../../config/same.ts'
import type { WatchedCluster } from '../../engine/monitor/sight.ts'
import type { App } from '../app.ts'
import type { ClusterWatch } from '../app-watch.ts'
import { Followers, type FollowersOptions } from './followers.ts'
import type { RunLinks } from './links.ts'
import { changesOf } from './watch-words.ts'

/** A look that hangs is left alone: it has changed nothing. */
const STOP_WAITS_MS = 2_000

export type RunClustersOptions = FollowersOptions & { readonly links: RunLinks }

export class RunClusters extends Followers<WatchSnapshot, ClusterWatch> {
  constructor(app: App, { links, ...options }: RunClustersOptions) {
    const { log } = options
    super(app, options, {
      noun: 'cluster',
      wanted: watchSnapshotsOf,
      nameOf: ({ cluster }) => cluster.name,
      isSame: isSameWatch,
      start: async ({ config, cluster: { name } }) => {
        let before: WatchedCluster | undefined
        return await app.services.watchCluster(config, name, {
          isMine: () => isOurs(links, name),
          onRound: seen => {
            for (const { level, message, ...facts } of changesOf(before, seen))
              log.event(level, message, { cluster: name, ...facts })
            before = seen
          },
        })
      },
      words: {
        started: () => 'is watched',
        gone: 'is not watched any more',
        refused: 'cannot be watched',
      },
      stopWaitsMs: STOP_WAITS_MS,
    })
  }

  /** Those that this process watches. */
  seen(): WatchedCluster[] {
    return this.all().flatMap(({ sight }) => sight ?? [])
  }
}

/**
 * Where no links run here, as with `--only monitor`, all are. So are those of a link that should run here and does not: perhaps it is the
 * cluster that is dark, and nobody else looks.
 */
function isOurs(links: RunLinks, cluster: string): boolean {
  const names = ({ source, target }: { readonly source: string; readonly target: string }): boolean =>
    source === cluster || target === cluster
  const all = links.all()
  const here = new Set(all.map(({ link }) => link.name))
  const wanted = links.wanted.filter(names)
  if (wanted.length === 0 || wanted.some(({ name }) => !here.has(name))) return true
  return all.some(running => names(running.link) && running.facts().whole !== undefined)
}
