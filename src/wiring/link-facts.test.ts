import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { NOW, partition } from '../../test/support/metrics-world.ts'
import { reportKey, toRecord, workerKey } from '../model/state-records.ts'
import { viewOf } from './link-facts.ts'

type Replication = Parameters<typeof viewOf>[0]

/** One of two workers: it copies `orders/0`, the other one has reported `orders/1` and a topic that the link takes no more. */
function worker({
  hasControl,
  others,
}: {
  readonly hasControl: boolean
  readonly others: readonly number[][]
}) {
  const report = (number: number) =>
    toRecord('report', {
      at: NOW - 3_000,
      worker: 'b',
      generation: 1,
      targetTopicId: 'x',
      partitions: [partition('', number, { lagRecords: 7, lagMs: 1_000 })],
    })
  const records: Readonly<Record<string, unknown>> = {
    [reportKey('ew', 'orders', 1, 0)]: report(1),
    [reportKey('ew', 'tmp-1', 1, 0)]: report(0),
    [workerKey('ew', 'b')]: toRecord('worker', { slots: [1] }),
  }
  const context = {
    link: 'ew',
    settings: { topics: ['*', '!tmp-*'], groups: ['*'] },
    clock: { now: () => NOW },
    store: {
      get: (key: string) => records[key],
      entries: (prefix: string) => Object.entries(records).filter(([key]) => key.startsWith(prefix)),
    },
    slots: {
      hasControl,
      livingOthers: () => others.map((slots, index) => ({ id: String(index), record: { slots } })),
    },
  }
  return { context, progress: () => [partition('orders', 0)] } as unknown as Replication
}

describe('a link as any of its workers sees it', () => {
  test('is its own partitions, and those that others have reported', () => {
    const { partitions } = viewOf(worker({ hasControl: true, others: [[1]] }))
    assert.deepEqual(
      partitions.map(({ topic, partition: number, lagRecords, lagMs }) => [topic, number, lagRecords, lagMs]),
      [
        ['orders', 0, 0, 0],
        ['orders', 1, 7, 4_000],
      ],
    )
  })

  test('has as many that take themselves for the owner of slot 0 as live and say so', () => {
    const controllers = (hasControl: boolean, others: readonly number[][]): number =>
      viewOf(worker({ hasControl, others })).controllers
    assert.equal(controllers(true, [[1], [2]]), 1)
    assert.equal(controllers(false, [[0, 1], [2]]), 1)
    assert.equal(controllers(true, [[0]]), 2)
    assert.equal(controllers(false, [[1]]), 0)
  })
})
