// The histories of test/vault/model.test.ts are no toy: each planted bug is found in one of a few.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { suite } from '../../support/suite.ts'
import { VAULT_BUGS } from './bugs.ts'

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url))
/** Where a bug is no longer found at its seed. */
const A_FEW = 40
/** The short suite looks for one of so many. */
const SHARE = 3

type Found = { readonly seed: number; readonly violation: string }

async function find(name: string, from: number, count: number): Promise<Found | undefined> {
  const { stdout } = await promisify(execFile)(process.execPath, [CHILD, name, String(from), String(count)])
  return stdout === '' ? undefined : (JSON.parse(stdout) as Found)
}

describe('planted bugs of the vault', { concurrency: availableParallelism() }, () => {
  for (const [index, { name, breaks, seed }] of VAULT_BUGS.entries()) {
    const skip = suite === 'short' && index % SHARE !== 0 && 'in make test-full'
    test(`${name}: ${breaks}`, { timeout: 300_000, skip }, async context => {
      const found = (await find(name, seed, 1)) ?? (await find(name, 1, A_FEW))
      assert.ok(found !== undefined, `no history objects in ${A_FEW}`)
      context.diagnostic(`seed ${found.seed}: ${found.violation}`)
    })
  }
})
