// What `kdr run` serves at /metrics is held against the config in force, also when that was read again (SIGHUP).
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Served } from '../../src/api/server.ts'
import type { App } from '../../src/cli/app.ts'
import { runCli } from '../../src/cli/run-cli.ts'
import { KdrError } from '../../src/model/errors.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { makeTestApp } from '../support/app.ts'
import { followedSet, partition, runningLink } from '../support/metrics-world.ts'
import { setStatusOf } from '../support/standing.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-run-metrics-'))
after(() => rmSync(dir, { recursive: true }))
const path = join(dir, 'kdr.yaml')

const write = (rpo: string, planRpo: string, vaults: readonly string[]): void =>
  writeFileSync(
    path,
    JSON.stringify({
      clusters: { east: { bootstrap: 'e:1' }, west: { bootstrap: 'w:1' } },
      links: { one: { source: 'east', target: 'west' }, two: { source: 'east', target: 'west' } },
      plans: { region: { links: ['two'], objectives: { rpo: planRpo } } },
      objectives: [{ for: 'link:one', rpo }],
      vaults: Object.fromEntries(vaults.map(name => [name, { url: `file:///${name}` }])),
      sets: Object.fromEntries(vaults.map(vault => [vault, { cluster: 'east', vault, every: '15m' }])),
      server: { listen: '127.0.0.1:1' },
    }),
  )

const objectivesIn = (text: string): string[] =>
  [...text.matchAll(/^kdr_link_rpo_objective_seconds\{link="(\w+)".*\} (\d+)$/gm)].map(
    ([, link = '', seconds = '']) => `${link} ${seconds}`,
  )

/** Sets whose vault was looked at. */
const vaultsIn = (text: string): string[] =>
  [...text.matchAll(/^kdr_backup_vault_bytes\{set="(\w+)"/gm)].map(([, set = '']) => set)

test('objectives, plans and vaults are those of the config that was read last', async () => {
  const stopping = new AbortController()
  const serving = Promise.withResolvers<Served>()
  let reload = (): void => undefined
  let elapsedMs = 0
  const app = makeTestApp()
  const services: App['services'] = {
    ...app.services,
    startLink: (_config, { name }) => Promise.resolve(runningLink(name, [partition('t', 0)])),
    followSet: (_config, set) => Promise.resolve({ ...followedSet(set.name), set, run: untilAborted }),
    readSetStatus: (config, { name, vault }) =>
      config.vaults[vault] === undefined
        ? Promise.reject(new KdrError('usage', `there is no vault "${vault}"`))
        : Promise.resolve(setStatusOf(name)),
    serve: ({ served }) => {
      serving.resolve(served)
      return Promise.resolve({ close: () => Promise.resolve() })
    },
  }
  write('30s', '40s', ['first'])
  const ended = runCli(['run', '--config', path], {
    ...app,
    signal: stopping.signal,
    onReload: listener => void (reload = listener),
    clock: { ...systemClock, monotonic: () => elapsedMs },
    services,
  })
  const served = await serving.promise
  const shows = async (...expected: readonly string[]): Promise<void> => {
    let seen: string[] = []
    for (let i = 0; i < 200 && !isDeepStrictEqual(seen, expected); i++) {
      // The vaults are looked at now and then.
      elapsedMs += 300_000
      const text = await served.metrics()
      seen = [...objectivesIn(text), ...vaultsIn(text)]
      await sleep(5)
    }
    assert.deepEqual(seen, expected, app.written.stderr)
  }
  await shows('one 30', 'two 40', 'first')
  write('5s', '6s', ['first', 'second'])
  reload()
  await shows('one 5', 'two 6', 'first', 'second')
  stopping.abort(new KdrError('interrupted', 'stopped'))
  assert.equal(await ended, 0)
})

const untilAborted = async (signal: AbortSignal): Promise<void> =>
  await new Promise(resolve => signal.addEventListener('abort', () => resolve()))
