// A dead man's switch in virtual time.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SimClock } from '../../../../test/sim/clock.ts'
import { makeTestApp } from '../../../../test/support/app.ts'
import type { AlertsConfig } from '../../../config/config.ts'
import { SecretRef } from '../../../config/secrets.ts'
import { KdrError } from '../../../model/errors.ts'
import { keepCalling } from './dead-man.ts'

const MINUTE = 60_000

class World {
  readonly clock = new SimClock(0)
  readonly calls: number[] = []
  readonly log: string[] = []
  deadMan: AlertsConfig['deadMan'] = { url: SecretRef.parse('env:DEADMAN', '/'), everyMs: MINUTE }
  isDown = false

  constructor() {
    const { clock } = this
    const { services } = makeTestApp()
    const request = (): Promise<void> => {
      if (this.isDown) return Promise.reject(new KdrError('unreachable', 'it answers with 500'))
      this.calls.push(clock.monotonic() / MINUTE)
      return Promise.resolve()
    }
    const app = makeTestApp({
      clock,
      services: { ...services, alertChannels: { ...services.alertChannels, request } },
    })
    void keepCalling(app, {
      deadMan: () => this.deadMan,
      log: { event: (_level, message) => void this.log.push(message) },
      signal: new AbortController().signal,
    })
  }

  async pass(minutes: number): Promise<void> {
    let isOver = false
    void this.clock.sleep(minutes * MINUTE).then(() => void (isOver = true))
    await this.clock.run(() => isOver, Infinity)
  }
}

test('that cannot be called is said once, and called again at the next turn', async () => {
  const world = new World()
  await world.pass(1.5)
  world.isDown = true
  await world.pass(5)
  world.isDown = false
  await world.pass(1)
  assert.deepEqual(world.calls, [0, 1, 7])
  assert.deepEqual(world.log, [
    'the dead man cannot be called: it answers with 500; trying again',
    'the dead man is called again',
  ])
})

test('may go from the config, and come into it, and is called as often as it says then', async () => {
  const world = new World()
  const { deadMan } = world
  world.deadMan = undefined
  await world.pass(2)
  assert.deepEqual(world.calls, [0])
  world.deadMan = deadMan && { ...deadMan, everyMs: 2 * MINUTE }
  await world.pass(4.5)
  assert.equal(world.calls.length, 4)
})
