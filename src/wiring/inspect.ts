// For `kdr init --from`: looks at a cluster and changes nothing. What it may not see is a value, with the right that would show it: a
// proposal from half a picture is still of use when it says which half.

import type { ClusterConfig, InspectedCluster, InspectedTopic, Unseen } from '../config/index.ts'
import { findKdrError } from '../model/errors.ts'
import { codeName, KafkaCode } from '../model/kafka-codes.ts'
import type { Clock } from '../ports/clock.ts'
import type { Cluster, TopicView } from '../ports/cluster.ts'
import { openCluster } from './clusters.ts'

export type Inspectable = Pick<
  Cluster,
  'describe' | 'topicConfigs' | 'brokerConfigs' | 'listGroups' | 'describeAcls' | 'describeScramUsers'
>

/** Of a broker: what new topics get there, and whether they come by themselves. */
const DEFAULTS = ['min.insync.replicas', 'auto.create.topics.enable']

/** Throws KdrError: unreachable, not-allowed, cluster-lacks. */
export async function inspectCluster(config: ClusterConfig, clock: Clock): Promise<InspectedCluster> {
  const cluster = await openCluster(config, clock)
  try {
    return await observeCluster(cluster)
  } finally {
    await cluster.close()
  }
}

export async function observeCluster(cluster: Inspectable): Promise<InspectedCluster> {
  const view = await cluster.describe()
  const unseen: Unseen[] = []
  /** What it finds, or nothing and a line about it. */
  const look = async <T>(what: string, needs: string, ask: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await ask()
    } catch (error) {
      const known = findKdrError(error)
      if (known === undefined) throw error
      unseen.push({ what, why: known.message, needs })
      return undefined
    }
  }
  const views = [...view.topics.values()].filter(topic => !topic.isInternal)
  const topics = await look('topic configs', 'DESCRIBE_CONFIGS on the topics', async () => {
    const seen = await observeTopics(cluster, views)
    const [refused] = seen.refused
    if (refused !== undefined)
      unseen.push({
        what: `configs of ${seen.refused.length} of ${views.length} topics`,
        why: refused,
        needs: 'DESCRIBE_CONFIGS on the topics',
      })
    return seen.topics
  })
  const defaults = await look(
    "the brokers' configs",
    'DESCRIBE_CONFIGS on the cluster',
    async () => await cluster.brokerConfigs(DEFAULTS),
  )
  const groups = await look('groups', 'DESCRIBE on the groups', async () => await cluster.listGroups())
  const acls = await look('ACLs', 'DESCRIBE on the cluster', async () => await cluster.describeAcls())
  const hasAuthorizer = acls?.code !== KafkaCode.SECURITY_DISABLED
  if (acls !== undefined && acls.code !== KafkaCode.NONE && hasAuthorizer)
    unseen.push({ what: 'ACLs', why: codeName(acls.code), needs: 'DESCRIBE on the cluster' })
  const users = await look(
    'SCRAM users',
    'DESCRIBE on the cluster',
    async () => await cluster.describeScramUsers(),
  )
  if (users !== undefined && users.code !== KafkaCode.NONE)
    unseen.push({ what: 'SCRAM users', why: codeName(users.code), needs: 'DESCRIBE on the cluster' })
  return {
    clusterId: view.clusterId,
    brokers: view.brokers.length,
    racks: [...new Set(view.brokers.flatMap(({ rack }) => (rack === undefined ? [] : [rack])))].toSorted(),
    topics: topics ?? views.map(topic => topicOf(topic, undefined)),
    groups: (groups ?? []).map(({ group, type }) => ({ group, type })),
    users: (users?.users ?? []).map(({ name }) => name).toSorted(),
    defaults: Object.fromEntries(defaults ?? []),
    hasAuthorizer,
    unseen,
  }
}

/** `refused`: why, for each whose configs were not shown. */
async function observeTopics(
  cluster: Inspectable,
  views: readonly TopicView[],
): Promise<{ readonly topics: InspectedTopic[]; readonly refused: readonly string[] }> {
  const configs = await cluster.topicConfigs(views.map(({ name }) => name))
  const refused: string[] = []
  const topics = views.map(view => {
    const found = configs.get(view.name)
    const code = found?.code ?? KafkaCode.UNKNOWN_SERVER_ERROR
    if (code === KafkaCode.NONE) return topicOf(view, found)
    refused.push(codeName(code))
    return topicOf(view, undefined)
  })
  return { topics, refused }
}

type Found = Awaited<ReturnType<Inspectable['topicConfigs']>> extends Map<string, infer Of> ? Of : never

function topicOf({ name, partitions }: TopicView, found: Found | undefined): InspectedTopic {
  const entries = [...(found?.entries ?? [])].flatMap(([key, { value, isOverride, isSensitive }]) =>
    value !== null && !isSensitive && (isOverride || key === 'cleanup.policy') ? [[key, value] as const] : [],
  )
  return {
    name,
    partitions: partitions.length,
    replicationFactor: partitions[0]?.replicas.length,
    configs: found === undefined ? undefined : Object.fromEntries(entries),
  }
}
