// The runs of all links and plans, and whose journal could not be read for them.
import type { Config } from '../../config/index.ts'
import type { RunSummary } from '../../model/runs.ts'
import type { App } from '../app.ts'

/** `silent`: clusters that do not answer; runs that only these know are missing. Left out when there is none. */
export type KnownRuns = { readonly runs: readonly RunSummary[]; readonly silent?: readonly string[] }

export async function knownRuns(app: App, config: Config): Promise<KnownRuns> {
  const silent: string[] = []
  const runs = await app.services.listRuns(config, cluster => silent.push(cluster))
  return silent.length === 0 ? { runs } : { runs, silent: silent.toSorted() }
}

export const silentSentence = (cluster: string): string =>
  `"${cluster}" does not answer: runs that only it knows are missing`
