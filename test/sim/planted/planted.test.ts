// The simulated world is no toy: each planted bug must be found. The short suite looks where it was found last, and
// searches when it is not there; the full one searches each from the first seed on, but those that are rarer than that.
import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { describe, test } from 'node:test'
import { suite } from '../../support/suite.ts'
import { PLANTED } from './bugs.ts'
import { ENOUGH, find, readSeeds } from './find.ts'

const seeds = readSeeds()
/** Where a bug is no longer found at its seed: so that a change of the engine does not make the short suite a long one. */
const A_FEW = 100
const REFRESH = 'test/sim/planted/refresh.ts'

describe('planted bugs', { concurrency: suite === 'short' ? availableParallelism() : 1 }, () => {
  test('there are fifteen at least', () => {
    assert.ok(new Set(PLANTED.map(({ name }) => name)).size >= 15)
  })

  for (const { name, breaks } of PLANTED) {
    const seed = seeds[name] ?? undefined
    const isOpen = seed === undefined
    test(`${name}: ${breaks}`, { todo: isOpen, skip: isOpen && suite === 'short' }, async context => {
      const isKnown = seed !== undefined && (suite === 'short' || seed > ENOUGH)
      const known = isKnown ? await find(name, { from: seed, count: 1 }) : undefined
      const count = suite === 'short' ? A_FEW : ENOUGH
      const found = known ?? (await find(name, { from: 1, count }))
      assert.ok(found !== undefined, `no oracle objects in ${count} histories; node ${REFRESH} looks in more`)
      context.diagnostic(`seed ${found.seed}, after ${found.after} histories: ${found.violation}`)
    })
  }
})
