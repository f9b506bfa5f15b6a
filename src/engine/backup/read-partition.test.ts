import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimSource } from '../../../test/vault/sim-source.ts'
import { recordCodec } from '../../kafka/records.ts'
import type { RawBatch } from '../../model/batch.ts'
import type { FetchLane } from '../../ports/cluster.ts'
import type { SetWriter } from '../../ports/vault.ts'
import { Rate } from './rate.ts'
import { PartitionReader } from './read-partition.ts'

test('of a partition that cannot be written no fetch is left behind that was made ahead', async () => {
  const source = new SimSource()
  const [at] = source.topic('t')
  for (let i = 0; i < 20; i++) source.produce(at!, 3)
  const fail = async (): Promise<void> => await Promise.reject(new Error('the vault is full'))
  let fetches = 0
  let open = 0
  const counted = (lane: FetchLane): FetchLane => ({
    ...lane,
    fetch: async request => {
      fetches++
      open++
      return await lane.fetch(request).finally(() => open--)
    },
  })
  const { clock, port } = source
  const cluster = {
    ...port,
    openFetchLane: async (broker: number) => counted(await port.openFetchLane(broker)),
  }
  await source.run(async () => {
    const view = await port.describe()
    const reader = new PartitionReader(
      {
        cluster,
        writer: { open: () => ({ add: fail }) } as unknown as SetWriter,
        clock,
        signal: new AbortController().signal,
        rate: new Rate(undefined, clock),
        segmentBytes: 200,
        isIntact: (batch: RawBatch) => recordCodec.isIntact(batch),
        onRead: () => undefined,
      },
      view,
    )
    const topicId = view.topics.get('t')!.id
    const reading = { topic: 't', topicId, partition: 0, from: 0, end: 60, lastEpoch: -1 }
    await assert.rejects(reader.read(reading), /the vault is full/)
    assert.deepEqual({ fetches, open }, { fetches: 2, open: 0 }, 'one was made ahead')
  })
})
