// kdr run --once --only backups: one commit of each set. One that fails stops no other.
import { KdrError } from '../../model/errors.ts'
import { type App, writeJson } from '../app.ts'
import { commitText } from '../backup/backup.ts'
import { type Failure, failureOf } from '../failure.ts'
import { styleOf } from '../table.ts'

type Made = Record<string, unknown> & { readonly set: string; readonly error?: Failure }

export async function backUpOnce(
  app: App,
  {
    path,
    isJson,
    timeoutMs,
  }: { readonly path: string; readonly isJson: boolean; readonly timeoutMs: number | undefined },
): Promise<void> {
  const config = await app.loadConfig(path)
  const names = Object.keys(config.sets)
  if (names.length === 0)
    throw new KdrError('config-invalid', `${path} has no sets`, { hint: 'Add one under `sets:`.' })
  const signal = timeoutMs === undefined ? app.signal : AbortSignal.any([app.signal, lapsed(app, timeoutMs)])
  const style = styleOf(app.stdout, app.env)
  const made: Made[] = []
  for (const name of names) {
    const startedAt = app.clock.monotonic()
    try {
      const result = await app.services.withSet(
        config,
        name,
        async set => await set.backUp({ signal, onProgress: () => undefined }),
      )
      const ms = Math.round(app.clock.monotonic() - startedAt)
      if (result.notes.some(({ kind }) => kind === 'unread')) app.exit = 3
      made.push({ set: name, ...result, ms })
      if (!isJson) app.stdout.write(commitText(name, { ...result, ms }, style))
    } catch (error) {
      if (signal.aborted) throw error
      const failure = failureOf(error, signal)
      // A bug is no matter of one set.
      if (failure.code === 'unexpected') throw error
      made.push({ set: name, error: failure })
      if (app.exit === 0 || app.exit === 3) app.exit = failure.exit
      if (!isJson) app.stderr.write(`${style.red('✗')} set "${name}": ${failure.message}\n`)
    }
  }
  if (isJson) writeJson(app, { sets: made })
}

function lapsed(app: App, timeoutMs: number): AbortSignal {
  const over = new AbortController()
  void app.clock
    .sleep(timeoutMs, app.signal)
    .then(() => over.abort(new KdrError('timed-out', `not done after ${timeoutMs / 1_000} s`)))
  return over.signal
}
