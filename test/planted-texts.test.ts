// The bugs that the simulated world and the vault's histories must find are texts of the source. Who changes such a line finds out
// here, quickly: put the line as it is now into test/sim/planted/bugs.ts or plans.ts, or test/vault/planted/bugs.ts.
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { PLANTED } from './sim/planted/bugs.ts'
import { changed } from './sim/planted/plant.ts'
import { PLANTED_IN_PLANS } from './sim/planted/plans.ts'
import { VAULT_BUGS } from './vault/planted/bugs.ts'

describe('the texts of planted bugs', () => {
  for (const bug of [...PLANTED, ...PLANTED_IN_PLANS, ...VAULT_BUGS]) {
    test(`${bug.name} stands in the source exactly once`, () => {
      for (const file of new Set(bug.changes.map(each => each.file)))
        changed(file, readFileSync(new URL(`../src/${file}`, import.meta.url), 'utf8'), bug)
    })
  }
})
