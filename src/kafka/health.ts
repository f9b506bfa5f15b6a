// What `kdr check` asks (ports/health.ts). Each broker is asked for itself, all at once: one that hangs costs its time-out, and is
// said by name.
import { TLSSocket } from 'node:tls'
import { apiVersionsV3, describeConfigsV4, describeLogDirsV4, describeQuorumV1 } from '@platformatic/kafka'
import { findKdrError } from '../model/errors.ts'
import { codeName, KafkaCode, lackingRight } from '../model/kafka-codes.ts'
import type { Outcome } from '../ports/cluster.ts'
import type {
  BrokerConfig,
  BrokerHealth,
  CertificateView,
  FeatureView,
  HealthReader,
  QuorumView,
  Unseen,
} from '../ports/health.ts'
import type { BrokerConnection } from './connection.ts'
import { allDone, type ClusterContext, outcome } from './context.ts'

const BROKER = 4
/** DescribeConfigsResponse.ConfigSource; what is missing is Kafka's own default. */
const SOURCES: Readonly<Record<number, BrokerConfig['from']>> = {
  2: 'this-broker',
  3: 'all-brokers',
  4: 'file',
}
/** A chain that is longer goes round in circles. */
const CERTIFICATES = 10

export function healthReader(context: ClusterContext): HealthReader {
  const ids = (): number[] => context.view().brokers.map(({ id }) => id)
  return {
    brokers: async () => await allDone(ids().map(async broker => await lookAt(context, broker))),
    quorum: async () => await readQuorum(context),
    partitionBytes: async () => await readBytes(context, ids()),
  }
}

async function lookAt(context: ClusterContext, broker: number): Promise<BrokerHealth> {
  try {
    const connection = await context.pool.control(broker)
    const [configs, versions] = await Promise.all([
      unlessUnseen(async () => await readConfigs(connection, broker)),
      connection.call(apiVersionsV3.api, 'kdr', '1'),
    ])
    return {
      broker,
      unreachable: undefined,
      configs,
      features: featuresOf(versions),
      speaks: versions.apiKeys
        .map(({ apiKey, minVersion, maxVersion }) => `${apiKey}:${minVersion}-${maxVersion}`)
        .join(' '),
      certificates: connection.inSocket(certificatesOf),
    }
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined) throw error
    const unseen = { unseen: known.message }
    return {
      broker,
      unreachable: known.message,
      configs: unseen,
      features: unseen,
      speaks: '',
      certificates: [],
    }
  }
}

async function unlessUnseen<T>(look: () => Promise<T | Unseen>): Promise<T | Unseen> {
  try {
    return await look()
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined || known.code === 'unreachable') throw error
    return { unseen: known.message }
  }
}

async function readConfigs(
  connection: BrokerConnection,
  broker: number,
): Promise<ReadonlyMap<string, BrokerConfig> | Unseen> {
  connection.versions.need('DescribeConfigs')
  const resource = {
    resourceType: BROKER as typeof BROKER,
    resourceName: String(broker),
    configurationKeys: null,
  }
  const answer = await connection.call(describeConfigsV4.api, [resource], false, false)
  const refused = answer.results.find(({ errorCode }) => errorCode !== KafkaCode.NONE)
  const code = refused?.errorCode ?? KafkaCode.UNKNOWN_SERVER_ERROR
  if (refused !== undefined || answer.results.length === 0)
    return {
      unseen: `${connection.what} does not show its configs: ${codeName(code)}${lackingRight(code, 'DESCRIBE_CONFIGS on the cluster')}`,
    }
  return new Map(
    answer.results
      .flatMap(({ configs }) => configs)
      .filter(({ value, isSensitive }) => typeof value === 'string' && !isSensitive)
      .map(({ name, value, configSource }) => [
        name,
        { value: String(value), from: SOURCES[configSource] ?? 'nobody' },
      ]),
  )
}

type Versions = Awaited<ReturnType<typeof apiVersionsV3.api.async>>

function featuresOf({ supportedFeatures = [], finalizedFeatures = [] }: Versions): FeatureView[] {
  const levels = new Map(finalizedFeatures.map(({ name, maxVersionLevel }) => [name, maxVersionLevel]))
  return supportedFeatures.map(({ name, maxVersion }) => ({
    name,
    level: levels.get(name),
    highest: maxVersion,
  }))
}

export function certificatesOf(socket: unknown): CertificateView[] {
  if (!(socket instanceof TLSSocket)) return []
  const found: CertificateView[] = []
  const seen = new Set<string>()
  let at = socket.getPeerCertificate(true)
  while (at?.valid_to !== undefined && !seen.has(at.fingerprint256) && found.length < CERTIFICATES) {
    seen.add(at.fingerprint256)
    found.push({ subject: nameOf(at.subject), validUntil: Date.parse(at.valid_to) })
    at = at.issuerCertificate
  }
  return found
}

function nameOf(subject: Readonly<Record<string, string | string[] | undefined>> | undefined): string {
  const parts = subject ?? {}
  return String(parts['CN'] ?? parts['OU'] ?? parts['O'] ?? 'no name')
}

async function readQuorum(context: ClusterContext): Promise<Outcome & { readonly quorum?: QuorumView }> {
  const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }]
  const answer = await context.pool.askAny(async connection => {
    connection.versions.need('DescribeQuorum')
    return await connection.call(describeQuorumV1.api, topics)
  })
  const partition = answer.topics[0]?.partitions[0]
  const code = answer.errorCode === KafkaCode.NONE ? partition?.errorCode : answer.errorCode
  if (partition === undefined || code !== KafkaCode.NONE)
    return outcome(code ?? KafkaCode.UNKNOWN_SERVER_ERROR, answer.errorMessage)
  return {
    code: KafkaCode.NONE,
    quorum: {
      leader: partition.leaderId,
      highWatermark: Number(partition.highWatermark),
      voters: partition.currentVoters.map(voter => ({
        id: voter.replicaId,
        logEnd: Number(voter.logEndOffset),
        caughtUpAt: Number(voter.lastCaughtUpTimestamp),
      })),
    },
  }
}

async function readBytes(
  context: ClusterContext,
  brokers: readonly number[],
): Promise<ReadonlyMap<string, number>> {
  const largest = new Map<string, number>()
  const answers = await allDone(
    brokers.map(async broker => {
      const connection = await context.pool.control(broker)
      connection.versions.need('DescribeLogDirs')
      return await connection.call(describeLogDirsV4.api, null)
    }),
  )
  for (const { topics } of answers.flatMap(({ results }) => results))
    for (const { name, partitions } of topics)
      for (const { partitionIndex, partitionSize } of partitions) {
        const key = `${name}/${partitionIndex}`
        largest.set(key, Math.max(largest.get(key) ?? 0, Number(partitionSize)))
      }
  return largest
}
