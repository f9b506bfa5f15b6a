import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KdrError } from '../model/errors.ts'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { ConfigEntry, TopicView } from '../ports/cluster.ts'
import { type Inspectable, observeCluster } from './inspect.ts'

const entry = (value: string, isOverride: boolean): ConfigEntry => ({
  value,
  isOverride,
  isReadOnly: false,
  isSensitive: false,
})

const topic = (name: string, isInternal = false): TopicView => ({
  name,
  id: name,
  isInternal,
  partitions: [{ partition: 0, leader: 1, leaderEpoch: 0, replicas: [1, 2], isr: [1, 2] }],
})

/** Shows all that there is. */
const OPEN: Inspectable = {
  describe: () =>
    Promise.resolve({
      clusterId: 'abc',
      brokers: ['b', undefined, 'a', 'b'].map((rack, id) => ({ id, host: 'h', port: 1, rack })),
      topics: new Map(
        [topic('orders'), topic('users'), topic('__consumer_offsets', true)].map(one => [one.name, one]),
      ),
    }),
  topicConfigs: names =>
    Promise.resolve(
      new Map(
        names.map(name => [
          name,
          {
            code: KafkaCode.NONE,
            entries: new Map([
              ['cleanup.policy', entry('compact', false)],
              ['retention.ms', entry('5', true)],
              ['segment.bytes', entry('7', false)],
            ]),
          },
        ]),
      ),
    ),
  brokerConfigs: names => Promise.resolve(new Map(names.map(name => [name, '2']))),
  listGroups: () => Promise.resolve([{ group: 'app', type: 'classic', state: 'Empty' }]),
  describeAcls: () => Promise.resolve({ code: KafkaCode.SECURITY_DISABLED, rules: [] }),
  describeScramUsers: () =>
    Promise.resolve({ code: KafkaCode.NONE, users: [{ name: 'kdr', mechanisms: [] }] }),
}

const notAllowed = (what: string) => () => Promise.reject(new KdrError('not-allowed', what))

describe('looking at a cluster', () => {
  test('that shows all that there is', async () => {
    const { topics, ...seen } = await observeCluster(OPEN)

    assert.deepEqual(seen, {
      clusterId: 'abc',
      brokers: 4,
      racks: ['a', 'b'],
      groups: [{ group: 'app', type: 'classic' }],
      users: ['kdr'],
      defaults: { 'min.insync.replicas': '2', 'auto.create.topics.enable': '2' },
      hasAuthorizer: false,
      unseen: [],
    })
    assert.deepEqual(topics[0], {
      name: 'orders',
      partitions: 1,
      replicationFactor: 2,
      configs: { 'cleanup.policy': 'compact', 'retention.ms': '5' },
    })
    assert.deepEqual(
      topics.map(({ name }) => name),
      ['orders', 'users'],
    )
  })

  test('where each thing is refused, says which and what it takes', async () => {
    const seen = await observeCluster({
      ...OPEN,
      topicConfigs: names =>
        Promise.resolve(
          new Map(
            names.map(name => [
              name,
              {
                code: name === 'users' ? KafkaCode.TOPIC_AUTHORIZATION_FAILED : KafkaCode.NONE,
                entries: new Map(),
              },
            ]),
          ),
        ),
      brokerConfigs: notAllowed('no broker configs'),
      listGroups: () => Promise.reject(new KdrError('unreachable', 'one broker is down')),
      describeAcls: () => Promise.resolve({ code: KafkaCode.CLUSTER_AUTHORIZATION_FAILED, rules: [] }),
      describeScramUsers: () => Promise.reject(new KdrError('cluster-lacks', 'no such request')),
    })

    assert.deepEqual(seen.unseen, [
      {
        what: 'configs of 1 of 2 topics',
        why: 'TOPIC_AUTHORIZATION_FAILED (29)',
        needs: 'DESCRIBE_CONFIGS on the topics',
      },
      { what: "the brokers' configs", why: 'no broker configs', needs: 'DESCRIBE_CONFIGS on the cluster' },
      { what: 'groups', why: 'one broker is down', needs: 'DESCRIBE on the groups' },
      { what: 'ACLs', why: 'CLUSTER_AUTHORIZATION_FAILED (31)', needs: 'DESCRIBE on the cluster' },
      { what: 'SCRAM users', why: 'no such request', needs: 'DESCRIBE on the cluster' },
    ])
    assert.equal(seen.hasAuthorizer, true)
    assert.deepEqual(
      seen.topics.map(({ configs }) => configs),
      [{}, undefined],
    )
  })

  test('a cluster that cannot be described is an error, and so is a bug', async () => {
    await assert.rejects(observeCluster({ ...OPEN, describe: notAllowed('wrong password') }), {
      code: 'not-allowed',
    })
    await assert.rejects(
      observeCluster({ ...OPEN, listGroups: () => Promise.reject(new TypeError('x')) }),
      TypeError,
    )
  })
})
