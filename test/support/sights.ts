// Healthy clusters as `kdr check` sees them, for tests that change one thing.
import type { SeenCluster } from '../../src/engine/check/observation.ts'
import type { LinkSight } from '../../src/engine/check/rules/links.ts'
import type { SetSight } from '../../src/engine/check/rules/sets.ts'
import type { ConfigEntry, TopicView } from '../../src/ports/cluster.ts'
import type { BrokerHealth } from '../../src/ports/health.ts'

export const NOW = Date.parse('2026-06-01T12:00:00Z')

export type TopicSpec = {
  /** A list of brokers for each partition; the first leads unless `leaders` says otherwise. */
  readonly replicas?: readonly (readonly number[])[]
  readonly isr?: readonly (readonly number[])[]
  readonly leaders?: readonly number[]
  readonly configs?: Readonly<Record<string, string>>
  /** Whether its configs may be seen. */
  readonly isOpen?: boolean
}

export const entry = (value: string, isOverride = true): ConfigEntry => ({
  value,
  isOverride,
  isReadOnly: false,
  isSensitive: false,
})

const DEFAULTS = { 'min.insync.replicas': '2', 'unclean.leader.election.enable': 'false' }

export function topicOf(name: string, spec: TopicSpec = {}): TopicView {
  const { replicas = [[1, 2, 3]], isr = replicas, leaders = replicas.map(([first = -1]) => first) } = spec
  return {
    name,
    id: `id-${name}`,
    isInternal: name.startsWith('__'),
    partitions: replicas.map((ids, partition) => ({
      partition,
      leader: leaders[partition] ?? -1,
      leaderEpoch: 0,
      replicas: ids,
      isr: isr[partition] ?? [],
    })),
  }
}

export function health(broker: number, configs: Readonly<Record<string, string>> = {}): BrokerHealth {
  const all = {
    'auto.create.topics.enable': 'false',
    'default.replication.factor': '3',
    'min.insync.replicas': '2',
    'offsets.retention.minutes': '10080',
    'offsets.topic.replication.factor': '3',
    'transaction.state.log.replication.factor': '3',
    'transaction.state.log.min.isr': '2',
    'num.io.threads': '8',
    ...configs,
  }
  return {
    broker,
    unreachable: undefined,
    configs: new Map(Object.entries(all).map(([name, value]) => [name, { value, from: 'file' }])),
    features: [{ name: 'metadata.version', level: 29, highest: 29 }],
    speaks: '0:9-13',
    certificates: [],
  }
}

export type ClusterSpec = {
  readonly name?: string
  readonly brokers?: readonly number[]
  readonly racks?: Readonly<Record<number, string>>
  readonly topics?: Readonly<Record<string, TopicSpec>>
}

/** Three brokers in three racks, one topic. */
export function clusterOf(spec: ClusterSpec = {}, changes: Partial<SeenCluster> = {}): SeenCluster {
  const {
    name = 'east',
    brokers = [1, 2, 3],
    racks = { 1: 'a', 2: 'b', 3: 'c' },
    topics = { orders: {} },
  } = spec
  const volume = { code: 0, path: '/data', totalBytes: 100e9, usableBytes: 60e9 }
  return {
    name,
    at: `--bootstrap-server ${name}:9092`,
    now: NOW,
    brokers: brokers.map(id => ({ id, host: `${name}-${id}`, port: 9092, rack: racks[id] })),
    topics: new Map(Object.entries(topics).map(([topic, each]) => [topic, topicOf(topic, each)])),
    topicConfigs: new Map(
      Object.entries(topics).flatMap(([topic, { configs = {}, isOpen = true }]) =>
        isOpen
          ? [
              [
                topic,
                new Map([
                  ...Object.entries(DEFAULTS).map(([key, value]) => [key, entry(value, false)] as const),
                  ...Object.entries(configs).map(([key, value]) => [key, entry(value)] as const),
                ]),
              ] as const,
            ]
          : [],
      ),
    ),
    health: brokers.map(id => health(id)),
    logDirs: brokers.map(broker => ({ broker, ...volume })),
    quorum: {
      leader: 1,
      highWatermark: 100,
      voters: [1, 2, 3].map(id => ({ id, logEnd: 100, caughtUpAt: NOW - 500 })),
    },
    partitionBytes: new Map(),
    transactions: [],
    notSeen: [],
    ...changes,
  }
}

/** One that mirrors, with nothing behind. */
export function linkOf(
  changes: Partial<LinkSight['status']> = {},
  sight: Partial<LinkSight> = {},
): LinkSight {
  return {
    status: {
      name: 'ew',
      source: 'east',
      target: 'west',
      state: 'mirroring',
      sentence: '1 topic(s), 1 partition(s), nothing behind',
      rpoMs: 200,
      workers: [{ id: 'w1' }],
      topics: [{ name: 'orders', partitions: [{ partition: 0, state: 'mirroring' }] }],
      groups: [],
      acls: { state: 'followed' },
      quotas: { state: 'followed', different: [] },
      users: { state: 'followed', missing: [], missingCount: 0 },
      warnings: [],
      ...changes,
    },
    stale: [],
    rpoObjectiveMs: 30_000,
    groupsMs: 5_000,
    sourceAt: '--bootstrap-server east:9092',
    ...sight,
  }
}

const HOUR_MS = 3_600_000

/** One that is current and was verified yesterday. */
export function setOf(changes: Partial<SetSight['status']> = {}, sight: Partial<SetSight> = {}): SetSight {
  return {
    status: {
      name: 'all',
      cluster: 'east',
      vault: 'main',
      state: 'current',
      sentence: 'the newest commit is 20',
      every: '1h',
      lastCommit: 20,
      at: new Date(NOW - HOUR_MS).toISOString(),
      ageMs: HOUR_MS,
      objectiveMs: 2 * HOUR_MS,
      verifiedAt: new Date(NOW - 24 * HOUR_MS).toISOString(),
      verifyEveryMs: null,
      prune: null,
      bytes: 1_000,
      objects: 10,
      ...changes,
    },
    now: NOW,
    problems: [],
    lock: undefined,
    ...sight,
  }
}
