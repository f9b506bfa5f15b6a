// Links and sets as `kdr run` sees them while it is asked for its metrics, without any cluster.
import type { Gathered } from '../../src/cli/run/metrics/gather.ts'
import type { KeptCheck } from '../../src/cli/run/kept-check.ts'
import type { RunningLink } from '../../src/cli/app.ts'
import type { FollowedSet } from '../../src/cli/app-vault.ts'
import type { LinkConfig, PlanConfig } from '../../src/config/index.ts'
import type { CheckReport } from '../../src/engine/check/check.ts'
import type { WatchedCluster } from '../../src/engine/monitor/sight.ts'
import type { PartitionProgress } from '../../src/engine/replicate/replication.ts'
import { Durations } from '../../src/model/durations.ts'
import type { LinkFacts, Traffic, WholeLink } from '../../src/model/link-facts.ts'

export const NOW = Date.parse('2026-01-31T12:00:00Z')

const timed = (...ms: number[]) => {
  const durations = new Durations()
  for (const each of ms) durations.observe(each)
  return durations.counts()
}

export const partition = (
  topic: string,
  number: number,
  of: Partial<PartitionProgress> = {},
): PartitionProgress => ({
  topic,
  partition: number,
  state: 'mirroring',
  cursor: 100,
  isAnchored: true,
  logStart: 0,
  sourceEnd: 100,
  lagRecords: 0,
  lagMs: 0,
  records: 90,
  bytes: 9_000,
  offsets: { records: 90, markers: 10, aborted: 0, compacted: 0, seeded: 0, lost: 0, uncounted: 0 },
  ...of,
})

export const traffic = (cluster: string, of: Partial<Traffic> = {}): Traffic => ({
  cluster,
  connections: { fetch: 1, watch: 1, append: 0 },
  fetches: timed(4, 30),
  appends: timed(),
  fetchedBytes: 9_000,
  closestBytes: 0,
  restMs: 250,
  batches: 0,
  failures: 0,
  ...of,
})

export const whole = (of: Partial<WholeLink> = {}): WholeLink => ({
  generation: 3,
  workers: 2,
  lagRecords: 7,
  lagMs: 1_500,
  isLagKnown: true,
  sourceSeenAt: NOW - 500,
  lost: { offsets: 12, ranges: 1 },
  groups: [{ state: 'synced' }, { state: 'clamped', reason: 'behind' }],
  groupsAt: NOW - 4_000,
  ...of,
})

export const runningLink = (
  name: string,
  partitions: readonly PartitionProgress[],
  facts: Partial<LinkFacts> = {},
): RunningLink => {
  const link = { name, source: 'east', target: 'west' } as LinkConfig
  return {
    link,
    progress: () => [...partitions],
    facts: () => ({
      slots: 64,
      slotsHeld: 32,
      traffic: [traffic('east'), traffic('west', { batches: 5, appends: timed(2) })],
      whole: whole(),
      ...facts,
    }),
    view: () => ({ partitions: [...partitions], controllers: 1 }),
    alerts: () => [],
    keepAlerts: () => Promise.resolve(),
    objectiveDays: () => new Map(),
    keepObjectiveDay: () => Promise.resolve(),
    failed: new Promise<never>(() => undefined),
    movedAway: new Promise<void>(() => undefined),
    once: () => Promise.reject(new Error('not asked for')),
    follow: () => undefined,
    stop: () => Promise.resolve(),
  }
}

export const followedSet = (name: string): FollowedSet => ({
  set: {
    name,
    cluster: 'east',
    vault: 'main',
    topics: ['*'],
    every: { text: '15m', schedule: { kind: 'interval', ms: 900_000 } },
    keepDays: 35,
  },
  keptAlerts: [],
  keepAlerts: () => Promise.resolve(),
  sight: {
    isSeen: true,
    newest: { number: 7, at: NOW - 60_000 },
    isAtWork: false,
    failure: undefined,
    commits: 2,
    failures: 1,
    bytesRead: 5_000,
    bytesStored: 2_000,
  },
  upkeep: {
    isAtWork: false,
    problems: 0,
    failure: undefined,
    verifications: 1,
    prunes: 1,
    deletedBytes: 700,
  },
  run: () => Promise.resolve(),
})

/** One of whose three brokers is away. */
export const watchedCluster = (name: string, of: Partial<WatchedCluster> = {}): WatchedCluster => ({
  name,
  seenAt: NOW - 1_000,
  partitions: {
    topics: 3,
    partitions: 9,
    offline: 1,
    underReplicated: 4,
    underMinIsr: 2,
    notPreferred: 5,
    brokersMissing: [3],
    troubled: [
      { topic: 'orders', partitions: 3, offline: 1, underReplicated: 4, underMinIsr: 2, notPreferred: 0 },
    ],
  },
  brokers: [
    { broker: 1, isThere: true, freeShare: 0.25, logDirsOffline: 0 },
    { broker: 3, isThere: false },
  ],
  controllers: { leader: 1, voters: 3, votersBehind: [3] },
  groupsAt: NOW - 1_000,
  groups: [
    {
      group: 'app',
      state: 'stalled',
      hasMembers: true,
      lagRecords: 90,
      lagMs: 60_000,
      isLagAtLeast: false,
      partitions: 3,
      worst: { topic: 'orders', partition: 1, state: 'stalled', committed: 10, end: 100 },
    },
  ],
  groupsUnwatched: 0,
  notSeen: [{ what: 'disks', why: 'CLUSTER_AUTHORIZATION_FAILED' }],
  ...of,
})

/** A check that has found these, all of them warnings but for what is named as `C012 error`. */
export const keptCheckOf = (...ids: readonly string[]): KeptCheck => {
  const findings = ids.map(each => {
    const [id = '', severity = 'warning'] = each.split(' ')
    return { id, severity }
  })
  const has = (wanted: string): boolean => findings.some(({ severity }) => severity === wanted)
  const ready = has('error') ? 'NOT READY' : has('warning') ? 'AT RISK' : 'READY'
  return { report: { ready, findings } as unknown as CheckReport, at: NOW - 30_000 }
}

export const gathered = (of: Partial<Gathered> = {}): Gathered => ({
  version: '1.2.3',
  delay: timed(0.5),
  wanted: (of.links ?? []).map(({ link }) => link),
  links: [],
  plans: {},
  objectives: [],
  sets: [],
  vaults: new Map(),
  clusters: [],
  check: undefined,
  now: NOW,
  level: 'topic',
  ...of,
})

export const plan = (links: readonly string[], rpoMs: number): PlanConfig =>
  ({ name: 'region', links, objectives: { rpoMs } }) as PlanConfig

/** One of everything: each metric of the table has something to say. */
export function fullWorld(): Gathered {
  const headroom = {
    ms: 90_000,
    basis: 'age',
    isAtMost: false,
    limitMs: 1,
    isGrowing: false,
    at: NOW,
  } as const
  const link = runningLink('east-west', [
    partition('orders', 0, { lagRecords: 5, lagMs: 1_500, sourceEnd: 105, headroom }),
    partition('orders', 1, { lagRecords: 2, lagMs: 200, sourceEnd: 102, records: 10, bytes: 500 }),
    partition('audit', 0, { state: 'faulted', reason: 'foreign-write', sentence: 'somebody writes' }),
  ])
  const vault = {
    name: 'all',
    cluster: 'east',
    vault: 'main',
    state: 'current',
    sentence: '',
    every: '15m',
    lastCommit: 7,
    at: new Date(NOW - 60_000).toISOString(),
    ageMs: 60_000,
    objectiveMs: 900_000,
    verifiedAt: new Date(NOW - 3_600_000).toISOString(),
    verifyEveryMs: null,
    prune: null,
    bytes: 123_456,
    objects: 3,
  } as const
  return gathered({
    links: [link],
    wanted: [link.link, { ...link.link, name: 'other' }],
    plans: { region: plan(['east-west'], 30_000) },
    sets: [followedSet('all')],
    vaults: new Map([['all', vault]]),
    clusters: [watchedCluster('east')],
    check: { everyMs: 3_600_000, last: keptCheckOf('C012'), isFailing: false },
  })
}
