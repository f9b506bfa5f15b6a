// Many histories of the simulated world; the seeds that once found something; and that a history run twice is the same.
// A seed that fails: `node test/sim/main.ts --seed N` shows its trace, with `--shrink` as little of it as still fails.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { suite } from '../support/suite.ts'
import { runFleet } from './fleet.ts'
import { runHistory } from './history.ts'

const HISTORIES = { short: 2_000, full: 5_000, soak: 100_000 }[suite]
const FIRST_SEED = Number(process.env['KDR_SEED'] ?? 1)

/**
 * A seed means something only in its world: when the world grows, its histories change. What is kept for ever is the
 * planted bug that undoes the fix (`undo`), where one is named.
 */
type Kept = { readonly seed: number; readonly world: number; readonly found: string; readonly undo?: string }

const kept = JSON.parse(readFileSync(new URL('seeds.json', import.meta.url), 'utf8')) as Kept[]

describe('simulated histories', () => {
  for (const { seed, found, world } of kept) {
    test(`seed ${seed}, which found in world ${world}: ${found}`, async () => {
      assert.deepEqual((await runHistory(seed)).violations, [])
    })
  }

  test(`${HISTORIES} histories from seed ${FIRST_SEED} on`, async () => {
    const begun = performance.now()
    const { failed, ran } = await runFleet({ from: FIRST_SEED, count: HISTORIES })
    const seconds = (performance.now() - begun) / 1_000
    console.log(
      `${ran} simulated histories in ${seconds.toFixed(0)} s, ${(ran / seconds).toFixed(0)} a second`,
    )
    assert.deepEqual(
      failed.map(({ seed, violations }) => `seed ${seed}: ${violations.join('; ')}`),
      [],
    )
    assert.equal(ran, HISTORIES)
  })

  test('histories by time end when it is over, and there is no end of them before', async () => {
    const { failed, ran } = await runFleet({
      from: FIRST_SEED,
      count: Infinity,
      until: performance.now() + 5_000,
      processes: 1,
    })
    assert.deepEqual(failed, [])
    assert.ok(ran > 0)
  })

  test('a history run twice has the same trace', async () => {
    for (const seed of [4711, 4712]) {
      const [first, second] = [await runHistory(seed), await runHistory(seed)]
      assert.deepEqual(first.trace, second.trace)
    }
  })
})
