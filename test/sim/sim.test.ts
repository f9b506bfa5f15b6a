// Many short histories of the simulated world; the seeds that once found something, for ever; and that a history run twice
// is the same. A seed that fails: `node test/sim/main.ts --seed N` shows its trace.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { suite } from '../support/suite.ts'
import { runHistory } from './history.ts'

const HISTORIES = { short: 150, full: 3_000, soak: 100_000 }[suite]
const FIRST_SEED = Number(process.env['KDR_SEED'] ?? 1)

const kept = JSON.parse(readFileSync(new URL('seeds.json', import.meta.url), 'utf8')) as {
  seed: number
  found: string
}[]

describe('simulated histories', () => {
  for (const { seed, found } of kept) {
    test(`seed ${seed}, which once found: ${found}`, async () => {
      assert.deepEqual((await runHistory(seed)).violations, [])
    })
  }

  test(`${HISTORIES} histories from seed ${FIRST_SEED} on`, async () => {
    const failed: string[] = []
    for (let seed = FIRST_SEED; seed < FIRST_SEED + HISTORIES; seed++) {
      const { violations } = await runHistory(seed)
      if (violations.length > 0) failed.push(`seed ${seed}: ${violations.join('; ')}`)
    }
    assert.deepEqual(failed, [])
  })

  test('a history run twice has the same trace', async () => {
    const [first, second] = [await runHistory(4711), await runHistory(4711)]
    assert.deepEqual(first.trace, second.trace)
  })
})
