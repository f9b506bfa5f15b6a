// Runs of kdr as processes with --json-lines: when a step begins, and the report at the end.
import assert from 'node:assert/strict'
import type { RunReport, StepName } from '../../src/model/runs.ts'
import { waitFor } from './lab.ts'
import type { KdrProcess } from './link.ts'

/** The last line. */
export const reportIn = (stdout: string): RunReport =>
  JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as RunReport

/** Resolves with the report of a run that ends well. */
export async function ended(move: KdrProcess): Promise<RunReport> {
  const { code, stdout, stderr } = await move.ended
  assert.equal(code, 0, `${stderr}\n${stdout}`)
  return reportIn(stdout)
}

/** Resolves with the id of the run when it begins the step. */
export async function begins(move: KdrProcess, step: StepName): Promise<string> {
  return await waitFor(
    () =>
      move.stdout
        .split('\n')
        .slice(0, -1)
        .map(line => JSON.parse(line) as { run: string; step?: string })
        .find(line => line.step === step)?.run,
    { what: () => `${step} to begin: ${move.stdout}${move.stderr}`, everyMs: 5 },
  )
}
