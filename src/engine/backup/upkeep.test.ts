// When a set is verified and pruned by `kdr run`: in virtual time. That nothing is lost by it is the model test's (test/vault).
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SimClock } from '../../../test/sim/clock.ts'
import { KdrError } from '../../model/errors.ts'
import type { PrunePlan, VaultProblem } from '../../model/vault-reports.ts'
import { MemoryStore } from '../../store/memory.ts'
import { ANNOUNCE_EVERY_MS, Turn } from '../../vault/turn.ts'
import { SetUpkeep, type UpkeepInput } from './upkeep.ts'

const START = 1_800_000_000_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const PROBLEM: VaultProblem = { object: 'all/data/x.log', what: 'its bytes are not those', lost: [] }
const PLAN: PrunePlan = {
  set: 'all',
  days: 35,
  last: 20,
  first: 3,
  nextFirst: 5,
  begins: '2026-01-01T00:00:00.000Z',
  verified: undefined,
  refusal: undefined,
  doomed: [],
  rest: 0,
  due: [],
  waiting: [],
  until: undefined,
}

class World {
  readonly clock = new SimClock(START)
  readonly store = new MemoryStore()
  readonly said: string[] = []
  /** What each process did, and the hour when it began. */
  readonly did: string[] = []
  hasCommit = true
  verifiedAt: number | undefined
  problems: VaultProblem[] = []
  plan: PrunePlan = PLAN
  /** Called before each verification. */
  act: () => void = () => undefined

  upkeep(by: string, changes: Partial<UpkeepInput> = {}): SetUpkeep {
    let runs = 0
    const note = (what: string): void =>
      void this.did.push(`${by} ${what} ${Math.round((this.clock.now() - START) / HOUR_MS)}`)
    return new SetUpkeep({
      name: 'all',
      clock: this.clock,
      log: { event: (level, message) => void (level === 'debug' || this.said.push(message)) },
      fraction: 0,
      announceEveryMs: ANNOUNCE_EVERY_MS,
      verifyMs: 7 * DAY_MS,
      isPruning: false,
      stand: () => Promise.resolve(this.hasCommit ? { verifiedAt: this.verifiedAt } : undefined),
      verify: async signal => {
        const at = this.clock.now()
        note('verifies')
        this.act()
        await this.clock.sleep(HOUR_MS, signal)
        signal.throwIfAborted()
        if (this.problems.length === 0) this.verifiedAt = at
        return { number: 20, problems: this.problems }
      },
      preparePrune: () => {
        const { plan } = this
        const execute = () => {
          note('prunes')
          return Promise.resolve({ commit: 21, deleted: { objects: 2, bytes: 100 }, kept: [] })
        }
        return Promise.resolve({ plan, execute })
      },
      turn: () => {
        const id = `${by}${runs++}`
        return new Turn({ store: this.store, set: 'all', of: 'verifying', id, now: () => this.clock.now() })
      },
      ...changes,
    })
  }

  async run(upkeeps: readonly SetUpkeep[], ms: number): Promise<void> {
    const stopping = new AbortController()
    const running = Promise.all(upkeeps.map(async each => await each.run(stopping.signal)))
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

describe('a set that is kept verified', () => {
  test('is verified when nobody has, and again when the time is over, whoever has verified it', async () => {
    const world = new World()
    await world.run([world.upkeep('a')], 10 * DAY_MS)
    assert.deepEqual(world.did, ['a verifies 0', 'a verifies 168'])
    const byHand = new World()
    byHand.verifiedAt = START - 6 * DAY_MS
    await byHand.run([byHand.upkeep('a')], 2 * DAY_MS)
    assert.deepEqual(byHand.did, ['a verifies 24'])
  })

  test('is left alone while it has no commit', async () => {
    const world = new World()
    world.hasCommit = false
    await world.run([world.upkeep('a', { isPruning: true })], DAY_MS)
    assert.deepEqual(world.did, [])
  })

  test('is verified by one of several', async () => {
    const world = new World()
    await world.run([world.upkeep('a'), world.upkeep('b')], 8 * DAY_MS)
    assert.equal(world.did.length, 2 + 1, 'both begin at the same moment, and one gives way')
    assert.deepEqual([...world.store.objects.keys()], [], 'nothing is left of it')
  })

  test('says what is damaged, looks again a day later, and drops nothing', async () => {
    const world = new World()
    world.problems = [PROBLEM]
    const upkeep = world.upkeep('a', { isPruning: true })
    await world.run([upkeep], 1.5 * DAY_MS)
    assert.deepEqual(world.did, ['a verifies 0', 'a verifies 25'])
    assert.equal(upkeep.sight.problems, 1)
    assert.equal(upkeep.sight.failure, 'commit 20 is damaged: 1 problem')
    assert.ok(world.said.includes('set "all": object "all/data/x.log": its bytes are not those'))
  })

  test('says why it is not pruned', async () => {
    const world = new World()
    world.plan = { ...PLAN, refusal: new KdrError('not-ready', 'no full verification has passed') }
    const upkeep = world.upkeep('a', { isPruning: true })
    await world.run([upkeep], DAY_MS)
    assert.equal(upkeep.sight.failure, 'no full verification has passed')
    assert.ok(world.said.includes('set "all" is not pruned: no full verification has passed'))
  })

  test('is not pruned once it was found damaged, though it had passed some days before, until it passes again', async () => {
    const world = new World()
    world.verifiedAt = START - 2 * DAY_MS
    world.problems = [PROBLEM]
    const changes = { isPruning: true, verifyMs: 2 * DAY_MS }
    const upkeep = world.upkeep('a', changes)
    await world.run([upkeep], 0.5 * DAY_MS)
    assert.deepEqual(world.did, ['a verifies 0'])
    world.problems = []
    await world.run([upkeep], DAY_MS)
    assert.deepEqual(world.did, ['a verifies 0', 'a verifies 25', 'a prunes 26'])
  })

  test('is not verified again and again where a record is of a wrong clock, or none may be left', async () => {
    for (const verifiedAt of [START + 400 * DAY_MS, undefined]) {
      const world = new World()
      const stand = () => Promise.resolve({ verifiedAt })
      await world.run([world.upkeep('a', { stand })], 8 * DAY_MS)
      assert.deepEqual(world.did, ['a verifies 0', 'a verifies 168'], String(verifiedAt))
    }
  })

  test('is tried again when the vault does not answer, and says so', async () => {
    const world = new World()
    let isBroken = true
    world.act = () => {
      if (isBroken) throw new KdrError('store-unreachable', 'the vault does not answer')
    }
    const upkeep = world.upkeep('a')
    await world.run([upkeep], HOUR_MS)
    assert.equal(upkeep.sight.failure, 'the vault does not answer')
    assert.ok(world.did.length > 3 && world.did.length < 8, `${world.did.length} attempts in an hour`)
    isBroken = false
    await world.run([upkeep], 3 * HOUR_MS)
    assert.deepEqual([upkeep.sight.failure, upkeep.sight.verifications], [undefined, 1])
  })
})

describe('a set that is kept pruned', () => {
  test('is pruned once a day, and after a verification, each time with its plan said before', async () => {
    const world = new World()
    world.verifiedAt = START - 5.5 * DAY_MS
    const upkeep = world.upkeep('a', { isPruning: true })
    await world.run([upkeep], 3 * DAY_MS)
    assert.deepEqual(
      world.did,
      ['prunes 0', 'prunes 24', 'verifies 36', 'prunes 37', 'prunes 61'].map(what => `a ${what}`),
    )
    assert.deepEqual([upkeep.sight.prunes, upkeep.sight.deletedBytes], [4, 400])
    assert.match(
      world.said[0]!,
      /drops commits 3 to 4 \(every moment from 2026-01-01T00:00:00\.000Z on stays\)/,
    )
  })

  test('of which nothing is to be dropped makes no commit', async () => {
    const world = new World()
    world.plan = { ...PLAN, nextFirst: 3 }
    await world.run([world.upkeep('a', { isPruning: true })], 2 * DAY_MS)
    assert.deepEqual(world.did, ['a verifies 0'])
  })

  test('without `prune: auto` loses nothing', async () => {
    const world = new World()
    await world.run([world.upkeep('a')], 2 * DAY_MS)
    assert.deepEqual(world.did, ['a verifies 0'])
  })
})
