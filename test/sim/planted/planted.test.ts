// The simulated world is no toy: each planted bug must be found. It is looked for where it was found last, and searched for
// when it is not there: in a few histories by the short suite, in as many as a bug may need by the others. One that is not found in
// the present world is looked for by the soak alone.
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

describe('planted bugs', { concurrency: availableParallelism() }, () => {
  test('there are fifteen at least', () => {
    assert.ok(new Set(PLANTED.map(({ name }) => name)).size >= 15)
  })

  for (const { name, breaks } of PLANTED) {
    const seed = seeds[name] ?? undefined
    const isOpen = seed === undefined
    test(`${name}: ${breaks}`, { todo: isOpen, skip: isOpen && suite !== 'soak' }, async context => {
      const known = seed === undefined ? undefined : await find(name, { from: seed, count: 1 })
      const count = suite === 'short' ? A_FEW : ENOUGH
      const found = known ?? (await find(name, { from: 1, count }))
      assert.ok(found !== undefined, `no oracle objects in ${count} histories; node ${REFRESH} looks in more`)
      context.diagnostic(`seed ${found.seed}, after ${found.after} histories: ${found.violation}`)
    })
  }
})
