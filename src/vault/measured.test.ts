import assert from 'node:assert/strict'
import { test } from 'node:test'
import { madeDraft, madeTopic, madeVault, SET, writerOf } from '../../test/vault/made.ts'
import type { ObjectStore } from '../ports/store.ts'
import { measuredSpeed } from './measured.ts'

/** One commit of so many bytes that took so long. */
async function commit(store: ObjectStore, megabytes: number, ms: number): Promise<void> {
  const writer = await writerOf(store, { now: ms })
  const from = (writer.state?.number ?? 0) * 10
  const segment = {
    object: `o${from}`,
    position: 0,
    bytes: 1,
    compression: 'none' as const,
    index: `i${from}`,
    from,
    to: from + 10,
    rawBytes: megabytes * 1_000_000,
    batches: 1,
    records: 10,
    maxTimestamp: 0,
    epochs: [],
  }
  const delta = { partition: 0, start: 0, end: from + 10, segments: [segment] }
  await writer.commit(madeDraft([madeTopic([delta])]))
}

test('how fast a set goes is what its newest large backup shows', async () => {
  const store = await madeVault()
  const of = (number: number) => measuredSpeed(store, SET, { first: 1, number })
  await commit(store, 1, 1_000)
  assert.equal(await of(1), undefined, 'it is over too soon')
  await commit(store, 100, 2_000)
  await commit(store, 200, 1_000)
  await commit(store, 2, 1_000)
  assert.deepEqual(await of(4), { commit: 3, bytesPerMs: 200_000 })
  assert.deepEqual(await of(2), { commit: 2, bytesPerMs: 50_000 })
})
