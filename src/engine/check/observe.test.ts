// Looking at a cluster never fails as a whole, and what could not be seen is told: else "nothing found" would be a lie.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { clusterOf, entry, health, NOW } from '../../../test/support/sights.ts'
import { KdrError } from '../../model/errors.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { ConfigEntry } from '../../ports/cluster.ts'
import type { SeenCluster } from './observation.ts'
import { type Observed, type ObservedRights, observeCluster, observeRights } from './observe.ts'

const clock = { now: () => NOW, monotonic: () => 0, sleep: () => Promise.resolve() }
const seen = clusterOf()
const no = (code: 'unreachable' | 'not-allowed' | 'cluster-lacks') => () =>
  Promise.reject(new KdrError(code, `it is ${code}`))

const cluster = (changes: Partial<Observed> = {}): Observed => ({
  name: 'east',
  describe: () => Promise.resolve({ clusterId: 'id', brokers: seen.brokers, topics: seen.topics }),
  topicConfigs: () =>
    Promise.resolve(new Map([['orders', { code: KafkaCode.NONE, entries: new Map([['a', entry('b')]]) }]])),
  logDirs: () => Promise.resolve([...seen.logDirs]),
  transactionsOf: () => Promise.resolve({ isComplete: true, transactions: [] }),
  health: {
    brokers: () => Promise.resolve([1, 2, 3].map(id => health(id))),
    quorum: () => Promise.resolve({ code: KafkaCode.NONE, ...(seen.quorum && { quorum: seen.quorum }) }),
    partitionBytes: () => Promise.resolve(new Map([['orders/0', 5]])),
  },
  ...changes,
})

const observe = async (changes: Partial<Observed>): Promise<SeenCluster> => {
  const sight = await observeCluster(cluster(changes), { at: '--bootstrap-server e:1', clock })
  assert.equal(sight.dark, undefined)
  return sight
}

describe('observeCluster', () => {
  test('sees all', async () => {
    const { notSeen, topicConfigs, quorum, partitionBytes, now } = await observe({})
    assert.deepEqual(notSeen, [])
    assert.equal(topicConfigs.get('orders')?.get('a')?.value, 'b')
    assert.deepEqual([quorum?.leader, partitionBytes?.get('orders/0'), now], [1, 5, NOW])
  })

  test('one that does not answer is dark', async () => {
    const sight = await observeCluster(cluster({ describe: no('unreachable') }), { at: '', clock })
    assert.deepEqual(sight, { name: 'east', dark: 'it is unreachable' })
  })

  const { health: all } = cluster()
  for (const [what, changes] of [
    ['topic configs', { topicConfigs: no('not-allowed') }],
    ['the brokers', { health: { ...all, brokers: no('unreachable') } }],
    ['disks', { logDirs: no('cluster-lacks') }],
    ['the controllers', { health: { ...all, quorum: no('cluster-lacks') } }],
    ['the controllers', { health: { ...all, quorum: () => Promise.resolve({ code: 31 }) } }],
    ['sizes of partitions', { health: { ...all, partitionBytes: no('not-allowed') } }],
    ['transactions', { transactionsOf: no('not-allowed') }],
    ['some transactions', { transactionsOf: () => Promise.resolve({ isComplete: false, transactions: [] }) }],
    [
      'disks of broker 2',
      {
        logDirs: () => Promise.resolve([{ broker: 2, code: 31, path: '', totalBytes: -1, usableBytes: -1 }]),
      },
    ],
  ] as const satisfies readonly (readonly [string, Partial<Observed>])[])
    test(`says that it could not look at ${what}, and goes on`, async () => {
      const { notSeen, brokers } = await observe(changes)
      assert.deepEqual([notSeen.map(each => each.what), brokers.length], [[what], 3])
    })

  describe('a topic that stands on disks and not in the metadata', () => {
    const onDisks = new Map([
      ['orders/0', 5],
      ['pay-eu/0', 7],
    ])
    const onDisk = { health: { ...all, partitionBytes: () => Promise.resolve(onDisks) } }
    const entries = new Map<string, ConfigEntry>()
    const answering = (code: number) => (names: readonly string[]) =>
      Promise.resolve(new Map(names.map(name => [name, { code, entries }])))

    test('is hidden from kdr, and that is said, with the right that it takes', async () => {
      for (const code of [KafkaCode.NONE, KafkaCode.TOPIC_AUTHORIZATION_FAILED]) {
        const { notSeen } = await observe({ ...onDisk, topicConfigs: answering(code) })
        const [hidden, ...others] = notSeen
        assert.deepEqual([hidden?.what, others], ['topic pay-eu', []])
        assert.match(hidden?.why ?? '', /kdr needs DESCRIBE on it/)
      }
    })

    test('is being deleted: nobody has its configs any more', async () => {
      const topicConfigs = answering(KafkaCode.UNKNOWN_TOPIC_OR_PARTITION)
      assert.deepEqual((await observe({ ...onDisk, topicConfigs })).notSeen, [])
    })

    test('was made a moment ago: a second look shows it', async () => {
      const { brokers, topics } = seen
      const later = new Map([...topics, ['pay-eu', topics.get('orders')!]])
      let looks = 0
      const describeLater = () =>
        Promise.resolve({ clusterId: 'id', brokers, topics: looks++ === 0 ? topics : later })
      const topicConfigs = answering(KafkaCode.NONE)
      const { notSeen } = await observe({ ...onDisk, describe: describeLater, topicConfigs })
      assert.deepEqual([notSeen, looks], [[], 2])
    })
  })

  test('a topic whose configs are refused has none', async () => {
    const refused = { code: KafkaCode.TOPIC_AUTHORIZATION_FAILED, entries: new Map() }
    const { topicConfigs } = await observe({
      topicConfigs: () => Promise.resolve(new Map([['orders', refused]])),
    })
    assert.equal(topicConfigs.size, 0)
  })

  test('a cluster that never had a transaction is not asked for any, which would make the topic of them', async () => {
    const entries = new Map<string, ConfigEntry>()
    let asks = 0
    const transactionsOf = () => {
      asks++
      return Promise.resolve({ isComplete: true, transactions: [] })
    }
    const unless = async (code: number) => {
      const topicConfigs = (names: readonly string[]) =>
        Promise.resolve(new Map(names.map(name => [name, { code, entries }])))
      await observe({ topicConfigs, transactionsOf })
      return asks
    }
    assert.equal(await unless(KafkaCode.UNKNOWN_TOPIC_OR_PARTITION), 0)
    // It may be there, and kdr may not see it.
    assert.equal(await unless(KafkaCode.TOPIC_AUTHORIZATION_FAILED), 1)
    assert.equal(await unless(KafkaCode.NONE), 2)
  })

  test('a bug is no finding', async () => {
    await assert.rejects(observe({ logDirs: () => Promise.reject(new TypeError('x')) }), TypeError)
  })
})

test('rights that may not be read are told, and no authorizer means no rules', async () => {
  const of = (code: number): ObservedRights => ({
    describeAcls: () => Promise.resolve({ code, rules: [] }),
    describeQuotas: () =>
      Promise.resolve({
        code: KafkaCode.NONE,
        quotas: [{ entity: [{ type: 'user', name: null }], values: { producer_byte_rate: 5 } }],
      }),
    describeScramUsers: no('not-allowed'),
  })
  const without = await observeRights(of(KafkaCode.SECURITY_DISABLED))
  assert.deepEqual(
    [without.acls, without.quotas, without.users],
    [[], ['user=<default> producer_byte_rate=5'], undefined],
  )
  assert.deepEqual(without.notSeen, [{ what: 'users', why: 'it is not-allowed' }])
  const refused = await observeRights(of(KafkaCode.CLUSTER_AUTHORIZATION_FAILED))
  assert.deepEqual([refused.acls, refused.notSeen.length], [undefined, 2])
})
