// What a restore says before it begins.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { PartitionState, VaultOffset } from '../model/vault.ts'
import { clampedGroups, planTopics } from './restore-plan.ts'

const segment = (from: number, to: number) => ({
  object: 'o',
  position: 0,
  bytes: 1,
  compression: 'none' as const,
  index: 'i',
  from,
  to,
  rawBytes: 1_000,
  batches: 1,
  records: to - from,
  maxTimestamp: 0,
  epochs: [],
})
const topic = (partitions: readonly PartitionState[]) => ({
  name: 't',
  id: 'id',
  replicationFactor: 1,
  configs: {},
  partitions,
})

describe('the plan of a restore', () => {
  test('counts what is between the ends of a log, and of a segment its share', () => {
    const log = { partition: 0, start: 5, end: 15, segments: [segment(0, 10), segment(10, 20)] }
    const { topics, expectedMs } = planTopics([topic([log])])
    assert.deepEqual(topics, [{ name: 't', partitions: 1, offsets: 10, records: 10, bytes: 1_000 }])
    assert.ok(expectedMs > 0 && Number.isInteger(expectedMs))
  })

  test('takes as long as the measured speed says, or else that of an ordinary machine', () => {
    const large = { ...segment(0, 10), rawBytes: 400_000_000 }
    const topics = [topic([{ partition: 0, start: 0, end: 10, segments: [large] }])]
    assert.deepEqual(
      [planTopics(topics).expectedMs, planTopics(topics).expectedBy],
      [3_000 + 10_000 + 5_000, null],
    )
    const measured = { commit: 7, bytesPerMs: 100_000 }
    const { expectedMs, expectedBy } = planTopics(topics, measured)
    assert.deepEqual([expectedMs, expectedBy], [3_000 + 4_000 + 2_000, measured])
  })

  test('says where groups stood that cannot stand there', () => {
    const offsets: readonly VaultOffset[] = [
      ['t', 0, 3, null],
      ['t', 1, 9, null],
      ['t', 2, 7, null],
    ]
    const partitions = [0, 1, 2].map(partition => ({ partition, start: 5, end: 8, segments: [] }))
    assert.deepEqual(
      clampedGroups({
        topics: new Map([['t', topic(partitions)]]),
        groups: new Map([['g', { group: 'g', type: 'classic', offsets }]]),
      }).map(each => each.replace(/:.*/, '')),
      [
        'group "g" stood at offset 3 of "t" partition 0, which begins at 5 here',
        'group "g" stood at offset 9 of "t" partition 1, which ends at 8 here',
      ],
    )
  })
})
