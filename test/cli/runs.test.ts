// kdr runs, and how a run is told: as text, and as a page that must stand alone whatever names it has to print.

import assert from 'node:assert/strict'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { AbortRunOptions, App, ReplayOptions, Services } from '../../src/cli/app.ts'
import { reportHtml } from '../../src/cli/move/run-html.ts'
import { planText } from '../../src/cli/move/run-plan.ts'
import { fullReportText } from '../../src/cli/move/run-text.ts'
import { PLAIN } from '../../src/cli/table.ts'
import { reportOf, summaryOf } from '../../src/engine/runs/report.ts'
import type { RunReport } from '../../src/model/runs.ts'
import { makeTestApp, runForTest } from '../support/app.ts'
import {
  drained,
  failedOverDark,
  failedOverLive,
  type History,
  makePlan,
  makeRecord,
  makeStep,
  stopped,
} from '../support/runs.ts'

const config = join(mkdtempSync(join(tmpdir(), 'kdr-runs-')), 'kdr.yaml')
writeFileSync(
  config,
  'clusters: { east: { bootstrap: "a:1" }, west: { bootstrap: "b:1" } }\nlinks: { l: { source: east, target: west } }\n',
)

const read = ({ record, steps }: History): RunReport => reportOf(record, steps)

function knowing(report: RunReport): { services: Services; aborted: AbortRunOptions[] } {
  const aborted: AbortRunOptions[] = []
  return {
    aborted,
    services: {
      ...makeTestApp().services,
      listRuns: () => Promise.resolve([summaryOf(report)]),
      readRun: () => Promise.resolve(report),
      abortRun: (_config, _run, options) => {
        aborted.push(options)
        return Promise.resolve({ ...report, state: 'aborted' })
      },
    },
  }
}

const run = (args: readonly string[], services: Services, changes: Partial<App> = {}) =>
  runForTest(['runs', ...args, '--config', config], { services, ...changes })

describe('kdr runs', () => {
  test('list is a table, and says why a run stopped', async () => {
    const done = await run(['list'], knowing(read(drained())).services)
    assert.equal(
      done.stdout,
      'RUN  KIND        LINK  MOVES        STATE  STARTED (UTC)           RTO\n' +
        'r1   switchover  l     east → west  done   2026-03-01T10:00:00  11.5 s\n',
    )
    const halted = await run(['list'], knowing(read(stopped())).services)
    assert.match(halted.stdout, / stopped .* -\n✗ r1: drain did not end/)
    assert.match((await run(['list'], makeTestApp().services)).stdout, /no switchover or failover yet/)
  })

  test('list says which clusters keep silent, and never that there was no run then', async () => {
    const services: Services = {
      ...makeTestApp().services,
      listRuns: (_config, onSilent) => {
        for (const cluster of ['west', 'east']) onSilent?.(cluster)
        return Promise.resolve([])
      },
    }
    const { stdout, stderr } = await run(['list'], services)
    assert.deepEqual(
      [stdout, stderr],
      [
        '',
        ['east', 'west']
          .map(name => `! "${name}" does not answer: runs that only it knows are missing\n`)
          .join(''),
      ],
    )
    const { stdout: json } = await run(['list', '--json'], services)
    assert.deepEqual(JSON.parse(json), { v: 1, runs: [], silent: ['east', 'west'] })
  })

  test('list --json has what the table has', async () => {
    const { stdout } = await run(['list', '--json'], knowing(read(drained())).services)
    assert.deepEqual(JSON.parse(stdout), {
      v: 1,
      runs: [
        {
          run: 'r1',
          kind: 'switchover',
          link: 'l',
          active: 'east',
          standby: 'west',
          state: 'done',
          startedAt: '2026-03-01T10:00:00.000Z',
          rtoMs: 11_500,
        },
      ],
    })
  })

  test('show has three formats; an unknown run is a usage error', async () => {
    const { services } = knowing(read(drained()))

    assert.match((await run(['show', 'r1'], services)).stdout, /^switchover of "l": done/)
    assert.match((await run(['show', 'r1', '--format', 'html'], services)).stdout, /^<!doctype html>/)
    for (const args of [['--json'], ['--format', 'json']]) {
      const { stdout } = await run(['show', 'r1', ...args], services)
      assert.deepEqual(JSON.parse(stdout), { v: 1, ...read(drained()) })
    }
    assert.equal((await run(['show', 'r1', '--json', '--format', 'html'], services)).exit, 2)
    assert.equal((await run(['show', 'r1', '--format', 'pdf'], services)).exit, 2)
    assert.equal((await run(['show', 'nope'], makeTestApp().services)).exit, 2)
  })

  test('abort asks by the name of the cluster that keeps its writers', async () => {
    const { services, aborted } = knowing(read(stopped()))

    const unasked = await run(['abort', 'r1'], services)
    const dry = await run(['abort', 'r1', '--dry-run'], services)
    assert.deepEqual([unasked.exit, dry.exit, aborted.length], [20, 0, 0])
    assert.match(unasked.stdout, /run "r1" is given up: applications stay on "east"/)

    const typed = await run(['abort', 'r1', '--reason', 'why'], services, {
      ask: () => Promise.resolve('east'),
    })
    assert.deepEqual([typed.exit, aborted[0]?.reason, aborted[0]?.takeOver], [0, 'why', false])
    assert.match(typed.stdout, /^switchover of "l": given up, "east" stays active/m)
  })

  test('abort refuses what is over, what may have promoted, and a failover that may have fenced the link', async () => {
    const fencing = makeStep('fence-link', [9_000, 100], { state: 'failed' })
    const promoting = makeStep('promote', [9_100, 100], { state: 'failed' })
    const { record, steps } = stopped()
    const fenced = knowing(reportOf(record, [...steps, fencing]))
    assert.equal((await run(['abort', 'r1', '--yes'], fenced.services)).exit, 0)
    const lost = knowing(reportOf({ ...record, kind: 'failover' }, [...steps, fencing]))
    assert.equal((await run(['abort', 'r1', '--yes'], lost.services)).exit, 17)
    const late = knowing(reportOf(record, [...steps, fencing, promoting]))

    const refused = await run(['abort', 'r1', '--yes'], late.services)
    assert.deepEqual([refused.exit, late.aborted.length], [17, 0])
    assert.match(refused.stderr, /can only go forward[^]*kdr switchover l --resume r1/)
    assert.equal((await run(['abort', 'r1', '--yes'], knowing(read(drained())).services)).exit, 2)
  })
})

describe('kdr runs replay', () => {
  function replaying(): { services: Services; asked: ReplayOptions[]; executed: () => number } {
    const asked: ReplayOptions[] = []
    let count = 0
    const topics = [{ topic: 'orders', into: 'orders.stranded', records: 40 }]
    const { services } = makeTestApp()
    return {
      asked,
      executed: () => count,
      services: {
        ...services,
        withReplay: async (_config, id, options, act) => {
          asked.push(options)
          return await act({
            run: id,
            cluster: 'east',
            topics,
            warnings: ['"orders" keeps records for 5 ms'],
            execute: () => {
              count++
              return Promise.resolve(topics)
            },
          })
        },
      },
    }
  }

  test('says what goes where, and asks by the name of the active cluster', async () => {
    const { services, asked, executed } = replaying()
    const args = ['replay', 'b1', '--into', 'stranded', '--topic', 'or*', '--key', 'k1', '--key', 'k2']
    const dry = await run([...args, '--dry-run'], services)
    assert.equal(dry.exit, 0)
    assert.match(dry.stdout, /^40 records of 1 topic go into topics of "east"$/m)
    assert.match(dry.stdout, /^orders {2}orders\.stranded {7}40$/m)
    assert.match(dry.stdout, /^! "orders" keeps records for 5 ms$/m)
    assert.equal((await run(args, services)).exit, 20)
    assert.equal(executed(), 0)
    const typed = await run(args, services, { ask: () => Promise.resolve('east') })
    assert.deepEqual([typed.exit, executed()], [0, 1])
    assert.match(typed.stdout, /^40 records stand there, each once$/m)
    const [{ into, topics, keys }] = asked as [ReplayOptions]
    assert.deepEqual([into, topics, keys], ['stranded', ['or*'], ['k1', 'k2']])
  })

  test('must be told where to', async () => {
    assert.equal((await run(['replay', 'b1', '--yes'], replaying().services)).exit, 2)
  })
})

describe('a plan as text', () => {
  test('has what is in the way first, then what it costs and what has to be done by hand', () => {
    const many = Array.from({ length: 12 }, (_, index) => ({ topic: `t${index}`, records: 100 - index }))
    const text = planText(
      makePlan({
        kind: 'failover',
        isActiveThere: false,
        topics: 40,
        heldBack: 3,
        loss: { basis: 'estimate', records: 1_134, ms: 4_200, topics: many, partitions: [] },
        groups: [
          { group: 'b\u001b[2Jg', state: 'behind', mayRepeat: 1_200, members: 3, mayBeAhead: true },
          { group: 'quiet', state: 'in-step', mayRepeat: 0, members: 1, mayBeAhead: false },
          { group: 'share', state: 'not-carried', mayRepeat: 0, members: -1, mayBeAhead: false },
        ],
        transactions: [
          { transactionalId: 'tx', producerId: '9', state: 'Ongoing', ageMs: 95_000, partitions: 4 },
        ],
        producers: [{ producerId: '1001', partitions: 12, lastSeenMs: 300 }],
        missingUsers: ['alice'],
        leftBehind: ['tmp'],
        refusals: ['no fence'],
        warnings: ['a warning'],
      }),
      PLAIN,
    ).replaceAll('\u202f', ' ')

    assert.match(
      text,
      /^failover of link "l": applications move from "east", which does not answer, to "west"\n\nit must not begin:\n✗ no fence\n/,
    )
    assert.match(text, /^moves {2}40 topics, 2 groups; 3 ACLs held back so far will apply on "west"$/m)
    assert.match(
      text,
      /^loss {3}up to 1 134 records, at most 4\.2 s old \(estimate: "east" does not answer\)$/m,
    )
    assert.match(text, /^time {3}about 12 s,/m)
    assert.match(text, /^t9 +91\n\.\.\. and 2 more \(--json has all\)$/m)
    assert.match(text, /^b\?\[2Jg +behind +1 200 +3\nshare +not carried +0 +-\n! members of "b\?\[2Jg"/m)
    assert.match(text, /^tx +Ongoing +1m 35s +4$/m)
    assert.match(text, /^1 producer at work: restart each one/m)
    assert.match(text, /^ +1001 +12 +300 ms ago$/m)
    assert.match(
      text,
      /^! users that "west" lacks: "alice"\n! topics that stay behind on "east": "tmp"\n! a warning$/m,
    )
    assert.match(text, /^giving up is free until the step "fence link"[^]*`kdr failback`\.\n$/m)
    assert.doesNotMatch(text, /quiet|\p{Cc}\[/u)
  })

  test('of a quiet switchover is short', () => {
    const text = planText(makePlan({ groups: [] }), PLAIN)
    assert.match(text, /^loss {3}none \(as of now\)$/m)
    assert.equal(text.split('\n').length, 9)
  })
})

describe('a report as text', () => {
  test('names the partitions that lack something, and how much at most', () => {
    const text = fullReportText(read(failedOverLive()), PLAIN).replaceAll('\u202f', ' ')

    assert.match(
      text,
      /^ {2}RPO {5}up to 100 records in 1 partition lost, at most 1\.5 s old \(exact: counted at both clusters\)$/m,
    )
    assert.match(text, /^ {2}orders\/0 +1 000 +1 100 +100$/m)
    assert.match(text, /^ {2}groups {2}1 of 2 groups may see records again: "billing" 7$/m)
  })

  test('of a run that stopped lists what has not begun', () => {
    const text = fullReportText(read(stopped()), PLAIN)
    assert.match(text, /^ {3}5\.0 s {2}drain +"orders\/0" is 12 records behind$/m)
    assert.match(text, /^ +not begun: final sync, fence link, promote, redirect, canary$/m)
  })

  test('says what passed between the steps of a run that was resumed', () => {
    const { steps } = stopped()
    const again = makeStep('drain', [60_000, 900], { data: { ends: [] } })
    const report = reportOf(makeRecord({ state: 'running' }), [...steps, again])
    // 60.9 s, of which the steps took 1 + 0.5 + 2 + 0.1 + 0.9 s.
    assert.match(
      fullReportText(report, PLAIN),
      /RTO {5}1m 01s so far; longest: fence applications, 2\.0 s; between steps: 56\.4 s/,
    )
  })
})

describe('a report as a page', () => {
  test('says what was stranded, and where that was exported to', () => {
    const { record, steps } = failedOverDark()
    const stranded = {
      run: 'r1',
      cluster: 'east',
      records: 0,
      offsets: 0,
      from: null,
      to: null,
      partitions: [],
    }
    const data = { stranded, location: '/<out>/r2', objects: 1, bytes: 1 }
    const page = reportHtml(reportOf(record, [...steps, makeStep('export', [0, 0], { data })]))
    assert.match(
      page,
      /Stranded: &quot;east&quot; has nothing that was not copied; exported to \/&lt;out&gt;\/r2\./,
    )
  })

  test('escapes every name, wherever it comes from', () => {
    const evil = `<b>&"'`
    const { steps } = failedOverDark()
    const plan = makePlan({
      active: evil,
      groups: [{ group: evil, state: 'behind', mayRepeat: 1, members: 0, mayBeAhead: true }],
      warnings: [evil],
    })
    const report = reportOf(
      makeRecord({
        run: evil,
        link: evil,
        active: evil,
        standby: evil,
        by: evil,
        reason: evil,
        sentence: evil,
        topics: [evil],
        versions: { kdr: evil, node: evil },
      }),
      [
        ...steps.filter(({ name }) => name !== 'promote'),
        makeStep('preflight', [0, 1], { data: plan, what: evil }),
        makeStep('fence-applications', [1, 1], {
          what: evil,
          data: { state: 'configured', denied: [], probed: 0, left: [evil] },
        }),
        makeStep('drain', [2, 1], { data: { ends: [{ topic: evil, partition: 0, end: 9 }] } }),
        makeStep('final-sync', [3, 1], {
          data: { groups: 1, mayRepeat: [{ group: evil, mayRepeat: 1 }] },
        }),
      ],
    )

    const page = reportHtml(report)

    assert.doesNotMatch(page, /<b>/)
    assert.doesNotMatch(page, /&"'/)
    assert.ok(page.split('&lt;b&gt;&amp;&quot;&#39;').length > 15)
  })

  test('needs nothing from elsewhere, and runs nothing', () => {
    for (const history of [drained(), failedOverLive(), failedOverDark(), stopped()]) {
      const page = reportHtml(read(history))
      assert.doesNotMatch(
        page,
        /https?:|\/\/|<script|<link|<img|<iframe|\bon\w+=|url\(|@import|password|secret/i,
      )
      assert.match(page, /Content-Security-Policy" content="default-src 'none'/)
      assert.match(page, /@page \{ size: A4/)
    }
  })

  test('has the loss by partition with its total, the bars, the timeline, and the plan as it was shown', () => {
    const page = reportHtml(read(failedOverLive())).replaceAll('\u202f', ' ')

    assert.match(page, /<h1>Done, &quot;west&quot; is active<\/h1>/)
    assert.match(
      page,
      /<td>orders<\/td><td class="number">0<\/td><td class="number">1 000<\/td><td class="number">1 100<\/td><td class="number">100<\/td>/,
    )
    assert.doesNotMatch(page, /<td>orders<\/td><td class="number">1<\/td>/)
    assert.match(page, /Total<\/th><td class="number">100<\/td>/)
    // The canary took 8 s, and is the longest bar: the fence with 2 s is a quarter of it.
    assert.match(page, /class="longest"><th scope="row">fence applications<\/th>.*?<rect width="100"/)
    assert.match(page, /class="aside"><th scope="row">canary, after that<\/th>.*?<rect width="400"/)
    assert.match(page, /10:00:01\.500<\/td><td>fence applications<\/td><td>done<\/td>/)
    assert.match(page, /<pre>failover of link &quot;l&quot;: applications move/)
  })
})
