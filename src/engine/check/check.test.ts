// Each rule as a row: a healthy world with one thing changed, and exactly the findings that follow. The healthy world has none.
// long: because the last test holds the rows against the whole table of findings: none may be without one.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  clusterOf,
  type ClusterSpec,
  health,
  linkOf,
  NOW,
  setOf,
  type TopicSpec,
} from '../../../test/support/sights.ts'
import { type Finding, FINDINGS } from '../../model/findings.ts'
import type { BrokerHealth } from '../../ports/health.ts'
import { type CheckedCluster, type CheckInput, judge } from './check.ts'
import { type ClusterSight, knownBrokers, type SeenCluster } from './observation.ts'
import type { CrowdedPartition } from './producers.ts'
import type { MirrorFacts } from './rules/drift.ts'

const checked = (sight: ClusterSight, changes: Partial<CheckedCluster> = {}): CheckedCluster => ({
  sight,
  rpoMs: 60_000,
  rack: undefined,
  certificates: [],
  sets: [],
  isMirror: () => false,
  ...changes,
})

const input = (changes: Partial<CheckInput> = {}): CheckInput => ({
  clusters: [checked(clusterOf())],
  links: [linkOf()],
  drifts: [],
  sets: [setOf()],
  compared: undefined,
  notSeen: [],
  accepts: [],
  now: NOW,
  isWhole: true,
  ...changes,
})

/** `C012 error cluster:east topic:orders`. */
const shown = ({ id, severity, where }: Finding): string => `${id} ${severity} ${where}`
const found = (changes: Partial<CheckInput>): string[] => judge(input(changes)).findings.map(shown)
const inCluster = (spec: ClusterSpec, changes: Partial<SeenCluster> = {}): string[] =>
  found({ clusters: [checked(clusterOf(spec, changes))] })

const told = new Set<string>()
const row = (name: string, see: () => readonly string[], expected: readonly string[]): void => {
  for (const each of expected) told.add(each.slice(0, 4))
  test(`${name}: ${expected.length === 0 ? 'nothing' : expected.map(each => each.slice(0, 4)).join(', ')}`, () => {
    assert.deepEqual(see(), expected)
  })
}

test('all is well', () => {
  const report = judge(input())
  assert.deepEqual([report.ready, report.findings, report.moves], ['READY', [], {}])
})

describe('topics', () => {
  const of = (name: string, spec: TopicSpec, expected: readonly string[], topic = 'orders') =>
    row(name, () => inCluster({ topics: { [topic]: spec } }), expected)
  const at = 'cluster:east topic:orders'
  of('one replica', { replicas: [[1]], configs: { 'min.insync.replicas': '1' } }, [`C012 error ${at}`])
  of('two replicas', { replicas: [[1, 2]], configs: { 'min.insync.replicas': '1' } }, [`C012 warning ${at}`])
  of('one in sync is enough', { configs: { 'min.insync.replicas': '1' } }, [`C013 warning ${at}`])
  of('all must be in sync', { configs: { 'min.insync.replicas': '3' } }, [`C014 warning ${at}`])
  of('more than there are', { configs: { 'min.insync.replicas': '4' } }, [`C015 warning ${at}`])
  of('unclean elections', { configs: { 'unclean.leader.election.enable': 'true' } }, [`C017 error ${at}`])
  of('a replica lags', { isr: [[1, 2]] }, [`C016 warning ${at}`])
  of('too few in sync', { isr: [[1]] }, [`C011 error ${at}`])
  of('nobody leads', { isr: [[1]], leaders: [-1] }, [`C010 error ${at}`])
  of('another one leads', { leaders: [2] }, ['C018 info cluster:east'])
  of('not the preferred one, which is not in sync', { leaders: [2], isr: [[2, 3]] }, [`C016 warning ${at}`])
  of(
    'offsets of groups with one replica',
    { replicas: [[1]], configs: { 'min.insync.replicas': '1' } },
    ['C020 error cluster:east topic:__consumer_offsets'],
    '__consumer_offsets',
  )
  of('configs that may not be seen', { isOpen: false }, ['C002 warning cluster:east'])
  row(
    'two brokers, as safe as two can be',
    () =>
      inCluster(
        {
          brokers: [1, 2],
          topics: { orders: { replicas: [[1, 2]], configs: { 'min.insync.replicas': '1' } } },
        },
        {
          quorum: undefined,
          health: [1, 2].map(id =>
            health(id, {
              'offsets.topic.replication.factor': '2',
              'transaction.state.log.replication.factor': '2',
            }),
          ),
        },
      ),
    ['C003 warning cluster:east'],
  )
})

describe('brokers', () => {
  const at = 'cluster:east'
  const healthOf = (broker: number, changes: Partial<BrokerHealth>): BrokerHealth[] =>
    [1, 2, 3].map(id => ({ ...health(id), ...(id === broker && changes) }))
  const configured = (configs: Record<string, string>): BrokerHealth[] =>
    [1, 2, 3].map(id => health(id, configs))
  const of = (
    name: string,
    changes: Partial<SeenCluster>,
    expected: readonly string[],
    spec: ClusterSpec = {},
  ) => row(name, () => inCluster(spec, changes), expected)
  row('a cluster that is dark', () => found({ clusters: [checked({ name: 'east', dark: 'no answer' })] }), [
    `C001 error ${at}`,
  ])
  of('a broker away: what follows is said once', {}, [`C004 error ${at} broker:3`], {
    brokers: [1, 2],
    topics: { orders: { replicas: [[1, 2, 3]], isr: [[1, 2]] } },
  })
  of(
    'a broker that hangs',
    { health: healthOf(2, { unreachable: 'no answer in time', configs: { unseen: 'x' } }) },
    [`C005 error ${at} broker:2`],
  )
  of('configs hidden', { health: healthOf(2, { configs: { unseen: 'CLUSTER_AUTHORIZATION_FAILED' } }) }, [
    `C002 warning ${at}`,
  ])
  of('the rest hidden', { notSeen: [{ what: 'disks', why: 'no' }] }, [`C002 warning ${at}`])
  of('topics by mistake', { health: configured({ 'auto.create.topics.enable': 'true' }) }, [
    `C022 warning ${at}`,
  ])
  of('offsets forgotten', { health: configured({ 'offsets.retention.minutes': '1440' }) }, [
    `C023 warning ${at}`,
  ])
  of('weak defaults', { health: configured({ 'default.replication.factor': '1' }) }, [`C024 warning ${at}`])
  of('unclean by default', { health: configured({ 'unclean.leader.election.enable': 'true' }) }, [
    `C025 warning ${at}`,
  ])
  const groups = 'config:offsets.topic.replication.factor'
  of(
    'internal topics to come, too weak',
    { health: configured({ 'offsets.topic.replication.factor': '1' }) },
    [`C021 warning ${at} ${groups}`],
  )
  of(
    'internal topics that cannot come',
    { health: configured({ 'offsets.topic.replication.factor': '5' }) },
    [`C021 error ${at} ${groups}`],
  )
  of(
    'internal topics that are there already',
    { health: configured({ 'offsets.topic.replication.factor': '1' }) },
    [],
    {
      topics: { __consumer_offsets: {} },
    },
  )
  of('one is set otherwise', { health: [health(1), health(2, { 'num.io.threads': '4' }), health(3)] }, [
    `C030 warning ${at} config:num.io.threads`,
  ])
  of('each has its own address', { health: [1, 2, 3].map(id => health(id, { listeners: `x:${id}` })) }, [])
  of('versions', { health: healthOf(2, { speaks: '0:9-12' }) }, [`C031 warning ${at}`])
  const level = [{ name: 'metadata.version', level: 27, highest: 29 }]
  of('an upgrade half done', { health: [1, 2, 3].map(id => ({ ...health(id), features: level })) }, [
    `C032 info ${at}`,
  ])
  of(
    'one broker does not know the new level',
    { health: healthOf(1, { features: level.map(each => ({ ...each, highest: 27 })) }) },
    [],
  )
  const volume = { broker: 1, code: 0, path: '/d', totalBytes: 100, usableBytes: 10 }
  of('a disk lost', { logDirs: [{ ...volume, code: 56, totalBytes: -1, usableBytes: -1 }] }, [
    `C033 error ${at} broker:1`,
  ])
  of('a disk nearly full', { logDirs: [volume] }, [`C034 warning ${at} broker:1`])
  of('a disk full', { logDirs: [{ ...volume, usableBytes: 4 }] }, [`C034 error ${at} broker:1`])
  of('a disk of unknown size', { logDirs: [{ ...volume, totalBytes: -1, usableBytes: -1 }] }, [])
  for (const [days, expected] of [
    [31, []],
    [29, [`C035 warning ${at} certificate:kafka`]],
    [6, [`C035 error ${at} certificate:kafka`]],
    [-1, [`C035 error ${at} certificate:kafka`]],
  ] as const) {
    const certificates = [{ subject: 'kafka', validUntil: NOW + (days + 0.5) * 86_400_000 }]
    of(
      `a certificate of ${days} days`,
      { health: [1, 2, 3].map(id => ({ ...health(id), certificates })) },
      expected,
    )
  }
  const writers = (without: number, crowded: readonly CrowdedPartition[] = []) => ({
    topics: [{ topic: 'orders', batches: 40, without, crowded }],
    notSeen: [],
  })
  row('a producer for every batch', () => {
    const crowd = { partition: 0, batches: 100, ids: 90, remembered: 80_000 }
    return found({ clusters: [checked(clusterOf(), { producers: writers(0, [crowd]) })] })
  }, [`C062 warning ${at} topic:orders`])
  for (const [without, expected] of [
    [0, []],
    [1, [`C060 info ${at} topic:orders`]],
  ] as const)
    row(
      `${without} batches without a producer id`,
      () => found({ clusters: [checked(clusterOf(), { producers: writers(without) })] }),
      expected,
    )
  const open = {
    transactionalId: 'pay',
    producerId: 1n,
    producerEpoch: 0,
    state: 'Ongoing',
    startedAt: NOW - 61_000,
    timeoutMs: 900_000,
    partitions: [{ topic: 'orders', partition: 0 }],
  }
  of('a transaction open for long', { transactions: [open] }, [`C061 warning ${at} transaction:pay`])
  of('a transaction open for a moment', { transactions: [{ ...open, startedAt: NOW - 5_000 }] }, [])
})

describe('controllers and racks', () => {
  const at = 'cluster:east'
  const voter = (id: number, agoMs = 500) => ({ id, logEnd: 100, caughtUpAt: NOW - agoMs })
  const quorum = (...voters: ReturnType<typeof voter>[]) => ({
    quorum: { leader: 1, highWatermark: 100, voters },
  })
  const of = (
    name: string,
    changes: Partial<SeenCluster>,
    expected: readonly string[],
    spec: ClusterSpec = {},
  ) => row(name, () => inCluster(spec, changes), expected)
  of('one of three behind', quorum(voter(1), voter(2), voter(3, 60_000)), [`C040 error ${at} controller:3`])
  of('one of five behind', quorum(voter(1), voter(2), voter(3), voter(11), voter(12, 60_000)), [
    `C040 warning ${at} controller:12`,
  ])
  of('a single one', quorum(voter(1)), [`C041 warning ${at}`])
  of('nobody leads', { quorum: { leader: -1, highWatermark: -1, voters: [] } }, [`C042 error ${at}`])
  of('a broker without a rack', {}, [`C050 warning ${at}`], { racks: { 1: 'a', 2: 'b' } })
  of('no racks at all', {}, [], { racks: {} })
  of('all replicas in one rack', {}, [`C051 warning ${at} topic:orders`], {
    brokers: [1, 2, 3, 4, 5],
    racks: { 1: 'a', 2: 'b', 3: 'c', 4: 'a', 5: 'a' },
    topics: { orders: { replicas: [[1, 4, 5]] } },
  })
  of('two of three replicas in one rack', {}, [`C052 warning ${at} rack:a`], {
    brokers: [1, 2, 3, 4],
    racks: { 1: 'a', 2: 'b', 3: 'c', 4: 'a' },
    topics: { orders: { replicas: [[1, 4, 2]] } },
  })
  of('two controllers in one rack', quorum(voter(1), voter(2), voter(4)), [`C053 warning ${at} rack:a`], {
    brokers: [1, 2, 3, 4],
    racks: { 1: 'a', 2: 'b', 3: 'c', 4: 'a' },
  })
})

describe('the closest replica', () => {
  const at = 'cluster:east'
  const selecting = (...brokers: readonly number[]) => ({
    health: [1, 2, 3].map(id =>
      health(id, brokers.includes(id) ? { 'replica.selector.class': 'RackAwareReplicaSelector' } : {}),
    ),
  })
  const of = (
    name: string,
    rack: string | undefined,
    [spec, changes]: readonly [ClusterSpec, Partial<SeenCluster>],
    expected: readonly string[],
  ) => row(name, () => found({ clusters: [checked(clusterOf(spec, changes), { rack })] }), expected)
  of('no rack in the config', undefined, [{}, {}], [])
  of('a rack of the cluster', 'a', [{}, selecting(1, 2, 3)], [])
  of('a rack that no broker has', 'd', [{}, selecting(1, 2, 3)], [`C054 warning ${at}`])
  of('a rack where no broker has one', 'a', [{ racks: {} }, selecting(1, 2, 3)], [`C054 warning ${at}`])
  of('brokers that send nobody to it', 'a', [{}, selecting(1, 2)], [`C054 warning ${at}`])
  of('a broker in it, which need not', 'a', [{}, selecting(2, 3)], [])

  test('says which racks there are, and which brokers do not send there', () => {
    const [unknown] = judge(
      input({ clusters: [checked(clusterOf({}, selecting(1, 2, 3)), { rack: 'A' })] }),
    ).findings
    assert.deepEqual(
      [unknown?.message, unknown?.evidence],
      ['no broker of "east" is in rack "A", which the config names', ['racks of its brokers: a, b, c']],
    )
    const [deaf] = judge(input({ clusters: [checked(clusterOf(), { rack: 'a' })] })).findings
    assert.deepEqual(deaf?.evidence, ['without replica.selector.class: 2, 3'])
  })

  test('while a broker is away, it may be the one', () => {
    const away = clusterOf({ brokers: [1, 2], racks: { 1: 'a', 2: 'b' } }, selecting(1, 2))
    const ids = judge(input({ clusters: [checked(away, { rack: 'c' })] })).findings.map(({ id }) => id)
    assert.ok(!ids.includes('C054'), ids.join())
    assert.ok(knownBrokers(away).has(3))
  })
})

describe('links', () => {
  const at = 'link:ew'
  const of = (name: string, changes: Parameters<typeof linkOf>, expected: readonly string[]) =>
    row(name, () => found({ links: [linkOf(...changes)] }), expected)
  const partition = (state: 'paused' | 'waiting' | 'faulted') => ({
    topics: [{ name: 'orders', partitions: [{ partition: 0, state, reason: 'truncated', sentence: 's' }] }],
  })
  of('no worker', [{ workers: [] }], [`C070 error ${at}`])
  of('the standby is dark', [{ rpoMs: null, workers: [] }], [`C002 error ${at}`])
  of('a fault', [partition('faulted')], [`C071 error ${at} topic:orders`])
  of('behind its objective', [{ rpoMs: 31_000 }], [`C072 error ${at}`])
  of('no objective', [{ rpoMs: 31_000 }, { rpoObjectiveMs: undefined }], [])
  const warning = (kind: string) => ({ warnings: [{ kind, topic: 'orders', partition: 0, sentence: 's' }] })
  of('retention', [warning('retention-headroom')], [`C073 error ${at} topic:orders`])
  of('a transaction', [warning('hanging-transaction')], [`C061 warning ${at} topic:orders`])
  of('rights', [{ acls: { state: 'refused', problem: 'no' } }], [`C078 warning ${at}`])
  of(
    'quotas',
    [{ quotas: { state: 'followed', different: [{ entity: 'user=a', key: 'k', source: 1, target: 2 }] } }],
    [`C079 warning ${at}`],
  )
  of('users', [{ users: { state: 'followed', missing: ['a'], missingCount: 1 } }], [`C080 warning ${at}`])
  of(
    'groups',
    [{ groups: [{ group: 'g', state: 'clamped', reason: 'beyond-mirror', ageMs: 0 }] }],
    [`C081 warning ${at}`],
  )
  of(
    'groups that committed nothing',
    [{ groups: [{ group: 'g', state: 'skipped', reason: 'nothing-committed', ageMs: 0 }] }],
    [],
  )
  const synced = (ageMs: number) => ({ groups: [{ group: 'g', state: 'synced', ageMs } as const] })
  of('groups a minute old', [synced(60_000)], [])
  of('groups older than a minute', [synced(60_001)], [`C081 warning ${at}`])
  of('groups that follow slowly', [synced(120_000), { groupsMs: 10_000 }], [])
  of(
    'groups that follow slowly, older still',
    [synced(120_001), { groupsMs: 10_000 }],
    [`C081 warning ${at}`],
  )
  of(
    'groups three days old, without a worker',
    [{ ...synced(3 * 86_400_000), workers: [] }],
    [`C070 error ${at}`],
  )
  const unknown = {
    acls: { state: 'unknown' },
    quotas: { state: 'unknown', different: [] },
    users: { state: 'unknown', missing: [], missingCount: 0 },
  }
  of('rights that no worker has looked at', [unknown], [`C002 warning ${at}`])
  of('users that no worker has looked at', [{ users: unknown.users }], [`C002 warning ${at}`])
  of('rights unknown, without a worker', [{ ...unknown, workers: [] }], [`C070 error ${at}`])
  of('paused', [partition('paused')], [`C084 warning ${at}`])
  of('not copied yet', [partition('waiting')], [`C087 warning ${at}`])
  of('a topic of which nobody has told anything', [{ unreported: ['late'] }], [`C087 warning ${at}`])
  of('a cluster that was away', [{}, { stale: ['east'] }], [`C085 error ${at}`])
  of('after a failover', [{ state: 'promoted', workers: [] }], [`C086 warning ${at}`])
})

describe('drift', () => {
  const at = 'link:ew'
  const mirror = (changes: Partial<MirrorFacts> = {}): MirrorFacts => ({
    topic: 'orders',
    wanted: { 'retention.ms': '-1' },
    applied: { 'retention.ms': '-1' },
    replicas: undefined,
    ...changes,
  })
  const west = (spec: TopicSpec | undefined, changes: Partial<SeenCluster> = {}): SeenCluster =>
    clusterOf({ name: 'west', topics: spec === undefined ? {} : { orders: spec } }, changes)
  const of = (
    name: string,
    target: SeenCluster,
    expected: readonly string[],
    { facts = mirror(), source = clusterOf() }: { facts?: MirrorFacts; source?: SeenCluster } = {},
  ) => row(name, () => found({ drifts: [{ link: 'ew', source, target, mirrors: [facts] }] }), expected)
  const good = { configs: { 'retention.ms': '-1' } }
  of('as it should be', west(good), [])
  of('a topic missing', west(undefined), [`C074 error ${at}`])
  of(
    'partitions',
    west({
      ...good,
      replicas: [
        [1, 2, 3],
        [2, 3, 1],
      ],
    }),
    [`C075 error ${at} topic:orders`],
  )
  of('changed at the target', west({ configs: { 'retention.ms': '5' } }), [`C076 warning ${at} topic:orders`])
  of('not carried over', west(good), [`C077 warning ${at} topic:orders`], {
    facts: mirror({ wanted: { 'retention.ms': '-1', 'segment.bytes': '9' } }),
  })
  of('fewer replicas', west({ ...good, replicas: [[1, 2]] }), [`C082 warning ${at}`])
  of('fewer replicas, as wanted', west({ ...good, replicas: [[1, 2]] }), [], {
    facts: mirror({ replicas: 2 }),
  })
  of('too small', west(good, { partitionBytes: new Map([['orders/0', 1e9]]) }), [`C083 error ${at}`], {
    source: clusterOf({}, { partitionBytes: new Map([['orders/0', 62e9]]) }),
  })
  of('just large enough', west(good, { partitionBytes: new Map([['orders/0', 1e9]]) }), [], {
    source: clusterOf({}, { partitionBytes: new Map([['orders/0', 60e9]]) }),
  })
})

describe('two clusters side by side', () => {
  const none = { acls: [], quotas: [], users: [], notSeen: [] }
  const at = 'compare:east,west'
  const side = (name: string, topics: Record<string, TopicSpec> = { orders: {} }, rights = {}) => ({
    cluster: clusterOf({ name, topics }),
    rights: { ...none, ...rights },
  })
  const of = (name: string, b: ReturnType<typeof side>, expected: readonly string[]) =>
    row(name, () => found({ clusters: [], compared: [side('east'), b] }), expected)
  of('alike', side('west'), [])
  of('a topic missing', side('west', {}), [`C065 warning ${at}`])
  of('a config', side('west', { orders: { configs: { 'retention.ms': '5' } } }), [
    `C066 warning ${at} topic:orders`,
  ])
  of('a quota', side('west', { orders: {} }, { quotas: ['user=app k=1'] }), [
    `C067 warning ${at} rights:quotas`,
  ])
  of(
    'users that may not be seen',
    side('west', { orders: {} }, { users: undefined, notSeen: [{ what: 'users', why: 'no' }] }),
    [`C002 warning ${at} cluster:west`],
  )
})

describe('sets', () => {
  const at = 'set:all'
  const of = (name: string, changes: Parameters<typeof setOf>, expected: readonly string[]) =>
    row(name, () => found({ sets: [setOf(...changes)] }), expected)
  const days = (count: number): string => new Date(NOW - count * 86_400_000).toISOString()
  of('late', [{ state: 'late' }], [`C090 error ${at}`])
  of('no commit yet', [{ state: 'waiting', lastCommit: null }], [`C091 warning ${at}`])
  of('no commit, and late', [{ state: 'late', lastCommit: null }], [`C091 error ${at}`])
  of('never verified', [{ verifiedAt: null }], [`C092 warning ${at}`])
  of('verified long ago', [{ verifiedAt: days(8) }], [`C092 warning ${at}`])
  of('the first commit, an hour old', [{ verifiedAt: null, lastCommit: 1 }], [])
  of(
    'a lock too short',
    [{}, { lock: { object: 'o', until: NOW + 86_400_000, wantedDays: 30 } }],
    [`C093 warning ${at}`],
  )
  of('a lock long enough', [{}, { lock: { object: 'o', until: NOW + 30 * 86_400_000, wantedDays: 30 } }], [])
  of('damaged', [{}, { problems: [{ object: 'o', what: 'is missing' }] }], [`C094 error ${at}`])
  of('unreadable', [{ state: 'faulted' }], [`C094 error ${at}`])
  of('dark', [{ state: 'unreachable' }], [`C095 error ${at} vault:main`])
  const sets = [{ name: 'all', takes: (topic: string) => topic !== 'orders' }]
  row('in no backup', () => found({ clusters: [checked(clusterOf(), { sets })] }), ['C096 info cluster:east'])
})

describe('what was accepted', () => {
  const weak = {
    clusters: [checked(clusterOf({ topics: { 'tmp-1': { replicas: [[1]] } } }))],
  }
  const accept = { finding: 'C012', where: 'topic:tmp-*', until: undefined, why: 'scratch data' }
  row('it does not count', () => found({ ...weak, accepts: [accept] }), [
    'C015 warning cluster:east topic:tmp-1',
  ])
  row('elsewhere', () => found({ ...weak, accepts: [{ ...accept, where: 'cluster:west topic:tmp-*' }] }), [
    'C012 error cluster:east topic:tmp-1',
    'C015 warning cluster:east topic:tmp-1',
    'C099 warning accept:1',
  ])
  row('its time is over', () => found({ ...weak, accepts: [{ ...accept, until: NOW }] }), [
    'C012 error cluster:east topic:tmp-1',
    'C015 warning cluster:east topic:tmp-1',
    'C098 warning accept:1',
  ])
  row('what was not looked at is not missed', () => found({ isWhole: false, accepts: [accept] }), [])
  test('is shown with until when and why', () => {
    const { accepted, ready } = judge(input({ ...weak, accepts: [{ ...accept, until: NOW + 1_000 }] }))
    assert.equal(ready, 'AT RISK')
    assert.deepEqual(
      accepted.map(each => [shown(each), each.accepted]),
      [['C012 error cluster:east topic:tmp-1', { until: '2026-06-01T12:00:01.000Z', why: 'scratch data' }]],
    )
  })
})

test('every finding of the table has a row', () => {
  assert.deepEqual(
    Object.keys(FINDINGS).filter(id => !told.has(id)),
    [],
  )
})

test('no hint has a name left open', () => {
  const sick = clusterOf({
    topics: {
      a: { replicas: [[1]] },
      b: { configs: { 'min.insync.replicas': '1', 'unclean.leader.election.enable': 'true' } },
      c: { configs: { 'min.insync.replicas': '3' }, leaders: [2] },
      __consumer_offsets: { replicas: [[1]] },
    },
  })
  const { findings } = judge(
    input({
      clusters: [checked(sick)],
      links: [linkOf({ workers: [], rpoMs: 1e9 })],
      sets: [setOf({ state: 'late', verifiedAt: null })],
    }),
  )
  assert.ok(findings.length > 8)
  for (const { id, hint } of findings) assert.doesNotMatch(hint, /[{}]/, id)
})

test('ten thousand partitions are judged at once', () => {
  const topics = Object.fromEntries(
    Array.from({ length: 1_000 }, (_, index) => [
      `topic-${index}`,
      {
        replicas: Array.from({ length: 10 }, () => [1, 2, 3]),
        isr: Array.from({ length: 10 }, () => [1, 2]),
      },
    ]),
  )
  const began = performance.now()
  const report = judge(input({ clusters: [checked(clusterOf({ topics }))] }))
  assert.equal(report.findings.length, 1_000)
  // Of the 2 s that a check may take, what was seen must be most.
  assert.ok(performance.now() - began < 2_000)
})
