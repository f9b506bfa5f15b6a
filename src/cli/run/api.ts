// What `kdr run` answers under /api/: the objects that commands print with --json, as of the moment of the request and by the config as it
// stands then. Whoever asks while somebody else's answer is on its way gets that one: looks cost both clusters something.
import type { ApiAnswer, Served } from '../../api/server.ts'
import { type App, jsonText } from '../app.ts'
import { failureOf } from '../failure.ts'
import { readStatuses } from '../status/status.ts'

/** `path`: of the config. */
export function apiOf(app: App, path: string): Served['api'] {
  return new Map([
    [
      'status',
      shared(
        async () => await answered(app, async () => await readStatuses(app, await app.loadConfig(path))),
      ),
    ],
    [
      'runs',
      shared(
        async () =>
          await answered(app, async () => ({
            runs: await app.services.listRuns(await app.loadConfig(path)),
          })),
      ),
    ],
  ])
}

async function answered(
  app: App,
  look: () => Promise<Readonly<Record<string, unknown>>>,
): Promise<ApiAnswer> {
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
