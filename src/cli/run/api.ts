// What `kdr run` answers under /api/: the objects that commands print with --json, as of the moment of the request and by the config as it
// stands then. Whoever asks while somebody else's answer is on its way gets that one: looks cost both clusters something. A check is the
// one that is kept for everybody, with its age.
import type { ApiPart } from '../../api/contract/contract.ts'
import { type ApiAnswer, OPENAPI_PATH, type Served } from '../../api/server.ts'
import type { Config } from '../../config/index.ts'
import type { WatchedCluster } from '../../engine/monitor/sight.ts'
import { type App, jsonText } from '../app.ts'
import { shownReport } from '../check/report-json.ts'
import { failureOf } from '../failure.ts'
import { knownRuns } from '../move/known-runs.ts'
import type { KeptCheck } from './kept-check.ts'
import { readObjectives } from '../status/objectives.ts'
import { readStatuses, type Statuses } from '../status/status.ts'
import type { ShownAlert } from './alerting/alerting.ts'
import { shownAlert } from './alerting/shown.ts'

type Look = () => Promise<Readonly<Record<string, unknown>>>

export type ApiOptions = {
  /** Where the config is. */
  readonly path: string
  /** As they were seen last; nobody is asked for them. */
  readonly clusters: () => readonly WatchedCluster[]
  readonly alerts: () => readonly ShownAlert[]
  readonly check: () => Promise<KeptCheck>
}

export function apiOf(app: App, { path, clusters, alerts, check }: ApiOptions): Served['api'] {
  const config = async () => await app.loadConfig(path)
  const parts: Readonly<Record<ApiPart, Look>> = {
    clusters: () => Promise.resolve({ clusters: clusters().map(clusterObject) }),
    alerts: () => Promise.resolve({ alerts: alerts().map(shownAlert) }),
    status: async () => await statuses(app, await config()),
    runs: async () => await knownRuns(app, await config()),
    check: async () => {
      const { report, at } = await check()
      const ageMs = Math.max(0, app.clock.now() - at)
      return { checkedAt: new Date(at).toISOString(), ageMs, ...shownReport(report) }
    },
    objectives: async () => {
      const its = await config()
      return await readObjectives(app, its, await statuses(app, its))
    },
  }
  const document: Look = async () => (await import('../../api/openapi.ts')).openApi(app.version)
  return new Map([
    ...Object.entries(parts).map(
      ([name, look]) => [name, shared(async () => await answered(app, look))] as const,
    ),
    // It is no object of kdr, and has no version of one.
    [
      OPENAPI_PATH,
      async () => ({ status: 200, text: `${JSON.stringify(await document(), undefined, 2)}\n` }),
    ],
  ])
}

/** Of a config with nothing but clusters, which are watched, there is nothing to say. */
async function statuses(app: App, config: Config): Promise<Statuses> {
  const has = (part: object): boolean => Object.keys(part).length > 0
  return has(config.links) || has(config.sets) ? await readStatuses(app, config) : { links: [], sets: [] }
}

/** Times as people read them. */
const clusterObject = ({ seenAt, groupsAt, ...seen }: WatchedCluster) => ({
  ...seen,
  seenAt: timeOf(seenAt),
  groupsAt: timeOf(groupsAt),
})

const timeOf = (ms: number): string | null => (ms > 0 ? new Date(ms).toISOString() : null)

async function answered(app: App, look: Look): Promise<ApiAnswer> {
  try {
    return { status: 200, text: jsonText(await look()) }
  } catch (error) {
    const failure = failureOf(error, app.signal)
    return { status: failure.code === 'unexpected' ? 500 : 503, text: jsonText({ error: failure }) }
  }
}

function shared<T>(act: () => Promise<T>): () => Promise<T> {
  let current: Promise<T> | undefined
  return async () => {
    current ??= act().finally(() => {
      current = undefined
    })
    return await current
  }
}
