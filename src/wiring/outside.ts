// The world of a run beside the two clusters: the operator's commands, an application's credentials, the ways of `redirect:`.
import type { Config } from '../config/index.ts'
import type { RunRecord } from '../model/runs.ts'
import type { RunFacts } from '../ports/outside.ts'
import { clusterOf } from './clusters.ts'

export { commandsOf, redirectsOf } from './redirects.ts'
export { ownPrincipals } from './rights.ts'
export { openWriterProbe } from './writer-probe.ts'

export function factsOf(config: Config, record: RunRecord): RunFacts {
  const { run, kind, link, active, standby, generation } = record
  return {
    run,
    kind,
    link,
    active,
    standby,
    bootstrap: clusterOf(config, standby).bootstrap.join(','),
    generation: generation + 1,
  }
}
