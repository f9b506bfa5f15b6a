import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordCodec } from '../../kafka/records.ts'
import { type BatchHeader, readBatchHeader, stampBatch } from '../../model/batch.ts'
import type { PlannedBatch } from '../log/plan-append.ts'
import { Unanswered } from './unanswered.ts'

function sent(base: number, value: string, sequence: number): PlannedBatch {
  const records = [{ offset: base, timestamp: 1, key: null, value: Buffer.from(value), headers: [] }]
  const bytes = recordCodec.encode({ codec: 'none', records })
  stampBatch(bytes, { producerId: 7n, producerEpoch: 0 }, sequence)
  return { kind: 'batch', base, next: base + 1, bytes, maxTimestamp: 1, leaderEpoch: 0 }
}

/** As a broker keeps it. */
const at = (base: number, { bytes }: PlannedBatch): BatchHeader => ({
  ...readBatchHeader(bytes),
  baseOffset: base,
  leaderEpoch: 5,
})

test('a batch without an answer is known again where it does not belong', () => {
  const unanswered = new Unanswered()
  const batch = sent(14, 'a', 12)
  unanswered.add(batch, 14)
  assert.equal(unanswered.upTo, 15)
  assert.equal(unanswered.strayFrom(at(0, batch)), 14)
  assert.equal(unanswered.strayFrom(at(14, batch)), undefined)
  // The same record, which the source has twice, and another one.
  assert.equal(unanswered.strayFrom(at(0, sent(0, 'a', 0))), undefined)
  assert.equal(unanswered.strayFrom(at(0, sent(0, 'b', 12))), undefined)
})

test('nothing is known of what the cursor has passed, or what can land no more', () => {
  const unanswered = new Unanswered()
  const [first, second] = [sent(14, 'a', 12), sent(20, 'b', 18)]
  unanswered.add(first, 14)
  unanswered.add(second, 20)
  assert.equal(unanswered.strayFrom(at(0, first)), undefined)
  assert.equal(unanswered.strayFrom(at(0, second)), 20)
  unanswered.clear()
  assert.equal(unanswered.upTo, 0)
  assert.equal(unanswered.strayFrom(at(0, second)), undefined)
})
