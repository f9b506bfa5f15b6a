// RELIABILITY.md: what was done to kdr for each row of the fault table, and what happened.
//
//   node scripts/reliability.ts [ID]...         runs the tests of these rows (default: all), keeps their results in
//                                               docs/reliability.json and renders the page
//   node scripts/reliability.ts --run ID...     only runs them
//   node scripts/reliability.ts --render        only renders the page from the results that are kept
//
// A row that was not run keeps its last result. Exits 1 when a test failed.

import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readSeeds } from '../test/sim/planted/find.ts'
import type { RowResult } from '../test/support/fault-rows.ts'
import { FAULT_TABLE, type FaultTableRow } from '../test/support/fault-table.ts'
import { FOUND_ON_BROKERS, SEED_FIXES } from '../test/support/track-record.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const RESULTS = join(ROOT, 'docs/reliability.json')
export const PAGE = join(ROOT, 'RELIABILITY.md')

const KINDS: Readonly<Record<string, string>> = {
  S: "The source's log",
  T: 'The target',
  G: 'Consumer groups',
  N: 'Network and time',
  P: 'Processes and operators',
  C: 'Configs, rights and users',
  B: 'Backups and restores',
}

/** By row, the files that hold a test of it. */
export function rowsInTests(): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const file of globSync(['src/**/*.test.ts', 'test/**/*.test.ts'], { cwd: ROOT }).sort()) {
    const text = readFileSync(join(ROOT, file), 'utf8')
    for (const [, ids = ''] of text.matchAll(/\bfaultRow\(\s*(\[[^\]]*\]|'[^']*')/g)) {
      for (const [id] of ids.matchAll(/[A-Z]\d+/g)) {
        const files = found.get(id) ?? []
        if (!files.includes(file)) found.set(id, [...files, file])
      }
    }
  }
  return found
}

export function keptResults(): RowResult[] {
  return JSON.parse(readFileSync(RESULTS, 'utf8')) as RowResult[]
}

/** The text of RELIABILITY.md. */
export function reliabilityPage(results: readonly RowResult[]): string {
  const sections = Object.entries(KINDS).flatMap(([kind, title]) => {
    const rows = FAULT_TABLE.filter(({ id }) => id.startsWith(kind))
    return [
      `## ${title}`,
      '',
      ...rows.flatMap(row =>
        rowText(
          row,
          results.filter(({ id }) => id === row.id),
        ),
      ),
    ]
  })
  const untested = FAULT_TABLE.filter(row => row.untested !== undefined)
  const simulated = results.filter(({ where }) => where === 'simulated')
  return [
    '# What goes wrong, and what kdr then does',
    '',
    'Made by `make reliability` from the results of the tests (`docs/reliability.json`); the table of faults is `test/support/fault-table.ts`.',
    `${FAULT_TABLE.length} rows: ${untested.length === 0 ? 'all' : FAULT_TABLE.length - untested.length} tested${untested.length === 0 ? '' : `, ${untested.length} not, with the reason`}. Real brokers unless a row says`,
    `*simulated* (${new Set(simulated.map(({ id }) => id)).size} rows have such a test). The random histories of the simulated world (\`test/sim/\`) draw most of these faults too, together.`,
    '',
    ...sections,
    ...trackRecord(),
  ].join('\n')
}

function rowText(row: FaultTableRow, results: readonly RowResult[]): string[] {
  const head = [`### ${row.id} ${row.fault}`, '', `kdr must: ${row.must}.`, '']
  if (row.untested !== undefined) head.push(`Not tested: ${row.untested}`, '')
  else if (results.length === 0)
    head.push(`Its test has left no result here yet. Run it: \`make row ROW=${row.id}\``, '')
  return [...head, ...results.flatMap(resultText)]
}

function resultText({ id, what, steps, passed, suite, where, kafka, file }: RowResult): string[] {
  const on = where === 'simulated' ? 'simulated' : `Kafka ${kafka}`
  return [
    `**${passed ? '✔' : '✖ FAILED:'} ${what}** (${on}; \`${file}\`)`,
    '',
    ...steps.map(([kind, text]) => `- ${kind === 'did' ? 'Done' : 'Seen'}: ${text}`),
    `- Repeat: \`make row ROW=${id}\`${suite === 'full' ? ' (part of `make test-full` only)' : ''}`,
    '',
  ]
}

function trackRecord(): string[] {
  const seeds = JSON.parse(readFileSync(join(ROOT, 'test/sim/seeds.json'), 'utf8')) as readonly {
    readonly seed: number
    readonly world: number
    readonly found: string
    readonly fix?: string
    readonly undo?: string
    /** Kept for the oracle that was wrong. */
    readonly isFalseAlarm?: true
  }[]
  const planted = readSeeds()
  return [
    '## Track record: bugs of kdr that these tests have found',
    '',
    'Each is fixed, and its test or seed runs ever since. A seed shows its bug only in the simulated world that it was found in, and the world',
    'grows: bugs that matter most are planted again, and a test says that the simulation still finds them. Where it was not seen to find one in the',
    'present world, that is said: the short suite passes by such a bug, and the full one looks for it as `todo`.',
    '',
    '| bug | found by | fix |',
    '|---|---|---|',
    ...FOUND_ON_BROKERS.map(({ bug, by, fix }) => `| ${bug} | \`${by}\` | ${fix} |`),
    ...seeds.flatMap(({ seed, world, found, fix, undo, isFalseAlarm }) => {
      if (isFalseAlarm === true) return []
      const isFound = undo === undefined || typeof planted[undo] === 'number'
      const again =
        undo === undefined
          ? ''
          : `; planted again in \`test/sim/planted\` as \`${undo}\`${isFound ? '' : ', not found in the present world'}`
      return `| ${found} | simulation: seed ${seed} of world ${world}${again} | ${fix ?? SEED_FIXES[seed] ?? ''} |`
    }),
    '',
  ]
}

/** Runs the tests of the rows, each file once; false when one failed. Their results are in `folder`. */
function run(ids: readonly string[], folder: string): boolean {
  const tests = rowsInTests()
  const unknown = ids.filter(id => !tests.has(id))
  if (unknown.length > 0) throw new Error(`no test has the row ${unknown.join(', ')}`)
  const wanted = ids.length > 0 ? ids : [...tests.keys()]
  const files = [...new Set(wanted.flatMap(id => tests.get(id) ?? []))].sort()
  const { status } = spawnSync(
    process.execPath,
    [
      '--test',
      '--test-concurrency=1', // Of the whole name: those of the `describe` around it come first.
      `--test-name-pattern=/(^|[ ,])(${wanted.join('|')})[,:]/`,
      ...files,
    ],
    {
      cwd: ROOT,
      stdio: 'inherit',
      env: { KDR_SUITE: 'full', ...process.env, KDR_RESULTS: folder },
    },
  )
  return status === 0
}

/** New results stand in for the old ones of the same row. */
function keep(folder: string): void {
  const fresh = readdirSync(folder).map(
    name => JSON.parse(readFileSync(join(folder, name), 'utf8')) as RowResult,
  )
  const ran = new Set(fresh.map(({ id }) => id))
  const kept = keptResults().filter(({ id }) => !ran.has(id))
  const key = ({ id, file, what }: RowResult): string => `${id} ${file} ${what}`
  const all = [...kept, ...fresh].sort((a, b) => (key(a) < key(b) ? -1 : 1))
  writeFileSync(RESULTS, `${JSON.stringify(all, undefined, 2)}\n`)
}

function main(args: readonly string[]): void {
  const ids = args.filter(arg => !arg.startsWith('--'))
  const folder = mkdtempSync(join(tmpdir(), 'kdr-rows-'))
  try {
    if (!args.includes('--render')) {
      if (!run(ids, folder)) process.exitCode = 1
      if (args.includes('--run')) return
      keep(folder)
    }
    writeFileSync(PAGE, reliabilityPage(keptResults()))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

if (import.meta.main) main(process.argv.slice(2))
