// A writer that was away for so long that the commits behind what it knows are pruned: their numbers are free again.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { findKdrError } from '../../src/model/errors.ts'
import type { SetState } from '../../src/model/vault.ts'
import { MemoryStore } from '../../src/store/memory.ts'
import { commitRange, readLatest, readState } from '../../src/vault/chain.ts'
import { commitName } from '../../src/vault/names.ts'
import { newestCommit } from '../../src/vault/newest.ts'
import { DAY_MS, executePrune, preparePrune } from '../../src/vault/prune.ts'
import { recordVerified } from '../../src/vault/verified.ts'
import { openSetWriter } from '../../src/vault/writer.ts'
import { commitBatches, madeBatch, madeDraft, madeVault, SET, unique } from './made.ts'

const iso = (day: number): string => new Date(day * DAY_MS).toISOString()

type Given = {
  readonly store: MemoryStore
  /** As of commit 30. */
  readonly known: SetState
  /** The number of the newest commit. */
  readonly last: number
}

/** A commit a day; all below 100 are pruned, and deleted. */
async function made(): Promise<Given> {
  const store = (await madeVault()) as MemoryStore
  for (let day = 1; day <= 106; day++)
    await commitBatches(store, [madeBatch({ from: day, values: ['v'] })], {
      now: day * DAY_MS,
      draft: { endsAt: iso(day) },
    })
  const known = await readState(store, SET, 30)
  await recordVerified(
    store,
    { set: SET, number: 106, at: iso(106), by: 'test', objects: 0, bytes: 0 },
    unique,
  )
  for (const day of [106.5, 108]) {
    const options = { store, set: SET, by: 'test', unique, now: () => day * DAY_MS, days: 3 }
    await executePrune(options, await preparePrune(options))
  }
  assert.equal(store.objects.has(commitName(SET, 31)), false)
  return { store, known, last: (await commitRange(store, SET))!.last }
}

const once = made()
async function given(): Promise<Given> {
  const { store, ...rest } = await once
  const own = new MemoryStore()
  for (const [name, bytes] of store.objects) own.objects.set(name, bytes)
  return { store: own, ...rest }
}

const writerKnowing = async (store: MemoryStore, known: SetState) =>
  await openSetWriter({ store, set: SET, by: 'test', unique, now: () => 0, known })

describe('a writer whose knowledge is older than what is kept', () => {
  test('finds the newest commit all the same, and goes on behind it', async () => {
    const { store, known, last } = await given()
    assert.equal((await readLatest(store, SET, known))?.number, last)
    assert.equal((await newestCommit(store, SET, 30))?.commit.number, last)
    const writer = await writerKnowing(store, known)
    assert.equal((await writer.commit(madeDraft([]))).number, last + 1)
  })

  test('is refused when it has opened before, and leaves nothing that nobody would find', async () => {
    const { store, known, last } = await given()
    const writer = await writerKnowing(store, known)
    // It was opened when commit 30 was the newest, and stood still since.
    Object.assign(writer, { state: known })
    await assert.rejects(
      writer.commit(madeDraft([])),
      (error: unknown) => findKdrError(error)?.code === 'other-writer',
    )
    assert.equal(store.objects.has(commitName(SET, 31)), false)
    assert.equal((await commitRange(store, SET))?.last, last)
  })

  test('goes on from what it knows while that is kept, without reading it again', async () => {
    const { store, last } = await given()
    const known = (await readLatest(store, SET))!
    await commitBatches(store, [madeBatch({ from: 300, values: ['v'] })])
    const read: string[] = []
    const watched = Object.assign(Object.create(store) as MemoryStore, {
      get: async (name: string) => {
        read.push(name)
        return await store.get(name)
      },
    })
    assert.equal((await readLatest(watched, SET, known))?.number, last + 1)
    assert.deepEqual([...new Set(read)], [commitName(SET, last + 1)])
  })
})
