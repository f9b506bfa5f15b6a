// `alerts:` of `kdr run` is that of the config in force, also when that was read again (SIGHUP), whatever this process does.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import type { Served } from '../../src/api/server.ts'
import type { App } from '../../src/cli/app.ts'
import { runCli } from '../../src/cli/run-cli.ts'
import { KdrError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { makeTestApp } from '../support/app.ts'
import { waitFor } from '../support/lab.ts'
import { followedSet, partition, runningLink } from '../support/metrics-world.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-run-alerts-'))
after(() => rmSync(dir, { recursive: true }))
const path = join(dir, 'kdr.yaml')

const write = (deadMan: string): void =>
  writeFileSync(
    path,
    JSON.stringify({
      clusters: { east: { bootstrap: 'e:1' }, west: { bootstrap: 'w:1' } },
      links: { ew: { source: 'east', target: 'west' } },
      vaults: { main: { url: 'file:///main' } },
      sets: { all: { cluster: 'east', vault: 'main', every: '15m' } },
      alerts: { deadMan: { url: `env:${deadMan}` } },
      server: { listen: '127.0.0.1:1' },
    }),
  )

for (const args of [['run'], ['run', '--only', 'backups'], ['run', '--only', 'links']])
  test(`kdr ${args.join(' ')}`, async () => {
    const stopping = new AbortController()
    const serving = Promise.withResolvers<Served>()
    const called = new Set<string>()
    const reloads: (() => void)[] = []
    const app = makeTestApp()
    const services: App['services'] = {
      ...app.services,
      startLink: (_config, { name }) =>
        Promise.resolve({
          ...runningLink(name, [partition('t', 0)]),
          alerts: () => [
            {
              name: 'KdrRpoBreached',
              labels: { link: name, source: 'east', target: 'west' },
              value: 70,
              since: 0,
              firesSince: 0,
              isTold: true,
            },
          ],
        }),
      followSet: (_config, set) => Promise.resolve({ ...followedSet(set.name), set, run: untilAborted }),
      alertChannels: {
        ...app.services.alertChannels,
        request: ({ shown }) => {
          called.add(shown)
          return Promise.resolve()
        },
      },
      serve: ({ served }) => {
        serving.resolve(served)
        return Promise.resolve({ close: () => Promise.resolve() })
      },
    }
    write('FIRST')
    const ended = runCli([...args, '--config', path], {
      ...app,
      signal: stopping.signal,
      onReload: listener => void reloads.push(listener),
      // Every so often is soon.
      clock: { ...systemClock, sleep: async (ms, signal) => systemClock.sleep(Math.min(ms, 5), signal) },
      services,
    })
    await waitFor(() => called.has('env:FIRST'), { what: 'the first dead man', everyMs: 2 })
    write('SECOND')
    for (const reload of reloads) reload()
    await waitFor(() => called.has('env:SECOND'), { what: 'the second dead man', everyMs: 2 })
    const answer = await (await serving.promise).api.get('alerts')?.()
    const { alerts } = JSON.parse(answer?.text ?? '') as { alerts: { alert: string; state: string }[] }
    assert.deepEqual(
      alerts.filter(({ state }) => state === 'firing').map(({ alert }) => alert),
      args.includes('backups') ? [] : ['KdrRpoBreached'],
    )
    stopping.abort(new KdrError('interrupted', 'stopped'))
    assert.equal(await ended, 0)
  })

const untilAborted = async (signal: AbortSignal): Promise<void> =>
  await new Promise(resolve => signal.addEventListener('abort', () => resolve()))
