// What `kdr run` answers under /api/, against what the commands print.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import type { App } from '../../src/cli/app.ts'
import { apiOf } from '../../src/cli/run/api.ts'
import { keptCheck } from '../../src/cli/run/kept-check.ts'
import type { LinkStatus } from '../../src/engine/status/status.ts'
import type { RunSummary } from '../../src/model/runs.ts'
import { makeTestApp, runForTest } from '../support/app.ts'
import { watchedCluster } from '../support/metrics-world.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-api-'))
after(() => rmSync(dir, { recursive: true, force: true }))
const path = join(dir, 'kdr.yaml')
const write = (...links: string[]): void =>
  writeFileSync(
    path,
    JSON.stringify({
      clusters: { a: { bootstrap: 'a:1' }, b: { bootstrap: 'b:1' } },
      links: Object.fromEntries(links.map(name => [name, { source: 'a', target: 'b' }])),
    }),
  )
const { services: none } = makeTestApp()
const services = {
  ...none,
  readLinkStatus: (_config: unknown, { name }: { readonly name: string }) =>
    Promise.resolve({ name, state: 'mirroring', topics: [], lagRecords: 7 } as unknown as LinkStatus),
  listRuns: () => Promise.resolve([{ run: 'r1', state: 'done' } as unknown as RunSummary]),
}
const WATCHED = [
  watchedCluster('east'),
  watchedCluster('west', { seenAt: 0, groupsAt: 0, problem: 'no broker answers' }),
]
const apiFor = (app: App) =>
  apiOf(app, { path, clusters: () => WATCHED, alerts: () => [], check: keptCheck(app, path) })
const ask = async (what: string, changes = {}) => {
  const answer = await apiFor(makeTestApp({ services: { ...services, ...changes } })).get(what)?.()
  assert.ok(answer !== undefined)
  return answer
}

describe('the API of kdr run', () => {
  for (const [what, args] of [
    ['status', ['status', '--json']],
    ['runs', ['runs', 'list', '--json']],
  ] as const)
    test(`${what} is what \`kdr ${args.join(' ')}\` prints`, async () => {
      write('one', 'two')
      const { stdout } = await runForTest([...args, '--config', path], { services })
      assert.deepEqual(await ask(what), { status: 200, text: stdout })
    })

  test('clusters are as they were seen last, with times that people read', async () => {
    const { status, text } = await ask('clusters')
    const { v, clusters } = JSON.parse(text) as { v: number; clusters: Record<string, unknown>[] }
    assert.deepEqual([status, v], [200, 1])
    const { seenAt: _at, groupsAt: _groupsAt, ...seen } = watchedCluster('east')
    assert.deepEqual(clusters[0], {
      ...seen,
      seenAt: '2026-01-31T11:59:59.000Z',
      groupsAt: '2026-01-31T11:59:59.000Z',
    })
    assert.partialDeepStrictEqual(clusters[1], { name: 'west', problem: 'no broker answers', seenAt: null })
  })

  test('the status of a config with nothing but clusters is empty', async () => {
    write()
    const { status, text } = await ask('status')
    assert.deepEqual([status, JSON.parse(text)], [200, { v: 1, links: [], sets: [] }])
  })

  test('it is that of the config as it stands now', async () => {
    write('one')
    const status = apiFor(makeTestApp({ services })).get('status')
    const names = async (): Promise<string[]> => {
      const { links } = JSON.parse((await status?.())?.text ?? '') as { links: { name: string }[] }
      return links.map(({ name }) => name)
    }
    assert.deepEqual(await names(), ['one'])
    write('one', 'two')
    assert.deepEqual(await names(), ['one', 'two'])
  })

  test('what cannot be told is the error that the command would end with; a bug is a 500', async () => {
    write('one')
    const dark = await ask('status', none)
    assert.equal(dark.status, 503)
    assert.partialDeepStrictEqual(JSON.parse(dark.text), { v: 1, error: { code: 'unreachable', exit: 11 } })
    const bug = await ask('runs', { listRuns: () => Promise.reject(new TypeError('x')) })
    assert.equal(bug.status, 500)
  })

  test('who asks meanwhile gets the same answer; who asks later another one', async () => {
    write('one')
    let looks = 0
    const listRuns = (): Promise<RunSummary[]> => {
      looks++
      return Promise.resolve([])
    }
    const runs = apiFor(makeTestApp({ services: { ...services, listRuns } })).get('runs')
    await Promise.all([runs?.(), runs?.(), runs?.()])
    assert.equal(looks, 1)
    await runs?.()
    assert.equal(looks, 2)
  })
})
