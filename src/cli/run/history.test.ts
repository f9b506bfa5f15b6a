// The history of `kdr run` in virtual time: what is kept, how often, by whom.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SimClock } from '../../../test/sim/clock.ts'
import { makeTestApp } from '../../../test/support/app.ts'
import { NOW, partition, runningLink, whole } from '../../../test/support/metrics-world.ts'
import { KdrError } from '../../model/errors.ts'
import { DAY_MS, type ObjectiveDay, rpoHistory } from '../../model/objective-days.ts'
import type { RunningLink } from '../app.ts'
import { History } from './history.ts'

const SECOND = 1_000
const MINUTE = 60_000

class World {
  readonly clock = new SimClock(NOW)
  readonly kept = new Map<string, ObjectiveDay>()
  readonly failures: unknown[] = []
  writes = 0
  lagMs = 0
  isLagKnown = true
  isOwner = true
  isTargetDown = false

  start(): History {
    const link: RunningLink = {
      ...runningLink('east-west', []),
      facts: () => ({
        slots: 64,
        slotsHeld: 64,
        traffic: [],
        whole: this.isOwner ? this.#whole() : undefined,
      }),
      view: () => ({
        partitions: [
          partition('orders', 0, {
            lagMs: this.lagMs,
            ...(!this.isLagKnown && { state: 'waiting', lagRecords: 1 }),
          }),
        ],
        controllers: 1,
      }),
      objectiveDays: () => this.kept,
      keepObjectiveDay: (day, record) => {
        if (this.isTargetDown) return Promise.reject(new KdrError('unreachable', 'no broker answers'))
        this.writes++
        if (record === undefined) this.kept.delete(day)
        else this.kept.set(day, record)
        return Promise.resolve()
      },
    }
    const history = new History(makeTestApp({ clock: this.clock }), {
      links: { all: () => [link] },
      objectives: () => ({ objectives: [{ for: 'link:east-west topic:ord*', rpoMs: 5_000 }], plans: {} }),
    })
    history.start()
    history.failed.catch((error: unknown) => this.failures.push(error))
    return history
  }

  async pass(ms: number): Promise<void> {
    let isOver = false
    void this.clock.sleep(ms).then(() => void (isOver = true))
    await this.clock.run(() => isOver, Infinity)
  }

  shown() {
    const { withinRatio, worstRpoDayMs, days } = rpoHistory(this.kept, this.clock.now()) ?? {}
    return { withinRatio, worstRpoDayMs, minutes: (days ?? []).map(({ knownMs }) => knownMs / MINUTE) }
  }

  #whole() {
    const { lagMs, isLagKnown } = this
    return whole({ sourceSeenAt: this.clock.now(), lagMs, isLagKnown })
  }
}

describe('the history of kdr run', () => {
  test('is kept every five minutes, in one record a day, and when kdr ends', async () => {
    const world = new World()
    const history = world.start()
    await world.pass(30 * MINUTE)
    world.lagMs = 20_000
    await world.pass(12 * MINUTE)
    assert.equal(world.writes, 8)
    const ended = history.stop()
    await world.pass(MINUTE)
    await ended
    assert.equal(world.writes, 9)
    assert.deepEqual([...world.kept.keys()], ['2026-01-31'])
    const { withinRatio, worstRpoDayMs } = world.shown()
    assert.ok(Math.abs((withinRatio ?? 0) - 30 / 42) < 0.005, String(withinRatio))
    assert.equal(worstRpoDayMs, 20_000)
  })

  test('goes on from what was kept, at another process too; whoever does not have slot 0 keeps nothing', async () => {
    const world = new World()
    const first = world.start()
    await world.pass(10 * MINUTE + SECOND)
    world.isOwner = false
    await world.pass(MINUTE)
    const { writes } = world
    await world.pass(30 * MINUTE)
    assert.equal(world.writes, writes)
    void first.stop()
    world.isOwner = true
    world.start()
    await world.pass(10 * MINUTE + SECOND)
    assert.deepEqual(world.shown(), { withinRatio: 1, worstRpoDayMs: 0, minutes: [20] })
  })

  test('of time of which nobody knows how far behind it is, says nothing; of what is beyond for certain, it does', async () => {
    const world = Object.assign(new World(), { isLagKnown: false })
    world.start()
    await world.pass(10 * MINUTE)
    assert.deepEqual(world.shown().minutes, [])
    world.lagMs = 20_000
    await world.pass(10 * MINUTE)
    assert.equal(world.shown().withinRatio, 0)
  })

  test('a target that is away loses nothing of it', async () => {
    const world = Object.assign(new World(), { isTargetDown: true })
    world.start()
    await world.pass(30 * MINUTE)
    world.isTargetDown = false
    await world.pass(5 * MINUTE + SECOND)
    assert.deepEqual(world.shown().minutes, [35])
    assert.deepEqual(world.failures, [])
  })

  test('has yesterday whole, and no day that is older than thirty', async () => {
    const world = new World()
    world.kept.set('2025-12-01', { hours: {}, recent: [] })
    world.start()
    await world.pass(DAY_MS)
    assert.deepEqual([...world.kept.keys()], ['2026-01-31', '2026-02-01'])
    const [yesterday = 0, today = 0] = world.shown().minutes
    assert.ok(yesterday > 719.5 && yesterday <= 720, String(yesterday))
    assert.ok(today > 710, String(today))
  })
})
