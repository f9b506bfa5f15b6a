// From a cluster of the config to a connected one. Secrets are read at each use.

import type { ConnectionOptions } from 'node:tls'
import type {
  ClusterConfig,
  Config,
  InspectedCluster,
  LinkConfig,
  SaslConfig,
  TlsConfig,
} from '../config/index.ts'
import { type ClusterOptions, connectCluster } from '../kafka/cluster.ts'
import type { SaslOptions } from '../kafka/connection.ts'
import { invariant } from '../model/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Cluster } from '../ports/cluster.ts'

export const CLIENT_ID = 'kdr'
/** The engine lets a broker wait 5 s for its followers: an answer later than this will not come. */
const REQUEST_TIMEOUT_MS = 15_000

/** Secrets are read now for TLS, and for SASL at each connection. The caller closes it. */
export async function openCluster(config: ClusterConfig, clock: Clock): Promise<Cluster> {
  return await connectCluster(await optionsOf(config, clock))
}

export async function optionsOf(config: ClusterConfig, clock: Clock): Promise<ClusterOptions> {
  return {
    name: config.name,
    bootstrap: config.bootstrap,
    clientId: CLIENT_ID,
    clock,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    tls: config.tls === undefined ? undefined : await tlsOf(config.tls),
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

/** For `kdr init --from`: what a cluster holds, asked without credentials, as there is no config yet. */
export async function inspectCluster(bootstrap: string, clock: Clock): Promise<InspectedCluster> {
  const cluster = await connectCluster({ name: bootstrap, bootstrap, clientId: CLIENT_ID, clock })
  try {
    const view = await cluster.describe()
    const topics = [...view.topics.values()].filter(topic => !topic.isInternal)
    return {
      clusterId: view.clusterId,
      topics: topics.map(({ name, partitions }) => ({ name, partitions: partitions.length })),
    }
  } finally {
    await cluster.close()
  }
}

async function tlsOf({ ca, cert, key }: TlsConfig): Promise<ConnectionOptions> {
  return {
    ...(ca !== undefined && { ca: await ca.read() }),
    ...(cert !== undefined && { cert: await cert.read() }),
    ...(key !== undefined && { key: await key.read() }),
  }
}

function saslOf(sasl: SaslConfig): SaslOptions {
  if (sasl.mechanism === 'OAUTHBEARER') return { mechanism: sasl.mechanism, token: () => sasl.token.read() }
  return { mechanism: sasl.mechanism, username: sasl.username, password: () => sasl.password.read() }
}
