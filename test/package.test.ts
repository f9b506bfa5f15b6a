// The package as a user gets it: compiled, installed elsewhere, run; and one sentence on a Node that is too old.

import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
/** Those of the launcher of a checkout. */
const FLAGS = readFileSync(join(root, 'kdr'), 'utf8').match(/(?<=^exec .*)--[\w-]+=\d+/gm) ?? []

describe('the npm package', { timeout: 180_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'kdr-package-'))
  const elsewhere = join(directory, 'elsewhere')
  const installed = join(elsewhere, 'node_modules/kafka-dr')
  const kdr = join(elsewhere, 'node_modules/.bin/kdr')
  const run = (command: string, args: readonly string[], env = process.env) =>
    spawnSync(command, args, { cwd: elsewhere, encoding: 'utf8', env })

  before(() => {
    const npm = (args: readonly string[], cwd: string) =>
      execFileSync('npm', [...args, '--loglevel=error', '--no-audit', '--no-fund'], {
        cwd,
        encoding: 'utf8',
        stdio: 'pipe',
      })
    npm(['pack', '--pack-destination', directory], root)
    const [tarball] = readdirSync(directory).filter(name => name.endsWith('.tgz'))
    assert.ok(tarball !== undefined)
    mkdirSync(elsewhere)
    writeFileSync(join(elsewhere, 'package.json'), '{ "private": true }')
    npm(['install', '--prefer-offline', join(directory, tarball)], elsewhere)
  })

  after(() => rmSync(directory, { recursive: true }))

  test('holds compiled JavaScript, and no tests or sources', () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' })
    assert.ok(files.includes('dist/main.js'))
    assert.deepEqual(
      files.filter(name => name.endsWith('.ts') || name.includes('.test.')),
      [],
    )
  })

  test('`kdr --help` and `kdr config check` work', () => {
    const help = run(process.execPath, [kdr, '--help'])
    assert.equal(help.stderr, '')
    assert.equal(help.status, 0)
    assert.match(help.stdout, /^Usage: kdr/)

    assert.equal(run(process.execPath, [kdr, 'init']).status, 0)
    const check = run(process.execPath, [kdr, 'config', 'check'])
    assert.equal(check.status, 0, check.stderr)
    assert.match(check.stdout, /^ok: kdr.yaml has 2 clusters and 1 link\n/)
  })

  test('Node has the flags that ./kdr gives it, and no second process is started for that', () => {
    const seen = join(directory, 'seen')
    const probe = join(directory, 'probe.cjs')
    writeFileSync(
      probe,
      `require('node:fs').appendFileSync(${JSON.stringify(seen)}, JSON.stringify([process.pid, process.execArgv]) + '\\n')\n`,
    )
    const env = { ...process.env, NODE_OPTIONS: `--require ${probe}` }
    const { status, stdout } = run(process.execPath, ['--no-deprecation', kdr, 'init', '--dry-run'], env)
    assert.equal(status, 0)
    assert.match(stdout, /^clusters:/m)

    const [before, after, ...more] = readFileSync(seen, 'utf8')
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as [number, string[]])
    assert.deepEqual(more, [])
    assert.equal(before?.[0], after?.[0])
    assert.deepEqual(after?.[1], [...FLAGS, '--no-deprecation'])
  })

  test('an older Node gets one sentence and exit code 2', () => {
    // Whatever Node runs this: the version is what kdr.cjs asks for.
    const older = join(directory, 'older.cjs')
    writeFileSync(
      older,
      "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.19.0' } })\n",
    )
    const { status, stdout, stderr } = run(process.execPath, ['--require', older, kdr, '--help'])

    assert.equal(stdout, '')
    assert.equal(stderr, 'kdr: this is Node 20.19.0, and kdr needs Node 24 or later\n')
    assert.equal(status, 2)
  })
})
