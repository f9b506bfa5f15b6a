import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Manifest } from '../engine/runs/export.ts'
import { newestOf, outlivedOf } from './replay.ts'

const manifest = (run: string, logs: readonly (readonly [topicId: string, partition: number])[]): Manifest =>
  ({ run, partitions: logs.map(([topicId, partition]) => ({ topicId, partition, why: run })) }) as never

describe('what is replayed of several exports of one failover', () => {
  test('of each log the newest, which has all of it; of one that was deleted meanwhile the only one', () => {
    const older = manifest('given-up', [
      ['a', 0],
      ['a', 1],
      ['b', 0],
    ])
    const newest = manifest('done', [['b', 0]])
    assert.deepEqual(
      newestOf([newest, older]).map(some => some.map(({ topicId, partition }) => `${topicId}/${partition}`)),
      [['b/0'], ['a/0', 'a/1']],
    )
  })

  test('a topic that was made again is another log', () => {
    const [again, first] = newestOf([manifest('done', [['a2', 0]]), manifest('given-up', [['a1', 0]])])
    assert.deepEqual([again!.length, first!.length], [1, 1])
  })
})

describe('what retention would take of replayed records', () => {
  const DAY_MS = 86_400_000
  const NOW = Date.UTC(2026, 0, 10)
  const from = (days: number) => [{ topic: 'orders', from: new Date(NOW - days * DAY_MS).toISOString() }]
  const entry = (value: string) => ({ value, isOverride: true, isReadOnly: false, isSensitive: false })
  const configs = (of: Record<string, string>) =>
    new Map([
      ['orders', { entries: new Map(Object.entries(of).map(([name, value]) => [name, entry(value)])) }],
    ])
  const WEEK = { 'cleanup.policy': 'delete', 'retention.ms': String(7 * DAY_MS) }

  test('is told of records that are older', () => {
    assert.match(outlivedOf(from(8), configs(WEEK), NOW).join(), /"orders" keeps records .*--into stranded/)
  })

  test('is nothing of those that are not, where nothing is deleted, or not by their times', () => {
    assert.deepEqual(outlivedOf(from(6), configs(WEEK), NOW), [])
    for (const other of [
      { 'cleanup.policy': 'compact' },
      { 'retention.ms': '-1' },
      { 'message.timestamp.type': 'LogAppendTime' },
    ])
      assert.deepEqual(outlivedOf(from(8), configs({ ...WEEK, ...other }), NOW), [])
  })
})
