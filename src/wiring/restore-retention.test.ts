// What retention would take at once from what is restored.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TopicState } from '../model/vault.ts'
import { retentionOf } from './restore-retention.ts'

const HOUR = 3_600_000
const NOW = 1_000 * HOUR
const segment = (hoursOld: number) => ({
  object: 'o',
  position: 0,
  bytes: 1,
  compression: 'none' as const,
  index: 'i',
  from: 0,
  to: 10,
  rawBytes: 100,
  batches: 1,
  records: 10,
  maxTimestamp: NOW - hoursOld * HOUR,
  epochs: [],
})
const topic = (configs: Readonly<Record<string, string>>, ages: readonly number[]): TopicState => ({
  name: 't',
  id: 'id',
  replicationFactor: 1,
  configs: Object.fromEntries(
    Object.entries(configs).map(([name, value]) => [name, { value, isOverride: true }] as const),
  ),
  partitions: [{ partition: 0, start: 0, end: 30, segments: ages.map(segment) }],
})
const WEEK = { policy: 'delete', ms: 168 * HOUR, bytes: -1 }
const found = (configs: Readonly<Record<string, string>>, ages: readonly number[], defaults = WEEK) =>
  retentionOf(topic(configs, ages), defaults, NOW).map(({ config, value, records }) => [
    config,
    value,
    records,
  ])

describe('what retention would take of restored records', () => {
  test('is what is older, from the oldest on, by the topic or by the brokers', () => {
    assert.deepEqual(found({}, [400, 200, 1]), [['retention.ms', null, 20]])
    assert.deepEqual(found({ 'retention.ms': String(300 * HOUR) }, [400, 200, 1]), [
      ['retention.ms', String(300 * HOUR), 10],
    ])
    // What stands behind a younger segment stays with it.
    assert.deepEqual(found({}, [1, 400]), [])
  })

  test('is nothing without a bound, or where a topic only compacts', () => {
    assert.deepEqual(found({ 'retention.ms': '-1' }, [400]), [])
    assert.deepEqual(found({ 'cleanup.policy': 'compact' }, [400]), [])
    assert.deepEqual(found({ 'cleanup.policy': 'compact,delete' }, [400]), [['retention.ms', null, 10]])
  })

  test('is what is too much', () => {
    assert.deepEqual(found({ 'retention.bytes': '150' }, [3, 2, 1]), [['retention.bytes', '150', 10]])
    assert.deepEqual(found({ 'retention.bytes': '300' }, [3, 2, 1]), [])
  })
})
