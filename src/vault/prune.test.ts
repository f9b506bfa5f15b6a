import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  commitBatches,
  madeBatch,
  madeVault,
  SET,
  unique,
  writeBatches,
  writerOf,
  madeDraft,
  madeTopic,
} from '../../test/vault/made.ts'
import { recordCodec } from '../kafka/records.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import { HOUR_MS } from '../model/objective-days.ts'
import { applyCommit, type Commit } from '../model/vault.ts'
import type { PrunePlan, PruneReport } from '../model/vault-reports.ts'
import type { ObjectStore } from '../ports/store.ts'
import { MemoryStore } from '../store/memory.ts'
import { commitNumbers, commitRange, locate, readCommit, readState } from './chain.ts'
import { DAY_MS, executePrune, preparePrune } from './prune.ts'
import { commitName } from './names.ts'
import { seal, sha256 } from './sealed.ts'
import { recordVerified } from './verified.ts'
import { verifyVault } from './verify.ts'

const isCode = (code: string) => (error: unknown) => findKdrError(error)?.code === code
const iso = (day: number): string => new Date(day * DAY_MS).toISOString()

/** One commit a day, from day 1 on, each with one record of its own; the log starts at `start` by then. */
async function backUp(store: ObjectStore, day: number, start = 0): Promise<void> {
  const batch = madeBatch({ from: day, values: [`day ${day}`] })
  await commitBatches(store, [batch], { start, now: day * DAY_MS, draft: { endsAt: iso(day) } })
}

async function given(days: number, store: ObjectStore = new MemoryStore()): Promise<MemoryStore> {
  await madeVault(store)
  for (let day = 1; day <= days; day++) await backUp(store, day, Math.max(0, day - 3))
  return store as MemoryStore
}

async function verify(store: ObjectStore, day: number): Promise<void> {
  const { last } = (await commitRange(store, SET))!
  const isIntact = recordCodec.isIntact.bind(recordCodec)
  const { problems, objects, bytes } = await verifyVault({
    store,
    set: SET,
    number: last,
    isFull: true,
    isIntact,
  })
  assert.deepEqual(problems, [])
  await recordVerified(store, { set: SET, number: last, at: iso(day), by: 'test', objects, bytes }, unique)
}

async function prune(store: ObjectStore, day: number, days = 5): Promise<PrunePlan & PruneReport> {
  const options = { store, set: SET, by: 'test', unique, now: () => day * DAY_MS, days }
  const planned = await preparePrune(options)
  return { ...planned.plan, ...(await executePrune(options, planned)) }
}

/** Every commit that counts reads as the log was by then. */
async function assertWhole(store: ObjectStore): Promise<void> {
  const { last } = (await commitRange(store, SET))!
  const isIntact = recordCodec.isIntact.bind(recordCodec)
  const { problems } = await verifyVault({ store, set: SET, number: last, isFull: true, isIntact })
  assert.deepEqual(problems, [])
  for (const number of await commitNumbers(store, SET)) {
    const { objects } = await readState(store, SET, number)
    for (const name of objects.keys())
      assert.ok(await store.head(`${SET}/${name}`), `commit ${number}: ${name}`)
  }
}

describe('a prune', () => {
  test('drops what is older than the days, and deletes it a day later', async () => {
    const store = await given(20)
    await verify(store, 20)
    const before = store.objects.size
    const first = await prune(store, 20.5)
    // Day 15.5 is reached from the commit of day 15.
    assert.deepEqual([first.first, first.nextFirst, first.commit], [1, 15, 21])
    assert.equal(first.deleted.objects, 0)
    assert.equal(store.objects.size, before + 1)
    await assertWhole(store)
    await backUp(store, 21, 18)
    const early = await prune(store, 21)
    assert.deepEqual([early.due.length, early.deleted.objects], [0, 0])
    const later = await prune(store, 21.6)
    assert.equal(later.deleted.objects, first.doomed.length)
    // Packs and indexes of days 1 to 11, of which the log at commit 15 has nothing.
    assert.equal(first.doomed.length, 22)
    await assertWhole(store)
    assert.deepEqual((await commitRange(store, SET))?.first, later.nextFirst)
  })

  test('takes none that is younger than the days, where the clock of a later one was wrong', async () => {
    const store = await given(20)
    // As an earlier kdr would have written them.
    let previous: string | null = null
    for (const number of await commitNumbers(store, SET)) {
      const { sha256: _seal, ...commit } = (await readCommit(store, SET, number)).commit as Commit & {
        readonly sha256: string
      }
      const endsAt = number === 18 ? iso(2) : commit.endsAt
      const bytes = seal({ ...commit, previous, endsAt })
      store.objects.set(commitName(SET, number), bytes)
      previous = sha256(bytes)
    }
    await verify(store, 20)
    assert.equal((await prune(store, 20.5)).nextFirst, 15)
    await assertWhole(store)
  })

  test('what was dropped is refused, and said to be pruned', async () => {
    const store = await given(20)
    await verify(store, 20)
    await prune(store, 20.5)
    await assert.rejects(
      locate(store, SET, { kind: 'commit', number: 14 }),
      /commit 14 of set "all" was pruned: it has 15 to 21/,
    )
    await assert.rejects(
      locate(store, SET, { kind: 'time', at: 14.9 * DAY_MS }),
      /begins at 1970-01-16T.*was pruned/,
    )
    assert.deepEqual(await locate(store, SET, { kind: 'time', at: 15.5 * DAY_MS }), { number: 15, next: 16 })
    // The prune is the point before it once more.
    const { number } = await locate(store, SET, { kind: 'latest' })
    const [before, after] = [await readState(store, SET, 20), await readState(store, SET, number)]
    assert.deepEqual([...after.topics], [...before.topics])
    assert.equal(after.endsAt, before.endsAt)
  })

  test('says of its point what the commit before it could not take', async () => {
    const store = await given(19)
    const notes = [{ kind: 'lost', topic: 't', partition: 0, from: 3, to: 5, what: 'gone' }] as const
    const lateAt = (last: number): number => last + DAY_MS
    await commitBatches(store, [], { start: 17, now: 20 * DAY_MS, draft: { endsAt: iso(20), notes }, lateAt })
    await verify(store, 20)
    const { commit } = await prune(store, 20.5)
    const read = await readCommit(store, SET, commit!)
    assert.deepEqual(read.commit.notes, notes)
    // It is no younger than before, and as late as before.
    assert.equal(read.commit.nextBy, iso(21))
    const { days } = applyCommit(await readState(store, SET, commit!), { ...read.commit, at: iso(21.5) }, '')
    assert.deepEqual(days.get(iso(21).slice(0, 10))?.hours['11'], {
      knownMs: HOUR_MS,
      withinMs: 0,
      worstMs: 1.5 * DAY_MS,
    })
  })

  test('is refused without a full verification of what is left, within 7 days', async () => {
    const store = await given(20)
    const refused = async (day: number, message: RegExp) => {
      const size = store.objects.size
      await assert.rejects(
        prune(store, day),
        error => isCode('not-ready')(error) && message.test(String(error)),
      )
      assert.equal(store.objects.size, size)
    }
    await refused(20.5, /no full verification of commit 15 or a later one/)
    await verify(store, 20)
    await refused(27.5, /more than 7 days ago/)
    assert.equal((await prune(store, 26.5)).commit, 21)
    // One of a commit that goes is none.
    for (let day = 27; day <= 40; day++) await backUp(store, day, day - 3)
    await refused(40.5, /no full verification/)
  })

  test('a verification of a commit that was replaced since counts for nothing', async () => {
    const store = await given(20)
    await verify(store, 20)
    const other = await given(20)
    const newest = `${SET}/commits/000000000020.json`
    store.objects.set(newest, other.objects.get(newest)!)
    await assert.rejects(
      preparePrune({ store, set: SET, by: 'test', unique, now: () => 20.5 * DAY_MS, days: 5 }),
      isCode('damaged'),
    )
  })

  test('with nothing to do makes no commit', async () => {
    const store = await given(3)
    const { commit, refusal } = await prune(store, 3.5)
    assert.deepEqual([commit, refusal], [undefined, undefined])
  })

  test('leaves the newest commit, whatever the days are', async () => {
    const store = await given(3)
    await verify(store, 100)
    const { nextFirst } = await prune(store, 100)
    assert.equal(nextFirst, 3)
    await assertWhole(store)
  })

  test('over many checkpoints leaves what they need, and deletes commits before the one it begins with', async () => {
    const store = await given(250)
    await verify(store, 250)
    const { nextFirst } = await prune(store, 250.5, 20)
    assert.equal(nextFirst, 230)
    await verify(store, 251)
    await prune(store, 252, 20)
    const commits = [...store.objects.keys()].filter(name => name.includes('/commits/'))
    assert.equal(commits[0], `${SET}/commits/000000000200.json`)
    await assertWhole(store)
    await backUp(store, 253, 250)
    await assertWhole(store)
  })

  test('deletes what a stopped writer has left, and not what a running one has written', async () => {
    const store = await given(20)
    const stopped = await writerOf(store)
    await writeBatches(stopped, [madeBatch({ from: 21, values: ['x'.repeat(5_000_000)] })])
    await backUp(store, 21, 18)
    const running = await writerOf(store, { now: 22 * DAY_MS })
    const segment = await writeBatches(running, [madeBatch({ from: 22, values: ['y'.repeat(5_000_000)] })])
    await verify(store, 21)
    const first = await prune(store, 21.5)
    const large = first.doomed.filter(({ name }) => name.startsWith('data/'))
    assert.equal(large.length, 2)
    assert.ok(!large.some(({ name }) => name === segment.object))
    // The prune has taken the number that the running one had in mind.
    const delta = { partition: 0, start: 18, end: 23, segments: [segment] }
    const { number } = await running.commit(madeDraft([madeTopic([delta])], { endsAt: iso(22) }))
    assert.equal(number, 23)
    assert.equal((await readCommit(store, SET, 23)).commit.first, first.nextFirst)
    await verify(store, 22)
    assert.ok((await prune(store, 23)).deleted.objects > 2)
    await assertWhole(store)
  })

  test('keeps what is locked, says so, and tries again', async () => {
    let isLocked = true
    const locking = Object.assign(new MemoryStore(), {
      delete(this: MemoryStore, name: string) {
        if (isLocked && name.endsWith('.pack'))
          return Promise.reject(new KdrError('not-allowed', `"${name}" is locked`))
        return MemoryStore.prototype.delete.call(this, name)
      },
    })
    const store = await given(20, locking)
    await verify(store, 20)
    await prune(store, 20.5)
    const { kept, deleted } = await prune(store, 22)
    assert.deepEqual([kept.length, deleted.objects], [11, 11])
    assert.match(kept[0]!.what, /is locked/)
    await assertWhole(store)
    isLocked = false
    assert.equal((await prune(store, 22)).deleted.objects >= 11, true)
  })

  test('gives way to a commit that was made since its plan', async () => {
    const store = await given(20)
    await verify(store, 20)
    const options = { store, set: SET, by: 'test', unique, now: () => 20.5 * DAY_MS, days: 5 }
    const planned = await preparePrune(options)
    await backUp(store, 21, 18)
    await assert.rejects(executePrune(options, planned), isCode('other-writer'))
    await assertWhole(store)
    assert.equal((await prune(store, 21.2)).commit, 22)
  })
})

describe('a verification', () => {
  test('finds a first commit that was replaced, by what the prune says of it', async () => {
    const store = await given(120)
    await verify(store, 120)
    await prune(store, 120.5, 10)
    const other = await given(120)
    const base = `${SET}/commits/000000000100.json`
    store.objects.set(base, other.objects.get(base)!)
    // What follows on it, too: only the prune is left to tell.
    for (let number = 101; number <= 120; number++) {
      const name = `${SET}/commits/${String(number).padStart(12, '0')}.json`
      store.objects.set(name, other.objects.get(name)!)
    }
    const isIntact = () => true
    const { problems } = await verifyVault({ store, set: SET, number: 121, isFull: false, isIntact })
    assert.ok(problems.some(({ object, what }) => object === base && /commit 121 begins with/.test(what)))
  })

  test('says which commits a damaged one costs', async () => {
    const store = await given(120)
    const bytes = store.objects.get(`${SET}/commits/000000000050.json`)!
    bytes[20]! ^= 1
    const { problems } = await verifyVault({
      store,
      set: SET,
      number: 120,
      isFull: false,
      isIntact: () => true,
    })
    assert.match(
      problems[0]!.what,
      /commits 50 to 99 cannot be restored; the set can be read again from commit 100 on/,
    )
    bytes[20]! ^= 1
    store.objects.get(`${SET}/commits/000000000120.json`)![20]! ^= 1
    const newest = await verifyVault({ store, set: SET, number: 120, isFull: false, isIntact: () => true })
    assert.match(newest.problems[0]!.what, /commit 120, the newest, cannot be restored/)
  })

  test('of a sample reads the same objects for the same seed', async () => {
    const store = await given(40)
    const readBy = async (seed: number, percent = 20): Promise<string[]> => {
      const read: string[] = []
      const watched = Object.assign(Object.create(store) as MemoryStore, {
        get(name: string) {
          if (name.endsWith('.pack')) read.push(name)
          return store.get(name)
        },
      })
      const sample = { percent, seed }
      const isIntact = recordCodec.isIntact.bind(recordCodec)
      const found = await verifyVault({
        store: watched,
        set: SET,
        number: 40,
        isFull: false,
        sample,
        isIntact,
      })
      assert.deepEqual(found.problems, [])
      return read
    }
    const once = await readBy(1)
    assert.deepEqual(await readBy(1), once)
    assert.notDeepEqual(await readBy(2), once)
    assert.ok(once.length >= 2 && once.length <= 20, String(once.length))
    assert.equal((await readBy(3, 0.0001)).length, 1)
    assert.equal((await readBy(3, 100)).length, 40)
  })
})
