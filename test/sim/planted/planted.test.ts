// The simulated world is no toy: each planted bug must be found. It is looked for where it was found last, and searched for
// when it is not there: in a few histories by the short suite, in as many as a bug may need by the others. One that is not found in
// the present world is looked for by the soak alone.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { suite } from '../../support/suite.ts'
import { PLANTED } from './bugs.ts'
import { ENOUGH, find, findKnown, type Found, readSeeds } from './find.ts'

const seeds = readSeeds()
/** Where a bug is no longer found at its seed: so that a change of the engine does not make the short suite a long one. */
const A_FEW = 100
const REFRESH = 'test/sim/planted/refresh.ts'

describe('planted bugs', () => {
  let known: ReadonlyMap<string, Found>
  before(async () => {
    known = await findKnown(seeds)
  })

  test('there are fifteen at least', () => {
    assert.ok(new Set(PLANTED.map(({ name }) => name)).size >= 15)
  })

  for (const { name, breaks } of PLANTED) {
    const isOpen = (seeds[name] ?? undefined) === undefined
    test(`${name}: ${breaks}`, { todo: isOpen, skip: isOpen && suite !== 'soak' }, async context => {
      const count = suite === 'short' ? A_FEW : ENOUGH
      const found = known.get(name) ?? (await find(name, { from: 1, count }))
      assert.ok(found !== undefined, `no oracle objects in ${count} histories; node ${REFRESH} looks in more`)
      context.diagnostic(`seed ${found.seed}, after ${found.after} histories: ${found.violation}`)
    })
  }
})
