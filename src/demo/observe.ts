// How far the standby is, as Java's clients see both clusters.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Judge } from '../lab/judge.ts'
import type { Cast } from './cast.ts'

export type LagRow = {
  readonly topic: string
  /** Sums over the partitions of their log ends. */
  readonly source: number
  readonly target: number
  readonly behind: number
}

type Ends = ReadonlyMap<string, number>

/** By `topic/partition`. Topics that do not exist yet are missing. */
export async function readEnds(judge: Judge, bootstrap: string, topics: readonly string[]): Promise<Ends> {
  const ends = await judge.ends({ bootstrap, topics })
  return new Map(ends.map(([topic, partition, end]) => [`${topic}/${partition}`, end]))
}

export async function observeLag({ judge, east, west }: Cast, topics: readonly string[]): Promise<LagRow[]> {
  // In this order: the target cannot have more than the source had when it was asked later.
  const target = await readEnds(judge, west.bootstrap, topics)
  const source = await readEnds(judge, east.bootstrap, topics)
  return topics.map(topic => {
    const own = [...source].filter(([at]) => at.startsWith(`${topic}/`))
    return {
      topic,
      source: own.reduce((sum, [, end]) => sum + end, 0),
      target: own.reduce((sum, [at]) => sum + (target.get(at) ?? 0), 0),
      behind: own.reduce((sum, [at, end]) => sum + Math.max(0, end - (target.get(at) ?? 0)), 0),
    }
  })
}

/** How long the target needs for what the source holds right now, in ms. `check` throws to end it. */
export async function measureStep(
  { judge, east, west }: Cast,
  topics: readonly string[],
  check: () => void,
): Promise<number> {
  const wanted = await readEnds(judge, east.bootstrap, topics)
  const begun = performance.now()
  while (!isBeyond(await readEnds(judge, west.bootstrap, topics), wanted)) {
    check()
    await sleep(5)
  }
  return Math.max(1, Math.round(performance.now() - begun))
}

/** Whether the group has committed everything below `ends`. */
export async function hasGroupReached(
  judge: Judge,
  { bootstrap, group }: { readonly bootstrap: string; readonly group: string },
  ends: Ends,
): Promise<boolean> {
  const committed = await judge.groupOffsets({ bootstrap, group })
  return isBeyond(
    new Map(committed.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset])),
    ends,
  )
}

export function sumOf(rows: readonly LagRow[], of: 'source' | 'target' | 'behind'): number {
  return rows.reduce((sum, row) => sum + row[of], 0)
}

function isBeyond(reached: Ends, wanted: Ends): boolean {
  return [...wanted].every(([at, end]) => (reached.get(at) ?? 0) >= end)
}
