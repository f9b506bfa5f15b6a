// The whole check that `kdr run` carries out by itself, in virtual time: how often, by whom, what becomes of what it finds, and of a check
// that goes wrong.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SimClock } from '../../../test/sim/clock.ts'
import { makeTestApp } from '../../../test/support/app.ts'
import {
  gathered,
  keptCheckOf,
  NOW,
  partition,
  runningLink,
  whole,
} from '../../../test/support/metrics-world.ts'
import { AlertStates } from '../../api/alerts/alert-states.ts'
import { ALERTS } from '../../api/alerts/alerts.ts'
import type { Config } from '../../config/config.ts'
import { KdrError } from '../../model/errors.ts'
import type { RunningLink } from '../app.ts'
import { alertSamples } from './alerting/samples.ts'
import { Checks } from './checks.ts'
import { keptCheck } from './kept-check.ts'
import { MetricsGatherer } from './metrics/gather.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

class World {
  readonly clock = new SimClock(NOW)
  readonly log: string[] = []
  /** Minutes at which a check began. */
  readonly began: number[] = []
  checkMs: number | undefined = HOUR
  /** As `C012 error`. */
  finds: readonly string[] = []
  fails: Error | undefined
  /** What a check waits for. */
  hold: Promise<void> | undefined
  wanted = ['one', 'two']
  running = ['one', 'two']
  /** Links whose slot 0 this process holds. */
  owned = ['one']

  start(): Checks {
    const { clock } = this
    const app = makeTestApp({ clock })
    const linkOf = (name: string): RunningLink => ({
      ...runningLink(name, [partition('t', 0)]),
      facts: () => ({
        slots: 64,
        slotsHeld: 1,
        traffic: [],
        whole: this.owned.includes(name) ? whole() : undefined,
      }),
    })
    const links = {
      wanted: this.wanted.map(name => linkOf(name).link),
      all: () => this.running.map(linkOf),
    }
    const checks = new Checks(app, {
      check: async () => {
        this.began.push(Math.round(clock.monotonic() / MINUTE))
        await this.hold
        if (this.fails !== undefined) throw this.fails
        return { ...keptCheckOf(...this.finds), at: clock.now() }
      },
      links,
      config: () => ({ monitor: { checkMs: this.checkMs } }) as unknown as Config,
      log: { event: (level, message) => void this.log.push(`${level} ${message}`) },
    })
    checks.start()
    return checks
  }

  async pass(ms: number): Promise<void> {
    let isOver = false
    void this.clock.sleep(ms).then(() => void (isOver = true))
    await this.clock.run(() => isOver, Infinity)
  }
}

/** What /metrics has of it; the value of each series. */
function served(checks: Checks): Record<string, number> {
  const text = new MetricsGatherer().text(gathered({ check: checks.sight }))
  const lines = [...text.matchAll(/^kdr_((?:findings|check_)\S*) (\S+)$/gm)]
  return Object.fromEntries(lines.map(([, name = '', value = '']) => [name, Number(value)]))
}

describe('the check of kdr run', () => {
  test('is carried out a minute after the start, once more soon, and then as often as the config says', async () => {
    const world = new World()
    world.finds = ['C018']
    world.start()
    await world.pass(3 * HOUR)
    assert.deepEqual(world.began, [1, 6, 66, 126])
  })

  test('comes every 5 minutes while it finds an error, and once more when it finds other things', async () => {
    const world = new World()
    world.finds = ['C012 error', 'C018']
    world.start()
    await world.pass(14 * MINUTE)
    world.finds = ['C018']
    await world.pass(2 * HOUR)
    assert.deepEqual(world.began, [1, 6, 11, 16, 21, 81])
  })

  test('what it finds is a series, counted, and goes when it is found no more', async () => {
    const world = new World()
    const checks = world.start()
    world.finds = ['C012 error', 'C018', 'C018']
    await world.pass(2 * MINUTE)
    assert.deepEqual(served(checks), {
      'findings{id="C012",severity="error"}': 1,
      'findings{id="C018",severity="warning"}': 2,
      check_timestamp_seconds: (NOW + MINUTE) / SECOND,
      check_failing: 0,
      check_interval_seconds: 3_600,
    })
    world.finds = ['C018']
    await world.pass(5 * MINUTE)
    assert.deepEqual(
      Object.keys(served(checks)).filter(name => name.startsWith('findings')),
      ['findings{id="C018",severity="warning"}'],
    )
    assert.deepEqual(world.log, [
      'warn all was checked: NOT READY, 3 findings (kdr check)',
      'warn all was checked: AT RISK, 1 finding (kdr check)',
    ])
  })

  for (const [what, error] of [
    ['fails', new KdrError('config-invalid', 'kdr.yaml is wrong')],
    ['has a bug', new TypeError('x')],
  ] as const)
    test(`one that ${what} is said once and tried again, and what was found before stays`, async () => {
      const world = new World()
      world.finds = ['C018']
      const checks = world.start()
      await world.pass(2 * MINUTE)
      world.fails = error
      await world.pass(10 * MINUTE)
      assert.partialDeepStrictEqual(served(checks), {
        'findings{id="C018",severity="warning"}': 1,
        check_timestamp_seconds: (NOW + MINUTE) / SECOND,
        check_failing: 1,
      })
      assert.deepEqual(world.began, [1, 6, 11])
      world.fails = undefined
      await world.pass(5 * MINUTE)
      assert.equal(served(checks)['check_failing'], 0)
      assert.deepEqual(world.log, [
        'warn all was checked: AT RISK, 1 finding (kdr check)',
        `error not everything can be checked: ${error instanceof KdrError ? '' : 'unexpected: '}${error.message}`,
        'warn all was checked: AT RISK, 1 finding (kdr check)',
      ])
    })

  test('one that hangs is said after ten minutes, and no other begins meanwhile', async () => {
    const world = new World()
    world.hold = new Promise(() => undefined)
    const checks = world.start()
    await world.pass(10 * MINUTE)
    assert.deepEqual(served(checks), { check_failing: 0, check_interval_seconds: 3_600 })
    await world.pass(HOUR)
    assert.deepEqual(served(checks), { check_failing: 1, check_interval_seconds: 3_600 })
    assert.deepEqual(world.began, [1])
  })

  test('follows the config: another interval, or never', async () => {
    const world = new World()
    const checks = world.start()
    await world.pass(7 * MINUTE)
    world.checkMs = 10 * MINUTE
    await world.pass(10 * MINUTE)
    assert.deepEqual(world.began, [1, 6, 16])
    world.checkMs = undefined
    await world.pass(HOUR)
    assert.deepEqual([world.began.length, served(checks)], [3, {}])
    world.checkMs = HOUR
    await world.pass(2 * MINUTE)
    assert.equal(world.began.length, 4)
  })

  for (const [what, change, expected] of [
    ['the owner of slot 0 of the first link', {}, true],
    ['the owner of another one alone', { owned: ['two'] }, false],
    ['the owner of the first that runs', { running: ['two'], owned: ['two'] }, true],
    ['another worker', { owned: [] }, false],
    ['whoever only watches', { wanted: [], running: [], owned: [] }, true],
    ['whoever has links that cannot run', { running: [], owned: [] }, true],
  ] as const)
    test(`${what}: ${expected ? 'checks' : 'leaves it to others'}`, async () => {
      const world = Object.assign(new World(), change)
      const checks = world.start()
      await world.pass(2 * MINUTE)
      assert.deepEqual([world.began.length > 0, checks.sight !== undefined], [expected, expected])
    })

  test('goes over to another worker: what this one had found is said no more', async () => {
    const world = new World()
    world.finds = ['C012 error']
    const checks = world.start()
    await world.pass(2 * MINUTE)
    world.owned = []
    await world.pass(10 * MINUTE)
    assert.deepEqual(served(checks), {})
    assert.deepEqual(world.began, [1])
  })

  test('one that was under way when it went over, and comes back, counts no more', async () => {
    const world = new World()
    const held = Promise.withResolvers<void>()
    world.hold = held.promise
    world.finds = ['C012 error']
    const checks = world.start()
    await world.pass(2 * MINUTE)
    world.owned = []
    await world.pass(MINUTE)
    world.owned = ['one']
    await world.pass(30 * SECOND)
    held.resolve()
    await world.pass(10 * SECOND)
    assert.deepEqual(served(checks), { check_failing: 0, check_interval_seconds: 3_600 })
    assert.deepEqual(world.log, [])
  })

  test('stops with the process', async () => {
    const world = new World()
    const checks = world.start()
    await world.pass(2 * MINUTE)
    checks.stop()
    await world.pass(HOUR)
    assert.deepEqual(world.began, [1])
  })
})

test('alerts without a Prometheus see it', () => {
  const states = new AlertStates(ALERTS.filter(({ name }) => /^Kdr(NotReady|CheckStale)$/.test(name)))
  const none = gathered()
  const samples = alertSamples({
    ...none,
    instance: 'here',
    config: none,
    spoken: [],
    isRunning: () => false,
    check: { everyMs: HOUR, last: keptCheckOf('C012 error'), isFailing: true },
  })
  states.look(samples, NOW)
  assert.deepEqual(
    states.active.map(({ name, labels }) => [name, labels]),
    [
      ['KdrNotReady', { id: 'C012' }],
      ['KdrCheckStale', { instance: 'here' }],
    ],
  )
})

test('everybody gets the same check for a minute, and one is under way at a time', async () => {
  const clock = new SimClock(NOW)
  let looks = 0
  const app = makeTestApp({
    clock,
    loadConfig: () => Promise.resolve({} as Config),
    services: {
      ...makeTestApp().services,
      check: async () => {
        looks++
        await clock.sleep(SECOND)
        return keptCheckOf().report
      },
    },
  })
  const check = keptCheck(app, 'kdr.yaml')
  const pass = async (ms: number): Promise<void> => {
    let isOver = false
    void clock.sleep(ms).then(() => void (isOver = true))
    await clock.run(() => isOver, Infinity)
  }
  const all = Promise.all([check(), check()])
  await pass(2 * SECOND)
  assert.deepEqual(
    (await all).map(({ at }) => at),
    [NOW + SECOND, NOW + SECOND],
  )
  await check()
  assert.equal(looks, 1)
  await pass(MINUTE)
  void check()
  await pass(2 * SECOND)
  assert.equal(looks, 2)
})
