// kdr status of sets, over a real folder; and what `kdr run` serves of them.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { runCli } from '../../src/cli/run-cli.ts'
import { findPort } from '../../src/lab/ports.ts'
import { KdrError } from '../../src/model/errors.ts'
import type { SetStatus } from '../../src/model/set-status.ts'
import { openFileStore } from '../../src/store/files.ts'
import { services } from '../../src/wiring/services.ts'
import { systemClock } from '../../src/wiring/system.ts'
import { makeTestApp, runForTest } from '../support/app.ts'
import { commitBatches, madeBatch, unique } from '../vault/made.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-status-sets-'))
after(() => rmSync(dir, { recursive: true }))
const path = join(dir, 'kdr.yaml')
const folder = join(dir, 'vault')

type Sets = Record<string, { readonly every?: string; readonly vault?: string }>
const write = (sets: Sets, more = {}): void =>
  writeFileSync(
    path,
    JSON.stringify({
      clusters: { east: { bootstrap: '127.0.0.1:1' } },
      vaults: {
        main: { url: pathToFileURL(folder).href },
        none: { url: pathToFileURL(`${folder}-none`).href },
      },
      sets: Object.fromEntries(
        Object.entries(sets).map(([name, set]) => [name, { cluster: 'east', vault: 'main', ...set }]),
      ),
      ...more,
    }),
  )
const kdr = async (...args: string[]) => await runForTest([...args, '--config', path], { services })
const status = async () => {
  const { exit, stdout } = await kdr('status', '--json')
  const { links, sets } = JSON.parse(stdout) as { links: unknown[]; sets: SetStatus[] }
  assert.deepEqual(links, [])
  return { exit, sets }
}

const HOUR_MS = 3_600_000

before(async () => {
  write({ all: { every: '1h' } })
  assert.equal((await kdr('vault', 'init', 'main')).exit, 0)
})

describe('kdr status, with sets', () => {
  test('waits for the first commit', async () => {
    const { exit, sets } = await status()
    const [all] = sets
    assert.deepEqual([exit, all?.state, all?.lastCommit], [0, 'waiting', null])
  })

  test('shows the newest commit, its age against the schedule, and when it was verified', async () => {
    const now = Date.now() - HOUR_MS
    const endsAt = new Date(now).toISOString()
    const batches = [madeBatch({ from: 0, values: ['a', 'b'] })]
    await commitBatches(openFileStore(folder, unique), batches, { now, draft: { endsAt } })
    const before = await status()
    const all = before.sets[0]
    assert.ok(all !== undefined)
    assert.deepEqual([before.exit, all?.state, all?.lastCommit, all?.at], [0, 'current', 1, endsAt])
    assert.ok(all.ageMs !== null && all.ageMs >= HOUR_MS && all.ageMs < HOUR_MS + 60_000)
    assert.deepEqual([all.every, all.objectiveMs, all.verifiedAt], ['1h', 2 * HOUR_MS, null])
    assert.ok(all.bytes !== null && all.bytes > 100)
    assert.equal((await kdr('backup', 'verify', 'all', '--full')).exit, 0)
    assert.notEqual((await status()).sets[0]?.verifiedAt, null)
    assert.match((await kdr('status')).stdout, /all +east → main +current +1 +1h 00m +2h 00m/)
  })

  test('ends with 3 when another commit should be there, or there is no vault', async () => {
    write({ all: { every: '10m' } })
    const late = await status()
    assert.deepEqual([late.exit, late.sets[0]?.state], [3, 'late'])
    assert.match((await kdr('status')).stdout, /✗ all: the newest commit is 1, and another one should be/)
    write({ all: { every: '1h' }, none: { vault: 'none' } })
    const none = await status()
    assert.deepEqual([none.exit, none.sets[1]?.state], [3, 'faulted'])
    assert.match(none.sets[1]?.sentence ?? '', /there is no vault at/)
  })

  test('a vault that does not answer is said, and ends with 11', async () => {
    write(
      { all: { every: '1h' }, dark: { vault: 'bucket' } },
      {
        vaults: {
          main: { url: pathToFileURL(folder).href },
          bucket: { url: 's3://b', region: 'r', endpoint: 'http://127.0.0.1:9', pathStyle: true },
        },
      },
    )
    process.env['AWS_ACCESS_KEY_ID'] ??= 'none'
    process.env['AWS_SECRET_ACCESS_KEY'] ??= 'none'
    const { exit, sets } = await status()
    assert.deepEqual([exit, sets[0]?.state, sets[1]?.state], [11, 'current', 'unreachable'])
  })

  test('`--link` asks for no set', async () => {
    write({ none: { vault: 'none' } })
    assert.match((await kdr('status', '--link', 'x')).stderr, /has no links/)
  })
})

test('kdr run serves what it knows of the sets', async t => {
  const listen = `127.0.0.1:${await findPort()}`
  write({ all: { every: '1h' } }, { server: { listen } })
  const stopping = new AbortController()
  t.after(() => stopping.abort(new KdrError('interrupted', 'stopped')))
  const app = { ...makeTestApp(), services, clock: systemClock, signal: stopping.signal }
  const ended = runCli(['run', '--config', path], app)
  const get = async (what: string): Promise<Response | undefined> =>
    await fetch(`http://${listen}${what}`).catch(() => undefined)
  for (let i = 0; (await get('/readyz'))?.status !== 200 && i < 200; i++) await sleep(20)
  const text = (await (await get('/metrics'))?.text()) ?? ''
  const of = (name: string): number =>
    Number(new RegExp(`^${name}\\{set="all",cluster="east",vault="main"\\} (\\S+)$`, 'm').exec(text)?.[1])
  assert.ok(Math.abs(of('kdr_backup_age_seconds') - 3_600) < 120, text)
  assert.ok(Math.abs(Date.now() / 1_000 - 3_600 - of('kdr_backup_last_commit_timestamp_seconds')) < 120)
  assert.ok(Math.abs(Date.now() / 1_000 - of('kdr_backup_verified_timestamp_seconds')) < 120)
  assert.deepEqual([of('kdr_backup_late'), of('kdr_backup_bytes_total')], [0, 0])
  assert.ok(of('kdr_backup_vault_bytes') > 100)
  stopping.abort(new KdrError('interrupted', 'stopped'))
  assert.equal(await ended, 0)
  assert.equal(await get('/healthz'), undefined)
})
