// The Cluster port over real brokers, Kafka 3.3 and later. Connects at once, so that a wrong address, a wrong password
// or a broker that is too old is said where the cluster is named, and refuses to go on when the same addresses lead to
// another cluster later.
import { invariant, KdrError } from '../model/errors.ts'
import type { Clock } from '../ports/clock.ts'
import type { Cluster, ClusterView } from '../ports/cluster.ts'
import type { HealthReader } from '../ports/health.ts'
import type { Mender } from '../ports/mend.ts'
import type { ProbeWriter } from '../ports/probe.ts'
import * as admin from './admin.ts'
import type { Address, SaslOptions } from './connection.ts'
import type { ClusterContext } from './context.ts'
import { openClosestLane } from './closest-lane.ts'
import { ClosestReplicas } from './closest-replicas.ts'
import { Coordinators } from './coordinators.ts'
import { readLogDirs } from './disks.ts'
import { mender } from './mend.ts'
import { openFetchSession } from './fetch-session.ts'
import * as groups from './groups.ts'
import { GroupLanes } from './group-lanes.ts'
import { healthReader } from './health.ts'
import { openAppendLane, openFetchLane } from './lanes.ts'
import * as logs from './logs.ts'
import { type Described, readMetadata, readTopicsById } from './metadata.ts'
import { readTransactions } from './open-transactions.ts'
import { BrokerPool } from './pool.ts'
import { probeWriter } from './probe.ts'
import { rightsAdmin } from './rights.ts'
import { tlsReader, type TlsSettings } from './tls.ts'
import { openSlotGroup } from './slot-group.ts'
import * as transactions from './transactions.ts'

/** For a group's coordinator that moves or loads: thousands of others may wait for the same caller. */
const GROUP_PATIENCE_MS = 5_000

export type ClusterOptions = {
  /** The cluster's name in the config. */
  readonly name: string
  /** `host:port`, separated by commas, or as a list; an IPv6 host stands in brackets. */
  readonly bootstrap: string | readonly string[]
  readonly clientId: string
  readonly clock: Clock
  /** That of whoever reads: records then come from the closest replica. */
  readonly rack?: string | undefined
  readonly tls?: TlsSettings | undefined
  readonly sasl?: SaslOptions | undefined
  /** For one broker to accept a connection, TLS and SASL included. */
  readonly connectTimeoutMs?: number
  /** For one answer; an append lane's must be longer than the broker may wait for its followers. */
  readonly requestTimeoutMs?: number
}

/** A real one can also be looked at whole, mended and probed, as `kdr check` does. */
export type KafkaCluster = Cluster & {
  readonly health: HealthReader
  readonly mend: Mender
  readonly probe: ProbeWriter
}

/** Throws KdrError: unreachable, not-allowed, cluster-lacks, or config-invalid for an address that is none. */
export async function connectCluster(options: ClusterOptions): Promise<KafkaCluster> {
  const requestTimeoutMs = options.requestTimeoutMs ?? 30_000
  const connectTimeoutMs = options.connectTimeoutMs ?? 5_000
  const { name, clientId, tls, sasl } = options
  const pool = new BrokerPool(
    {
      cluster: name,
      clientId,
      tls: tls === undefined ? undefined : tlsReader(name, tls),
      sasl,
      connectTimeoutMs,
      requestTimeoutMs,
    },
    parseBootstrap(name, options.bootstrap),
  )
  let latest: Described | undefined
  const describe = async (): Promise<ClusterView> => {
    const described = await pool.askAny(async connection => await readMetadata(connection, latest))
    if (latest !== undefined) refuseAnother(name, latest.view.clusterId, described.view.clusterId)
    latest = described
    pool.learn(described.view)
    return described.view
  }
  const known = (): Described => {
    invariant(latest !== undefined, 'a cluster is used before it was described', { name })
    return latest
  }
  try {
    await describe()
  } catch (error) {
    await pool.close()
    throw error
  }
  const view = () => known().view
  const controller = () => known().controller
  const context = { name, pool, clock: options.clock, requestTimeoutMs, view, controller, describe }
  return assemble(context, options.rack)
}

function assemble(context: ClusterContext, rack: string | undefined): KafkaCluster {
  const replicas = new ClosestReplicas(context.clock, topics => admin.readTopicConfigs(context, topics))
  const lanes = new GroupLanes(context.pool)
  const groupCoordinators = new Coordinators(context, 'group', {
    use: async (broker, ask) => await lanes.use(broker, ask),
    patienceMs: GROUP_PATIENCE_MS,
  })
  const groupOffsets = new groups.GroupOffsetReader(groupCoordinators)
  const topicConfigs = new admin.TopicConfigWriter(context)
  const transactionCoordinators = new Coordinators(context, 'transaction')
  return {
    name: context.name,
    describe: context.describe,
    topicsById: ids => context.pool.askAny(connection => readTopicsById(connection, ids)),
    topicConfigs: (topics, names) => admin.readTopicConfigs(context, topics, names),
    brokerConfigs: names => admin.readBrokerConfigs(context, names),
    logDirs: () => readLogDirs(context),
    createTopics: topics => admin.createTopics(context, topics),
    addPartitions: (topic, totalCount) => admin.addPartitions(context, topic, totalCount),
    alterTopicConfigs: (topic, changes) => topicConfigs.alter(topic, changes),
    deleteRecords: targets => logs.deleteRecords(context, targets),
    deleteTopic: (topic, id) => admin.deleteTopic(context, topic, id),
    openFetchLane: broker =>
      rack === undefined
        ? openFetchLane(context, broker)
        : openClosestLane(context, broker, { rack, replicas }),
    openFetchSession: broker => openFetchSession(context, broker),
    offsets: (partitions, point) => logs.readOffsets(context, partitions, point),
    offsetsForTime: partitions => logs.readOffsetsForTime(context, partitions),
    epochEnds: partitions => logs.readEpochEnds(context, partitions),
    transactionsOf: ids => readTransactions(context, transactionCoordinators, ids),
    producers: partitions => logs.readProducers(context, partitions),
    openAppendLane: broker => openAppendLane(context, broker),
    mayWriteMarkers: () => transactions.mayWriteMarkers(context),
    writeMarkers: (broker, producer, fills) => transactions.writeMarkers(context, broker, producer, fills),
    slotGroup: group => openSlotGroup(context, group),
    initProducer: transactionalId => transactions.initProducer(transactionCoordinators, transactionalId),
    emptyTransaction: (producer, partitions) =>
      transactions.emptyTransaction(transactionCoordinators, producer, partitions),
    listGroups: () => groups.listGroups(context),
    groupOffsets: names => groupOffsets.read(names),
    commitGroupOffsets: (group, offsets) => groups.commitGroupOffsets(groupCoordinators, group, offsets),
    deleteGroupOffsets: (group, partitions) =>
      groups.deleteGroupOffsets(groupCoordinators, group, partitions),
    deleteGroup: group => groups.deleteGroup(groupCoordinators, group),
    ...rightsAdmin(context),
    health: healthReader(context),
    mend: mender(context),
    probe: probeWriter(context),
    close: () => context.pool.close(),
  }
}

function refuseAnother(name: string, before: string, now: string): void {
  if (before === now) return
  throw new KdrError('wrong-cluster', `cluster "${name}" was "${before}" and is now another one, "${now}"`)
}

export function parseBootstrap(name: string, bootstrap: string | readonly string[]): Address[] {
  const texts = (typeof bootstrap === 'string' ? bootstrap.split(',') : bootstrap).map(text => text.trim())
  return texts
    .filter(text => text !== '')
    .map(text => {
      const found = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
      const port = Number(found?.[3])
      const host = found?.[1] ?? found?.[2]
      if (host !== undefined && port > 0 && port < 65_536) return { host, port }
      throw new KdrError('config-invalid', `cluster "${name}": "${text}" is not an address`, {
        hint: 'Write it as `host:port`, for example `broker-1.example.com:9092`.',
      })
    })
}
