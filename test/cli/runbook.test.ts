// kdr runbook: what it says is what kdr says, it holds no secrets, and it knows when it is out of date.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { App, Services } from '../../src/cli/app.ts'
import { planText } from '../../src/cli/move/run-plan.ts'
import { reportText } from '../../src/cli/move/run-text.ts'
import { PLAIN } from '../../src/cli/table.ts'
import { reportOf, summaryOf } from '../../src/engine/runs/report.ts'
import type { LinkStatus } from '../../src/engine/status/status.ts'
import { RUNBOOK_KINDS } from '../../src/cli/runbook/facts.ts'
import { makeTestApp, runForTest } from '../support/app.ts'
import { drained, makePlan, makeRecord } from '../support/runs.ts'

const SECRETS = ['hunter2', 'TSIG-KEY', 'BEARER', 'APP-PASSWORD', 'GATE-TOKEN', 'STOP-KEY', 'USER-PW']
const CONFIG = `clusters:
  east: { bootstrap: "e:1", sasl: { mechanism: plain, username: kdr, password: hunter2 } }
  west: { bootstrap: "w-1:1,w-2:1", sasl: { mechanism: plain, username: kdr, password: "env:WEST" } }
links:
  l:
    source: east
    target: west
    topics: ["pay-*"]
    fence: { command: "curl -H 'Authorization: BEARER'", probe: { sasl: { mechanism: plain, username: app, password: APP-PASSWORD } } }
    consumers: { stop: "halt --key STOP-KEY" }
    users: { app: { mechanism: scram-sha-512, password: USER-PW } }
    redirect:
      - dns: { server: "10.0.0.2:53", zone: k.example, record: b, tsig: "hmac-sha256:n:TSIG-KEY", values: { east: ["1.1.1.1"], west: ["2.2.2.2"] } }
  m: { source: east, target: west, topics: ["m-*"] }
plans:
  region:
    links: [l, m]
    decides: "on call, +49 30 1234 <ops@example.org>"
    objectives: { rpo: 30s, rto: 5m }
    gates: [{ before: m, ask: "is l well | good?" }, { before: m, command: "check --token GATE-TOKEN" }]
`

const dir = mkdtempSync(join(tmpdir(), 'kdr-runbook-'))
const config = join(dir, 'kdr.yaml')
writeFileSync(config, CONFIG)

/** Clusters that answer; the last switchover of `l` took 11.5 s. */
function live(): Services {
  const report = reportOf(makeRecord(), drained().steps)
  const status = {
    source: 'east',
    target: 'west',
    state: 'mirroring',
    sentence: 'nothing behind',
    generation: 1,
  } as LinkStatus
  return {
    ...makeTestApp().services,
    readLinkStatus: (_config, { name }) => Promise.resolve({ ...status, name }),
    listRuns: () => Promise.resolve([summaryOf(report)]),
    readRun: () => Promise.resolve(report),
    withRun: async (_config, link, { kind }, act) =>
      await act({
        plan: makePlan({ kind, link: link.name }),
        report,
        execute: () => Promise.reject(new Error('a runbook changes nothing')),
      }),
  }
}

const run = (args: readonly string[], changes: Partial<App> = {}) =>
  runForTest(['runbook', ...args, '--config', config], changes)

describe('kdr runbook', () => {
  test('of a link has exact commands, and what kdr really says to them', async () => {
    const { exit, stdout } = await run(['l', '--kind', 'switchover'], { services: live() })

    assert.equal(exit, 0)
    assert.match(stdout, /^# Runbook: switchover of link l$/m)
    for (const command of [
      'switchover l --dry-run',
      'switchover l --reason "..."',
      'switchover l --resume RUN',
      'runs abort RUN',
      'verify l --since 1h',
      'status --link l',
    ])
      assert.ok(stdout.includes(`\`\`\`sh\nkdr ${command} --config ${config}\n`), command)
    // Each of these lines is one of what is really printed.
    const [heading = ''] = planText(makePlan(), PLAIN).split('\n')
    const [done = ''] = reportText(reportOf(makeRecord(), drained().steps), PLAIN).split('\n')
    for (const said of [heading, done]) assert.ok(stdout.includes(`    ${said}\n`), said)
    assert.match(stdout, /\.\.\. Type "east" to go on:/)
    assert.match(stdout, /^\| l \| east → west \| pay-\* \| w-1:1,w-2:1 \|$/m)
    assert.match(
      stdout,
      /^\| l \| mirroring: nothing behind \| 11\.5 s \(run r1, 2026-03-01\) \| 0 records \(exact\) \|$/m,
    )
    assert.match(stdout, /^\| drain \| .* \| 6\.0 s \|$/m)
    assert.match(stdout, /until applications can write again: l: about 12\.0 s/)
    assert.match(stdout, /^## 7\. How to give it up\n\nFree until the step "fence link"/m)
    assert.match(stdout, /^- \[ \] Every producer was restarted, not only reconnected\.$/m)
  })

  test('of a plan has its order, its gates, who decides, and what it should achieve', async () => {
    const { stdout } = await run(['region'], { services: live() })

    assert.match(stdout, /^# Runbook: failover of plan region$/m)
    assert.match(stdout, /^Order: `l`, then `m`\.$/m)
    assert.match(stdout, /^- before `m`: a person says yes to "is l well \| good\?"$/m)
    assert.match(stdout, /^Decides: on call, \+49 30 1234 &lt;ops@example\.org>$/m)
    assert.match(
      stdout,
      /at most 30\.0 s of records lost \(RPO\); applications write again within 5m 00s \(RTO\)/,
    )
    assert.match(stdout, /^ {4}failover of plan "region": done, 2 of 2 links moved$/m)
    // There was no failover yet.
    assert.match(stdout, /^\| drain \| .* \| not known \| not known \|$/m)
  })

  test('is written when no cluster answers, and calls that not known', async () => {
    const { exit, stdout } = await run(['region'])

    assert.equal(exit, 0)
    assert.match(stdout, /^\| l \| not known: no broker answers at "west" \| not known \| not known \|$/m)
    assert.match(stdout, /^\| l \| east → west \|/m)
    assert.match(stdout, /until applications can write again: l: not known; m: not known/)
  })

  test('has no secret, whatever it is of', async () => {
    for (const services of [live(), makeTestApp().services])
      for (const kind of RUNBOOK_KINDS)
        for (const format of ['markdown', 'html'])
          for (const name of ['region', 'l']) {
            const { exit, stdout } = await run([name, '--kind', kind, '--format', format], { services })
            assert.equal(exit, 0)
            for (const secret of SECRETS) assert.ok(!stdout.includes(secret), `${secret} in ${format}`)
          }
  })

  test('as a page needs nothing from elsewhere, and escapes what the config says', async () => {
    const { stdout } = await run(['region', '--format', 'html'], { services: live() })

    assert.match(stdout, /^<!doctype html>/)
    assert.doesNotMatch(stdout, /https?:|<script|<link|<img|\bon\w+=|url\(|@import|<ops@/i)
    assert.match(stdout, /on call, \+49 30 1234 &lt;ops@example\.org&gt;/)
    assert.match(stdout, /<pre class="command">kdr failover region --reason &quot;\.\.\.&quot;/)
    assert.match(stdout, /Whether it still holds: <code>kdr runbook --check FILE<\/code>/)
  })

  test('--out writes a file, and a name that is neither a plan nor a link is a usage error', async () => {
    const file = join(dir, 'region.md')
    const { stdout } = await run(['region', '--out', file])
    assert.equal(stdout, `written: ${file}; of l, m the live state is not known\n`)
    assert.match(readFileSync(file, 'utf8'), /^<!-- kdr-runbook \{/)
    assert.equal((await run(['nope'])).exit, 2)
    assert.equal((await run([])).exit, 2)
  })
})

describe('kdr runbook --check', () => {
  const write = async (services: Services, format = 'markdown'): Promise<string> => {
    const file = join(dir, `check.${format}`)
    await run(['region', '--kind', 'switchover', '--format', format, '--out', file], { services })
    return file
  }
  const check = async (file: string, changes: Partial<App> = {}) => await run(['--check', file], changes)

  test('says that it holds, also when the clusters do not answer now', async () => {
    for (const format of ['markdown', 'html']) {
      const file = await write(live(), format)
      assert.equal(
        (await check(file, { services: live() })).stdout,
        `"${file}" is current (written 0 ms ago)\n`,
      )
      const blind = await check(file)
      assert.deepEqual([blind.exit, blind.stdout.includes('could not be asked')], [0, true])
    }
  })

  test('says what has changed: the config, the version, the direction, another run', async () => {
    const file = await write(live())
    const reasons = async (changes: Partial<App>): Promise<string> => {
      const { exit, stdout } = await check(file, changes)
      assert.equal(exit, 3, stdout)
      assert.match(stdout, new RegExp(`write it anew: kdr runbook region --kind switchover --out ${file}`))
      return stdout
    }
    assert.match(
      await reasons({ services: live(), version: '1.2.4' }),
      /this is kdr 1\.2\.4, and kdr 1\.2\.3 has written/,
    )
    const turned = {
      ...live(),
      readLinkStatus: () => Promise.resolve({ source: 'west', target: 'east', generation: 2 } as LinkStatus),
    }
    assert.match(await reasons({ services: turned }), /lead another way/)
    const again = {
      ...live(),
      readRun: () => Promise.resolve(reportOf(makeRecord({ run: 'r2' }), drained().steps)),
    }
    assert.match(await reasons({ services: again }), /have been moved since/)

    writeFileSync(config, CONFIG.replace('rto: 5m', 'rto: 6m'))
    assert.match(await reasons({ services: live() }), /the config of region is another one/)
    writeFileSync(config, CONFIG.replace('plans:\n  region:', 'plans:\n  area:'))
    assert.match((await check(file)).stdout, /no plan or link "region" any more/)
    // Neither the order of keys nor what the config says of others changes it.
    const moved = CONFIG.replace(
      '{ source: east, target: west, topics: ["m-*"] }',
      '{ target: west, topics: ["m-*"], source: east }',
    )
    writeFileSync(config, `${moved}vaults: { v: { url: "file:///v" } }\n`)
    assert.equal((await check(file, { services: live() })).exit, 0)
    writeFileSync(config, CONFIG)
  })

  test('refuses what kdr has not written', async () => {
    const file = join(dir, 'other.md')
    writeFileSync(file, '# a runbook of my own\n')
    const { exit, stderr } = await check(file)
    assert.equal(exit, 2)
    assert.match(stderr, /is no runbook that kdr has written/)
    assert.equal((await check(join(dir, 'none.md'))).exit, 2)
  })
})
