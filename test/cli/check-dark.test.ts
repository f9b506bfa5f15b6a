// kdr check where nothing answers: every cluster, link and vault is named, and nothing is taken for well.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { CheckReport } from '../../src/engine/check/check.ts'
import { services } from '../../src/wiring/services.ts'
import { runForTest } from '../support/app.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-check-dark-'))
after(() => rmSync(dir, { recursive: true }))
const path = join(dir, 'kdr.yaml')
writeFileSync(
  path,
  JSON.stringify({
    clusters: { east: { bootstrap: '127.0.0.1:1' }, west: { bootstrap: '127.0.0.1:2' } },
    links: { ew: { source: 'east', target: 'west' } },
    vaults: { main: { url: pathToFileURL(join(dir, 'nowhere')).href } },
    sets: { all: { cluster: 'east', vault: 'main' } },
    accept: [{ finding: 'C001', where: 'cluster:west', why: 'it is being moved' }],
  }),
)

const check = async (...args: string[]) => {
  const { exit, stdout } = await runForTest(['check', '--json', '--config', path, ...args], { services })
  const report = JSON.parse(stdout) as CheckReport & { error?: { code: string; message: string } }
  return { exit, report, ids: report.findings?.map(({ id, where }) => `${id} ${where}`) }
}

test('all of it', async () => {
  const { exit, report, ids } = await check()
  assert.deepEqual([exit, report.ready], [3, 'NOT READY'])
  assert.deepEqual(ids, ['C001 cluster:east', 'C002 link:ew', 'C094 set:all'])
  assert.deepEqual(
    report.accepted.map(({ id, where, accepted }) => [id, where, accepted]),
    [['C001', 'cluster:west', { until: null, why: 'it is being moved' }]],
  )
  assert.deepEqual(report.looked, { clusters: ['east', 'west'], links: ['ew'], sets: ['all'] })
})

test('one link', async () => {
  const { exit, ids } = await check('--link', 'ew')
  // Its clusters were not asked for: that they are dark is said of the link.
  assert.deepEqual([exit, ids], [3, ['C002 link:ew', 'C002 link:ew', 'C002 link:ew']])
})

test('a link that nothing is known of: not ready', async () => {
  const unread = join(dir, 'unread.yaml')
  const [east, west] = [1, 2].map(port => ({ bootstrap: `127.0.0.1:${port}`, tls: { ca: 'file:nowhere' } }))
  writeFileSync(
    unread,
    JSON.stringify({ clusters: { east, west }, links: { ew: { source: 'east', target: 'west' } } }),
  )
  const { exit, stdout } = await runForTest(['check', '--json', '--config', unread, '--link', 'ew'], {
    services,
  })
  const { ready, findings } = JSON.parse(stdout) as CheckReport
  assert.deepEqual([exit, ready], [3, 'NOT READY'])
  assert.deepEqual(
    findings.map(({ id, severity, message }) => [id, severity, message]),
    [['C002', 'error', 'link "ew" could not be looked at']],
  )
})

test('one cluster', async () => {
  const { exit, ids } = await check('--cluster', 'east')
  assert.deepEqual([exit, ids], [3, ['C001 cluster:east']])
})

test('two that cannot be compared: exit 11; one that is not there: exit 2', async () => {
  const dark = await check('--compare', 'east,west')
  assert.deepEqual([dark.exit, dark.report.error?.code], [11, 'unreachable'])
  const unknown = await check('--cluster', 'north')
  assert.equal(unknown.exit, 2)
  assert.match(unknown.report.error?.message ?? '', /no cluster "north"/)
})
