import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Manifest } from '../engine/runs/export.ts'
import { newestOf } from './replay.ts'

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
