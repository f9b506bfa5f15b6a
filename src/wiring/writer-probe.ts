// From `fence.probe` of a link to a probe of one of its clusters: the cluster's addresses and certificates, an application's login.
import type { Config, LinkConfig, SaslConfig } from '../config/index.ts'
import { writerProbe } from '../kafka/writer-probe.ts'
import type { WriterProbe } from '../ports/outside.ts'
import { clusterOf, optionsOf } from './clusters.ts'
import { systemClock } from './system.ts'

/** Undefined: the link has no `fence.probe`. Connects at the first probe, so that a cluster that is dark holds nothing up. */
export async function openWriterProbe(
  config: Config,
  link: LinkConfig,
  clusterName: string,
): Promise<WriterProbe | undefined> {
  const sasl = link.fence.probe
  if (sasl === undefined) return undefined
  return writerProbe(
    principalOf(sasl),
    await optionsOf({ ...clusterOf(config, clusterName), sasl }, systemClock),
  )
}

/** A token says itself whose it is, in a way that only the brokers know. */
function principalOf(sasl: SaslConfig): string {
  return 'username' in sasl ? `User:${sasl.username}` : 'the principal of `fence.probe`'
}
