// The whole check that `kdr run` carries out by itself: where it does, what it serves then, and that the config that is read again (SIGHUP)
// counts. A minute passes in milliseconds.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Served } from '../../src/api/server.ts'
import type { App } from '../../src/cli/app.ts'
import { runCli } from '../../src/cli/run-cli.ts'
import { KdrError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { makeTestApp } from '../support/app.ts'
import { waitFor } from '../support/lab.ts'
import { keptCheckOf, partition, runningLink } from '../support/metrics-world.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-run-check-'))
after(() => rmSync(dir, { recursive: true }))
const path = join(dir, 'kdr.yaml')
const write = (check: string): void =>
  writeFileSync(
    path,
    JSON.stringify({
      clusters: { east: { bootstrap: 'e:1' }, west: { bootstrap: 'w:1' } },
      links: { ew: { source: 'east', target: 'west' } },
      monitor: { check },
      server: { listen: '127.0.0.1:1' },
    }),
  )

const FASTER = 10_000

function running(args: readonly string[]) {
  const stopping = new AbortController()
  const serving = Promise.withResolvers<Served>()
  const reloads: (() => void)[] = []
  const seen = { checks: 0 }
  const app = makeTestApp()
  const services: App['services'] = {
    ...app.services,
    startLink: (_config, { name }) => Promise.resolve(runningLink(name, [partition('t', 0)])),
    check: () => {
      seen.checks++
      const { ready, findings } = keptCheckOf('C076').report
      return Promise.resolve({
        ready,
        findings,
        accepted: [],
        racks: [],
        looked: { clusters: [], links: [], sets: [] },
        moves: {},
      })
    },
    serve: ({ served }) => {
      serving.resolve(served)
      return Promise.resolve({ close: () => Promise.resolve() })
    },
  }
  const ended = runCli(['run', '--config', path, ...args], {
    ...app,
    signal: stopping.signal,
    onReload: listener => void reloads.push(listener),
    clock: {
      now: () => systemClock.now(),
      monotonic: () => systemClock.monotonic() * FASTER,
      sleep: async (ms, signal) => await systemClock.sleep(Math.min(ms, 2), signal),
    },
    services,
  })
  return {
    seen,
    served: serving.promise,
    reload: () => reloads.forEach(each => each()),
    stop: async () => {
      stopping.abort(new KdrError('interrupted', 'stopped'))
      return await ended
    },
  }
}

for (const args of [[], ['--only', 'monitor']])
  test(`kdr run ${args.join(' ')}`, async () => {
    write('24h')
    const kdr = running(args)
    try {
      const served = await kdr.served
      const has = async (what: RegExp): Promise<boolean> => what.test(await served.metrics())
      await waitFor(async () => await has(/^kdr_findings\{id="C076",severity="warning"\} 1$/m), {
        what: 'the first finding',
        everyMs: 2,
      })
      assert.equal((await served.api.get('check')?.())?.status, 200)
      write('never')
      kdr.reload()
      await waitFor(async () => !(await has(/kdr_(findings|check)/)), { what: 'silence', everyMs: 2 })
      // One that had begun by then comes to its end.
      await sleep(50)
      const { checks } = kdr.seen
      await sleep(50)
      assert.equal(kdr.seen.checks, checks)
      assert.doesNotMatch(await served.metrics(), /kdr_(findings|check)/)
    } finally {
      await kdr.stop()
    }
  })

test('kdr run --only links checks nothing by itself', async () => {
  write('1m')
  const kdr = running(['--only', 'links'])
  try {
    const served = await kdr.served
    await sleep(50)
    assert.doesNotMatch(await served.metrics(), /kdr_(findings|check)/)
    assert.equal(kdr.seen.checks, 0)
  } finally {
    await kdr.stop()
  }
})
