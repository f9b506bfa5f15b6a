// Whatever a commit needs is locked for as long as the vault wants, from the commit on; and that is not done anew by each.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  commitBatches,
  madeBatch,
  madeDraft,
  madeTopic,
  madeVault,
  SET,
  unique,
  writeBatches,
} from '../../test/vault/made.ts'
import { recordCodec } from '../kafka/records.ts'
import { KdrError } from '../model/errors.ts'
import type { PartitionDelta } from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import { MemoryStore } from '../store/memory.ts'
import { commitNumbers, commitRange, readState } from './chain.ts'
import { lockedNames, planLock, shortestLock } from './locks.ts'
import { executePrune, preparePrune } from './prune.ts'
import { recordVerified } from './verified.ts'
import { verifyVault } from './verify.ts'
import { openSetWriter } from './writer.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const KEEP = { keepMs: 10 * DAY_MS, slackMs: DAY_MS }

class Locked {
  at = 1_800_000_000_000
  lockCalls = 0
  readonly store = new MemoryStore({ ...KEEP, now: () => this.at })

  constructor() {
    const { locks } = this.store
    assert.ok(locks)
    const lock = locks.lock.bind(locks)
    Object.assign(locks, {
      lock: async (name: string, until: number) => {
        this.lockCalls++
        await lock(name, until)
      },
    })
  }

  /** One record of one partition. */
  async commit(store: ObjectStore = this.store): Promise<number> {
    const writer = await openSetWriter({
      store,
      set: SET,
      by: 'test',
      unique,
      now: () => this.at,
      compression: 'none',
    })
    const from = writer.state?.topics.get('t')?.partitions[0]?.end ?? 0
    const segment = await writeBatches(writer, [madeBatch({ from, values: ['v'] })])
    const delta: PartitionDelta = { partition: 0, start: 0, end: from + 1, segments: [segment] }
    return (await writer.commit(madeDraft([madeTopic([delta])]))).number
  }

  /** The least that is left of any lock that commit `number` needs. */
  async leftOf(number: number): Promise<number> {
    const names = lockedNames(SET, await readState(this.store, SET, number))
    const shortest = await shortestLock(this.store, names)
    return (shortest?.until ?? 0) - this.at
  }
}

describe('locks of a set', () => {
  test('each commit has all that it needs locked for long enough, beyond checkpoints too', async () => {
    const world = new Locked()
    await madeVault(world.store)
    for (let n = 1; n <= 105; n++) {
      world.at += 6 * HOUR_MS
      assert.equal(await world.commit(), n)
      // Reading a state takes its time: now and then, and around the checkpoint.
      if (n % 10 > 0 && n < 98) continue
      const left = await world.leftOf(n)
      assert.ok(left >= KEEP.keepMs, `commit ${n}: ${left / DAY_MS} days`)
    }
    // About every day all of them that were there by then, instead of each time.
    const [commits, objects] = [105, 3 * 105]
    assert.ok(world.lockCalls < (commits * objects) / 6, `${world.lockCalls} requests`)
  })

  test('an old commit that nothing needs any more runs out', async () => {
    const world = new Locked()
    await madeVault(world.store)
    await world.commit()
    const { lockedUntil } = world.store
    const before = lockedUntil.get('all/commits/000000000001.json') ?? 0
    assert.ok(before - world.at <= KEEP.keepMs + KEEP.slackMs)
  })

  test('of a vault that begins to lock all is locked by the next commit', async () => {
    const world = new Locked()
    const plain: ObjectStore = new Proxy(world.store, {
      get: (of, key) => {
        const value: unknown = key === 'locks' ? undefined : Reflect.get(of, key, of)
        return typeof value === 'function' ? (value as () => unknown).bind(of) : value
      },
    })
    await madeVault(plain)
    await world.commit(plain)
    world.store.lockedUntil.clear()
    assert.ok((await world.leftOf(1)) < 0)
    await world.commit()
    assert.ok((await world.leftOf(2)) >= KEEP.keepMs)
  })

  test('what cannot be locked is not committed', async () => {
    const world = new Locked()
    await madeVault(world.store)
    await world.commit()
    world.at += 5 * DAY_MS
    const refused = new KdrError('not-allowed', 'no right to lock')
    Object.assign(world.store.locks ?? {}, { lock: () => Promise.reject(refused) })
    await assert.rejects(world.commit(), /no right to lock/)
    assert.deepEqual(await commitNumbers(world.store, SET), [1])
  })

  test('a prune keeps what is still locked, says so, and deletes it when the lock has run out', async () => {
    const world = new Locked()
    const { store } = world
    const day0 = world.at
    const iso = (day: number): string => new Date(day0 + day * DAY_MS).toISOString()
    const isIntact = recordCodec.isIntact.bind(recordCodec)
    const prune = async (day: number) => {
      world.at = day0 + day * DAY_MS
      const { last } = (await commitRange(store, SET))!
      const found = await verifyVault({ store, set: SET, number: last, isFull: true, isIntact })
      assert.deepEqual(found.problems, [])
      const { objects, bytes } = found
      await recordVerified(
        store,
        { set: SET, number: last, at: iso(day), by: 'test', objects, bytes },
        unique,
      )
      const options = { store, set: SET, by: 'test', unique, now: () => world.at, days: 5 }
      return await executePrune(options, await preparePrune(options))
    }
    await madeVault(store)
    for (let day = 1; day <= 20; day++) {
      world.at = day0 + day * DAY_MS
      // The source keeps three days.
      const how = { start: Math.max(0, day - 3), now: world.at, draft: { endsAt: iso(day) } }
      await commitBatches(store, [madeBatch({ from: day, values: ['v'] })], how)
    }
    await prune(20.5)
    const { deleted, kept } = await prune(22)
    assert.ok(deleted.objects > 0 && kept.length > 0, `${deleted.objects} deleted, ${kept.length} kept`)
    for (const { object, what } of kept) {
      assert.match(what, /is locked until/)
      assert.ok(await store.head(object), object)
      assert.ok((store.lockedUntil.get(object) ?? 0) > world.at)
    }
    const later = await prune(40)
    assert.deepEqual(later.kept, [])
    for (const { object } of kept) assert.equal(await store.head(object), undefined)
  })

  test('a run that took longer than the slack locks what it has written itself too', () => {
    const now = 100 * DAY_MS
    const since = now - 2 * DAY_MS
    const plan = planLock({ locks: KEEP, now, before: now + KEEP.keepMs + 1, since })
    assert.deepEqual(plan, { until: now + KEEP.keepMs + KEEP.slackMs, isDue: true })
    const quick = planLock({ locks: KEEP, now, before: now + KEEP.keepMs + 1, since: now - HOUR_MS })
    assert.deepEqual(quick, { until: now + KEEP.keepMs + 1, isDue: false })
  })
})
