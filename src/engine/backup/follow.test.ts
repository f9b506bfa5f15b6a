// When a set is backed up by `kdr run`, and by which of several: in virtual time.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SimClock } from '../../../test/sim/clock.ts'
import { KdrError } from '../../model/errors.ts'
import { type Schedule } from '../../model/schedule.ts'
import { MemoryStore } from '../../store/memory.ts'
import { ANNOUNCE_EVERY_MS, Turn } from '../../vault/turn.ts'
import type { BackupResult } from './backup.ts'
import { type FollowInput, SetFollower } from './follow.ts'

const START = 1_800_000_000_000
const MINUTE_MS = 60_000
const NO_RESULT: Omit<BackupResult, 'commit'> = {
  topics: 1,
  partitions: 1,
  records: 1,
  bytes: 10,
  segments: 1,
  groups: 0,
  objects: 1,
  storedBytes: 5,
  notes: [],
  notSeen: [],
}

type Commit = { readonly by: string; readonly number: number; readonly at: number }

/** A vault that several processes share, and how long each takes for a backup. */
class World {
  readonly clock = new SimClock(START)
  readonly store = new MemoryStore()
  readonly commits: Commit[] = []
  readonly said: string[] = []
  notSeen: readonly string[] = []
  begun = 0
  /** Called at each attempt. */
  act: (by: string) => void = () => undefined

  follower(
    by: string,
    schedule: Schedule,
    { takesMs = 1_000, fraction = 0 }: { takesMs?: number; fraction?: number } = {},
  ): SetFollower {
    let runs = 0
    const input: FollowInput = {
      name: 'all',
      schedule,
      clock: this.clock,
      log: { event: (level, message) => void (level === 'debug' || this.said.push(message)) },
      fraction,
      announceEveryMs: ANNOUNCE_EVERY_MS,
      newest: () => Promise.resolve(this.commits.at(-1)),
      turn: () =>
        new Turn({
          store: this.store,
          set: 'all',
          of: 'running',
          id: `${by}${runs++}`,
          now: () => this.clock.now(),
        }),
      backUp: async signal => {
        this.begun++
        const before = this.commits.length
        const at = this.clock.now()
        this.act(by)
        await this.clock.sleep(takesMs, signal)
        signal.throwIfAborted()
        if (this.commits.length !== before) throw new KdrError('other-writer', 'another writer was first')
        this.commits.push({ by, number: before + 1, at })
        return { ...NO_RESULT, commit: before + 1, notSeen: this.notSeen }
      },
    }
    return new SetFollower(input)
  }

  /** Runs them for so long, then stops them. */
  async run(followers: readonly SetFollower[], ms: number): Promise<void> {
    const stopping = new AbortController()
    const running = Promise.all(followers.map(async each => await each.run(stopping.signal)))
    // Awaited below.
    running.catch(() => undefined)
    let isOver = false
    const over = this.clock
      .sleep(ms)
      .then(() => stopping.abort(new Error('stopped')))
      .then(async () => await running)
      .finally(() => {
        isOver = true
      })
    over.catch(() => undefined)
    await this.clock.run(() => isOver, 1e12)
    await over
  }
}

const EVERY: Schedule = { kind: 'interval', ms: 15 * MINUTE_MS }
const minutes = (commits: readonly Commit[]): number[] =>
  commits.map(({ at }) => Math.round((at - START) / MINUTE_MS))

describe('a set that is followed', () => {
  test('gets a commit at once, and then whenever one is due', async () => {
    const world = new World()
    await world.run([world.follower('a', EVERY)], 50 * MINUTE_MS)
    assert.deepEqual(minutes(world.commits), [0, 15, 30, 45])
  })

  test('says once what is not seen of the cluster, and again when that has changed', async () => {
    const world = new World()
    const hidden = (...what: string[]) => {
      world.notSeen = what.map(each => `${each} are not seen`)
    }
    const follower = world.follower('a', EVERY)
    hidden('ACLs', 'quotas')
    world.act = () => {
      if (world.begun === 3) hidden('quotas')
    }
    await world.run([follower], 50 * MINUTE_MS)
    assert.deepEqual(
      world.said.filter(line => line.includes('not seen')),
      ['ACLs', 'quotas', 'quotas'].map(each => `set "all": ${each} are not seen`),
    )
  })

  test('goes on from what is there', async () => {
    const world = new World()
    world.commits.push({ by: 'hand', number: 1, at: START - 5 * MINUTE_MS })
    await world.run([world.follower('a', EVERY)], 30 * MINUTE_MS)
    assert.deepEqual(minutes(world.commits), [-5, 10, 25])
  })

  test('a commit from the future, by a clock that was wrong, holds up nothing', async () => {
    const world = new World()
    world.commits.push({ by: 'wrong', number: 1, at: START + 500 * MINUTE_MS })
    await world.run([world.follower('a', EVERY)], 20 * MINUTE_MS)
    assert.deepEqual(minutes(world.commits).slice(1), [0, 15])
  })

  test('is tried again when a backup fails, later and later, and says why each time', async () => {
    const world = new World()
    let isBroken = true
    world.act = () => {
      if (isBroken) throw new KdrError('store-unreachable', 'the vault does not answer')
    }
    const follower = world.follower('a', EVERY)
    await world.run([follower], MINUTE_MS)
    assert.deepEqual(world.commits, [])
    assert.equal(world.begun, 4)
    assert.equal(follower.sight.failure, 'the vault does not answer')
    assert.match(world.said[0]!, /"all" is not backed up: the vault does not answer; trying again in 5 s/)
    isBroken = false
    await world.run([follower], MINUTE_MS)
    assert.equal(world.commits.length, 1)
    assert.deepEqual([follower.sight.failure, follower.sight.failures], [undefined, 4])
  })

  test('a bug ends it', async () => {
    const world = new World()
    world.act = () => {
      throw new TypeError('a bug')
    }
    await assert.rejects(world.run([world.follower('a', EVERY)], MINUTE_MS), /a bug/)
  })

  test('what is under way when it is stopped does not count', async () => {
    const world = new World()
    await world.run([world.follower('a', EVERY, { takesMs: 10 * MINUTE_MS })], MINUTE_MS)
    assert.deepEqual([world.begun, world.commits.length, world.said], [1, 0, []])
    assert.equal(world.store.objects.size, 0, 'its announcement is gone')
  })

  test('of several that share it one makes each commit, and the others say nothing', async () => {
    const world = new World()
    const followers = [0.1, 0.5, 0.9].map((fraction, i) => world.follower(`d${i}`, EVERY, { fraction }))
    await world.run(followers, 100 * MINUTE_MS)
    // Without any commit all begin at once; one of them makes it.
    assert.equal(world.commits.length, 7)
    assert.equal(world.begun, 3 + 6)
    assert.ok(
      world.said.every(line => line.startsWith('set "all": commit')),
      world.said.join('\n'),
    )
  })

  test('a long backup is left to whoever began it, also when both began at once', async () => {
    const world = new World()
    const takesMs = 10 * MINUTE_MS
    const followers = ['a', 'b', 'c'].map(by => world.follower(by, EVERY, { takesMs }))
    await world.run(followers, 100 * MINUTE_MS)
    assert.deepEqual(minutes(world.commits).slice(0, 3), [0, 15, 30])
    assert.deepEqual([...new Set(world.commits.map(({ by }) => by))], ['a'])
  })

  test('an announcement of somebody who died is forgotten', async () => {
    const world = new World()
    const dead = new Turn({
      store: world.store,
      set: 'all',
      of: 'running',
      id: 'dead',
      now: () => world.clock.now(),
    })
    await dead.announce()
    await world.run([world.follower('a', EVERY)], 5 * MINUTE_MS)
    assert.deepEqual(minutes(world.commits), [1])
    assert.equal(world.store.objects.size, 1)
    await world.run([world.follower('a', EVERY)], 25 * 60 * MINUTE_MS)
    assert.equal(world.store.objects.size, 0, 'and taken away when it is a day old')
  })

  test('an announcement by a clock that is ahead holds up nobody, while that of one a little ahead does', async () => {
    for (const [aheadMs, expected] of [
      [600 * MINUTE_MS, 0],
      [MINUTE_MS / 2, 2],
    ] as const) {
      const world = new World()
      const dead = new Turn({
        store: world.store,
        set: 'all',
        of: 'running',
        id: 'dead',
        now: () => world.clock.now() + aheadMs,
      })
      await dead.announce()
      await world.run([world.follower('a', EVERY)], 5 * MINUTE_MS)
      assert.deepEqual(minutes(world.commits), [expected])
    }
  })
})
