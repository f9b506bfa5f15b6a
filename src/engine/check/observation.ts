// What `kdr check` has seen, as plain data: the rules decide on it alone. What could not be seen is part of it.
import type { Severity } from '../../model/findings.ts'
import type { AclRule } from '../../model/rights.ts'
import type { BrokerView, ConfigEntry, LogDirView, TopicView, TransactionView } from '../../ports/cluster.ts'
import type { BrokerHealth, QuorumView } from '../../ports/health.ts'

/** A cluster that did not answer; nothing else is known of it. */
export type DarkCluster = { readonly name: string; readonly dark: string }

/** `what`: `the ACLs`; `why`: one sentence. `severity`: where it is graver than that nobody knows of a part. */
export type NotSeen = { readonly what: string; readonly why: string; readonly severity?: Severity }

/** Said in `notSeen` when none could be asked for. */
export const TOPIC_CONFIGS = 'topic configs'

export type SeenCluster = {
  readonly name: string
  readonly dark?: undefined
  /** For Kafka's own tools: `--bootstrap-server ADDRESS`, with a login where one is needed. */
  readonly at: string
  /** ms since 1970. */
  readonly now: number
  readonly brokers: readonly BrokerView[]
  readonly topics: ReadonlyMap<string, TopicView>
  /** Of the topics whose configs kdr may see. */
  readonly topicConfigs: ReadonlyMap<string, ReadonlyMap<string, ConfigEntry>>
  readonly health: readonly BrokerHealth[]
  readonly logDirs: readonly LogDirView[]
  /** Undefined: see `notSeen`. */
  readonly quorum: QuorumView | undefined
  /** By `topic/partition`: the largest replica. Undefined: see `notSeen`. */
  readonly partitionBytes: ReadonlyMap<string, number> | undefined
  /** Those under way that kdr may see. */
  readonly transactions: readonly TransactionView[]
  readonly notSeen: readonly NotSeen[]
}

export type ClusterSight = DarkCluster | SeenCluster

/** Of both sides of `--compare`: undefined where it could not be asked. */
export type RightsSight = {
  readonly acls: readonly AclRule[] | undefined
  /** A line each: `user=app producer_byte_rate=1000`. */
  readonly quotas: readonly string[] | undefined
  readonly users: readonly string[] | undefined
  readonly notSeen: readonly NotSeen[]
}

/** What is asked of a topic: replicas, and how many of them must be in sync. */
export type Wish = { readonly replicas: number; readonly inSync: number }

const WISH: Wish = { replicas: 3, inSync: 2 }

/** Brokers that the cluster has, or had a short while ago: of one that is away, its replicas remain. */
export function knownBrokers({
  brokers,
  topics,
}: Pick<SeenCluster, 'brokers' | 'topics'>): ReadonlySet<number> {
  const known = new Set(brokers.map(({ id }) => id))
  for (const { partitions } of topics.values())
    for (const { replicas } of partitions) for (const id of replicas) known.add(id)
  return known
}

/** Three replicas of which two are in sync; where there are fewer brokers, what so many can give. */
export function wishFor(cluster: Pick<SeenCluster, 'brokers' | 'topics'>): Wish {
  const brokers = knownBrokers(cluster).size
  return brokers >= WISH.replicas ? WISH : { replicas: Math.max(1, brokers), inSync: 1 }
}

export const clusterAt = (cluster: Pick<SeenCluster, 'name'>): string => `cluster:${cluster.name}`
export const topicAt = (cluster: Pick<SeenCluster, 'name'>, topic: string): string =>
  `cluster:${cluster.name} topic:${topic}`

/** What Kafka and kdr keep for themselves. */
export const isInternal = ({ name, isInternal: isKafkas }: Pick<TopicView, 'name' | 'isInternal'>): boolean =>
  isKafkas || name.startsWith('__') || name.startsWith('_kdr.')

/** Of a number of things, the first few. */
export function listed(names: readonly (string | number)[], shown = 8): string {
  const rest = names.length - shown
  const first = names.slice(0, shown).join(', ')
  return rest > 0 ? `${first} and ${rest} more` : first
}

export const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`
