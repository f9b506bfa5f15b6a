// Runs the tests: `check` is types, lint, format, unit tests and the simulation; `lab` those that take longer: the package, and
// the tests with real brokers. How many files run at a time is said below, with the reason.
// Ends with `N passed, N failed`; exits 1 when something failed. A step that fails does not keep the next from running.

import { spawn } from 'node:child_process'
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { availableParallelism, constants, setPriority, tmpdir } from 'node:os'
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
/** Nothing but work for all cores: one file at a time, and nothing beside it, so that what it says of its speed is true. */
const SIMULATION = ['test/sim/sim.test.ts', 'test/sim/planted/planted.test.ts']
/** Nothing but work for a core, for minutes, and no real time: they take what the tests with brokers leave of the cores, behind them. */
const HISTORIES = suite === 'full' ? ['test/sim/**/*.test.ts', 'test/vault/**/*.test.ts'] : []
/** These measure lags of a second or two: what other brokers do meanwhile would be part of the result. */
const ALONE = ['test/lab/link-fairness.test.ts', 'test/lab/link-share.test.ts']
/** One more than cores: some wait for a process or a time-out, and no core is to wait with them. */
const UNITS_AT_ONCE = availableParallelism() + 1
/** Most of the time a test with brokers waits, for kdr's patience or a broker's. With three at a time bounds of time are missed now and then. */
const LAB_AT_ONCE = suite === 'soak' ? 1 : 2
/** How long each took. */
const phases: [phase: string, ms: number][] = []
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
  const histories = hasCheck && hasLab ? globSync(HISTORIES).filter(file => !SIMULATION.includes(file)) : []
  if (hasCheck) {
    await timed('check', async () => await check([PACKAGE, ...lab, ...SIMULATION, ...histories]))
    await timed('simulation', async () => await tests(SIMULATION, { atOnce: 1 }))
  }
  if (hasLab) {
    // Fetched and made ready once, not by two files at a time. Why it cannot be, each test that needs it says.
    await prepareDistribution(undefined).catch(() => undefined)
    const together = [PACKAGE, ...lab].filter(file => !ALONE.includes(file))
    const alone = lab.filter(file => ALONE.includes(file))
    const behind =
      histories.length > 0 &&
      timed('histories', async () => await tests(histories, { atOnce: 1, isBehind: true }))
    await timed('lab', async () => await tests(together, { atOnce: LAB_AT_ONCE }))
    await behind
    await timed('lab, one by one', async () => await tests(alone, { atOnce: 1 }))
  }

  for (const name of total.names) console.log(`failed: ${name}`)
  console.log(`slowest files: ${slowest()}`)
  console.log(`took: ${phases.map(([phase, ms]) => `${phase} ${inSeconds(ms)}`).join(', ')}`)
  if (total.skipped > 0) console.log(`${total.skipped} skipped`)
  console.log(`${total.passed} passed, ${total.failed} failed`)
  process.exitCode = total.failed > 0 ? 1 : 0
}

const SLOWEST_SHOWN = 16

/** Where the time goes; a file that runs beside others takes longer than alone. */
function slowest(): string {
  return total.files
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, SLOWEST_SHOWN)
    .map(([file, ms]) => `${relative(root, file)} ${inSeconds(ms)}`)
    .join(', ')
}

async function timed(phase: string, act: () => Promise<void>): Promise<void> {
  const begun = performance.now()
  await act()
  phases.push([phase, performance.now() - begun])
}

const inSeconds = (ms: number): string => `${(ms / 1_000).toFixed(0)} s`

async function check(others: readonly string[]): Promise<void> {
  const lint = ['--type-aware', '--deny-warnings', ...['src', 'test', 'bench', 'scripts'].filter(hasFiles)]
  await Promise.all([
    step('types', tools('tsc'), ['--noEmit']),
    step('lint', tools('oxlint'), lint),
    step('format', tools('biome'), ['format', '.']),
  ])
  const unit = globSync(['src/**/*.test.ts', 'test/**/*.test.ts']).filter(file => !others.includes(file))
  await tests(unit.sort(), { atOnce: UNITS_AT_ONCE })
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

/** So many files at a time. `isBehind`: what else runs goes first, and what they say is said when they are through. */
async function tests(
  files: readonly string[],
  { atOnce, isBehind = false }: { readonly atOnce: number; readonly isBehind?: boolean },
): Promise<void> {
  if (files.length === 0) return
  const directory = mkdtempSync(join(tmpdir(), 'kdr-test-'))
  const counts = join(directory, 'counts.json')
  const args = [
    '--test',
    `--test-concurrency=${atOnce}`,
    '--test-reporter=spec',
    '--test-reporter-destination=stdout',
    `--test-reporter=${join(root, 'scripts/count-reporter.ts')}`,
    `--test-reporter-destination=${counts}`,
  ]
  const stdio = ['inherit', isBehind ? 'pipe' : 'inherit', 'inherit'] as const
  const child = spawn(process.execPath, [...args, ...files], { stdio: [...stdio] })
  if (isBehind) setPriority(child.pid!, constants.priority.PRIORITY_LOW)
  let said = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (said += text))
  const status = await new Promise(resolve => child.on('close', resolve))
  process.stdout.write(said)
  add(readCounts(counts), status === 0)
  rmSync(directory, { recursive: true })
}

/** `output`: of both streams; or why it could not be started. */
async function run(command: string, args: readonly string[]): Promise<Result> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
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
