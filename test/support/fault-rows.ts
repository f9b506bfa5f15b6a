// A test of a row of the fault table (fault-table.ts). Its name begins with the row's id; what it did and saw becomes the
// row's text in RELIABILITY.md (scripts/reliability.ts), so that text must be the same in every run: no measured times,
// no random names. (Names of `freshTopic`, ids, ports and times are taken out here.)

import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { DEFAULT_VERSION } from '../../src/lab/lab.ts'
import { suite } from './suite.ts'

export type FaultRow = {
  /** What was done to the clusters, in the order done. */
  did(text: string): void
  /** What kdr then did and said; call it after the assertion that shows it. */
  saw(text: string): void
}

export type RowOptions = {
  /** `full`: too long for `make test`. */
  readonly suite?: 'full'
  /** Default: real brokers. */
  readonly where?: 'brokers' | 'simulated'
  /** The versions of the brokers; default that of the lab. */
  readonly kafka?: string
}

export type RowResult = {
  readonly id: string
  readonly what: string
  /** In their order. */
  readonly steps: readonly (readonly ['did' | 'saw', text: string])[]
  readonly passed: boolean
  readonly suite: 'short' | 'full'
  readonly where: 'brokers' | 'simulated'
  /** Empty when simulated. */
  readonly kafka: string
  /** From the root of the project. */
  readonly file: string
}

type Body = (row: FaultRow, t: TestContext) => Promise<void>

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** Registers the test `ID: what`. With KDR_RESULTS=FOLDER in the environment it leaves its result there, as RowResult. */
export function faultRow(id: string | readonly string[], what: string, body: Body): void
export function faultRow(id: string | readonly string[], what: string, options: RowOptions, body: Body): void
export function faultRow(
  id: string | readonly string[],
  what: string,
  ...rest: readonly [Body] | readonly [RowOptions, Body]
): void {
  const [options, body] = rest.length === 1 ? [{}, rest[0]] : rest
  const ids = typeof id === 'string' ? [id] : id
  const skip = options.suite === 'full' && suite === 'short' && 'in make test-full'
  test(`${ids.join(', ')}: ${what}`, { skip }, async t => {
    const steps: ['did' | 'saw', string][] = []
    const row: FaultRow = {
      did: text => steps.push(['did', stable(text)]),
      saw: text => steps.push(['saw', stable(text)]),
    }
    let passed = false
    try {
      await body(row, t)
      passed = true
    } finally {
      const { where = 'brokers', kafka = DEFAULT_VERSION } = options
      const shown = {
        what,
        steps,
        passed,
        suite: options.suite ?? 'short',
        where,
        kafka: where === 'brokers' ? kafka : '',
        file: relative(ROOT, process.argv[1] ?? ''),
      } as const
      for (const each of ids) leave({ id: each, ...shown })
    }
  })
}

function leave(result: RowResult): void {
  const folder = process.env['KDR_RESULTS']
  if (folder !== undefined && folder !== '')
    writeFileSync(join(folder, `${result.id}-${randomUUID()}.json`), JSON.stringify(result))
}

/** Without what differs from run to run. */
function stable(text: string): string {
  return text
    .replaceAll(new RegExp(`-${process.pid}-\\d+`, 'g'), '')
    .replaceAll(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'ID')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
    .replaceAll(/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
}
