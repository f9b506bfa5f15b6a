// From a cluster of the config to a connected one. Secrets are handed over as functions, read at each use.
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import type { ClusterConfig, Config, SaslConfig, TlsConfig } from '../config/index.ts'
import { resolveSecret } from '../config/index.ts'
import { invariant } from '../model/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Cluster } from '../ports/cluster.ts'

/** The produce timeout of the engine is 5 s: an answer later than this will not come. */
const REQUEST_TIMEOUT_MS = 15_000

/** Throws KdrError: unreachable, not-allowed, cluster-lacks, config-invalid (a secret that cannot be read). */
export async function connectFromConfig(config: Config, name: string, clock: Clock): Promise<Cluster> {
  const cluster = config.clusters[name]
  invariant(cluster !== undefined, 'a link names a cluster that the config does not have', { name })
  return await connectCluster(cluster, clock)
}

async function connectCluster(cluster: ClusterConfig, clock: Clock): Promise<Cluster> {
  const kafka = await import('../kafka/cluster.ts')
  return await kafka.connectCluster({
    name: cluster.name,
    bootstrap: cluster.bootstrap,
    clientId: 'kdr',
    clock,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    ...(cluster.tls === undefined ? {} : { tls: await readTls(cluster.tls) }),
    ...(cluster.sasl === undefined ? {} : { sasl: saslOptions(cluster.sasl) }),
  })
}

async function readTls({ ca, cert, key }: TlsConfig): Promise<TlsOptions> {
  const [caText, certText, keyText] = await Promise.all(
    [ca, cert, key].map(async reference =>
      reference === undefined ? undefined : await resolveSecret(reference),
    ),
  )
  return {
    ...(caText === undefined ? {} : { ca: caText }),
    ...(certText === undefined ? {} : { cert: certText }),
    ...(keyText === undefined ? {} : { key: keyText }),
  }
}

function saslOptions(sasl: SaslConfig) {
  if (sasl.mechanism === 'OAUTHBEARER') {
    return { mechanism: sasl.mechanism, token: async () => await resolveSecret(sasl.token) } as const
  }
  const { mechanism, username, password } = sasl
  return { mechanism, username, password: async () => await resolveSecret(password) } as const
}
