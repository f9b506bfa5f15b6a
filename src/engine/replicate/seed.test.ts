// Null records are written under the same rules as all else: by who holds the slot, and never again without a doubt.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { recordCodec } from '../../kafka/records.ts'
import { KdrError } from '../../model/errors.ts'
import type { AppendEntry } from '../../ports/cluster.ts'
import type { LinkContext, SlotIdentity } from './context.ts'
import type { PartitionHooks } from './hooks.ts'
import { SEED_BATCH_RECORDS } from './limits.ts'
import { PartitionCopy } from './partition.ts'
import { Seeder } from './seed.ts'

const IDENTITY = { slot: 3, generation: 2, producerId: 7n, producerEpoch: 0 } as SlotIdentity

/** A target whose log starts empty; `append` is called with the number of the batch, from 1 on. */
function seeding(append: (batch: number) => void) {
  const copy = new PartitionCopy({ link: 'l', topic: 't', partition: 1, identity: IDENTITY }, {
    codec: recordCodec,
  } as PartitionHooks)
  const holder: { identity: SlotIdentity | undefined } = { identity: IDENTITY }
  const lease = { isHeld: true }
  let sent = 0
  const lane = {
    append: ([entry]: readonly AppendEntry[]) => {
      append(++sent)
      const { topic, partition } = entry!
      return Promise.resolve([{ topic, partition, code: 0, baseOffset: (sent - 1) * SEED_BATCH_RECORDS }])
    },
    close: () => Promise.resolve(),
  }
  const context = {
    target: {
      openAppendLane: () => Promise.resolve(lane),
      deleteRecords: () => Promise.resolve([{ code: 0, offset: 3 * SEED_BATCH_RECORDS }]),
    },
    targetWatch: { partition: () => ({ leader: 0 }) },
    slots: {
      identityOf: () => holder.identity,
      stillHeld: () => Promise.resolve(new Set([IDENTITY.slot])),
    },
    lease,
    codec: recordCodec,
    clock: { now: () => 1 },
    signal: new AbortController().signal,
  } as unknown as LinkContext
  const seed = async () =>
    await new Seeder(context).seed(copy, { from: 0, to: 3 * SEED_BATCH_RECORDS, sequence: 0 })
  return { copy, holder, lease, seed, sent: () => sent }
}

test('a mirror is seeded batch by batch and trimmed', async () => {
  const { seed, sent, copy } = seeding(() => undefined)
  assert.deepEqual(await seed(), { kind: 'done' })
  assert.equal(sent(), 3)
  assert.equal(copy.targetLogStart, 3 * SEED_BATCH_RECORDS)
  assert.equal(copy.isInDoubt, false)
})

test('nothing more is sent once the slot has a new holder, or the lease is over', async () => {
  const taken = seeding(() => {
    taken.holder.identity = { ...IDENTITY, generation: 3 }
  })
  assert.equal((await taken.seed()).kind, 'again')
  assert.equal(taken.sent(), 1)
  const late = seeding(batch => {
    late.lease.isHeld = batch < 2
  })
  assert.equal((await late.seed()).kind, 'again')
  assert.equal(late.sent(), 2)
})

test('null records without an answer may land later, whatever the sequence check says', async () => {
  const { seed, copy } = seeding(() => {
    throw new KdrError('unreachable', 'the connection broke')
  })
  await assert.rejects(seed, /the connection broke/)
  assert.equal(copy.isUnguarded, true)
  assert.equal(copy.isInDoubt, true)
})
