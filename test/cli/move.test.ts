// kdr switchover and kdr failover as commands: the plan before, who is asked, what is printed, and their exit codes.

import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import type { App, OpenRunOptions, Services } from '../../src/cli/app.ts'
import { reportOf } from '../../src/engine/runs/report.ts'
import type { Plan } from '../../src/model/runs.ts'
import type { Stranded } from '../../src/model/stranded.ts'
import { makeTestApp, runForTest } from '../support/app.ts'
import { drained, failedOverDark, type History, makePlan, makeRecord, stopped } from '../support/runs.ts'

const config = join(mkdtempSync(join(tmpdir(), 'kdr-move-')), 'kdr.yaml')
writeFileSync(
  config,
  'clusters: { east: { bootstrap: "a:1" }, west: { bootstrap: "b:1" } }\nlinks: { l: { source: east, target: west } }\n',
)

type Seen = { opened: OpenRunOptions[]; executed: number }

/** A run that goes as `history` tells. */
function going(history: History, plan: Plan = makePlan()): { services: Services; seen: Seen } {
  const seen: Seen = { opened: [], executed: 0 }
  const { services } = makeTestApp()
  return {
    seen,
    services: {
      ...services,
      withRun: async (_config, _link, options, act) => {
        seen.opened.push(options)
        return await act({
          plan,
          report: reportOf(
            makeRecord({ state: 'planned' }),
            options.resume === undefined ? [] : history.steps.slice(0, 2),
            plan,
          ),
          execute: onStep => {
            seen.executed++
            for (const step of history.steps) {
              onStep({ ...step, state: 'running', what: '' })
              onStep(step)
            }
            return Promise.resolve(reportOf(history.record, history.steps))
          },
        })
      },
    },
  }
}

const run = (args: readonly string[], services: Services, changes: Partial<App> = {}) =>
  runForTest([...args, '--config', config], { services, ...changes })

describe('kdr switchover', () => {
  test('shows the plan and asks; without a terminal it exits 20, and nothing was done', async () => {
    const { services, seen } = going(drained())
    const { exit, stdout, stderr } = await run(['switchover', 'l'], services)

    assert.deepEqual([exit, seen.executed], [20, 0])
    assert.match(stdout, /^switchover of link "l": applications move from "east" to "west"$/m)
    assert.match(stderr, /"east" loses its writers, and "west" becomes active: this needs approval/)
  })

  test('goes on with the typed name of the cluster that loses its writers, and with no other', async () => {
    const { services, seen } = going(drained())

    const wrong = await run(['switchover', 'l'], services, { ask: () => Promise.resolve('west') })
    assert.deepEqual([wrong.exit, seen.executed], [20, 0])
    const right = await run(['switchover', 'l'], services, { ask: () => Promise.resolve('east') })
    assert.deepEqual([right.exit, seen.executed], [0, 1])
  })

  test('says what each step did, and what came of it', async () => {
    const { exit, stdout } = await run(['switchover', 'l', '--yes'], going(drained()).services)

    assert.equal(exit, 0)
    assert.match(stdout, /^ {3}2\.0 s {2}fence applications {2}every leader refused User:app$/m)
    assert.match(stdout, /^switchover of "l": done, "west" is active$/m)
    assert.match(stdout, /^ {2}RTO {5}11\.5 s until applications could write again; longest: drain, 6\.0 s$/m)
    assert.match(stdout, /^ {2}RPO {5}nothing is lost \(exact: counted at both clusters\)$/m)
  })

  test('--json is one object, and everything else goes to stderr', async () => {
    const { stdout, stderr } = await run(
      ['switchover', 'l', '--yes', '--json', '--reason', 'a test'],
      going(drained()).services,
    )

    const report = JSON.parse(stdout) as Record<string, unknown>
    assert.equal(report['v'], 1)
    assert.deepEqual(
      [report['run'], report['state'], report['scope'], report['rto'], report['dryRun']],
      ['r1', 'done', { links: ['l'] }, { ms: 11_500, dominatedBy: 'drain' }, false],
    )
    assert.match(stderr, /applications move from "east" to "west"[^]*drain +did drain/)
  })

  test('--json-lines has a line for a step that begins or ends, and the report last', async () => {
    const { stdout } = await run(['switchover', 'l', '--yes', '--json-lines'], going(drained()).services)

    const lines = stdout
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as Record<string, unknown>)
    assert.equal(lines.length, 21)
    assert.deepEqual(
      [lines[0]?.['run'], lines[0]?.['step'], lines[0]?.['state'], lines[1]?.['state']],
      ['r1', 'preflight', 'running', 'done'],
    )
    assert.equal(lines.at(-1)?.['state'], 'done')
  })

  test('--dry-run changes nothing, and says even what is in the way', async () => {
    const { services, seen } = going(drained(), makePlan({ refusals: ['"l" is faulted'] }))
    const text = await run(['switchover', 'l', '--dry-run'], services)
    const json = await run(['switchover', 'l', '--dry-run', '--json'], services)

    assert.deepEqual([text.exit, json.exit, seen.executed], [0, 0, 0])
    assert.match(text.stdout, /^✗ "l" is faulted$[^]*^dry run: nothing was changed$/m)
    const { state, dryRun, plan } = JSON.parse(json.stdout) as Record<string, unknown> & { plan: Plan }
    assert.deepEqual([state, dryRun, plan.refusals], ['planned', true, ['"l" is faulted']])
  })

  test('what is in the way is named with exit 17, whatever was approved', async () => {
    const { services, seen } = going(drained(), makePlan({ refusals: ['"l" is faulted', 'no fence'] }))
    const { exit, stderr } = await run(['switchover', 'l', '--yes'], services)

    assert.deepEqual([exit, seen.executed], [17, 0])
    assert.match(stderr, /switchover of link "l" must not begin: "l" is faulted; no fence/)
  })

  test('a run that stopped has exit 21, and names what goes on with it', async () => {
    const { exit, stdout } = await run(['switchover', 'l', '--yes'], going(stopped()).services)

    assert.equal(exit, 21)
    assert.match(stdout, /^switchover of "l": stopped: drain did not end within 5\.0 s/m)
    assert.match(stdout, /^ {2}next {4}kdr switchover l --resume r1\n {10}kdr runs abort r1$/m)
  })

  test('--resume shows what was done, and asks again', async () => {
    const { services, seen } = going(drained())
    const { exit, stdout } = await run(['switchover', 'l', '--resume', 'r1', '--take-over'], services)

    assert.equal(exit, 20)
    assert.match(stdout, /run r1 goes on; done so far:\n.*preflight.*\n.*freeze groups/)
    assert.deepEqual([seen.opened[0]?.resume, seen.opened[0]?.takeOver], ['r1', true])
    assert.equal((await run(['switchover', 'l', '--resume', 'r1', '--topic', 't'], services)).exit, 2)
  })
})

describe('kdr failover', () => {
  test('hands on what was asked for, and says what is lost and who may still write', async () => {
    const { services, seen } = going(failedOverDark())
    const { exit, stdout } = await run(
      ['failover', 'l', '--topic', 'a', '--topic', 'b', '--accept-split-brain', '--yes', '--reason', 'why'],
      services,
    )

    assert.equal(exit, 0)
    const { signal: _signal, ...opened } = seen.opened[0]!
    assert.deepEqual(opened, {
      kind: 'failover',
      topics: ['a', 'b'],
      acceptSplitBrain: true,
      takeOver: false,
      reason: 'why',
    })
    assert.match(stdout, /RPO {5}up to 40 records in 1 partition lost, at most 4\.2 s old; of 1 partition/)
    assert.match(stdout, /^ {2}! may still write to "east": User:app$/m)
    assert.match(stdout, /^ {2}! nothing keeps applications from writing to "east", which was accepted/m)
  })

  test('--break-glass is handed on; what it has left lowered stands in the report, with the way back', async () => {
    const lowered = [{ topic: '_kdr.state', was: 2 }]
    const { record, steps } = failedOverDark()
    const { services, seen } = going({ record: { ...record, lowered }, steps })
    const { stdout } = await run(['failover', 'l', '--yes', '--break-glass'], services)
    assert.equal(seen.opened[0]?.breakGlass, true)
    assert.match(
      stdout,
      /^ {2}! _kdr\.state of "west" takes writes with too few replicas; .*--add-config min/m,
    )
    assert.equal((await run(['switchover', 'l', '--yes', '--break-glass'], services)).exit, 2)
  })
})

const TIMES = { from: '2026-03-01T10:00:00.000Z', to: '2026-03-01T10:00:04.000Z' }
const LOST = { topic: 'orders', partition: 0, state: 'diverged', cut: 100, end: 141 } as const
const KEPT = { topic: 'users', partition: 0, state: 'clean', cut: 9, end: 9 } as const
const GONE = {
  topic: 'orders',
  partition: 1,
  state: 'diverged',
  cut: 5,
  end: 5,
  why: 'it is too late',
} as const
const STRANDED: Stranded = {
  run: 'f1',
  cluster: 'east',
  records: 40,
  offsets: 41,
  ...TIMES,
  partitions: [
    { ...LOST, ...TIMES, records: 40, hidden: 0, offsets: 41, older: 7 },
    { ...GONE, from: null, to: null, records: 0, hidden: 0, offsets: 0, older: 5 },
    { ...KEPT, from: null, to: null, records: 0, hidden: 0, offsets: 0, older: 0 },
  ],
}

describe('kdr failback', () => {
  const back = makePlan({ kind: 'failback', active: 'west', standby: 'east', stranded: STRANDED })

  test('says that there is nothing to do where the link is home', async () => {
    const { services, seen } = going(drained())
    const home = { ...services, isAtHome: () => Promise.resolve(true) }
    const { exit, stdout } = await run(['failback', 'l', '--yes'], home)
    assert.deepEqual([exit, seen.opened], [0, []])
    assert.match(stdout, /^link "l" is home: "east" is active, "west" its standby; nothing was changed$/m)
  })

  test('shows what is stranded, and exits 16 with the flags that are missing', async () => {
    const { services, seen } = going(drained(), back)
    const { exit, stdout, stderr } = await run(['failback', 'l', '--yes'], services)
    assert.deepEqual([exit, seen.executed], [16, 0])
    assert.match(stdout, /^tail {3}40 records \(41 offsets\) of 1 topic at "east" alone/m)
    assert.match(stdout, /^orders\/0 {2}/m)
    assert.match(stdout, /^! "orders\/1": it is too late$/m)
    assert.match(stderr, /40 record\(s\) stand at "east" alone.*: orders/)
    assert.match(stderr, /kdr failback l --export DIR --recopy orders$/m)
  })

  test('goes on with them, and with the typed name; a folder is named so that anybody can resume', async () => {
    const { services, seen } = going(drained(), back)
    const flags = ['failback', 'l', '--export', 'out', '--recopy', 'or*'] as const
    const { exit } = await run(flags, services, { ask: () => Promise.resolve('west') })
    assert.deepEqual([exit, seen.executed], [0, 1])
    const [{ kind, exportTo, recopy }] = seen.opened as [OpenRunOptions]
    assert.deepEqual([kind, exportTo, recopy], ['failback', pathToFileURL(resolve('out')).href, ['or*']])
  })

  test('a vault takes the export too, and `--recopy` is no option of a switchover', async () => {
    const { services, seen } = going(drained(), back)
    await run(['failback', 'l', '--export', 'vault:main', '--recopy', 'orders', '--yes'], services)
    assert.equal(seen.opened[0]?.exportTo, 'vault:main')
    assert.equal((await run(['switchover', 'l', '--recopy', 'orders'], services)).exit, 2)
  })
})
