// What retention would take at once from what is restored.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  commitBatches,
  madeBatch,
  madeDraft,
  madeTopic,
  madeVault,
  SET,
  TOPIC_ID,
  writerOf,
} from '../../test/vault/made.ts'
import type { Cluster } from '../ports/cluster.ts'
import type { ObjectStore } from '../ports/store.ts'
import { readLatest } from '../vault/chain.ts'
import { SegmentReader } from '../vault/reader.ts'
import { planRetention } from './restore-retention.ts'

const HOUR = 3_600_000
const NOW = 1_000 * HOUR

/** Segments of batches, of ten records each, so many hours old. */
async function made(segments: readonly (readonly number[])[]): Promise<ObjectStore> {
  const store = await madeVault()
  // All keys have the same length.
  let from = 100
  for (const ages of segments) {
    const batches = ages.map(age => {
      const values = Array.from({ length: 10 }, () => '0')
      const batch = madeBatch({ from, values, timestamp: NOW - age * HOUR })
      from += 10
      return batch
    })
    await commitBatches(store, batches, { compression: 'none' })
  }
  return store
}

async function found(
  configs: Readonly<Record<string, string>>,
  segments: readonly (readonly number[])[],
  brokers: Readonly<Record<string, string>> = { 'log.retention.hours': '168' },
) {
  const store = await made(segments)
  const state = (await readLatest(store, SET))!
  const own = Object.entries(configs).map(([name, value]) => [name, { value, isOverride: true }] as const)
  const topics = [...state.topics.values()].map(topic => ({ ...topic, configs: Object.fromEntries(own) }))
  const target = { brokerConfigs: async () => new Map(Object.entries(brokers)) } as unknown as Cluster
  const reader = new SegmentReader(store, SET)
  const plan = await planRetention(target, topics, { now: NOW, reader })
  return plan.map(({ config, value, records }) => [config, value, records])
}

describe('what retention would take of restored records', () => {
  test('is what is older, from the oldest on, by the topic or by the brokers', async () => {
    assert.deepEqual(await found({}, [[400], [200], [1]]), [['retention.ms', null, 20]])
    assert.deepEqual(await found({ 'retention.ms': String(300 * HOUR) }, [[400], [200], [1]]), [
      ['retention.ms', String(300 * HOUR), 10],
    ])
    // What stands behind a younger batch stays with it.
    assert.deepEqual(await found({}, [[1], [400]]), [])
  })

  test('is what is older in a segment of the vault that reaches up to now', async () => {
    assert.deepEqual(await found({}, [[400, 300, 1, 400]]), [['retention.ms', null, 20]])
    assert.deepEqual(await found({}, [[400], [300, 1]]), [['retention.ms', null, 20]])
  })

  test('is nothing without a bound, or where a topic only compacts', async () => {
    assert.deepEqual(await found({ 'retention.ms': '-1' }, [[400]]), [])
    assert.deepEqual(await found({ 'cleanup.policy': 'compact' }, [[400]]), [])
    assert.deepEqual(await found({ 'cleanup.policy': 'compact,delete' }, [[400]]), [
      ['retention.ms', null, 10],
    ])
  })

  test('is what is too much, in whatever segments of the vault', async () => {
    const [batch] = [madeBatch({ from: 100, values: Array.from({ length: 10 }, () => '0') })]
    const bytes = batch.bytes.length
    const limit = (batches: number) => ({ 'retention.bytes': String(batches * bytes) })
    const over = async (batches: number, segments: readonly (readonly number[])[]) =>
      (await found(limit(batches), segments)).map(([config, , records]) => [config, records])
    assert.deepEqual(await over(2, [[3], [2], [1]]), [['retention.bytes', 10]])
    assert.deepEqual(await over(1, [[3, 2, 1]]), [['retention.bytes', 20]])
    assert.deepEqual(await over(3, [[3, 2, 1]]), [])
  })

  test('is nothing of a partition that is empty', async () => {
    const store = await madeVault()
    const topic = madeTopic([{ partition: 0, start: 5, end: 5, segments: [] }], 't', TOPIC_ID)
    await (await writerOf(store)).commit(madeDraft([topic]))
    const topics = [...(await readLatest(store, SET))!.topics.values()]
    const target = { brokerConfigs: async () => new Map() } as unknown as Cluster
    const reader = new SegmentReader(store, SET)
    assert.deepEqual(await planRetention(target, topics, { now: NOW, reader }), [])
  })
})
