// kdr switchover and failover of a plan: all links before anything is asked, one approval, and what is printed.
import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { App, OpenedPlanRun, OpenPlanOptions, Services } from '../../src/cli/app.ts'
import { planReportOf, planSummaryOf } from '../../src/engine/plans/report.ts'
import type { LinkStep, PlanRunRecord, PlanStep } from '../../src/model/plan-runs.ts'
import type { Stranded } from '../../src/model/stranded.ts'
import { makeTestApp, runForTest } from '../support/app.ts'
import { makePlan, RUN_START } from '../support/runs.ts'

const config = join(mkdtempSync(join(tmpdir(), 'kdr-move-plan-')), 'kdr.yaml')
writeFileSync(
  config,
  `clusters: { north: { bootstrap: "n:1" }, south: { bootstrap: "s:1" }, west: { bootstrap: "w:1" } }
links: { n: { source: north, target: west, topics: ["n-*"] }, s: { source: south, target: west, topics: ["s-*"] } }
plans: { region: { links: [n, s], gates: [{ before: s, ask: "is n well?" }], objectives: { rpo: 30s, rto: 1m } } }
`,
)

const record = (changes: Partial<PlanRunRecord> = {}): PlanRunRecord => ({
  run: 'region-1',
  plan: 'region',
  kind: 'failover',
  state: 'done',
  startedAt: RUN_START,
  endedAt: RUN_START + 60_000,
  by: 'ann@host',
  acceptSplitBrain: false,
  versions: { kdr: '1.2.3', node: '24.0.0' },
  objectives: { rpoMs: 30_000, rtoMs: 60_000 },
  ...changes,
})

const link = (index: number, name: string, active: string, writableAt: number): LinkStep => ({
  kind: 'link',
  index,
  stage: index === 0 ? 0 : 1,
  link: name,
  active,
  standby: 'west',
  state: 'done',
  startedAt: RUN_START + index * 1_000,
  ms: 5_000,
  what: '"west" is active',
  run: `${name}-1`,
  result: {
    writableAt: RUN_START + writableAt,
    rpo: { records: 7, ms: 2_000 * index, basis: index === 0 ? 'exact' : 'estimate' },
    repeating: 0,
    fence: index === 0 ? 'proven' : 'none',
  },
})

const STEPS: readonly PlanStep[] = [
  link(0, 'n', 'north', 4_000),
  {
    kind: 'gate',
    gate: 'ask',
    index: 1,
    stage: 1,
    link: 's',
    state: 'done',
    startedAt: RUN_START + 5_000,
    ms: 60_000,
    what: 'yes: is n well?',
  },
  link(2, 's', 'south', 70_000),
]
const WAITING = STEPS.map(step => ({ ...step, state: 'waiting' as const, startedAt: 0, ms: 0, what: '' }))

type Seen = { opened: OpenPlanOptions[]; executed: number; asked: (boolean | undefined)[] }

function going(changes: Partial<OpenedPlanRun> = {}, end = record()): { services: Services; seen: Seen } {
  const seen: Seen = { opened: [], executed: 0, asked: [] }
  const planned = [
    { link: 'n', stage: 0, refusals: [], plan: makePlan({ link: 'n', active: 'north' }) },
    { link: 's', stage: 1, refusals: [], plan: makePlan({ link: 's', active: 'south' }) },
  ]
  return {
    seen,
    services: {
      ...makeTestApp().services,
      withPlanRun: async (_config, _plan, options, act) => {
        seen.opened.push(options)
        return await act({
          planned,
          refusals: [],
          losing: ['north', 'south'],
          report: planReportOf(record({ state: 'planned' }), WAITING),
          execute: async ({ onStep, ask }) => {
            seen.executed++
            for (const step of STEPS) {
              onStep({ ...step, state: 'running', what: '' })
              if (step.kind === 'gate') seen.asked.push(await ask('is n well?'))
              onStep(step)
            }
            return planReportOf(end, STEPS)
          },
          ...changes,
        })
      },
    },
  }
}

const run = (args: readonly string[], services: Services, changes: Partial<App> = {}) =>
  runForTest([...args, '--config', config], { services, ...changes })

describe('kdr failover of a plan', () => {
  test('shows the plans of all links and the gates, and asks once, by all that lose their writers', async () => {
    const { services, seen } = going()
    const { exit, stdout, stderr } = await run(['failover', 'region'], services)

    assert.deepEqual([exit, seen.executed], [20, 0])
    assert.match(stdout, /^failover of plan "region": 2 links$/m)
    assert.match(
      stdout,
      /^ 1 n: north → west\n {3}gate before s: a person says yes to "is n well\?"\n 2 s: south → west$/m,
    )
    assert.match(
      stdout,
      /of link "n": applications move from "north"[^]*of link "s": applications move from "south"/,
    )
    assert.match(stderr, /"north" and "south" lose their writers, in 2 link\(s\) of plan "region"/)

    const half = await run(['failover', 'region'], services, { ask: () => Promise.resolve('north') })
    assert.deepEqual([half.exit, seen.executed], [20, 0])
    const all = await run(['failover', 'region'], services, { ask: () => Promise.resolve('north south') })
    assert.deepEqual([all.exit, seen.executed], [0, 1])
  })

  test('says what each link came to, and whether the objectives were met', async () => {
    const { services, seen } = going()
    const { stdout } = await run(
      ['failover', 'region', '--yes', '--reason', 'why', '--accept-split-brain'],
      services,
    )

    assert.match(
      stdout,
      /^ {3}5\.0 s {2}n: "west" is active\n {2}1m 00s {2}gate before s: yes: is n well\?$/m,
    )
    assert.match(stdout, /^failover of plan "region": done, 2 of 2 links moved$/m)
    assert.match(
      stdout,
      /RTO {5}1m 10s until the applications of the last link could write again, of which gates took 1m 00s; longest: gate before s; objective 1m 00s: missed$/m,
    )
    assert.match(
      stdout,
      /RPO {5}up to 14 records lost, at most 4\.0 s old \(estimate\); objective 30\.0 s: met$/m,
    )
    assert.match(stdout, /fence {3}none: "n" proven, "s" none$/m)
    assert.match(stdout, /^ {2}s +south → west +done +5\.0 s +s-1$/m)
    const { signal: _signal, ...opened } = seen.opened[0]!
    assert.deepEqual(opened, { kind: 'failover', acceptSplitBrain: true, takeOver: false, reason: 'why' })
  })

  test('--break-glass is for one link: which ones, the error says', async () => {
    const { exit, stderr } = await run(['failover', 'region', '--yes', '--break-glass'], going().services)
    assert.equal(exit, 2)
    assert.match(stderr, /`--break-glass` goes with one link[\s\S]*n, s/)
  })

  test('--json is one object with the scope of the plan; --json-lines has a line for each step', async () => {
    const { stdout } = await run(['failover', 'region', '--yes', '--json'], going().services)
    const report = JSON.parse(stdout) as Record<string, unknown>
    assert.deepEqual(
      [report['v'], report['run'], report['scope'], report['objectives'], report['dryRun']],
      [
        1,
        'region-1',
        { plan: 'region', links: ['n', 's'] },
        { rpoMs: 30_000, rtoMs: 60_000, rpoMet: true, rtoMet: false },
        false,
      ],
    )
    const lines = (await run(['failover', 'region', '--yes', '--json-lines'], going().services)).stdout
      .trim()
      .split('\n')
      .map(each => JSON.parse(each) as Record<string, unknown>)
    assert.deepEqual(
      lines.slice(0, -1).map(each => [each['link'] ?? each['gate'], each['state']]),
      [
        ['n', 'running'],
        ['n', 'done'],
        ['s', 'running'],
        ['s', 'done'],
        ['s', 'running'],
        ['s', 'done'],
      ],
    )
    assert.equal(lines.at(-1)?.['state'], 'done')
  })

  test('what is in the way of any link refuses all of it, with exit 17; --dry-run shows it', async () => {
    const { services, seen } = going({ refusals: ['link "s": it is faulted'] })
    const refused = await run(['failover', 'region', '--yes'], services)
    const dry = await run(['failover', 'region', '--dry-run'], services)
    const json = await run(['failover', 'region', '--dry-run', '--json'], services)

    assert.deepEqual([refused.exit, dry.exit, json.exit, seen.executed], [17, 0, 0, 0])
    assert.match(refused.stderr, /failover of plan "region" must not begin: link "s": it is faulted/)
    assert.match(dry.stdout, /^✗ link "s": it is faulted$[^]*^dry run: nothing was changed$/m)
    const object = JSON.parse(json.stdout) as { planned: unknown[]; refusals: string[]; dryRun: boolean }
    assert.deepEqual([object.planned.length, object.refusals.length, object.dryRun], [2, 1, true])
  })

  test('one that stopped has exit 21 and names what goes on; 15 while nothing has moved', async () => {
    const sentence = 'there is nobody to ask: is n well?. To go on: kdr failover region --resume region-1'
    const halted = record({ state: 'stopped', stoppedBy: 'approval-needed', sentence })
    const { exit, stdout } = await run(['failover', 'region', '--yes'], going({}, halted).services)
    assert.equal(exit, 21)
    assert.match(
      stdout,
      /stopped, 2 of 2 links moved: there is nobody to ask[^]*next {4}kdr failover region --resume region-1/,
    )

    const execute = async () =>
      await Promise.resolve(planReportOf(record({ state: 'stopped', stoppedBy: 'not-fenced' }), WAITING))
    assert.equal((await run(['failover', 'region', '--yes'], going({ execute }).services)).exit, 15)
  })

  test('asks a person at a gate: only "yes" is yes', async () => {
    const { services, seen } = going()
    for (const answer of ['yes', 'y', undefined])
      await run(['failover', 'region', '--yes'], services, { ask: () => Promise.resolve(answer) })
    assert.deepEqual(seen.asked, [true, false, undefined])
  })

  test('hands on which topics are meant', async () => {
    const { services, seen } = going()
    await run(['failover', 'region', '--topic', 'n-*', '--topic', 's-1', '--yes'], services)
    assert.deepEqual(seen.opened[0]?.topics, ['n-*', 's-1'])
  })
})

describe('kdr failback of a plan', () => {
  test('where all of it is home says so, exit 0', async () => {
    const planned = ['n', 's'].map((each, stage) => ({
      link: each,
      stage,
      passedBy: 'it is home',
      refusals: [],
    }))
    const { services, seen } = going({ planned })
    const { exit, stdout } = await run(['failback', 'region'], services)
    assert.deepEqual([exit, seen.executed], [0, 0])
    assert.equal(stdout, 'all links of plan "region" are home; nothing was changed\n')
  })

  test('names the flags that the stranded tails of all links need, exit 16', async () => {
    const stranded = (topic: string): Stranded => ({
      run: 'f1',
      cluster: 'north',
      records: 3,
      offsets: 3,
      from: null,
      to: null,
      partitions: [
        {
          topic,
          partition: 0,
          state: 'diverged',
          cut: 1,
          end: 4,
          records: 3,
          hidden: 0,
          offsets: 3,
          from: null,
          to: null,
          older: 0,
        },
      ],
    })
    const planned = ['n', 's'].map((each, stage) => ({
      link: each,
      stage,
      refusals: [],
      plan: makePlan({ link: each, kind: 'failback', stranded: stranded(`${each}-1`) }),
    }))
    const { services, seen } = going({ planned })
    const bare = await run(['failback', 'region', '--yes'], services)
    assert.deepEqual([bare.exit, seen.executed], [16, 0])
    assert.match(bare.stderr, /kdr failback region --export DIR --recopy n-1 --recopy s-1/)
    const half = await run(['failback', 'region', '--yes', '--export', 'd', '--recopy', 'n-*'], services)
    assert.match(half.stderr, /kdr failback region --recopy s-1/)
    const all = await run(['failback', 'region', '--yes', '--export', 'd', '--recopy', '*'], services)
    assert.deepEqual([all.exit, seen.executed], [0, 1])
    assert.match(seen.opened.at(-1)?.exportTo ?? '', /^file:.*\/d$/)
  })
})

describe('kdr runs of plans', () => {
  const services: Services = {
    ...makeTestApp().services,
    listRuns: () => Promise.resolve([planSummaryOf(record(), STEPS)]),
    readPlanRun: (_config, id) =>
      Promise.resolve(id === 'region-1' ? planReportOf(record({ state: 'stopped' }), STEPS) : undefined),
    abortPlanRun: () => Promise.resolve(planReportOf(record({ state: 'aborted' }), STEPS)),
  }

  test('list has them among the others', async () => {
    const { stdout } = await run(['runs', 'list'], services)
    assert.match(
      stdout,
      /^region-1 +failover +plan region +north, south → west +done +2026-03-01T10:00:00 +1m 10s$/m,
    )
  })

  test('show has three formats; the page escapes what it prints', async () => {
    assert.match(
      (await run(['runs', 'show', 'region-1'], services)).stdout,
      /^failover of plan "region": stopped/,
    )
    const { stdout } = await run(['runs', 'show', 'region-1', '--json'], services)
    assert.equal((JSON.parse(stdout) as { scope: { plan: string } }).scope.plan, 'region')
    const evil = { ...STEPS[0]!, what: '<b>', link: '<b>' }
    const page = await run(['runs', 'show', 'region-1', '--format', 'html'], {
      ...services,
      readPlanRun: () => Promise.resolve(planReportOf(record({ reason: '<b>', by: '<b>' }), [evil])),
    })
    assert.match(page.stdout, /^<!doctype html>/)
    assert.doesNotMatch(page.stdout, /<b>/)
    assert.equal((await run(['runs', 'show', 'nope'], services)).exit, 2)
  })

  test('abort asks by the name of the plan, and leaves the links where they are', async () => {
    const unasked = await run(['runs', 'abort', 'region-1'], services)
    assert.equal(unasked.exit, 20)
    assert.match(unasked.stdout, /its links stay where they are/)
    const typed = await run(['runs', 'abort', 'region-1'], services, { ask: () => Promise.resolve('region') })
    assert.equal(typed.exit, 0)
    assert.match(typed.stdout, /given up, 2 of 2 links moved/)
  })
})
