// What a worker tells of a mirror that is longer than its source: until the source shows more, nobody knows what becomes of it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordCodec } from '../../kafka/records.ts'
import { NO_COUNTS } from '../log/plan-append.ts'
import type { SlotIdentity } from './context.ts'
import type { PartitionHooks } from './hooks.ts'
import { PartitionCopy } from './partition.ts'
import { reportOf } from './report-of.ts'

/** Ends at 12; the source shows what it has up to `planFrom`. */
function copyOf(planFrom: number): PartitionCopy {
  const hooks = {
    codec: recordCodec,
    onBuffered: () => undefined,
    onRoom: () => undefined,
    saveLineage: async () => await Promise.resolve(),
  } as unknown as PartitionHooks
  const copy = new PartitionCopy({ link: 'l', topic: 't', partition: 1, identity: {} as SlotIdentity }, hooks)
  void copy.open({ offset: 12, planFrom, fetchFrom: 0, sourceEpoch: 0, sequence: 0, freshSince: () => 0 })
  copy.state = 'mirroring'
  return copy
}

const told = (copy: PartitionCopy) => {
  const { state, reason, sentence } = reportOf(copy, 0)
  return { state, reason, sentence }
}
const NOTHING = { state: 'mirroring', reason: undefined, sentence: undefined }

test('a mirror that ends where its source does is mirroring', () => {
  assert.deepEqual(told(copyOf(12)), NOTHING)
})

test('one with markers beyond what the source shows waits, and says how many and what to do', () => {
  const copy = copyOf(10)
  assert.equal(reportOf(copy, 0).cursor, 10)
  const { state, reason, sentence = '' } = told(copy)
  assert.deepEqual([state, reason], ['waiting', 'overfilled'])
  assert.match(sentence, /"t\/1": the target's log ends at 12, 2 marker\(s\) beyond .*, which ends at 10\./)
  assert.match(sentence, /kdr link recopy l --topic t$/)
})

test('it goes on when the source has a gap there', () => {
  const copy = copyOf(10)
  copy.enqueue([{ kind: 'gap', base: 10, next: 12, counts: { ...NO_COUNTS, markers: 2 } }], undefined)
  assert.deepEqual(told(copy), NOTHING)
})
