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
}

function readerOf(view: ClusterView, { source, cluster, add, isIntact }: Reads): PartitionReader {
  const close = (): Promise<Segment> => Promise.resolve({} as Segment)
  const world = {
    cluster,
    writer: { open: () => ({ add, close }) } as unknown as SetWriter,
    clock: source.clock,
    signal: new AbortController().signal,
    rate: new Rate(undefined, source.clock),
    segmentBytes: 200,
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
    const broken = await reader.read(readingOf(view, 0, 60))
    assert.deepEqual([broken.end, taken], [3, [0]])
    assert.match(broken.notes[0]!.what, /offsets 3 to 59 were not read: the batch at offset 3 does not match/)
    assert.deepEqual({ looks, ...lanes }, { looks: CORRUPT_LOOKS, fetches: 1 + CORRUPT_LOOKS, open: 0 })
    taken.length = 0
    corruptAt = Number.MAX_SAFE_INTEGER
    const whole = await reader.read(readingOf(view, 1, 40))
    assert.deepEqual([whole.end, whole.notes], [40, []])
    assert.deepEqual(
      taken,
      Array.from({ length: 20 }, (_none, i) => i * 2),
    )
  })
})
