// Runs the tests: `check` is types, lint, format and unit tests; `lab` those that take longer: the package, and the tests
// with real brokers, one file at a time.
// Ends with `N passed, N failed`; exits 1 when something failed. A step that fails does not keep the next from running.

import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

type Counts = { passed: number; failed: number; skipped: number; names: string[] }

const root = fileURLToPath(new URL('..', import.meta.url))
const tools = (name: string) => join(root, 'node_modules/.bin', name)
/** Files at a time: a lab of several brokers makes two cores busy, and so does the simulation, which uses them all. */
const AT_ONCE = '--test-concurrency=1'
/** Installs the package from the registry. */
const PACKAGE = 'test/package.test.ts'
const total: Counts = { passed: 0, failed: 0, skipped: 0, names: [] }

function main(): void {
  const wanted = process.argv.slice(2)
  process.chdir(root)
  // The tools are scripts for `node`: let them find the project's.
  process.env['PATH'] = `${join(root, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`
  // A process for each test file: what one has compiled the others need not, nor the next run.
  process.env['NODE_COMPILE_CACHE'] ??= join(root, 'node_modules/.cache/kdr')

  const lab = globSync('test/lab/**/*.test.ts').sort()
  if (wanted.includes('check')) {
    step('types', tools('tsc'), ['--noEmit'])
    step('lint', tools('oxlint'), [
      '--type-aware',
      '--deny-warnings',
      ...['src', 'test', 'bench', 'scripts'].filter(hasFiles),
    ])
    step('format', tools('biome'), ['format', '.'])
    const unit = globSync(['src/**/*.test.ts', 'test/**/*.test.ts'])
      .filter(file => file !== PACKAGE && !lab.includes(file))
      .sort()
    tests(unit)
  }
  if (wanted.includes('lab')) tests([PACKAGE, ...lab])

  for (const name of total.names) console.log(`failed: ${name}`)
  if (total.skipped > 0) console.log(`${total.skipped} skipped`)
  console.log(`${total.passed} passed, ${total.failed} failed`)
  process.exitCode = total.failed > 0 ? 1 : 0
}

/** A tool that counts as one test; it is quiet when all is well. */
function step(name: string, command: string, args: readonly string[]): void {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (status === 0) {
    total.passed++
    console.log(`✔ ${name}`)
    return
  }
  total.failed++
  total.names.push(name)
  console.log(`✖ ${name}\n${stdout}${stderr}${error === undefined ? '' : String(error)}`)
}

function tests(files: readonly string[]): void {
  if (files.length === 0) return
  const directory = mkdtempSync(join(tmpdir(), 'kdr-test-'))
  const counts = join(directory, 'counts.json')
  const reporters = [
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(root, 'scripts/count-reporter.ts')}`,
    `--test-reporter-destination=${counts}`,
  ]
  const { status } = spawnSync(process.execPath, ['--test', AT_ONCE, ...reporters, ...files], {
    stdio: 'inherit',
  })
  add(readCounts(counts), status === 0)
  rmSync(directory, { recursive: true })
}

function add(counts: Counts | undefined, isGood: boolean): void {
  total.passed += counts?.passed ?? 0
  total.failed += counts?.failed ?? 0
  total.skipped += counts?.skipped ?? 0
  total.names.push(...(counts?.names ?? []))
  // The runner says that something is wrong, and no test accounts for it.
  if (!isGood && (counts?.failed ?? 0) === 0) {
    total.failed++
    total.names.push('the test runner itself')
  }
}

function readCounts(path: string): Counts | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Counts
  } catch {
    // The runner died before it could write; `add` counts that as a failure.
    return undefined
  }
}

function hasFiles(directory: string): boolean {
  return globSync(`${directory}/**/*.ts`).length > 0
}

main()
