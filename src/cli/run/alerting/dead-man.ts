// A request every so often, as long as this process lives: one that cannot look at its alerts any more ends. Whoever is called notices when
// it is called no more.
import type { AlertsConfig } from '../../../config/config.ts'
import { findKdrError } from '../../../model/errors.ts'
import type { Log } from '../../../ports/log.ts'
import type { App } from '../../app.ts'

/** Without one in the config: how soon it is looked whether there is one. */
const LOOK_EVERY_MS = 10_000

export type DeadManOptions = {
  readonly deadMan: () => AlertsConfig['deadMan']
  readonly log: Log
  readonly signal: AbortSignal
}

/** Until `signal` aborts. Throws only what is a bug. */
export async function keepCalling(
  { services, clock }: Pick<App, 'services' | 'clock'>,
  { deadMan, log, signal }: DeadManOptions,
): Promise<void> {
  let isFailing = false
  while (!signal.aborted) {
    const settings = deadMan()
    if (settings !== undefined) {
      try {
        await services.alertChannels.request(settings.url)
        if (isFailing) log.event('info', 'the dead man is called again')
        isFailing = false
      } catch (error) {
        const known = findKdrError(error)
        if (known === undefined) throw error
        if (!isFailing) log.event('error', `the dead man cannot be called: ${known.message}; trying again`)
        isFailing = true
      }
    }
    await clock.sleep(settings?.everyMs ?? LOOK_EVERY_MS, signal)
  }
}
