// One process of a fleet: plants a bug if it is told one, then runs the histories that it is handed.
import { plant } from './planted/plant.ts'
import type { FromChild, ToChild } from './fleet.ts'

const bug = process.argv[2]
if (bug !== undefined) plant(bug)
// After planting: modules are changed as they are loaded.
const { runHistory } = await import('./history.ts')

let broken: string[] = []
process.on('unhandledRejection', error => {
  broken.push(`nobody heard of: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`)
})

const say = (message: FromChild): void => void process.send?.(message)

async function run({ from, count }: ToChild): Promise<void> {
  for (let seed = from; seed < from + count; seed++) {
    say({ started: seed })
    const { violations, faults } = await runHistory(seed)
    await new Promise(resolve => {
      setImmediate(resolve)
    })
    say({ seed, violations: [...violations, ...broken], faults })
    broken = []
  }
  say({ ready: true })
}

process.on('message', (portion: ToChild) => void run(portion))
say({ ready: true })
