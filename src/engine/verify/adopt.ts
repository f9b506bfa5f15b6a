// kdr link adopt: whether a topic that stands at the target holds the beginning of its source, and nothing else, so that
// the link may go on with it. Reads everything that the target holds. Changes nothing.
import type { TopicPartition } from '../../ports/cluster.ts'
import { comparePartition } from './compare.ts'
import { beyond } from './first-difference.ts'
import { observe, type ObservedPartition } from './observe.ts'
import { forEachPartition } from './pool.ts'
import { rangeOf } from './ranges.ts'
import { openSides, type VerifyClusters } from './verify.ts'

export type AdoptedPartition = {
  readonly partition: number
  readonly records: number
  readonly logStart: { readonly source: number; readonly target: number }
  /** Of the target: from here on the link copies. */
  readonly logEnd: number
  readonly sourceEnd: number
}

export type PrefixCheck =
  | {
      readonly kind: 'prefix'
      readonly sourceTopicId: string
      readonly targetTopicId: string
      readonly sourcePartitions: number
      readonly partitions: readonly AdoptedPartition[]
    }
  /** `where`: `partition 0 offset 17`, or what the sentence is about. */
  | { readonly kind: 'different'; readonly where: string; readonly what: string }
  | { readonly kind: 'missing'; readonly side: 'source' | 'target' }

export type CheckOptions = {
  readonly signal?: AbortSignal
  /** Partition and offset reached. */
  readonly onProgress?: (reached: TopicPartition & { readonly offset: number; readonly end: number }) => void
}

/** Throws KdrError('unreachable' | 'not-allowed' | 'not-ready'). */
export async function checkPrefix(
  clusters: VerifyClusters,
  topic: string,
  { signal, onProgress }: CheckOptions = {},
): Promise<PrefixCheck> {
  const sides = await openSides(clusters)
  const source = sides.source.view.topics.get(topic)
  const target = sides.target.view.topics.get(topic)
  if (source === undefined) return { kind: 'missing', side: 'source' }
  if (target === undefined) return { kind: 'missing', side: 'target' }
  if (target.partitions.length > source.partitions.length) {
    const what = `the target has ${target.partitions.length} partitions, the source ${source.partitions.length}`
    return { kind: 'different', where: 'the number of partitions', what }
  }
  const { paired } = await observe(sides, [source])
  const trueEnds = await sides.target.offsets(paired, 'logEnd')
  const found = await forEachPartition(sides, paired, async (observed, readers) => {
    const { partition, logStart, logEnd, isCompacted } = observed
    const obstacle = obstacleOf(observed, trueEnds[partition] ?? -1)
    if (obstacle !== undefined) return { partition, difference: obstacle }
    const { first, records } = await comparePartition({
      of: { topic, partition },
      ranges: [rangeOf(observed)],
      sides: readers,
      ends: logEnd,
      isCompacted,
      codec: clusters.codec,
      mayGoOn: (offset, { isIdentical }) => {
        signal?.throwIfAborted()
        onProgress?.({ topic, partition, offset, end: logEnd.target })
        return isIdentical
      },
    })
    if (first !== undefined) return { partition, difference: first }
    return { partition, records, logStart, logEnd: logEnd.target, sourceEnd: logEnd.source }
  })
  const partitions: AdoptedPartition[] = []
  for (const each of found) {
    if (each.difference === undefined) partitions.push(each)
    else
      return {
        kind: 'different',
        where: `partition ${each.partition} offset ${each.difference.offset}`,
        what: each.difference.what,
      }
  }
  return {
    kind: 'prefix',
    sourceTopicId: source.id,
    targetTopicId: target.id,
    sourcePartitions: source.partitions.length,
    partitions,
  }
}

/** What keeps a partition from being adopted, whatever its records are. */
function obstacleOf(
  observed: ObservedPartition,
  trueEnd: number,
): { readonly offset: number; readonly what: string } | undefined {
  const { logStart, logEnd } = observed
  if (trueEnd > logEnd.target)
    return { offset: logEnd.target, what: 'the target has an open transaction or a writer from here on' }
  const isEmpty = logEnd.target <= logStart.target
  if (!isEmpty && logStart.source >= logEnd.target)
    return {
      offset: logStart.source,
      what: `the source begins here, beyond all that the target holds, so that nothing can be compared`,
    }
  return beyond(observed)
}
