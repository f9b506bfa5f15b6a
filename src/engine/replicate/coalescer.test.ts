import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { recordCodec } from '../../kafka/records.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { PlannedBatch, PlannedOp } from '../log/plan-append.ts'
import { Coalescer } from './coalescer.ts'

function queueOf(count: number, valueBytes: number): PlannedOp[] {
  return Array.from({ length: count }, (_none, base) => {
    const value = Buffer.alloc(valueBytes, base)
    const records = [{ offset: base, timestamp: 1, key: null, value, headers: [] }]
    const bytes = recordCodec.encode({ codec: 'none', records })
    return { kind: 'batch', base, next: base + 1, bytes, maxTimestamp: 1, leaderEpoch: 0 }
  })
}

function takeBatch(coalescer: Coalescer, queue: PlannedOp[]): PlannedBatch {
  const { head } = coalescer.take(queue)
  assert.ok(head?.kind === 'batch')
  return head
}

describe('Coalescer', () => {
  test('takes what it made one batch of out of the queue, and says how many bytes that was', () => {
    const queue = queueOf(10, 100)
    const before = queue.reduce((sum, op) => sum + (op.kind === 'batch' ? op.bytes.length : 0), 0)
    const { head, bytes } = new Coalescer(recordCodec).take(queue)
    assert.deepEqual([head?.base, head?.next, queue.length, bytes], [0, 10, 0, before])
  })

  test('takes less together where the target refuses what it made, and at last nothing', () => {
    const coalescer = new Coalescer(recordCodec)
    const taken: number[] = []
    for (;;) {
      const batch = takeBatch(coalescer, queueOf(1_000, 1_000))
      taken.push(batch.next - batch.base)
      if (!coalescer.isRefused(batch, KafkaCode.MESSAGE_TOO_LARGE)) break
    }
    assert.ok(taken.length > 2)
    assert.deepEqual(
      taken,
      taken.toSorted((a, b) => b - a),
    )
    assert.equal(taken.at(-1), 1)
  })

  test('a refusal that is not about the batch, or is about a batch of the source, is left to others', () => {
    const coalescer = new Coalescer(recordCodec)
    const made = takeBatch(coalescer, queueOf(5, 10))
    assert.equal(coalescer.isRefused(made, KafkaCode.NOT_LEADER_OR_FOLLOWER), false)
    assert.equal(coalescer.isRefused(made, KafkaCode.NONE), false)
    const alone = takeBatch(coalescer, queueOf(1, 10))
    assert.equal(coalescer.isRefused(alone, KafkaCode.CORRUPT_MESSAGE), false)
  })
})
