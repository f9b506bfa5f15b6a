// What `kdr run` serves, where the config has a `server:`. Read from what the process knows; of the vaults a little more is read, now
// and then.
import type { Config } from '../../config/index.ts'
import type { Log } from '../../ports/log.ts'
import type { App } from '../app.ts'
import type { Alerting } from './alerting/alerting.ts'
import { apiOf } from './api.ts'
import type { Checks } from './checks.ts'
import type { KeptCheck } from './kept-check.ts'
import { MetricsGatherer } from './metrics/gather.ts'
import { EventLoopDelay } from './metrics/process.ts'
import type { RunClusters } from './clusters.ts'
import type { RunLinks } from './links.ts'
import type { RunSets } from './sets.ts'
import type { VaultLooks } from './vault-looks.ts'

export type Watched = {
  readonly links: RunLinks
  readonly sets: RunSets
  readonly vaults: VaultLooks
  readonly alerting: Alerting
  readonly clusters: RunClusters
  readonly checks: Pick<Checks, 'sight'>
  /** The one that everybody gets. */
  readonly check: () => Promise<KeptCheck>
  /** All links of the config run, or have said why not. */
  readonly isStarted: () => boolean
}

/** Undefined: nothing is to be served. */
export async function startServer(
  app: App,
  config: Config,
  { links, sets, vaults, clusters, checks, check, alerting, isStarted, log }: Watched & { readonly log: Log },
): Promise<{ close(): Promise<void> } | undefined> {
  const { server } = config
  if (server === undefined) return undefined
  const gatherer = new MetricsGatherer()
  const delay = new EventLoopDelay()
  const served = {
    api: apiOf(app, {
      path: config.path,
      clusters: () => clusters.seen(),
      alerts: () => alerting.active,
      check,
    }),
    metrics: async (): Promise<string> => {
      // As they were read last, like the links that are held against them.
      const { plans, objectives } = links.config ?? config
      return gatherer.text({
        version: app.version,
        delay: delay.counts(),
        wanted: links.wanted,
        links: links.all(),
        plans,
        objectives,
        sets: sets.all(),
        vaults: await vaults.atFirst(),
        clusters: clusters.seen(),
        check: checks.sight,
        now: app.clock.now(),
        level: server.perPartition ? 'partition' : 'topic',
      })
    },
    notReady: (): string | undefined => {
      if (!isStarted()) return 'starting'
      const unseen = [
        ...sets.all().flatMap(({ set, sight }) => (sight.isSeen ? [] : [`set "${set.name}"`])),
        ...clusters
          .seen()
          .flatMap(({ name, seenAt, problem }) =>
            seenAt > 0 || problem !== undefined ? [] : [`cluster "${name}"`],
          ),
      ]
      return unseen.length === 0 ? undefined : `not looked at yet: ${unseen.join(', ')}`
    },
  }
  const serving = await app.services.serve({ listen: server.listen, token: server.token, served, log })
  delay.start()
  return {
    close: async () => {
      delay.stop()
      await serving.close()
    },
  }
}
