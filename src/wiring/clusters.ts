// From a cluster of the config to a connected one. Secrets are read at each use.

import type { ClusterConfig, Config, LinkConfig, SaslConfig, SecretRef, TlsConfig } from '../config/index.ts'
import { type ClusterOptions, connectCluster, type KafkaCluster } from '../kafka/cluster.ts'
import type { SaslOptions } from '../kafka/connection.ts'
import type { TlsSettings } from '../kafka/tls.ts'
import { findKdrError, invariant, KdrError } from '../model/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Cluster } from '../ports/cluster.ts'

export const CLIENT_ID = 'kdr'
/** The engine lets a broker wait 5 s for its followers: an answer later than this will not come. */
const REQUEST_TIMEOUT_MS = 15_000

/** The caller closes it. */
export async function openCluster(config: ClusterConfig, clock: Clock): Promise<KafkaCluster> {
  return await connectCluster(await optionsOf(config, clock))
}

export async function optionsOf(config: ClusterConfig, clock: Clock): Promise<ClusterOptions> {
  return {
    name: config.name,
    bootstrap: config.bootstrap,
    clientId: CLIENT_ID,
    clock,
    rack: config.rack,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    tls: config.tls === undefined ? undefined : tlsOf(config.tls),
    sasl: config.sasl === undefined ? undefined : saslOf(config.sasl),
  }
}

export function clusterOf(config: Config, name: string): ClusterConfig {
  const cluster = config.clusters[name]
  invariant(cluster !== undefined, 'a link names a cluster that the config does not have', { name })
  return cluster
}

/** Both sides of a link, or none: when one cannot be opened, the other is closed again. The caller closes them. */
export async function openBoth(
  config: Config,
  link: LinkConfig,
  clock: Clock,
): Promise<{ readonly source: Cluster; readonly target: Cluster }> {
  const [source, target] = await Promise.allSettled([
    openCluster(clusterOf(config, link.source), clock),
    openCluster(clusterOf(config, link.target), clock),
  ])
  if (source.status === 'fulfilled' && target.status === 'fulfilled')
    return { source: source.value, target: target.value }
  for (const each of [source, target]) if (each.status === 'fulfilled') await each.value.close()
  throw [source, target].find(each => each.status === 'rejected')?.reason
}

function tlsOf({ ca, cert, key, serverName, minVersion }: TlsConfig): TlsSettings {
  return {
    serverName,
    minVersion: minVersion === undefined ? undefined : `TLSv${minVersion}`,
    read: async () => ({ ca: await ca?.read(), cert: await cert?.read(), key: await key?.read() }),
  }
}

function saslOf(sasl: SaslConfig): SaslOptions {
  if (sasl.mechanism === 'OAUTHBEARER') return { mechanism: sasl.mechanism, token: again(sasl.token) }
  return { mechanism: sasl.mechanism, username: sasl.username, password: again(sasl.password) }
}

/**
 * What could be read once is expected to be readable again: a secret that is away for a moment (it is being replaced, whoever gives
 * tokens is away) is no mistake in the config, and is tried again as any refused login is.
 */
function again(secret: SecretRef): () => Promise<string> {
  let wasRead = false
  return async () => {
    try {
      const value = await secret.read()
      wasRead = true
      return value
    } catch (error) {
      const known = findKdrError(error)
      if (!wasRead || known === undefined) throw error
      throw new KdrError('not-allowed', known.message, { hint: known.hint, cause: error })
    }
  }
}
