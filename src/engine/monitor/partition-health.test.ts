import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ClusterView, PartitionView } from '../../ports/cluster.ts'
import { partitionHealth } from './partition-health.ts'

const partition = (of: Partial<PartitionView>): PartitionView => ({
  partition: 0,
  leader: 1,
  leaderEpoch: 0,
  replicas: [1, 2, 3],
  isr: [1, 2, 3],
  ...of,
})

const view = (topics: Readonly<Record<string, readonly Partial<PartitionView>[]>>): ClusterView => ({
  clusterId: 'c',
  brokers: [1, 2, 3].map(id => ({ id, host: 'h', port: 1, rack: undefined })),
  topics: new Map(
    Object.entries(topics).map(([name, partitions]) => [
      name,
      { name, id: name, isInternal: false, partitions: partitions.map(partition) },
    ]),
  ),
})

test('counts as Kafka does, and names the worst topics first', () => {
  const found = partitionHealth(
    view({
      well: [{}, { leader: 2, replicas: [2, 3, 1] }],
      moved: [{ leader: 2 }, { leader: 2, isr: [2, 3] }],
      thin: [{ isr: [1] }, { isr: [1, 2] }],
      dark: [{ leader: -1, isr: [4], replicas: [4] }],
    }),
    () => 2,
  )
  const { troubled, ...counts } = found
  assert.deepEqual(counts, {
    topics: 4,
    partitions: 7,
    offline: 1,
    underReplicated: 3,
    // A partition with one replica cannot have two of them in sync.
    underMinIsr: 1,
    notPreferred: 1,
    brokersMissing: [4],
  })
  assert.deepEqual(
    troubled.map(({ topic }) => topic),
    ['dark', 'thin', 'moved'],
  )
})

test('where `min.insync.replicas` of one topic is not known, nobody knows how many are below it', () => {
  const cluster = view({ a: [{ isr: [1] }], b: [{}] })
  assert.equal(partitionHealth(cluster, topic => (topic === 'a' ? 2 : undefined)).underMinIsr, undefined)
  assert.equal(partitionHealth(cluster, () => 2).underMinIsr, 1)
})

test('of many topics in trouble only some are named', () => {
  const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`t${i}`, [{ isr: [1] }]]))
  const { troubled, underReplicated } = partitionHealth(view(many), () => 1)
  assert.equal(underReplicated, 500)
  assert.equal(troubled.length, 20)
})
