// kdr report: exactly what it says in each format, of a world in which everything that it tells of has happened; and of one where nothing
// answers.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { App, LinkMemory, Services } from '../../src/cli/app.ts'
import type { CheckReport } from '../../src/engine/check/check.ts'
import { reportOf } from '../../src/engine/runs/report.ts'
import type { LinkStatus } from '../../src/engine/status/status.ts'
import { KdrError } from '../../src/model/errors.ts'
import { finding } from '../../src/model/findings.ts'
import { makeTestApp, runForTest } from '../support/app.ts'
import { drained, makeRecord } from '../support/runs.ts'
import { linkStatusOf, NOW, runSummaryOf, setStatusOf } from '../support/standing.ts'

const dir = mkdtempSync(join(tmpdir(), 'kdr-report-'))
after(() => rmSync(dir, { recursive: true }))
const path = join(dir, 'kdr.yaml')
writeFileSync(
  path,
  JSON.stringify({
    clusters: { east: { bootstrap: 'east:1' }, west: { bootstrap: 'west:1' } },
    links: {
      pay: { source: 'east', target: 'west', topics: ['pay-*'] },
      other: { source: 'east', target: 'west', topics: ['other-*'] },
    },
    plans: { region: { links: ['pay', 'other'], objectives: { rpo: '30s', rto: '5m' } } },
    vaults: { main: { url: 'file:///nowhere' } },
    sets: { all: { cluster: 'east', vault: 'main', every: '15m' } },
    objectives: [
      { for: 'link:pay', rpo: '5s', rto: '10s' },
      { for: '*', rpo: '1m', rto: '15m' },
    ],
  }),
)

const DAY_MS = 86_400_000
const iso = (daysAgo: number): string => new Date(NOW - daysAgo * DAY_MS).toISOString()

/** A partition that is stopped; and what somebody has accepted, once within 30 days and once before. */
function payStatus(): LinkStatus {
  const status = linkStatusOf('pay', {
    state: 'faulted',
    sentence: '1 of 2 partition(s) stopped',
    lagMs: 12_000,
  })
  const loss = { cause: 'retention', by: 'ann@host' } as const
  const partitions = [
    {
      partition: 0,
      state: 'faulted',
      reason: 'foreign-write',
      sentence: 'partition "pay-in/0" of <west> has records | of somebody else',
      lagMs: 12_000,
    },
    {
      partition: 1,
      state: 'mirroring',
      lagMs: 0,
      lostRanges: 2,
      ledger: [
        { ...loss, from: 100, to: 112, at: iso(2), why: 'scratch *data*' },
        { ...loss, from: 0, to: 50, at: iso(40) },
      ],
    },
  ] as unknown as LinkStatus['topics'][number]['partitions']
  // The first is older than the period.
  const days = [
    { day: '2026-01-29', worstRpoMs: 900_000, withinMs: 0 },
    { day: '2026-02-28', worstRpoMs: 65_000, withinMs: DAY_MS - 600_000 },
    { day: '2026-03-01', worstRpoMs: 12_000, withinMs: DAY_MS },
  ].map(each => ({ ...each, knownMs: DAY_MS, withinRatio: each.withinMs / DAY_MS }))
  const history = { worstRpoHourMs: 12_000, worstRpoDayMs: 65_000, withinRatio: 0.664, days }
  return { ...status, history, topics: [{ name: 'pay-in', state: 'faulted', partitions }] }
}

const AGES = {
  worstRpoHourMs: 900_000,
  worstRpoDayMs: 900_000,
  withinRatio: 1,
  days: [{ day: '2026-03-01', worstRpoMs: 900_000, knownMs: DAY_MS, withinMs: DAY_MS, withinRatio: 1 }],
}

const C012 = finding('C012', {
  where: 'cluster:east topic:tmp-1',
  message: 'topic "tmp-1" has one replica',
  values: { topic: 'tmp-1' },
})

const CHECK: CheckReport = {
  ready: 'AT RISK',
  findings: [
    finding('C013', {
      where: 'cluster:east topic:orders',
      message: 'topic "orders" may lose records',
      severity: 'warning',
    }),
  ],
  accepted: [{ ...C012, accepted: { until: '2027-01-01T00:00:00.000Z', why: 'scratch data' } }],
  racks: [],
  looked: { clusters: ['east', 'west'], links: ['pay', 'other'], sets: ['all'] },
  moves: {},
}

function world(): Services {
  const { services } = makeTestApp()
  const done = reportOf(
    makeRecord({ run: 'pay-2', link: 'pay', reason: 'drill of the quarter' }),
    drained().steps,
  )
  const runs = [
    runSummaryOf('pay-3', {
      link: 'pay',
      kind: 'failover',
      state: 'stopped',
      startedAt: iso(1),
      sentence: 'no',
    }),
    runSummaryOf('pay-2', { link: 'pay', state: 'done', startedAt: iso(3), rtoMs: 11_500 }),
    runSummaryOf('region-1', {
      link: 'pay, other',
      plan: 'region',
      state: 'done',
      startedAt: iso(60),
      rtoMs: 61_000,
    }),
  ]
  return {
    ...services,
    readLinkStatus: (_config, { name }) =>
      name === 'pay'
        ? Promise.resolve(payStatus())
        : Promise.reject(new KdrError('not-allowed', 'kdr may not read "_kdr.state" of "west"')),
    listRuns: () => Promise.resolve(runs),
    readRun: (_config, run) =>
      run === 'pay-2'
        ? Promise.resolve({ ...done, rpo: { ...done.rpo, records: 7, ms: 1_500, basis: 'estimate' } })
        : Promise.reject(new KdrError('unreachable', 'no broker answers at "east"')),
    withMemory: async (_config, link, act) => {
      const entry = { id: 'e', by: 'bob@host', verb: 'pause', what: 'a plan', state: 'done' } as const
      const entries = [
        { ...entry, at: NOW - DAY_MS, outcome: 'paused topic "pay-in"', reason: 'maintenance' },
        { ...entry, at: NOW - 90 * DAY_MS },
      ]
      return await act({ journal: () => (link.name === 'pay' ? entries : []) } as unknown as LinkMemory)
    },
    readSetStatus: () => Promise.resolve({ ...setStatusOf('all'), history: AGES }),
    check: () => Promise.resolve(CHECK),
  }
}

const at = { now: () => NOW, monotonic: () => 0, sleep: () => Promise.resolve() }
const kdr = async (args: readonly string[], changes: Partial<App> = {}) =>
  await runForTest(['report', '--config', path, ...args], { clock: at, services: world(), ...changes })

const golden = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`../golden/report/${name}`, import.meta.url)), 'utf8')

describe('kdr report', () => {
  for (const [format, file] of [
    ['text', 'report.txt'],
    ['markdown', 'report.md'],
    ['html', 'report.html'],
  ] as const)
    test(`as ${format}, to the letter`, async () => {
      const { exit, stdout, stderr } = await kdr(['--format', format])
      assert.deepEqual([exit, stderr], [0, ''])
      assert.equal(stdout, golden(file))
    })

  test('the page has no script, nothing from elsewhere, and no HTML of others', async () => {
    const { stdout } = await kdr(['--format', 'html'])
    assert.ok(!/<script|<link|<img|src=|href=|@import|url\(/i.test(stdout))
    assert.ok(stdout.includes('of &lt;west&gt; has records'))
  })

  test('a longer period reaches further back', async () => {
    const { stdout } = await kdr(['--since', '100d'])
    assert.match(stdout, /3 runs: 1 not over, up to 7 records lost/)
    assert.match(stdout, /Losses accepted in the period: 62 offsets/)
    assert.match(stdout, /2025-12-01 10:00 {2}pay {3}pause/)
  })

  test('with --json: the same facts, and why what is not known', async () => {
    const { stdout } = await kdr(['--json'])
    const report = JSON.parse(stdout) as Record<string, Record<string, unknown>[]>
    assert.deepEqual([report['v'], report['since']], [1, iso(30)])
    assert.deepEqual(
      report['links']?.map(({ name, status }) => [
        name,
        (status as Record<string, unknown>)['unknown'] ??
          (status as Record<string, unknown>)['rpoObjectiveState'],
      ]),
      [
        ['pay', 'missed'],
        ['other', 'kdr may not read "_kdr.state" of "west"'],
      ],
    )
    assert.deepEqual(
      report['runs']?.map(({ run, cost }) => [run, cost]),
      [
        ['pay-3', { unknown: 'no broker answers at "east"' }],
        [
          'pay-2',
          {
            by: 'ann@host',
            reason: 'drill of the quarter',
            acceptedSplitBrain: false,
            endedAt: '2026-03-01T10:00:20.000Z',
            rpo: { records: 7, ms: 1_500, basis: 'estimate' },
          },
        ],
      ],
    )
  })

  test('says whose journal could not be read for the runs', async () => {
    const { services } = makeTestApp()
    const listRuns: typeof services.listRuns = (_config, onSilent) => {
      onSilent?.('east')
      return Promise.resolve([])
    }
    const readSetStatus = () => Promise.resolve(setStatusOf('all', {}))
    const { stdout } = await kdr([], { services: { ...services, listRuns, readSetStatus } })
    assert.match(stdout, /"east" does not answer: runs that only it knows are missing\./)
  })

  test('is written when nothing answers, and calls that not known', async () => {
    const { services } = makeTestApp()
    const dark = () => Promise.reject(new KdrError('unreachable', 'no broker answers'))
    const { exit, stdout } = await kdr([], {
      services: {
        ...services,
        listRuns: dark,
        readSetStatus: () => Promise.resolve(setStatusOf('all', { state: 'unreachable', lastCommit: null })),
      },
    })
    assert.equal(exit, 0)
    assert.match(stdout, /Readiness: not known \(no broker answers\)/)
    assert.match(stdout, /2 links: 0 faulted or beyond an objective, 2 not known/)
    assert.match(stdout, /Runs: not known \(no broker answers\)/)
    assert.match(stdout, /1 backup set: 1 late or in trouble/)
    assert.match(stdout, /What could not be looked at\n {2}- link pay: no broker answers at "west"/)
  })

  test('what is no duration is refused', async () => {
    const { exit, stderr } = await kdr(['--since', 'yesterday'])
    assert.equal(exit, 2)
    assert.match(stderr, /"yesterday" is not a duration[\s\S]*24h or 30d/)
  })
})
