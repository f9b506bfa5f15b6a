import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimSource } from '../../../test/vault/sim-source.ts'
import { recordCodec } from '../../kafka/records.ts'
import type { RawBatch } from '../../model/batch.ts'
import type { Segment } from '../../model/vault.ts'
import type { ClusterView, FetchLane } from '../../ports/cluster.ts'
import { CORRUPT_LOOKS } from './limits.ts'
import type { SetWriter } from '../../ports/vault.ts'
import { Rate } from './rate.ts'
import { PartitionReader, type Reading } from './read-partition.ts'

type Lanes = { fetches: number; open: number }

/** The source's port, with what is asked of its lanes counted. */
function counted({ port }: SimSource): { readonly cluster: SimSource['port']; readonly lanes: Lanes } {
  const lanes: Lanes = { fetches: 0, open: 0 }
  const openFetchLane = async (broker: number): Promise<FetchLane> => {
    const lane = await port.openFetchLane(broker)
    return {
      ...lane,
      fetch: async request => {
        lanes.fetches++
        lanes.open++
        return await lane.fetch(request).finally(() => lanes.open--)
      },
    }
  }
  return { cluster: { ...port, openFetchLane }, lanes }
}

type Reads = {
  readonly source: SimSource
  readonly cluster: SimSource['port']
  readonly add: (batches: readonly RawBatch[]) => Promise<void>
  readonly isIntact?: (batch: RawBatch) => boolean
  readonly close?: () => Promise<Segment>
  readonly segmentBytes?: number
}

function readerOf(view: ClusterView, reads: Reads): PartitionReader {
  const { source, cluster, add, isIntact, segmentBytes = 200 } = reads
  const close = reads.close ?? (() => Promise.resolve({} as Segment))
  const world = {
    cluster,
    writer: { open: () => ({ add, close }) } as unknown as SetWriter,
    clock: source.clock,
    signal: new AbortController().signal,
    rate: new Rate(undefined, source.clock),
    segmentBytes,
    isIntact: isIntact ?? ((batch: RawBatch) => recordCodec.isIntact(batch)),
    onRead: () => undefined,
  }
  return new PartitionReader(world, view)
}

const readingOf = (view: ClusterView, partition: number, end: number): Reading => {
  const topicId = view.topics.get('t')!.id
  return { topic: 't', topicId, partition, from: 0, end, lastEpoch: -1 }
}

test('of a partition that cannot be written no fetch is left behind that was made ahead', async () => {
  const source = new SimSource()
  const [at] = source.topic('t')
  for (let i = 0; i < 20; i++) source.produce(at!, 3)
  const { cluster, lanes } = counted(source)
  await source.run(async () => {
    const view = await cluster.describe()
    const add = async (): Promise<void> => await Promise.reject(new Error('the vault is full'))
    const reader = readerOf(view, { source, cluster, add })
    await assert.rejects(reader.read(readingOf(view, 0, 60)), /the vault is full/)
    assert.deepEqual(lanes, { fetches: 2, open: 0 }, 'one was made ahead')
  })
})

test('what was fetched ahead counts as a look at a batch that is corrupt, and is no answer for the next partition', async () => {
  const source = new SimSource()
  const [first, second] = source.topic('t', 2)
  for (let i = 0; i < 20; i++) source.produce(first!, 3)
  for (let i = 0; i < 20; i++) source.produce(second!, 2)
  const { cluster, lanes } = counted(source)
  await source.run(async () => {
    const view = await cluster.describe()
    const taken: number[] = []
    let corruptAt = -1
    let looks = 0
    const add = (batches: readonly RawBatch[]): Promise<void> => {
      taken.push(...batches.map(({ header }) => header.baseOffset))
      return Promise.resolve()
    }
    // An answer holds one batch: the second is fetched ahead, and then looked at.
    const isIntact = ({ header: { baseOffset } }: RawBatch): boolean => {
      if (corruptAt < 0 && baseOffset > 0) corruptAt = baseOffset
      if (baseOffset === corruptAt) looks++
      return baseOffset !== corruptAt
    }
    const reader = readerOf(view, { source, cluster, add, isIntact })
    const broken = await (await reader.read(readingOf(view, 0, 60))).written
    assert.deepEqual([broken.end, taken], [3, [0]])
    assert.match(broken.notes[0]!.what, /offsets 3 to 59 were not read: the batch at offset 3 does not match/)
    assert.deepEqual({ looks, ...lanes }, { looks: CORRUPT_LOOKS, fetches: 1 + CORRUPT_LOOKS, open: 0 })
    taken.length = 0
    corruptAt = Number.MAX_SAFE_INTEGER
    const whole = await (await reader.read(readingOf(view, 1, 40))).written
    assert.deepEqual([whole.end, whole.notes], [40, []])
    assert.deepEqual(
      taken,
      Array.from({ length: 20 }, (_none, i) => i * 2),
    )
  })
})

test('the next partition is read while the last segment of the one before is written, and no more than one is', async () => {
  const source = new SimSource()
  const topic = source.topic('t', 2)
  for (const at of topic) for (let i = 0; i < 20; i++) source.produce(at, 3)
  const { cluster, lanes } = counted(source)
  await source.run(async () => {
    const view = await cluster.describe()
    let writing = 0
    let most = 0
    let fetchesWhileWritten = 0
    const close = async (): Promise<Segment> => {
      const before = lanes.fetches
      most = Math.max(most, ++writing)
      await source.clock.sleep(1_000)
      writing--
      fetchesWhileWritten = lanes.fetches - before
      return {} as Segment
    }
    const add = (): Promise<void> => Promise.resolve()
    // A partition is one segment.
    const reader = readerOf(view, { source, cluster, add, close, segmentBytes: 1_000_000 })
    const first = await reader.read(readingOf(view, 0, 60))
    const second = await reader.read(readingOf(view, 1, 60))
    assert.ok(fetchesWhileWritten > 0, 'the second was read meanwhile')
    const ends = await Promise.all([first.written, second.written])
    assert.deepEqual(
      ends.map(({ end, segments }) => [end, segments.length]),
      [
        [60, 1],
        [60, 1],
      ],
    )
    assert.equal(most, 1)
  })
})

test('a reader that is closed has nothing under way that it was writing', async () => {
  const source = new SimSource()
  const [at] = source.topic('t')
  source.produce(at!, 3)
  const { cluster } = counted(source)
  await source.run(async () => {
    const view = await cluster.describe()
    let isWritten = false
    const close = async (): Promise<Segment> => {
      await source.clock.sleep(1_000)
      isWritten = true
      return await Promise.reject(new Error('the vault is full'))
    }
    const reader = readerOf(view, { source, cluster, add: () => Promise.resolve(), close })
    const { written } = await reader.read(readingOf(view, 0, 3))
    await reader.close()
    assert.ok(isWritten)
    await assert.rejects(written, /the vault is full/)
  })
})
