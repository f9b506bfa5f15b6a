// Records out of the vault: those that were asked for, and of the objects only what holds them.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { commitBatches, madeBatch, madeVault, SET } from '../../test/vault/made.ts'
import { recordCodec } from '../kafka/records.ts'
import type { ObjectStore } from '../ports/store.ts'
import { readLatest } from './chain.ts'
import { readRecords } from './records.ts'

/** 16 MB, in frames of 1 MiB: a record has 64 KB, and is a second later than the one before. */
const RECORDS = 256
const VALUE = 'x'.repeat(65_000)
const BEGUN = 1_700_000_000_000

type Got = { readonly name: string; readonly from: number | undefined; readonly bytes: number }

async function given(): Promise<{ readonly store: ObjectStore; readonly got: Got[] }> {
  const store = await madeVault()
  const batches = Array.from({ length: RECORDS }, (_none, from) =>
    madeBatch({ from, values: [VALUE], timestamp: BEGUN + from * 1_000 }),
  )
  await commitBatches(store, batches, { compression: 'none' })
  const got: Got[] = []
  const counted: ObjectStore = Object.assign(Object.create(store) as ObjectStore, {
    get: async (name: string, range?: { readonly from: number; readonly to: number }) => {
      const found = await store.get(name, range)
      got.push({ name, from: range?.from, bytes: found?.length ?? 0 })
      return found
    },
  })
  return { store: counted, got }
}

type Place = { readonly offset: number } | { readonly time: number }

async function read(
  from: Place | undefined,
  to: Place | undefined,
): Promise<{ readonly offsets: number[]; readonly got: Got[] }> {
  const { store, got } = await given()
  const state = (await readLatest(store, SET))!
  got.length = 0
  const offsets: number[] = []
  const range = { topic: 't', partition: 0, from, to, codec: recordCodec }
  await readRecords({ store, set: SET, state }, range, ({ offset }) => offsets.push(offset))
  return { offsets, got: got.filter(({ name }) => /\.(log|pack)$/.test(name)) }
}

describe('records out of the vault', () => {
  test('by offset are read from the frames that hold them', async () => {
    const { offsets, got } = await read({ offset: 100 }, { offset: 103 })
    assert.deepEqual(offsets, [100, 101, 102])
    assert.ok(got.length >= 1 && got.length <= 2, `${got.length} reads`)
    assert.ok(got.every(({ from, bytes }) => from !== undefined && bytes <= 1_200_000))
  })

  test('by time too, in a log of any length', async () => {
    const { offsets, got } = await read({ time: BEGUN + 199_500 }, { time: BEGUN + 202_000 })
    assert.deepEqual(offsets, [200, 201])
    assert.ok(got.length <= 2, `${got.length} reads`)
    assert.ok(got.every(({ from, bytes }) => from !== undefined && bytes <= 1_200_000))
  })

  test('in all are all, without reading anything twice', async () => {
    const { offsets, got } = await read(undefined, undefined)
    assert.equal(offsets.length, RECORDS)
    assert.equal(new Set(got.map(({ from }) => from)).size, got.length)
  })
})
