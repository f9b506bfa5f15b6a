// Looks at one cluster, and only reads. It never fails as a whole: what cannot be seen is a part of what was seen.
import { findKdrError } from '../../model/errors.ts'
import { codeName, KafkaCode, lackingRight } from '../../model/kafka-codes.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Cluster, ClusterView, SeenTransactions } from '../../ports/cluster.ts'
import type { HealthReader } from '../../ports/health.ts'
import type { Quota } from '../../ports/rights.ts'
import { type ClusterSight, listed, type NotSeen, type RightsSight, TOPIC_CONFIGS } from './observation.ts'

export type Observed = Pick<Cluster, 'name' | 'describe' | 'topicConfigs' | 'logDirs' | 'transactionsOf'> & {
  readonly health: HealthReader
}

export async function observeCluster(
  cluster: Observed,
  { at, clock }: { readonly at: string; readonly clock: Clock },
): Promise<ClusterSight> {
  const notSeen: NotSeen[] = []
  const see = async <T>(what: string, look: () => Promise<T>): Promise<T | undefined> =>
    await seeing(notSeen, what, look)
  const view = await seeing(notSeen, 'topics', async () => await cluster.describe())
  if (view === undefined) return { name: cluster.name, dark: notSeen[0]?.why ?? 'no answer' }
  const names = [...view.topics.keys()]
  const [topicConfigs, health, logDirs, quorum, partitionBytes, transactions] = await Promise.all([
    see(TOPIC_CONFIGS, async () => await cluster.topicConfigs(names)),
    see('the brokers', async () => await cluster.health.brokers()),
    see('disks', async () => await cluster.logDirs()),
    see('the controllers', async () => await cluster.health.quorum()),
    see('sizes of partitions', async () => await cluster.health.partitionBytes()),
    see('transactions', async () => await openTransactions(cluster, view)),
  ])
  if (quorum !== undefined && quorum.code !== KafkaCode.NONE)
    notSeen.push({ what: 'the controllers', why: refusedBy(quorum.code, 'DESCRIBE on the cluster') })
  for (const { broker, code } of logDirs ?? [])
    if (code !== KafkaCode.NONE && code !== KafkaCode.KAFKA_STORAGE_ERROR)
      notSeen.push({ what: `disks of broker ${broker}`, why: refusedBy(code, 'DESCRIBE on the cluster') })
  if (transactions?.isComplete === false)
    notSeen.push({
      what: 'some transactions',
      why: 'they are not shown to kdr (kdr needs DESCRIBE on all transactional ids)',
    })
  const hidden = await see('topics', async () => await hiddenTopics(cluster, view, partitionBytes))
  if (hidden !== undefined && hidden.length > 0)
    notSeen.push({
      what: `topic ${listed(hidden)}`,
      why: 'brokers hold it and do not show it to kdr (kdr needs DESCRIBE on it)',
    })
  return {
    name: cluster.name,
    at,
    now: clock.now(),
    brokers: view.brokers,
    topics: view.topics,
    topicConfigs: new Map(
      [...(topicConfigs ?? [])].flatMap(([topic, { code, entries }]) =>
        code === KafkaCode.NONE ? [[topic, entries] as const] : [],
      ),
    ),
    health: health ?? [],
    logDirs: logDirs ?? [],
    quorum: quorum?.quorum,
    partitionBytes,
    transactions: transactions?.transactions ?? [],
    notSeen,
  }
}

/** What a broker says when it does not allow something, and which right that takes. */
const refusedBy = (code: number, right: string): string => `${codeName(code)}${lackingRight(code, right)}`

/**
 * Metadata leaves out what kdr may not see, without a word; the disks of the brokers do not. Topics come and go between two looks: only
 * one that is missing still, and whose configs are not those of a topic that nobody has, is hidden.
 */
async function hiddenTopics(
  cluster: Observed,
  { topics }: ClusterView,
  partitionBytes: ReadonlyMap<string, number> | undefined,
): Promise<string[]> {
  const onDisks = new Set([...(partitionBytes?.keys() ?? [])].map(key => key.slice(0, key.lastIndexOf('/'))))
  const missing = [...onDisks].filter(topic => !topics.has(topic))
  if (missing.length === 0) return []
  const now = await cluster.describe()
  const still = missing.filter(topic => !now.topics.has(topic)).toSorted()
  const asked = await cluster.topicConfigs(still)
  return still.filter(topic => asked.get(topic)?.code !== KafkaCode.UNKNOWN_TOPIC_OR_PARTITION)
}

const TRANSACTIONS = '__transaction_state'
const NONE: SeenTransactions = { isComplete: true, transactions: [] }

/** Whoever asks for a coordinator makes the topic where there is none; and where there is none, nobody ever had a transaction. */
async function openTransactions(cluster: Observed, { topics }: ClusterView): Promise<SeenTransactions> {
  if (!topics.has(TRANSACTIONS)) {
    // One that kdr may not see is left out of the metadata; where nobody says more, it is asked for as if it were there.
    const asked = await seeing([], '', async () => await cluster.topicConfigs([TRANSACTIONS]))
    if (asked?.get(TRANSACTIONS)?.code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION) return NONE
  }
  return await cluster.transactionsOf('under way')
}

async function seeing<T>(notSeen: NotSeen[], what: string, look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look()
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined) throw error
    notSeen.push({ what, why: known.message })
    return undefined
  }
}

export type ObservedRights = Pick<Cluster, 'describeAcls' | 'describeQuotas' | 'describeScramUsers'>

export async function observeRights(cluster: ObservedRights): Promise<RightsSight> {
  const notSeen: NotSeen[] = []
  const read = async <A extends { readonly code: number }>(
    what: string,
    right: string,
    look: () => Promise<A>,
  ): Promise<A | undefined> => {
    const answer = await seeing(notSeen, what, look)
    if (answer === undefined || answer.code === KafkaCode.NONE) return answer
    // Without an authorizer there are no rules.
    if (answer.code !== KafkaCode.SECURITY_DISABLED)
      notSeen.push({ what, why: refusedBy(answer.code, right) })
    return answer.code === KafkaCode.SECURITY_DISABLED ? answer : undefined
  }
  const acls = await read('ACLs', 'DESCRIBE on the cluster', async () => await cluster.describeAcls())
  const quotas = await read(
    'quotas',
    'DESCRIBE_CONFIGS on the cluster',
    async () => await cluster.describeQuotas(),
  )
  const users = await read('users', 'DESCRIBE on the cluster', async () => await cluster.describeScramUsers())
  return {
    acls: acls?.rules,
    quotas: quotas?.quotas.flatMap(quotaLines).toSorted(),
    users: users?.users.map(({ name, mechanisms }) => `${name} (${mechanisms.toSorted().join(', ')})`),
    notSeen,
  }
}

function quotaLines({ entity, values }: Quota): string[] {
  const whose = entity
    .map(({ type, name }) => `${type}=${name ?? '<default>'}`)
    .toSorted()
    .join(',')
  return Object.entries(values).map(([key, value]) => `${whose} ${key}=${value}`)
}
