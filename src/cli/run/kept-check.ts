// The whole `kdr check` as `kdr run` knows it, for whoever asks: it asks every broker and reads the newest commit of every set, so for a
// minute everybody gets the same one, and one is under way at a time.
import type { CheckReport } from '../../engine/check/check.ts'
import type { App } from '../app.ts'

const KEPT_MS = 60_000

/** `at`: when it was had, ms since 1970. */
export type KeptCheck = { readonly report: CheckReport; readonly at: number }

/** By the config as it stands then. Rejects as `services.check` and `loadConfig` do; a failure is not kept. */
export function keptCheck(app: App, path: string): () => Promise<KeptCheck> {
  const { clock, signal } = app
  let last: (KeptCheck & { readonly until: number }) | undefined
  let current: Promise<KeptCheck> | undefined
  const look = async (): Promise<KeptCheck> => {
    const config = await app.loadConfig(path)
    const report = await app.services.check(config, {
      clusters: [],
      links: [],
      compare: undefined,
      producers: false,
      signal,
    })
    last = { report, at: clock.now(), until: clock.monotonic() + KEPT_MS }
    return last
  }
  return async () => {
    if (last !== undefined && clock.monotonic() < last.until) return last
    current ??= look().finally(() => {
      current = undefined
    })
    return await current
  }
}
