// How finely each metric of partitions is served: as was asked for, if that is not too many series; else the least worthy is summed up
// first. Pure.
import type { MetricName } from '../../../api/metrics/table.ts'

/** Of one process. Some more would do no harm; some hundred thousand would, and to everybody who uses that Prometheus. */
export const MAX_SERIES = 20_000

export type Level = 'partition' | 'topic' | 'link'
const COARSER: Readonly<Record<Level, Level>> = { partition: 'topic', topic: 'link', link: 'link' }

/** `kinds`: series of it for one partition. */
export type Sized = { readonly name: MetricName; readonly kinds: number }

/** `families`: the worthiest first. `counts`: how many partitions, topics and links there are. `room`: how many series there may be. */
export function chooseLevels(
  families: readonly Sized[],
  counts: Readonly<Record<Level, number>>,
  { wanted, room }: { readonly wanted: Level; readonly room: number },
): Map<MetricName, Level> {
  const levels = new Map(families.map(({ name }) => [name, wanted]))
  const series = (): number =>
    families.reduce((sum, { name, kinds }) => sum + kinds * counts[levels.get(name) ?? wanted], 0)
  for (let from = wanted; from !== 'link'; from = COARSER[from]) {
    for (const { name } of families.toReversed()) {
      if (series() <= room) return levels
      levels.set(name, COARSER[from])
    }
  }
  return levels
}
