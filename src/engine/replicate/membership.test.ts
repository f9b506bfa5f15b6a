// A worker that the coordinator counts, and whose share of the slots it does not know, asks for it again.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KdrError } from '../../model/errors.ts'
import type { SlotGroup } from '../../ports/slot-group.ts'
import { Membership } from './membership.ts'
import type { Slots } from './slots.ts'

test('a join whose answer is lost is made again, though the coordinator counts this worker', async () => {
  const ended = new AbortController()
  let joins = 0
  const wanted: (readonly number[])[] = []
  const group: SlotGroup = {
    join: async () => {
      joins++
      if (joins === 2) throw new KdrError('unreachable', 'the answer is lost')
      return await Promise.resolve(joins === 1 ? [0] : [0, 1])
    },
    // Others have come once; from then on it is a member like any other.
    heartbeat: async () => await Promise.resolve(joins === 1 ? 'rebalance' : 'member'),
    leave: async () => await Promise.resolve(),
  }
  const slots = {
    held: [],
    wanted: [],
    isComplete: true,
    takeWanted: async () => await Promise.resolve(),
    want: async (some: readonly number[]) => {
      wanted.push(some)
      if (wanted.length === 2) ended.abort()
      await Promise.resolve()
    },
  } as unknown as Slots
  let beats = 0
  const membership = new Membership({
    link: 'l',
    group,
    slots,
    clock: {
      now: () => 0,
      monotonic: () => 0,
      sleep: async () => {
        if (++beats > 1_000) ended.abort()
        await new Promise(resolve => {
          setImmediate(resolve)
        })
      },
    },
    entropy: { bits62: () => 0n, uuid: () => 'w', fraction: () => 0.5 },
    log: { event: () => undefined },
    signal: ended.signal,
    onTaken: async () => await Promise.resolve(),
    tell: () => undefined,
    fail: error => assert.fail(String(error)),
  })
  await membership.begin()
  await membership.run()
  assert.deepEqual(wanted, [[0], [0, 1]])
})
