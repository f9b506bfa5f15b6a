// When a source broker is taken for slow, what kdr does then, and what it must not take for it.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Cluster, FetchedPartition, FetchLane } from '../ports/cluster.ts'
import { gentle } from './gentle.ts'

const MB = 1024 * 1024
const AHEAD = 1_000_000

/** A broker whose answers take as long, and bring as much, as the test says. */
function world() {
  let now = 0
  const rests: number[] = []
  const changes: string[] = []
  const clock = {
    now: () => now,
    monotonic: () => now,
    sleep: (ms: number) => {
      now += ms
      return Promise.resolve()
    },
  }
  const next = { ms: 0, bytes: 0, lastStable: 0, firstByteMs: undefined as number | undefined }
  const open = () => {
    let receivedBytes = 0
    return {
      broker: 1,
      get firstByteMs() {
        return next.firstByteMs
      },
      get receivedBytes() {
        return receivedBytes
      },
      fetch: () => {
        now += next.ms
        receivedBytes += next.bytes
        const records = Buffer.alloc(Math.min(next.bytes, 1))
        const { lastStable } = next
        return Promise.resolve([{ topic: 't', partition: 0, lastStable, records }] as FetchedPartition[])
      },
      close: () => Promise.resolve(),
    }
  }
  const cluster = gentle({ openFetchLane: () => Promise.resolve(open()) } as unknown as Cluster, {
    clock,
    onRest: ms => rests.push(ms),
    onChange: (broker, state) =>
      changes.push(
        state === undefined ? `${broker} is well` : `${broker} ${state.recentMs}/${state.usualMs}`,
      ),
  })
  const asked = { topic: 't', partition: 0, offset: 1 }
  const request = { isolation: 'committed', maxWaitMs: 100, maxBytes: 1, partitions: [asked] } as never
  /** `ms`: until the first byte; the bytes take as long again as `transferMs`. */
  const fetch = async (
    lane: FetchLane,
    how: {
      ms: number
      bytes?: number
      transferMs?: number
      end?: number
      times?: number
      isHeldBack?: boolean
    },
  ) => {
    for (let i = 0; i < (how.times ?? 1); i++) {
      next.ms = how.ms + (how.transferMs ?? 10)
      next.bytes = how.bytes ?? MB
      next.lastStable = how.end ?? AHEAD
      next.firstByteMs = how.isHeldBack === true ? undefined : how.ms
      await lane.fetch(request)
    }
  }
  return { cluster, rests, changes, fetch, pass: (ms: number) => (now += ms) }
}

describe('a broker', () => {
  test('that has become slow is given rests as long as its answers take beyond the usual, until it has recovered', async () => {
    const { cluster, rests, changes, fetch } = world()
    const lane = await cluster.openFetchLane(1)
    await fetch(lane, { ms: 10, times: 20 })
    await fetch(lane, { ms: 510, times: 12 })
    assert.deepEqual(rests.slice(0, 2), [500, 500])
    assert.deepEqual(changes, ['1 510/10'])
    rests.length = 0
    await fetch(lane, { ms: 10, times: 20 })
    assert.deepEqual(changes, ['1 510/10', '1 is well'])
    assert.ok(rests.length <= 5, String(rests))
  })

  test('is slow until its times are as usual again, whatever a single answer brings', async () => {
    const { cluster, changes, fetch } = world()
    const lane = await cluster.openFetchLane(1)
    await fetch(lane, { ms: 10, times: 20 })
    await fetch(lane, { ms: 510, times: 12 })
    await fetch(lane, { ms: 510, bytes: 100 * MB })
    await fetch(lane, { ms: 510, times: 2 })
    assert.deepEqual(changes, ['1 510/10'])
  })

  test('rests two seconds at most', async () => {
    const { cluster, rests, fetch } = world()
    const lane = await cluster.openFetchLane(1)
    await fetch(lane, { ms: 10, times: 20 })
    await fetch(lane, { ms: 30_000, times: 12 })
    assert.deepEqual([...new Set(rests)], [2_000])
  })

  for (const [what, slow] of Object.entries({
    'that is far away from the beginning': { before: 400, after: 420 },
    'that takes a little longer': { before: 2, after: 200 },
    'that takes longer, far away': { before: 300, after: 900 },
  }))
    test(`${what} is not slow`, async () => {
      const { cluster, rests, fetch } = world()
      const lane = await cluster.openFetchLane(1)
      await fetch(lane, { ms: slow.before, times: 20 })
      await fetch(lane, { ms: slow.after, times: 20 })
      assert.deepEqual(rests, [])
    })

  test('whose line is full brings as much as ever: it is not slow', async () => {
    const { cluster, rests, fetch } = world()
    const lane = await cluster.openFetchLane(1)
    await fetch(lane, { ms: 10, bytes: MB, transferMs: 90, times: 20 })
    await fetch(lane, { ms: 900, bytes: 10 * MB, transferMs: 100, times: 20 })
    assert.deepEqual(rests, [])
  })

  test('some answers that took long are none', async () => {
    const { cluster, rests, fetch } = world()
    const lane = await cluster.openFetchLane(1)
    await fetch(lane, { ms: 10, times: 20 })
    await fetch(lane, { ms: 5_000, times: 4 })
    await fetch(lane, { ms: 10, times: 20 })
    assert.deepEqual(rests, [])
  })

  test('that waits for news, or for a quota, is not slow', async () => {
    const { cluster, rests, fetch } = world()
    const lane = await cluster.openFetchLane(1)
    await fetch(lane, { ms: 10, times: 20 })
    await fetch(lane, { ms: 10, end: 0 })
    await fetch(lane, { ms: 500, end: 0, times: 20 })
    await fetch(lane, { ms: 500, isHeldBack: true, times: 20 })
    assert.deepEqual(rests, [])
  })

  test('that stays slow for half an hour of work is as it usually is', async () => {
    const { cluster, rests, fetch } = world()
    const lane = await cluster.openFetchLane(1)
    await fetch(lane, { ms: 10, times: 20 })
    await fetch(lane, { ms: 510, times: 700 })
    rests.length = 0
    await fetch(lane, { ms: 510, times: 10 })
    assert.equal(rests.length, 10, 'ten minutes are not enough')
    await fetch(lane, { ms: 510, times: 1_300 })
    rests.length = 0
    await fetch(lane, { ms: 510, times: 10 })
    assert.deepEqual(rests, [])
  })

  test('is judged by all connections to it together', async () => {
    const { cluster, rests, fetch } = world()
    const [one, other] = [await cluster.openFetchLane(1), await cluster.openFetchLane(1)]
    await fetch(one, { ms: 10, times: 20 })
    await fetch(other, { ms: 510, times: 4 })
    await fetch(one, { ms: 510, times: 2 })
    assert.deepEqual(rests, [500])
  })
})
