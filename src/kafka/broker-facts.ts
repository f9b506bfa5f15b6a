// What the brokers of a cluster say of themselves, for whoever looks for what is wrong: which there are, and which versions of Kafka's
// features and APIs each has. One that does not answer is a value.
import { apiVersionsV3 } from '@platformatic/kafka'
import { findKdrError } from '../model/errors.ts'
import type { ClusterView } from '../ports/cluster.ts'
import type { ClusterOptions } from './cluster.ts'
import { BrokerConnection, type ConnectionSettings } from './connection.ts'
import { tlsReader } from './tls.ts'
import { APIS } from './versions.ts'

export type BrokerFacts = { readonly id: number; readonly host: string; readonly port: number } & (
  | {
      /** `metadata.version` tells which Kafka the cluster runs as. */
      readonly features: Readonly<Record<string, number>>
      /** Of the APIs that kdr needs: the range that the broker has. */
      readonly apis: Readonly<Record<string, string>>
    }
  | { readonly problem: string }
)

type Broker = ClusterView['brokers'][number]

export async function readBrokerFacts(
  { name, clientId, tls, sasl }: ClusterOptions,
  brokers: readonly Broker[],
): Promise<BrokerFacts[]> {
  const settings = {
    cluster: name,
    clientId,
    tls: tls === undefined ? undefined : tlsReader(name, tls),
    sasl,
    connectTimeoutMs: 5_000,
    requestTimeoutMs: 10_000,
  }
  return await Promise.all(brokers.map(async broker => await readOne(settings, broker)))
}

async function readOne(settings: ConnectionSettings, { id, host, port }: Broker): Promise<BrokerFacts> {
  try {
    const connection = await BrokerConnection.open(settings, { host, port })
    try {
      const { apiKeys, finalizedFeatures = [] } = await connection.call(apiVersionsV3.api, 'kdr', '1')
      const ranges = new Map(apiKeys.map(each => [each.apiKey, `${each.minVersion} to ${each.maxVersion}`]))
      return {
        id,
        host,
        port,
        features: Object.fromEntries(finalizedFeatures.map(each => [each.name, each.maxVersionLevel])),
        apis: Object.fromEntries(
          Object.entries(APIS).map(([api, { key }]) => [api, ranges.get(key) ?? 'missing']),
        ),
      }
    } finally {
      await connection.close()
    }
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined) throw error
    return { id, host, port, problem: known.message }
  }
}
