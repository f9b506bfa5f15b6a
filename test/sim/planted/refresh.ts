// Looks again where planted bugs are found, and writes seeds.json: `node test/sim/planted/refresh.ts [--within N] [NAME]...`.
// A seed that still objects stays; the next to be tried are those that found the bug when nobody had planted it.
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { PLANTED } from './bugs.ts'
import { ENOUGH, find, type Found, readSeeds, SEEDS } from './find.ts'

const { values, positionals: names } = parseArgs({
  options: { within: { type: 'string', default: String(ENOUGH) } },
  allowPositionals: true,
})
const before = readSeeds()
const seeds = new Map(PLANTED.map(({ name }) => [name, before[name] ?? null]))
const waiting = PLANTED.map(({ name }) => name).filter(name => names.length === 0 || names.includes(name))

/** Seeds of test/sim/seeds.json with a bug that was planted again as `undo`. */
const history = JSON.parse(readFileSync(new URL('../seeds.json', import.meta.url), 'utf8')) as {
  readonly seed: number
  readonly undo?: string
}[]

async function findKnown(name: string): Promise<Found | undefined> {
  const found = history.filter(({ undo }) => undo === name).map(({ seed }) => seed)
  for (const seed of [seeds.get(name) ?? undefined, ...found]) {
    const kept = seed === undefined ? undefined : await find(name, { from: seed, count: 1, processes: 1 })
    if (kept !== undefined) return kept
  }
  return undefined
}

async function crew(): Promise<void> {
  for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
    const found =
      (await findKnown(name)) ?? (await find(name, { from: 1, count: Number(values.within), processes: 1 }))
    seeds.set(name, found?.seed ?? null)
    console.log(`${name}: ${found === undefined ? 'not found' : `seed ${found.seed}: ${found.violation}`}`)
    writeFileSync(SEEDS, `${JSON.stringify(Object.fromEntries(seeds), undefined, 2)}\n`)
  }
}

await Promise.all(Array.from({ length: availableParallelism() }, crew))
