// The simulated world is no toy: each planted bug must be found. The short suite looks where it was found last, and
// searches when it is not there; the full one searches each from the first seed on, but those that are rarer than that.
import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { describe, test } from 'node:test'
import { suite } from '../../support/suite.ts'
import { runFleet } from '../fleet.ts'
import { PLANTED, type PlantedBug } from './bugs.ts'

/** Each bug is found within so many histories. */
const ENOUGH = 2_000

/** A history that objects without the bug too has found something else. */
async function find(bug: PlantedBug, from: number, count: number): Promise<string | undefined> {
  for (let next = from; next < from + count; ) {
    const { failed, ran } = await runFleet({
      from: next,
      count: from + count - next,
      bug: bug.name,
      stopAtFirst: true,
    })
    const [first] = failed
    if (first === undefined) return undefined
    const clean = await runFleet({ from: first.seed, count: 1 })
    if (clean.failed.length === 0)
      return `seed ${first.seed}, after ${next - from + ran} histories: ${first.violations[0]?.split('\n')[0] ?? ''}`
    next = first.seed + 1
  }
  return undefined
}

describe('planted bugs', { concurrency: suite === 'short' ? availableParallelism() : 1 }, () => {
  test('there are fifteen at least', () => {
    assert.ok(new Set(PLANTED.map(({ name }) => name)).size >= 15)
  })

  for (const bug of PLANTED) {
    const isOpen = bug.seed === undefined
    test(`${bug.name}: ${bug.breaks}`, { todo: isOpen, skip: isOpen && suite === 'short' }, async context => {
      const isKnown = bug.seed !== undefined && (suite === 'short' || bug.seed > ENOUGH)
      const known = isKnown ? await find(bug, bug.seed, 1) : undefined
      const found = known ?? (await find(bug, 1, ENOUGH))
      assert.ok(found !== undefined, `no oracle objects in ${ENOUGH} histories`)
      context.diagnostic(found)
    })
  }
})
