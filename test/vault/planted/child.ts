// `child.ts BUG FROM COUNT`: plants the bug, and plays histories until one objects; prints its seed and what it says, as JSON.
import { plantBug } from '../../sim/planted/plant.ts'
import { VAULT_BUGS } from './bugs.ts'

const [name, from, count] = process.argv.slice(2)
const bug = VAULT_BUGS.find(each => each.name === name)
if (bug === undefined) throw new Error(`no planted bug is called "${String(name)}"`)
plantBug(bug)
const { vaultHistory } = await import('../history.ts')

for (let seed = Number(from); seed < Number(from) + Number(count); seed++) {
  try {
    await vaultHistory(seed, { steps: 120 })
  } catch (error) {
    const violation = error instanceof Error ? error.message.split('\n')[0] : String(error)
    console.log(JSON.stringify({ seed, violation }))
    process.exit(0)
  }
}
