import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { inspected, topicsOf } from '../../test/support/inspected.ts'
import { compilePatterns } from '../model/patterns.ts'
import { draftConfig, draftLink, type InspectedCluster, parseConfig } from './index.ts'
import { proposeOverride } from './draft-link.ts'
import { comment } from './draft-seen.ts'
import { recogniseFamilies } from './recognise.ts'

const SCHEMA = './kdr.schema.json'
const GOLDEN = new URL('../../test/golden/init/two-clusters.yaml', import.meta.url)

describe('draft', () => {
  test('with placeholders passes the check', () => {
    const { clusters, links } = parseConfig(draftConfig([], SCHEMA), 'kdr.yaml')

    assert.deepEqual(Object.keys(clusters), ['east', 'west'])
    assert.deepEqual(links['east-west']?.overrides, [])
  })

  test('from two clusters says what it saw, what it did not, and what has to be otherwise', () => {
    const text = draftConfig(
      [
        { bootstrap: 'e:1', seen: SOURCE },
        { bootstrap: 'w:1', seen: TARGET },
      ],
      SCHEMA,
    )

    assert.equal(text, readFileSync(GOLDEN, 'utf8'))
    const link = parseConfig(text, 'kdr.yaml').links['east-west']
    assert.deepEqual(link?.topics, ['*', '!north.*'])
    assert.deepEqual(link?.overrides, [
      { topics: ['*'], replicationFactor: 2, configs: { 'min.insync.replicas': '1' } },
    ])
  })

  test('of a link alone goes behind a config that has the clusters', () => {
    const clusters = 'clusters:\n  lyon: { bootstrap: "l:1", tls: true }\n  oslo: { bootstrap: "o:1" }\n'
    const text = draftLink({ name: 'lyon', seen: SOURCE }, { name: 'oslo', seen: inspected() })

    const { links } = parseConfig(`${clusters}\n${text}`, 'kdr.yaml')
    assert.deepEqual(Object.keys(links), ['lyon-oslo'])
    assert.match(text, /^# lyon: Seen: cluster id abc, 3 brokers \(racks: a, b, c\), 8 topics/)
    assert.match(text, /^# lyon: Not seen: ACLs \(CLUSTER_AUTHORIZATION_FAILED \(31\)\)\. It takes DESCRIBE/m)
    assert.match(text, /^# oslo: Seen: cluster id abc, 3 brokers, 0 topics, 0 groups\.$/m)
  })

  test('comments are cut between words', () => {
    const lines = comment('word '.repeat(60).trim(), 4)

    assert.ok(lines.length > 1)
    for (const line of lines) assert.match(line, /^ {4}#( word)+$/)
    assert.ok(lines.every(line => line.length <= 118))
    assert.equal(lines.join(' ').match(/word/g)?.length, 60)
  })
})

describe('topics of known programs', () => {
  const takenOf = (name: string): boolean => {
    const families = recogniseFamilies([{ name }, { name: 'north.heartbeats' }])
    return compilePatterns(['*', ...families.flatMap(({ patterns }) => patterns)], 'topics').matches(name)
  }
  for (const [name, program, isTaken] of [
    ['_schemas', 'Schema Registry', false],
    ['connect-offsets', 'Kafka Connect', false],
    ['team-a-connect-status', 'Kafka Connect', false],
    ['app-totals-changelog', 'Kafka Streams', true],
    ['app-KSTREAM-AGGREGATE-STATE-STORE-0000000003-repartition', 'Kafka Streams', true],
    ['_confluent-ksql-default__command_topic', 'ksqlDB', false],
    ['_confluent-ksql-default_query_CTAS_T_1-Aggregate-changelog', 'ksqlDB', false],
    ['mm2-offset-syncs.west.internal', 'MirrorMaker 2', false],
    ['north.checkpoints.internal', 'MirrorMaker 2', false],
    ['north.orders', 'MirrorMaker 2', false],
    ['_confluent-metrics', 'Confluent Platform', false],
    ['_confluent_balancer_api_state', 'Confluent Platform', false],
    ['__CruiseControlMetrics', 'Cruise Control', false],
    ['strimzi.cruisecontrol.metrics', 'Cruise Control', false],
    ['__strimzi_store_topic', 'Strimzi', false],
    ['strimzi-topic-operator-store', 'Strimzi', false],
    ['strimzi-orders', undefined, true],
    ['orders', undefined, true],
  ] as const) {
    test(`${name}: ${program ?? 'nobody in particular'}, ${isTaken ? 'taken' : 'left out'}`, () => {
      const family = recogniseFamilies([{ name }, { name: 'north.heartbeats' }]).find(({ topics }) =>
        topics.includes(name),
      )
      assert.equal(family?.program, program)
      assert.equal(takenOf(name), isTaken)
    })
  }
})

describe('overrides', () => {
  const of = (replicationFactor: number) => [{ name: 'orders', partitions: 1, replicationFactor }]
  const propose = (topics: Parameters<typeof proposeOverride>[0], brokers: number) => {
    const proposed = proposeOverride(topics, 'west', { brokers })
    if (proposed === undefined) return undefined
    const { why, ...rest } = proposed
    assert.match(why, /\.$/)
    return rest
  }

  test('none where mirrors can be as the source is', () => {
    assert.equal(propose(of(3), 3), undefined)
    assert.equal(propose(of(1), 1), undefined)
    assert.equal(propose([], 1), undefined)
  })

  test('fewer brokers: as many replicas, one of which may be down', () => {
    assert.deepEqual(propose(of(3), 2), { topics: '*', replicationFactor: 2, minInSync: 1 })
    assert.deepEqual(propose(of(5), 4), { topics: '*', replicationFactor: 4, minInSync: 3 })
    assert.deepEqual(propose(of(3), 1), { topics: '*', replicationFactor: 1, minInSync: 1 })
  })
})

const SOURCE: InspectedCluster = inspected({
  racks: ['a', 'b', 'c'],
  topics: [
    ...topicsOf('_schemas', 'north.heartbeats', 'north.orders', 'orders', 'payments'),
    ...topicsOf('users').map(topic => ({ ...topic, configs: { 'cleanup.policy': 'compact' } })),
    ...topicsOf('clicks').map(topic => ({ ...topic, configs: { 'remote.storage.enable': 'true' } })),
    ...topicsOf('hidden').map(topic => ({ ...topic, configs: undefined })),
  ],
  groups: [
    { group: 'app', type: 'classic' },
    { group: 'jobs', type: 'share' },
  ],
  users: ['app', 'web'],
  hasAuthorizer: true,
  unseen: [
    {
      what: 'configs of 1 of 8 topics',
      why: 'TOPIC_AUTHORIZATION_FAILED (29)',
      needs: 'DESCRIBE_CONFIGS on the topics',
    },
    { what: 'ACLs', why: 'CLUSTER_AUTHORIZATION_FAILED (31)', needs: 'DESCRIBE on the cluster' },
  ],
})

const TARGET: InspectedCluster = inspected({
  clusterId: 'def',
  brokers: 2,
  topics: topicsOf('orders', 'own'),
  users: ['web'],
  defaults: { 'min.insync.replicas': '1', 'auto.create.topics.enable': 'true' },
})
