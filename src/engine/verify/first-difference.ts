// Why a topic that is not empty is refused, in a few words for the sentence of its fault. It must not hold up the other
// topics: after a while it says how far it has got.
import { type ObservedPartition, observe } from './observe.ts'
import { comparePartition } from './compare.ts'
import { forEachPartition } from './pool.ts'
import { rangeOf } from './ranges.ts'
import { openSides, type VerifyClusters } from './verify.ts'

const TIME_MS = 10_000

/** `first difference: partition 0 offset 17, value differs`, or that what it holds equals the source. */
export async function firstDifference(clusters: VerifyClusters, topic: string): Promise<string> {
  const sides = await openSides(clusters)
  const source = sides.source.view.topics.get(topic)
  if (source === undefined) return 'the source has no such topic'
  const { paired, unpaired } = await observe(sides, [source])
  const deadline = clusters.clock.monotonic() + TIME_MS
  let isCut = false
  const found = await forEachPartition(sides, paired, async (observed, readers) => {
    if (clusters.clock.monotonic() > deadline) isCut = true
    if (isCut) return undefined
    const { partition, logEnd, isCompacted } = observed
    const tally = await comparePartition({
      of: { topic, partition },
      ranges: [rangeOf(observed)],
      sides: readers,
      ends: logEnd,
      isCompacted,
      codec: clusters.codec,
      mayGoOn: (_reached, { isIdentical }) => {
        if (clusters.clock.monotonic() > deadline) isCut = true
        return isIdentical && !isCut
      },
    })
    const difference = tally.first ?? beyond(observed)
    // One is enough: the others need not be read to their ends.
    if (difference !== undefined) isCut = true
    return difference
  })
  const at = found.findIndex(difference => difference !== undefined)
  const first = found[at]
  if (first !== undefined)
    return `first difference: partition ${paired[at]!.partition} offset ${first.offset}, ${first.what}`
  const extra = unpaired.find(({ what }) => what.includes('only at the target'))
  if (extra !== undefined) return `first difference: partition ${extra.partition} is only at the target`
  return isCut
    ? 'what it holds equals the source, as far as it was compared'
    : 'what it holds equals the source so far'
}

export function beyond({ logEnd }: ObservedPartition): { offset: number; what: string } | undefined {
  if (logEnd.target <= logEnd.source) return undefined
  return {
    offset: logEnd.source,
    what: `the log ends at ${logEnd.source} at the source, at ${logEnd.target} at the target`,
  }
}
