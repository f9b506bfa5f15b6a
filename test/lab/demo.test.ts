// The demo as a stranger runs it: it ends well, it would notice one lost record, and it leaves nothing behind.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { DemoReport } from '../../src/demo/report.ts'
import { markProcess, processState } from '../../src/lab/processes.ts'
import { waitFor } from '../support/lab.ts'
import { suite } from '../support/suite.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))

describe('kdr demo', () => {
  let temporary = ''
  beforeEach(() => {
    temporary = mkdtempSync(join(tmpdir(), 'kdr-demo-test-'))
  })
  afterEach(() => rmSync(temporary, { recursive: true, force: true }))

  /** `BREAK` as `make demo BREAK=...` hands it on. */
  function start(args: readonly string[], breaking = '') {
    const child = spawn(process.execPath, [MAIN, 'demo', ...args], {
      env: { ...process.env, TMPDIR: temporary, BREAK: breaking },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const written = { stdout: '', stderr: '' }
    child.stdout.on('data', chunk => (written.stdout += String(chunk)))
    child.stderr.on('data', chunk => (written.stderr += String(chunk)))
    const ended = once(child, 'close').then(([code]) => code as number)
    return { child, written, ended }
  }

  test('loses at most the tail, repeats nothing, comes home with all of it, and exits 0', async () => {
    const { written, ended } = start(['--json'])

    assert.equal(await ended, 0, `${written.stderr}${written.stdout}`)
    const report = JSON.parse(written.stdout) as DemoReport & { v: number }
    assert.equal(report.v, 1)
    assert.equal(report.ok, true)
    assert.equal(report.repeated, 0)
    assert.deepEqual(report.firstProblems, [])
    const { acknowledged, present, superseded, lost, group, home } = report
    assert.ok(acknowledged > 80_000)
    assert.equal(present + superseded + lost.records, acknowledged)
    assert.ok(group.atTarget > 0, 'the group had something left to read at the target')
    assert.ok(report.seconds.firstRecord > 0)
    assert.ok(home !== undefined && home.ok)
    assert.equal(home.problems, 0)
    // What east had not acknowledged when it died is stranded as well.
    assert.ok(home.stranded.records >= lost.records)
    assert.equal(home.exported.records, home.stranded.records)
    assert.deepEqual(home.rpo, { basis: 'exact', records: home.stranded.records })
    assert.deepEqual(readdirSync(temporary), [])
  })

  const skip = suite === 'short' && 'in make test-full'
  test('BREAK=lose-one ends with 3 and names the offset', { skip }, async () => {
    const { written, ended } = start([], 'lose-one')

    assert.equal(await ended, 3, `${written.stderr}${written.stdout}`)
    const [, offset] =
      /✗ payments\/0 offset (\d+) was acknowledged, and is not there\n/.exec(written.stdout) ?? []
    assert.ok(offset !== undefined, written.stdout)
    assert.match(written.stdout, new RegExp(`at payments/0 offset ${offset}: found, as it must be`))
    assert.equal(written.stdout.match(/✗/g)?.length, 1, 'nothing else is wrong')
    assert.deepEqual(readdirSync(temporary), [])
  })

  test('Ctrl-C in the middle leaves no process and no file', async () => {
    const { child, written, ended } = start([])
    await waitFor(() => written.stdout.includes('Java producers have written'), {
      timeoutMs: 60_000,
      what: 'the backlog',
    })
    const [dir = ''] = readdirSync(temporary)
    const lab = readFileSync(join(temporary, dir, 'lab.json'), 'utf8')
    const brokers = [...lab.matchAll(/"pid": (\d+)/g)].map(([, pid]) => markProcess(Number(pid)))
    assert.equal(brokers.length, 2)

    child.kill('SIGINT')

    assert.equal(await ended, 130)
    assert.match(written.stderr, /^kdr: interrupted\n/)
    for (const broker of brokers) assert.equal(processState(broker), 'gone')
    assert.deepEqual(readdirSync(temporary), [])
  })
})
