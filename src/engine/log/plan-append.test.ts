import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { controlBatch, transactional } from '../../../test/sim/marker.ts'
import { recordCodec } from '../../kafka/records.ts'
import { type RawBatch, readBatchHeader, splitBatches } from '../../model/batch.ts'
import { crc32c } from '../../model/crc32c.ts'
import { KdrError } from '../../model/errors.ts'
import { type PlannedOp, planAppend } from './plan-append.ts'

/** A batch at `base` with records at these offsets, all of one producer. */
function batch(
  base: number,
  offsets: readonly number[],
  options: { producerId?: bigint; inTransaction?: boolean } = {},
): Buffer {
  const producerId = options.producerId ?? -1n
  const bytes = recordCodec.encode({
    codec: 'none',
    baseOffset: base,
    records: offsets.map(offset => ({
      offset,
      timestamp: 1_000 + offset,
      key: null,
      value: Buffer.from(`v${offset}`),
      headers: [],
    })),
    ...(producerId < 0n ? {} : { producer: { producerId, producerEpoch: 0 }, baseSequence: 0 }),
  })
  const marked = options.inTransaction === true ? transactional(bytes) : bytes
  marked.writeBigInt64BE(BigInt(base), 0)
  return marked
}

function marker(base: number, producerId: bigint, isCommit: boolean): Buffer {
  const bytes = controlBatch({ producerId, producerEpoch: 0, isCommit, now: 1_000 })
  bytes.writeBigInt64BE(BigInt(base), 0)
  return bytes
}

const raw = (...parts: Buffer[]): RawBatch[] => splitBatches(Buffer.concat(parts))
const shape = (ops: readonly PlannedOp[]): string =>
  ops.map(op => `${op.kind === 'gap' ? 'gap' : 'batch'} ${op.base}-${op.next - 1}`).join(', ')
const plan = (
  from: number,
  batches: RawBatch[],
  aborted: { producerId: bigint; firstOffset: number }[] = [],
): PlannedOp[] => planAppend(from, batches, aborted, recordCodec)

describe('planAppend', () => {
  test('a whole batch passes through, byte for byte', () => {
    const bytes = batch(5, [5, 6, 7])
    const ops = plan(5, raw(bytes))
    assert.equal(shape(ops), 'batch 5-7')
    assert.deepEqual(ops[0]?.kind === 'batch' && ops[0].bytes, bytes)
  })

  test('offsets before the first batch, and between batches, are one gap each', () => {
    assert.equal(
      shape(plan(2, raw(batch(5, [5]), batch(9, [9, 10])))),
      'gap 2-4, batch 5-5, gap 6-8, batch 9-10',
    )
  })

  test('a marker is a gap, and neighbouring gaps are one', () => {
    const ops = plan(0, raw(batch(0, [0]), marker(1, 7n, true), marker(2, 8n, true), batch(5, [5])))
    assert.equal(shape(ops), 'batch 0-0, gap 1-4, batch 5-5')
    assert.deepEqual(ops[1]?.kind === 'gap' && ops[1].counts, { markers: 2, aborted: 0, missing: 2 })
  })

  test('the batches of an aborted transaction are a gap; those of its producer after the abort are not', () => {
    const batches = raw(
      batch(0, [0, 1], { producerId: 7n, inTransaction: true }),
      batch(2, [2]),
      marker(3, 7n, false),
      batch(4, [4], { producerId: 7n, inTransaction: true }),
      marker(5, 7n, true),
    )
    assert.equal(
      shape(plan(0, batches, [{ producerId: 7n, firstOffset: 0 }])),
      'gap 0-1, batch 2-2, gap 3-3, batch 4-4, gap 5-5',
    )
  })

  test('an aborted transaction that begins later does not take the records before it', () => {
    const batches = raw(
      batch(0, [0], { producerId: 7n, inTransaction: true }),
      marker(1, 7n, true),
      batch(2, [2], { producerId: 7n, inTransaction: true }),
      marker(3, 7n, false),
    )
    assert.equal(shape(plan(0, batches, [{ producerId: 7n, firstOffset: 2 }])), 'batch 0-0, gap 1-3')
  })

  test('a thinned batch becomes a batch for each run of neighbours', () => {
    const ops = plan(10, raw(batch(10, [10, 11, 14])))
    assert.equal(shape(ops), 'batch 10-11, gap 12-13, batch 14-14')
    for (const op of ops)
      if (op.kind === 'batch') assert.equal(readBatchHeader(op.bytes).recordCount, op.next - op.base)
  })

  test('a batch that the cursor stands in is cut to what lies above', () => {
    const ops = plan(6, raw(batch(5, [5, 6, 7])))
    assert.equal(shape(ops), 'batch 6-7')
    const [again] = splitBatches(ops[0]?.kind === 'batch' ? ops[0].bytes : Buffer.alloc(0))
    assert.deepEqual(
      recordCodec.decode(again!).map(record => record.value?.toString()),
      ['v6', 'v7'],
    )
  })

  test('a LogAppendTime batch is framed anew with the time that a consumer reads', () => {
    const bytes = batch(0, [0, 1])
    bytes.writeInt16BE(0x08, 21)
    bytes.writeBigInt64BE(777n, 35)
    bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17)
    const ops = plan(0, raw(bytes))
    const [again] = splitBatches(ops[0]?.kind === 'batch' ? ops[0].bytes : Buffer.alloc(0))
    assert.deepEqual(
      recordCodec.decode(again!).map(record => record.timestamp),
      [777, 777],
    )
  })

  test('a batch that must be decoded and does not match its checksum is refused', () => {
    const bytes = batch(10, [10, 12])
    bytes[bytes.length - 1]! ^= 1
    assert.throws(
      () => plan(10, raw(bytes)),
      (error: unknown) =>
        error instanceof KdrError &&
        error.code === 'corrupt' &&
        error.facts['from'] === 10 &&
        error.facts['to'] === 13,
    )
    assert.equal(
      shape(plan(5, raw(batch(5, [5, 6]), bytes))),
      'batch 5-6',
      'what stands before it is planned',
    )
  })

  test('batches below the cursor are passed by', () => {
    assert.equal(shape(plan(8, raw(batch(5, [5, 6]), batch(8, [8])))), 'batch 8-8')
  })
})
