// Looks again where planted bugs are found, and writes seeds.json: `node test/sim/planted/refresh.ts [--within N] [NAME]...`.
// A seed that still objects stays.
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { PLANTED } from './bugs.ts'
import { ENOUGH, find, readSeeds, SEEDS } from './find.ts'

const { values, positionals: names } = parseArgs({
  options: { within: { type: 'string', default: String(ENOUGH) } },
  allowPositionals: true,
})
const before = readSeeds()
const seeds = new Map(PLANTED.map(({ name }) => [name, before[name] ?? null]))
const waiting = PLANTED.map(({ name }) => name).filter(name => names.length === 0 || names.includes(name))

async function crew(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const known = seeds.get(name) ?? undefined
    const kept = known === undefined ? undefined : await find(name, { from: known, count: 1 })
    const found = kept ?? (await find(name, { from: 1, count: Number(values.within), processes: 1 }))
    seeds.set(name, found?.seed ?? null)
    console.log(`${name}: ${found === undefined ? 'not found' : `seed ${found.seed}: ${found.violation}`}`)
    writeFileSync(SEEDS, `${JSON.stringify(Object.fromEntries(seeds), undefined, 2)}\n`)
  }
}

await Promise.all(Array.from({ length: availableParallelism() }, crew))
