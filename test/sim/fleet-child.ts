// One process of a fleet: runs the histories that it is handed, those with a bug in an engine of their own.
import { ENGINE, withBug } from './planted/variant.ts'
import { findBug } from './planted/plant.ts'
import type { FromChild, Portion } from './fleet.ts'
import * as plain from './history.ts'

let broken: string[] = []
process.on('unhandledRejection', error => {
  broken.push(`nobody heard of: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
})

const say = (message: FromChild): void => void process.send?.(message)

async function run({ from, count, bug }: Portion): Promise<void> {
  const { runHistory } = bug === undefined ? plain : ((await withBug(findBug(bug), ENGINE)) as typeof plain)
  for (let seed = from; seed < from + count; seed++) {
    say({ started: seed })
    const { violations, faults } = await runHistory(seed)
    await new Promise(resolve => {
      setImmediate(resolve)
    })
    say({ seed, violations: [...violations, ...broken], faults, ...(bug !== undefined && { bug }) })
    broken = []
  }
  say({ ready: true })
}

process.on('message', (portion: Portion) => {
  // A bug that cannot be planted: whoever handed it over hears of it.
  run(portion).catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})
say({ ready: true })
