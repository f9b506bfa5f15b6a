// What a restore would write, how long that should take, and what stands in its way. Reads, and changes nothing.
import type { RestorePlan } from '../cli/app-vault.ts'
import type { PartitionState, SetState, TopicState } from '../model/vault.ts'
import type { Cluster } from '../ports/cluster.ts'
import type { Measured } from '../vault/measured.ts'

/** What an ordinary machine writes through one worker (docs/sizing.md), where no backup of the set says more. */
const WRITES_PER_MS = 40_000
/** What was written is read again to verify, twice as fast. */
const READS_PER_WRITE = 2
/** A marker takes 25 µs; it begins with topics that are made, and ends with groups. */
const MARKERS_PER_MS = 40
const BEGINS_MS = 3_000

/** Pure. `measured`: how fast the set was backed up; a restore goes as fast, give or take a quarter (bench/RESULTS.md). */
export function planTopics(
  topics: readonly TopicState[],
  measured?: Measured,
): Pick<RestorePlan, 'topics' | 'expectedMs' | 'expectedBy'> {
  const planned = topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.length,
    offsets: sumOf(partitions, ({ start, end }) => end - start),
    records: sumOf(partitions, log => inRange(log, ({ records }) => records)),
    bytes: sumOf(partitions, log => inRange(log, ({ rawBytes }) => rawBytes)),
  }))
  const bytes = sumOf(planned, each => each.bytes)
  const gaps = sumOf(planned, ({ offsets, records }) => Math.max(0, offsets - records))
  const writing = bytes / (measured?.bytesPerMs ?? WRITES_PER_MS)
  const ms = writing + writing / READS_PER_WRITE + gaps / MARKERS_PER_MS
  return { topics: planned, expectedMs: Math.round(BEGINS_MS + ms), expectedBy: measured ?? null }
}

/** Of a segment that the log begins or ends in, its share. */
function inRange(
  { start, end, segments }: PartitionState,
  of: (segment: PartitionState['segments'][number]) => number,
): number {
  return sumOf(segments, segment => {
    const { from, to } = segment
    const share = (Math.min(to, end) - Math.max(from, start)) / Math.max(1, to - from)
    return Math.round(of(segment) * Math.max(0, Math.min(1, share)))
  })
}

function sumOf<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0)
}

/** `known`: by topic, the id of what the same restore has made there. */
export async function findConflicts(
  target: Cluster,
  topics: readonly TopicState[],
  known: ReadonlyMap<string, string | undefined>,
): Promise<RestorePlan['conflicts']> {
  const view = await target.describe()
  const standing = topics.flatMap(({ name }) => view.topics.get(name) ?? [])
  const wanted = new Map(topics.map(({ name, partitions }) => [name, partitions.length]))
  const partitions = standing.flatMap(({ name, partitions: own }) =>
    own.map(({ partition }) => ({ topic: name, partition })),
  )
  const ends = partitions.length === 0 ? [] : await target.offsets(partitions, 'logEnd')
  return standing.flatMap(({ name, id, partitions: own }) => {
    if (known.get(name) === id) return []
    const filled = partitions.filter(({ topic }, index) => topic === name && ends[index]?.offset !== 0)
    const count = wanted.get(name) ?? own.length
    if (filled.length > 0)
      return [
        {
          topic: name,
          what: `"${name}" is there already, and ${filled.length} of its partitions are not empty`,
        },
      ]
    if (own.length > count)
      return [
        {
          topic: name,
          what: `"${name}" is there already, with ${own.length} partitions instead of ${count}`,
        },
      ]
    return []
  })
}

/** Groups of the point that have members at the target: nothing is committed for those. */
export async function findOccupied(target: Cluster, { groups }: SetState): Promise<string[]> {
  if (groups.size === 0) return []
  const listed = await target.listGroups()
  return listed
    .filter(({ group, state }) => groups.has(group) && state !== 'Empty' && state !== 'Dead')
    .map(({ group }) => group)
}

/** Pure. Where a group stood is not always there: retention had taken it, or the cut is below it. */
export function clampedGroups({ groups, topics }: Pick<SetState, 'groups' | 'topics'>): string[] {
  return [...groups.values()].flatMap(({ group, offsets }) =>
    offsets.flatMap(([topic, partition, offset]) => {
      const log = topics.get(topic)?.partitions[partition]
      if (log === undefined || (offset >= log.start && offset <= log.end)) return []
      const [edge, at] = offset < log.start ? ['begins', log.start] : ['ends', log.end]
      return [
        `group "${group}" stood at offset ${offset} of "${topic}" partition ${partition}, which ${edge} at ${at} here: it goes on there`,
      ]
    }),
  )
}
