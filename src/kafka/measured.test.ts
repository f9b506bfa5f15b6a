import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AppendEntry, Cluster, FetchedPartition } from '../ports/cluster.ts'
import { measured, TrafficMeter } from './measured.ts'

/** A cluster whose answers take as long as the test says. */
const setUp = () => {
  let now = 0
  const sent: string[] = []
  const waiting: { resolve: () => void; reject: (error: Error) => void }[] = []
  const answered = async <T>(what: string, answer: T): Promise<T> => {
    sent.push(what)
    await new Promise<void>((resolve, reject) => waiting.push({ resolve, reject }))
    return answer
  }
  const fetched = (bytes: number) =>
    [
      { records: Buffer.alloc(bytes) },
      { records: Buffer.alloc(bytes / 10), replica: 3 },
    ] as FetchedPartition[]
  const cluster = {
    name: 'east',
    openFetchLane: () =>
      Promise.resolve({
        broker: 1,
        firstByteMs: 7,
        receivedBytes: 9,
        fetch: async () => await answered('fetch', fetched(sent.length === 0 ? 500 : 0)),
        close: () => Promise.resolve(),
      }),
    openFetchSession: () =>
      Promise.resolve({
        broker: 1,
        ask: () => undefined,
        forget: () => undefined,
        next: async () => await answered('next', fetched(70)),
        close: () => Promise.resolve(),
      }),
    openAppendLane: () =>
      Promise.resolve({
        broker: 2,
        isClosed: false,
        append: async (entries: readonly AppendEntry[]) =>
          await answered(
            `append ${entries.length}`,
            entries.map((_, i) => ({ topic: 't', partition: i, code: i === 0 ? 0 : 6, baseOffset: 0 })),
          ),
        close: () => Promise.resolve(),
      }),
  } as unknown as Cluster
  const clock = { now: () => 0, monotonic: () => now, sleep: () => Promise.resolve() }
  const meter = new TrafficMeter('east', clock)
  const after = (ms: number, end: (one: (typeof waiting)[number]) => void = each => each.resolve()) => {
    now += ms
    end(waiting.shift()!)
  }
  return { cluster: measured(cluster, meter), meter, sent, after }
}

describe('a cluster that is measured', () => {
  test('fetches that bring records are timed; those that bring none are not', async () => {
    const { cluster, meter, after } = setUp()
    const lane = await cluster.openFetchLane(1)
    assert.deepEqual([lane.broker, lane.firstByteMs, lane.receivedBytes], [1, 7, 9])
    for (const ms of [30, 500]) {
      const fetching = lane.fetch({} as never)
      after(ms)
      await fetching
    }
    const { fetches, fetchedBytes, closestBytes } = meter.now()
    assert.deepEqual([fetches.count, fetches.sumSeconds, fetchedBytes, closestBytes], [1, 0.03, 550, 50])
  })

  test('records that come with news are counted, and not timed', async () => {
    const { cluster, meter, after } = setUp()
    const session = await cluster.openFetchSession(1)
    const next = session.next({} as never)
    after(5_000)
    await next
    const { fetches, fetchedBytes, connections } = meter.now()
    assert.deepEqual([fetches.count, fetchedBytes, connections.watch], [0, 77, 1])
  })

  test('appends leave in the order of the calls, before anything is awaited', async () => {
    const { cluster, meter, sent, after } = setUp()
    const lane = await cluster.openAppendLane(2)
    const entry = {} as AppendEntry
    const both = [lane.append([entry], 1), lane.append([entry, entry], 1)]
    assert.deepEqual(sent, ['append 1', 'append 2'])
    after(10)
    await both[0]
    after(10)
    await both[1]
    const { appends, batches } = meter.now()
    // Of the second request one batch was refused.
    assert.deepEqual([appends.count, appends.sumSeconds, batches], [2, 0.03, 2])
  })

  test('what fails is thrown as it was, and counted', async () => {
    const { cluster, meter, after } = setUp()
    const lane = await cluster.openAppendLane(2)
    const appending = lane.append([], 1)
    after(10, each => each.reject(new Error('connection closed')))
    await assert.rejects(appending, /^Error: connection closed$/)
    assert.deepEqual([meter.now().failures, meter.now().appends.count], [1, 0])
  })

  test('connections are counted while they are open, and closed once', async () => {
    const { cluster, meter } = setUp()
    const lane = await cluster.openFetchLane(1)
    await cluster.openAppendLane(2)
    assert.deepEqual(meter.now().connections, { fetch: 1, watch: 0, append: 1 })
    await lane.close()
    await lane.close()
    assert.deepEqual(meter.now().connections, { fetch: 0, watch: 0, append: 1 })
  })
})
