// How far the standby is, as Java's clients see both clusters.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Judge } from '../lab/judge.ts'
import type { Cast } from './cast.ts'

export type LagRow = {
  readonly topic: string
  /** Sums of offsets over the partitions: what is missing is never made up for by another partition. */
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

/** What the source held when it was asked, and how much of that the target holds a moment later. */
export async function observeLag({ judge, east, west }: Cast, topics: readonly string[]): Promise<LagRow[]> {
  const source = await readEnds(judge, east.bootstrap, topics)
  return rowsOf(topics, source, await readEnds(judge, west.bootstrap, topics))
}

export type Step = { readonly ms: number; readonly rows: readonly LagRow[] }

/** How long the target needs for what the source holds right now. `check` throws to end it. */
export async function measureStep(
  { judge, east, west }: Cast,
  topics: readonly string[],
  check: () => void,
): Promise<Step> {
  const source = await readEnds(judge, east.bootstrap, topics)
  const begun = performance.now()
  for (;;) {
    const target = await readEnds(judge, west.bootstrap, topics)
    const ms = Math.max(1, Math.round(performance.now() - begun))
    if (isBeyond(target, source)) return { ms, rows: rowsOf(topics, source, target) }
    check()
    await sleep(5)
  }
}

function rowsOf(topics: readonly string[], source: Ends, target: Ends): LagRow[] {
  return topics.map(topic => {
    const own = [...source].filter(([at]) => at.startsWith(`${topic}/`))
    const total = own.reduce((sum, [, end]) => sum + end, 0)
    // More than the source had when it was asked does not count.
    const held = own.reduce((sum, [at, end]) => sum + Math.min(end, target.get(at) ?? 0), 0)
    return { topic, source: total, target: held, behind: total - held }
  })
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

export function behindOf(rows: readonly LagRow[]): number {
  return rows.reduce((sum, { behind }) => sum + behind, 0)
}

function isBeyond(reached: Ends, wanted: Ends): boolean {
  return [...wanted].every(([at, end]) => (reached.get(at) ?? 0) >= end)
}
