// What a commit says of partitions that it could not look at.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { lookUpTo } from './look.ts'

const NEVER = Number.MAX_SAFE_INTEGER
const look = {
  transactions: {
    isComplete: true,
    open: [],
    moving: [],
    partitions: [
      ['t', 0, 5, 5, 5],
      ['t', 1, 5, 6, 9],
      ['t', 2, 5, 5, 5],
      ['again', 0, 5, 5, 5],
    ] as const,
  },
  topicIds: new Map([
    ['t', 'id'],
    ['again', 'old'],
  ]),
}
const log = (topic: string, partition: number, end: number, topicId = 'id') => ({
  topic,
  topicId,
  partition,
  end,
})
const said = (logs: readonly ReturnType<typeof log>[]) => lookUpTo(look, logs)?.partitions

describe('what a commit says of transactions', () => {
  test('names partitions that went on, or that were read to elsewhere', () => {
    assert.deepEqual(said([log('t', 0, 5), log('t', 1, 9), log('t', 2, 3)]), [
      ['t', 1, 5, 6, 9],
      ['t', 2, 5, 5, 5],
    ])
  })

  test('does not cut one that was not looked at, or is of a topic that was made again since', () => {
    assert.deepEqual(said([log('t', 3, 8), log('young', 0, 2), log('again', 0, 5, 'new')]), [
      ['t', 3, 8, NEVER, NEVER],
      ['young', 0, 2, NEVER, NEVER],
      ['again', 0, 5, NEVER, NEVER],
    ])
  })

  test('says nothing where the cluster could not tell', () => {
    assert.equal(lookUpTo({ ...look, transactions: undefined }, [log('t', 0, 5)]), undefined)
  })
})
