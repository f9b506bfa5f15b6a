// Looks for a history in which an oracle objects to a planted bug. One that objects without the bug too has found something
// else, and does not count.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Portion, runFleet, runPortions, type SeedResult } from '../fleet.ts'
import { runHistory } from '../history.ts'

/** Each bug is found within so many histories. */
export const ENOUGH = 2_000
export const SEEDS = fileURLToPath(new URL('seeds.json', import.meta.url))

export type Found = {
  readonly seed: number
  /** Histories that were played until then. */
  readonly after: number
  readonly violation: string
}

/** By bug; null: not found within as many histories as there was time for. */
export function readSeeds(): Record<string, number | null> {
  return JSON.parse(readFileSync(SEEDS, 'utf8')) as Record<string, number | null>
}

const foundBy = ({ seed, violations }: SeedResult, after: number): Found => ({
  seed,
  after,
  violation: violations[0]?.split('\n')[0] ?? '',
})

/** Those that are found where they were found last, by name. */
export async function findKnown(
  seeds: Readonly<Record<string, number | null>>,
): Promise<ReadonlyMap<string, Found>> {
  const portions: Portion[] = []
  for (const [bug, from] of Object.entries(seeds))
    if (from !== null) portions.push({ from, count: 1, bug }, { from, count: 1 })
  const { failed } = await runPortions(portions)
  const unclean = new Set(failed.filter(({ bug }) => bug === undefined).map(({ seed }) => seed))
  const found = failed.filter(({ bug, seed }) => bug !== undefined && !unclean.has(seed))
  return new Map(found.map(each => [each.bug ?? '', foundBy(each, 1)]))
}

export async function find(
  bug: string,
  { from, count, processes }: { from: number; count: number; processes?: number },
): Promise<Found | undefined> {
  const share = processes === undefined ? {} : { processes }
  for (let next = from; next < from + count; ) {
    const { failed, ran } = await runFleet({
      from: next,
      count: from + count - next,
      bug,
      stopAtFirst: true,
      ...share,
    })
    const [first] = failed
    if (first === undefined) return undefined
    // In this process: one of its own would take longer to start than the history takes.
    const clean = await runHistory(first.seed)
    if (clean.violations.length === 0) return foundBy(first, next - from + ran)
    next = first.seed + 1
  }
  return undefined
}
