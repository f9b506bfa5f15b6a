// What `kdr run` serves, where the config has a `server:`. Read from what the process knows; of the vaults a little more is read, now
// and then.
import type { Config } from '../../config/index.ts'
import type { SetStatus } from '../../model/set-status.ts'
import type { Log } from '../../ports/log.ts'
import type { App } from '../app.ts'
import { apiOf } from './api.ts'
import { MetricsGatherer } from './metrics/gather.ts'
import { EventLoopDelay } from './metrics/process.ts'
import type { RunLinks } from './links.ts'
import type { RunSets } from './sets.ts'

/** When a set was verified, and how large it is, takes many requests to a bucket. */
const VAULT_EVERY_MS = 300_000

export type Watched = {
  readonly links: RunLinks
  readonly sets: RunSets
  /** All links of the config run, or have said why not. */
  readonly isStarted: () => boolean
}

/** Undefined: nothing is to be served. */
export async function startServer(
  app: App,
  config: Config,
  { links, sets, isStarted, log }: Watched & { readonly log: Log },
): Promise<{ close(): Promise<void> } | undefined> {
  const { server } = config
  if (server === undefined) return undefined
  const vaults = new Map<string, SetStatus>()
  let reading: Promise<void> | undefined
  let readAt = Number.NEGATIVE_INFINITY
  const gatherer = new MetricsGatherer()
  const delay = new EventLoopDelay()
  const readVaults = async (): Promise<void> => {
    for (const { config: its, set } of sets.snapshots())
      vaults.set(set.name, await app.services.readSetStatus(its, set))
  }
  const served = {
    api: apiOf(app, config.path),
    metrics: async (): Promise<string> => {
      const now = app.clock.monotonic()
      if (reading === undefined && now - readAt >= VAULT_EVERY_MS) {
        readAt = now
        reading = readVaults().finally(() => {
          reading = undefined
        })
      }
      // The first time there would be nothing else to say; later nobody waits for a vault.
      if (vaults.size === 0) await reading
      else reading?.catch((error: unknown) => log.event('error', String(error)))
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
        vaults,
        now: app.clock.now(),
        level: server.perPartition ? 'partition' : 'topic',
      })
    },
    notReady: (): string | undefined => {
      if (!isStarted()) return 'starting'
      const unseen = sets.all().filter(({ sight }) => !sight.isSeen)
      return unseen.length === 0
        ? undefined
        : `not looked at yet: ${unseen.map(({ set }) => `set "${set.name}"`).join(', ')}`
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
