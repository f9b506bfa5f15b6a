// Runs the tests: `check` is types, lint, format and unit tests; `lab` those that take longer: the package, and the tests
// with real brokers. How many files run at a time is said below, with the reason.
// Ends with `N passed, N failed`; exits 1 when something failed. A step that fails does not keep the next from running.

import { spawn } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, setPriority, tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { prepareDistribution } from '../src/lab/distribution.ts'
import { suite } from '../test/support/suite.ts'

type Counts = {
  passed: number
  failed: number
  skipped: number
  names: string[]
  /** How long each took. */
  files: [file: string, ms: number][]
}
type Result = { readonly status: number | null; readonly output: string }

const root = fileURLToPath(new URL('..', import.meta.url))
const tools = (name: string) => join(root, 'node_modules/.bin', name)
/** Installs the package from the registry. */
const PACKAGE = 'test/package.test.ts'
/** Nothing but work for all cores, and bounds of virtual time only. */
const SIMULATION = ['test/sim/sim.test.ts', 'test/sim/planted/planted.test.ts']
/** These measure lags of a second or two: what other brokers do meanwhile would be part of the result. */
const ALONE = ['test/lab/link-fairness.test.ts', 'test/lab/link-share.test.ts']
/** Most of the time a test with brokers waits, for kdr's patience or a broker's. */
const LAB_AT_ONCE = suite === 'soak' ? 1 : 2
/** Of the simulation beside the lab: it gets what the brokers leave, and a tenth at least, so that no history seems to hang. */
const LOW_PRIORITY = 10
const total: Counts = { passed: 0, failed: 0, skipped: 0, names: [], files: [] }

async function main(): Promise<void> {
  const wanted = process.argv.slice(2)
  process.chdir(root)
  // The tools are scripts for `node`: let them find the project's.
  process.env['PATH'] = `${join(root, 'node_modules/.bin')}:${process.env['PATH'] ?? ''}`
  // A process for each test file: what one has compiled the others need not, nor the next run.
  process.env['NODE_COMPILE_CACHE'] ??= join(root, 'node_modules/.cache/kdr')

  const lab = globSync('test/lab/**/*.test.ts').sort()
  const [hasCheck, hasLab] = [wanted.includes('check'), wanted.includes('lab')]
  const isBeside = hasCheck && hasLab && suite === 'short'
  if (hasCheck) {
    await check([PACKAGE, ...lab, ...SIMULATION])
    if (!isBeside) await tests(SIMULATION, 1)
  }
  if (hasLab) {
    // Fetched and made ready once, not by two files at a time. Why it cannot be, each test that needs it says.
    await prepareDistribution(undefined).catch(() => undefined)
    const simulation = isBeside ? testsBeside(SIMULATION) : undefined
    await tests(
      [PACKAGE, ...lab].filter(file => !ALONE.includes(file)),
      LAB_AT_ONCE,
    )
    await tests(
      lab.filter(file => ALONE.includes(file)),
      1,
    )
    await simulation
  }

  for (const name of total.names) console.log(`failed: ${name}`)
  console.log(`slowest files: ${slowest()}`)
  if (total.skipped > 0) console.log(`${total.skipped} skipped`)
  console.log(`${total.passed} passed, ${total.failed} failed`)
  process.exitCode = total.failed > 0 ? 1 : 0
}

const SLOWEST_SHOWN = 12

/** Where the time goes; a file that runs beside others takes longer than alone. */
function slowest(): string {
  return total.files
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, SLOWEST_SHOWN)
    .map(([file, ms]) => `${relative(root, file)} ${(ms / 1_000).toFixed(0)} s`)
    .join(', ')
}

async function check(others: readonly string[]): Promise<void> {
  const lint = ['--type-aware', '--deny-warnings', ...['src', 'test', 'bench', 'scripts'].filter(hasFiles)]
  await Promise.all([
    step('types', tools('tsc'), ['--noEmit']),
    step('lint', tools('oxlint'), lint),
    step('format', tools('biome'), ['format', '.']),
  ])
  const unit = globSync(['src/**/*.test.ts', 'test/**/*.test.ts']).filter(file => !others.includes(file))
  await tests(unit.sort(), availableParallelism())
}

/** A tool that counts as one test; it is quiet when all is well. */
async function step(name: string, command: string, args: readonly string[]): Promise<void> {
  const { status, output } = await run(command, args)
  if (status === 0) {
    total.passed++
    console.log(`✔ ${name}`)
    return
  }
  total.failed++
  total.names.push(name)
  console.log(`✖ ${name}\n${output}`)
}

/** So many files at a time. */
async function tests(files: readonly string[], atOnce: number): Promise<void> {
  await testsWith(files, async args => {
    const child = spawn(process.execPath, ['--test', `--test-concurrency=${atOnce}`, ...args], {
      stdio: 'inherit',
    })
    return await new Promise(resolve => child.on('close', resolve))
  })
}

/** Beside others, which it does not hold up; what it says comes when it is over. */
async function testsBeside(files: readonly string[]): Promise<void> {
  await testsWith(files, async args => {
    const { status, output } = await run(
      process.execPath,
      ['--test', '--test-concurrency=1', ...args],
      LOW_PRIORITY,
    )
    process.stdout.write(output)
    return status
  })
}

async function testsWith(
  files: readonly string[],
  act: (args: readonly string[]) => Promise<number | null>,
): Promise<void> {
  if (files.length === 0) return
  const directory = mkdtempSync(join(tmpdir(), 'kdr-test-'))
  const counts = join(directory, 'counts.json')
  const status = await act([
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(root, 'scripts/count-reporter.ts')}`,
    `--test-reporter-destination=${counts}`,
    ...files,
  ])
  add(readCounts(counts), status === 0)
  rmSync(directory, { recursive: true })
}

/** `output`: of both streams; or why it could not be started. */
async function run(command: string, args: readonly string[], priority?: number): Promise<Result> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  // What it starts has it too.
  if (priority !== undefined && child.pid !== undefined) setPriority(child.pid, priority)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  return await new Promise(resolve => {
    child.on('error', error => resolve({ status: null, output: String(error) }))
    child.on('close', status => resolve({ status, output }))
  })
}

function add(counts: Counts | undefined, isGood: boolean): void {
  total.passed += counts?.passed ?? 0
  total.failed += counts?.failed ?? 0
  total.skipped += counts?.skipped ?? 0
  total.names.push(...(counts?.names ?? []))
  total.files.push(...(counts?.files ?? []))
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

await main()
