// Whose memory a frame is. What the reader reads is in vault.test.ts.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { madeBatch, madeVault, SET, writeBatches, writerOf } from '../../test/vault/made.ts'
import type { RawBatch } from '../model/batch.ts'
import type { Compression, Segment } from '../model/vault.ts'
import { type BatchRun, SegmentReader } from './reader.ts'

/** Three batches a frame. */
async function made(compression: Compression): Promise<{ reader: SegmentReader; segment: Segment }> {
  const store = await madeVault()
  const batches = Array.from({ length: 16 }, (_none, from) =>
    madeBatch({ from, values: ['x'.repeat(300_000)] }),
  )
  const segment = await writeBatches(await writerOf(store, { compression }), batches)
  return { reader: new SegmentReader(store, SET), segment }
}

const memoryOf = (batches: readonly RawBatch[]): number => batches[0]!.bytes.buffer.byteLength

for (const compression of ['zstd', 'none'] as const)
  describe(`a frame of a segment (${compression})`, () => {
    const read = async (reader: SegmentReader, segment: Segment, offset: number): Promise<BatchRun> =>
      (await reader.read([segment], offset, 16))!

    test('is given back when it is read, and whoever has a run of it is done', async () => {
      const { reader, segment } = await made(compression)
      const runs = await Promise.all([read(reader, segment, 0), read(reader, segment, 1)])
      runs[0].done(true)
      assert.equal(runs[1].batches[0]!.bytes.toString('latin1', 80, 90), 'x'.repeat(10), 'the other has it')
      runs[1].done(true)
      assert.deepEqual(
        runs.map(({ batches }) => memoryOf(batches)),
        [0, 0],
      )
      assert.equal((await read(reader, segment, 0)).batches.length, 3, 'it is read again')
    })

    test('is kept for others until it is read', async () => {
      const { reader, segment } = await made(compression)
      const first = await read(reader, segment, 0)
      first.done(false)
      const second = await read(reader, segment, 1)
      assert.ok(second.batches[0]!.bytes.buffer === first.batches[0]!.bytes.buffer, 'the same memory')
      second.done(true)
      await Promise.resolve()
      assert.equal(memoryOf(first.batches), 0)
    })

    test('is the collector’s where somebody does not say that he is done', async () => {
      const { reader, segment } = await made(compression)
      const [frame] = (await reader.index(segment)).frames
      const all = await reader.frame(segment, frame!)
      const run = await read(reader, segment, 0)
      run.done(true)
      await Promise.resolve()
      assert.notEqual(memoryOf(all), 0)
    })
  })
