import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { madeBatch } from '../../test/vault/made.ts'
import { type RawBatch, splitBatches } from '../model/batch.ts'
import { Framing } from './framing.ts'
import { FRAME_BYTES, readFrame } from './frames.ts'
import { Blocks } from './pile.ts'

const OF = { topic: 't', topicId: '6f2f4d2e-0000-4000-8000-000000000001', partition: 0 }

/** As a broker answers: batches one behind the other. */
function answer(from: number, sizes: readonly number[]): RawBatch[] {
  const batches = sizes.map((size, i) => madeBatch({ from: from + i, values: ['x'.repeat(size)] }))
  return splitBatches(Buffer.concat(batches.map(({ bytes }) => bytes)))
}

const copyOf = (batches: readonly RawBatch[]): Buffer => Buffer.concat(batches.map(({ bytes }) => bytes))

describe('a segment in the making', () => {
  for (const compression of ['zstd', 'none'] as const)
    test(`holds what was added, whatever becomes of the batches then (${compression})`, async () => {
      const framing = new Framing(OF, compression, new Blocks())
      const expected: Buffer[] = []
      const small = Array.from({ length: 30 }, () => 2_000)
      for (const [from, sizes] of [
        [0, [300_000, 300_000, 300_000, 300_000]],
        [4, [1_000]],
        [5, [900_000, 400_000, 2_500_000]],
        [8, small],
        [38, small],
      ] as const) {
        const batches = answer(from, sizes)
        expected.push(copyOf(batches))
        await framing.add(batches, [])
        // They are the caller's again.
        for (const { bytes } of batches) bytes.fill(0)
      }
      const { pile, index, facts } = await framing.finish()
      const stored = Buffer.concat(pile.body)
      assert.equal(stored.length, facts.bytes)
      const read: Buffer[] = []
      for (const frame of index.frames) {
        const bytes = Buffer.from(stored.subarray(frame.position, frame.position + frame.bytes))
        read.push(copyOf(await readFrame(bytes, { compression, object: 'o' }, frame)))
      }
      assert.ok(Buffer.concat(read).equals(Buffer.concat(expected)))
      assert.deepEqual([facts.from, facts.to, facts.batches], [0, 68, 68])
      const large = index.frames.filter(({ rawBytes }) => rawBytes > FRAME_BYTES)
      assert.deepEqual(
        large.map(({ from }) => from),
        [7],
        'only a batch that is larger makes a larger frame',
      )
    })

  test('is not cut at every small answer', async () => {
    const framing = new Framing(OF, 'none', new Blocks())
    for (let from = 0; from < 100; from++) await framing.add(answer(from, [20_000]), [])
    const { index } = await framing.finish()
    assert.ok(index.frames.length <= 4, `${index.frames.length} frames of 2 MB`)
  })

  test('and the next one share memory only when the first is stored', async () => {
    const blocks = new Blocks()
    const [first, second] = [new Framing(OF, 'none', blocks), new Framing(OF, 'none', blocks)]
    const batches = answer(0, [600_000, 600_000])
    await first.add(batches, [])
    await second.add(answer(7, [600_000, 600_000]), [])
    const { pile } = await first.finish()
    assert.ok(Buffer.concat(pile.body).equals(copyOf(batches)))
    const memory = pile.body[0]!.buffer
    pile.clear()
    const third = new Framing(OF, 'none', blocks)
    await third.add(batches, [])
    assert.ok((await third.finish()).pile.body.some(({ buffer }) => buffer === memory))
  })
})
