// kdr link hand-over: what is said and asked before topics become another link's.
import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { App, Services } from '../../src/cli/app.ts'
import { makeTestApp, runForTest } from '../support/app.ts'

const config = join(mkdtempSync(join(tmpdir(), 'kdr-hand-over-')), 'kdr.yaml')
writeFileSync(
  config,
  `clusters: { a: { bootstrap: "a:1" }, b: { bootstrap: "b:1" } }
links: { all: { source: a, target: b, topics: ["*", "!pay-*"] }, pay: { source: a, target: b, topics: ["pay-*"] } }
`,
)

function handing(isUnfinished = false): { services: Services; seen: string[] } {
  const seen: string[] = []
  const plan = { topics: ['pay-1', 'pay-2'], isUnfinished }
  return {
    seen,
    services: {
      ...makeTestApp().services,
      withHandOver: async (_config, { from, to }, { reason = '' }, act) =>
        await act({
          ...plan,
          target: 'b',
          execute: async () => {
            seen.push(`${from.name} ${to.name} ${reason}`.trim())
            return await Promise.resolve(plan)
          },
        }),
    },
  }
}

const run = (args: readonly string[], services: Services, changes: Partial<App> = {}) =>
  runForTest(['link', 'hand-over', ...args, '--config', config], { services, ...changes })

describe('kdr link hand-over', () => {
  test('shows the topics, and asks by the name of the link that takes them', async () => {
    const { services, seen } = handing()
    const unasked = await run(['all', 'pay'], services)
    const dry = await run(['all', 'pay', '--dry-run'], services)
    const other = await run(['all', 'pay'], services, { ask: () => Promise.resolve('all') })
    assert.deepEqual([unasked.exit, dry.exit, other.exit, seen], [20, 0, 20, []])
    assert.match(
      dry.stdout,
      /^2 topics of link "all" become topics of link "pay", as they stand on "b"\n {2}pay-1\n/,
    )
    const typed = await run(['all', 'pay', '--reason', 'first'], services, {
      ask: () => Promise.resolve('pay'),
    })
    assert.deepEqual([typed.exit, seen], [0, ['all pay first']])
    assert.match(typed.stdout, /link "pay" goes on with them where they end; .* SIGHUP$/m)
  })

  test('says that what was begun goes on, and has one object with --json', async () => {
    const { stdout, stderr, exit } = await run(['all', 'pay', '--yes', '--json'], handing(true).services)
    assert.equal(exit, 0)
    assert.match(stderr, /^what was begun goes on/)
    assert.deepEqual(JSON.parse(stdout), {
      v: 1,
      link: 'all',
      to: 'pay',
      topics: ['pay-1', 'pay-2'],
      dryRun: false,
    })
  })

  test('refuses a link that the config does not have', async () => {
    assert.equal((await run(['all', 'none', '--yes'], handing().services)).exit, 2)
  })
})
