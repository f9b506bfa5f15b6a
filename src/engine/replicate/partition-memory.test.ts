// What one worker writes down of a partition is what the next one knows of it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ledgerKey, partitionKey, reportKey, toRecord } from '../../model/state-records.ts'
import type { StateStore } from '../../ports/state.ts'
import { recordCodec } from '../../kafka/records.ts'
import type { SlotIdentity } from './context.ts'
import type { PartitionHooks } from './hooks.ts'
import { PartitionCopy } from './partition.ts'
import { isRemembered, recall, recallReport, remember } from './partition-memory.ts'

const topic = {
  phase: 'mirroring',
  sourceTopicId: 'source-id',
  targetTopicId: 'target-id',
  applied: {},
  adoptedUpTo: [0, 7],
} as const

function memory() {
  const records = new Map<string, object>()
  const store = {
    get: (key: string) => records.get(key),
    put: (key: string, record: object, mayStill: () => boolean) => {
      if (!mayStill()) return Promise.reject(new Error('too late'))
      records.set(key, record)
      return Promise.resolve()
    },
  } as unknown as StateStore
  const lease = { isHeld: true }
  const holder: { identity: SlotIdentity | undefined } = { identity: IDENTITY }
  const slots = { identityOf: () => holder.identity }
  return { link: 'l', store, records, lease, holder, slots }
}

const IDENTITY = { slot: 3, generation: 2 } as SlotIdentity

function newCopy(): PartitionCopy {
  const hooks = { codec: recordCodec } as PartitionHooks
  return new PartitionCopy({ link: 'l', topic: 't', partition: 1, identity: IDENTITY }, hooks)
}

test('a log start that was accepted, the epochs and the origin reach the next copy', async () => {
  const of = memory()
  const first = newCopy()
  recall(of, first, topic)
  assert.equal(first.lineage.hasBegun, false)
  first.lineage.entries = [[2, 10]]
  first.origin = 10
  first.acceptedLogStart = 40
  await remember(of, first)

  const next = newCopy()
  recall(of, next, topic)
  assert.deepEqual(
    {
      hasBegun: next.lineage.hasBegun,
      epochs: next.lineage.entries,
      origin: next.origin,
      acceptedLogStart: next.acceptedLogStart,
      adoptedUpTo: next.adoptedUpTo,
      targetTopicId: next.targetTopicId,
    },
    {
      hasBegun: true,
      epochs: [[2, 10]],
      origin: 10,
      acceptedLogStart: 40,
      adoptedUpTo: 7,
      targetTopicId: 'target-id',
    },
  )
})

test('nothing is remembered beyond the time of the worker, or of its slot', async () => {
  const of = memory()
  of.lease.isHeld = false
  await assert.rejects(remember(of, newCopy()))
  of.lease.isHeld = true
  for (const identity of [undefined, { ...IDENTITY, generation: 3 }]) {
    of.holder.identity = identity
    await assert.rejects(remember(of, newCopy()))
  }
  assert.equal(of.records.size, 0)
})

test('what somebody late has written over is no longer remembered', async () => {
  const of = memory()
  const copy = newCopy()
  recall(of, copy, topic)
  void copy.open({
    offset: 0,
    planFrom: 0,
    fetchFrom: 0,
    sourceEpoch: 0,
    sequence: 0,
    freshSince: () => 0,
  })
  assert.equal(isRemembered(of, copy), true, 'nothing has begun')
  copy.lineage.hasBegun = true
  copy.lineage.entries = [
    [2, 10],
    [3, 20],
  ]
  assert.equal(isRemembered(of, copy), false, 'nothing was written')
  await remember(of, copy)
  assert.equal(isRemembered(of, copy), true)
  const late = { epochs: [[2, 10]], origin: 0, targetTopicId: 'target-id' }
  of.records.set(partitionKey('l', 't', 1), toRecord('partition', late))
  assert.equal(isRemembered(of, copy), false)
})

test('a record without a log start, as older versions wrote it, accepts none; a loss may bring one', () => {
  const of = memory()
  of.records.set(partitionKey('l', 't', 1), toRecord('partition', { epochs: [], origin: 0 }))
  const copy = newCopy()
  recall(of, copy, topic)
  assert.equal(copy.acceptedLogStart, 0)
  const loss = { from: 5, to: 60, cause: 'retention', by: 'ann@host', at: 1, acceptLogStart: true }
  of.records.set(ledgerKey('l', 't', 1), toRecord('ledger', { ranges: [loss] }))
  recall(of, copy, topic)
  assert.equal(copy.acceptedLogStart, 60)
})

test('up to the cursor that was reported last the mirror is known, if whoever reported it had anchored', () => {
  for (const isAnchored of [true, false]) {
    const of = memory()
    const report = { partition: 1, cursor: 77, isAnchored }
    of.records.set(reportKey('l', 't', 3, 0), toRecord('report', { partitions: [report] }))
    const copy = newCopy()
    assert.equal(copy.verifiedUpTo, undefined)
    recallReport(of, copy)
    assert.equal(copy.verifiedUpTo, isAnchored ? 77 : undefined)
  }
})
