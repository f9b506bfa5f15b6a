// What `kdr run` answers under /api/: the objects that commands print with --json, as of the moment of the request and by the config as it
// stands then. Whoever asks while somebody else's answer is on its way gets that one: looks cost both clusters something. A check asks
// every broker and every vault: for a minute everybody gets the same one, with its age.
import type { ApiPart } from '../../api/contract.ts'
import { type ApiAnswer, OPENAPI_PATH, type Served } from '../../api/server.ts'
import type { CheckReport } from '../../engine/check/check.ts'
import type { Config } from '../../config/index.ts'
import type { WatchedCluster } from '../../engine/monitor/sight.ts'
import { type App, jsonText } from '../app.ts'
import { shownReport } from '../check/report-json.ts'
import { failureOf } from '../failure.ts'
import { knownRuns } from '../move/known-runs.ts'
import { readObjectives } from '../status/objectives.ts'
import { readStatuses, type Statuses } from '../status/status.ts'
import type { ShownAlert } from './alerting/alerting.ts'
import { shownAlert } from './alerting/shown.ts'

const CHECK_KEPT_MS = 60_000

type Look = () => Promise<Readonly<Record<string, unknown>>>

/** What this process knows itself; nobody is asked for it. `clusters`: as they were seen last. */
type Known = {
  readonly clusters: () => readonly WatchedCluster[]
  readonly alerts: () => readonly ShownAlert[]
}

/** `path`: of the config. */
export function apiOf(app: App, path: string, known: Known): Served['api'] {
  const config = async () => await app.loadConfig(path)
  const check = kept(app, CHECK_KEPT_MS, async () => await wholeCheck(app, path))
  const parts: Readonly<Record<ApiPart, Look>> = {
    clusters: () => Promise.resolve({ clusters: known.clusters().map(clusterObject) }),
    alerts: () => Promise.resolve({ alerts: known.alerts().map(shownAlert) }),
    status: async () => await statuses(app, await config()),
    runs: async () => await knownRuns(app, await config()),
    check: async () => {
      const { value, at } = await check()
      const ageMs = Math.max(0, app.clock.now() - at)
      return { checkedAt: new Date(at).toISOString(), ageMs, ...shownReport(value) }
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

const wholeCheck = async (app: App, path: string): Promise<CheckReport> =>
  await app.services.check(await app.loadConfig(path), {
    clusters: [],
    links: [],
    compare: undefined,
    producers: false,
    signal: app.signal,
  })

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

/** What it was last, for so long after it was had; a failure is not kept. `at`: when it was had, ms since 1970. */
function kept<T>(
  { clock }: Pick<App, 'clock'>,
  keptMs: number,
  act: () => Promise<T>,
): () => Promise<{ readonly value: T; readonly at: number }> {
  let last: { readonly value: T; readonly at: number; readonly until: number } | undefined
  return async () => {
    if (last === undefined || clock.monotonic() >= last.until) {
      const value = await act()
      last = { value, at: clock.now(), until: clock.monotonic() + keptMs }
    }
    return last
  }
}
