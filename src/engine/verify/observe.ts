// What there is to compare: the topics of a link with their partitions, log starts and ends on both sides.
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { Cluster, TopicPartition, TopicView } from '../../ports/cluster.ts'
import type { Side } from './reader.ts'
import type { SideName } from './sides.ts'

export type BothSides = Readonly<Record<SideName, Side>>
export type OfBoth = Readonly<Record<SideName, number>>

export type ObservedPartition = TopicPartition & {
  readonly logStart: OfBoth
  /** Last stable offsets. The target's was asked first: a faithful mirror is never beyond the source's. */
  readonly logEnd: OfBoth
  /** At one of the sides. */
  readonly isCompacted: boolean
}

/** One that only one side has, or that cannot be compared for another reason. */
export type Unpaired = TopicPartition & {
  readonly what: string
  readonly logStart: number
  readonly logEnd: number
}

export type Observed = {
  readonly paired: readonly ObservedPartition[]
  readonly unpaired: readonly Unpaired[]
}

/** Throws KdrError('unreachable' | 'not-allowed' | 'not-ready'). */
export async function observe(sides: BothSides, topics: readonly TopicView[]): Promise<Observed> {
  const paired: TopicPartition[] = []
  const onlySource: (TopicPartition & { what: string })[] = []
  const onlyTarget: (TopicPartition & { what: string })[] = []
  for (const { name: topic, partitions } of topics) {
    const mirror = sides.target.view.topics.get(topic)
    const count = mirror?.partitions.length ?? 0
    const what =
      mirror === undefined ? 'the topic is missing at the target' : 'the partition is missing at the target'
    for (const { partition } of partitions)
      if (partition < count) paired.push({ topic, partition })
      else onlySource.push({ topic, partition, what })
    for (let partition = partitions.length; partition < count; partition++)
      onlyTarget.push({ topic, partition, what: 'the partition is only at the target' })
  }
  return {
    paired: await observePaired(sides, paired),
    unpaired: [
      ...(await observeUnpaired(sides.source, onlySource)),
      ...(await observeUnpaired(sides.target, onlyTarget)),
    ],
  }
}

async function observePaired(
  { source, target }: BothSides,
  partitions: readonly TopicPartition[],
): Promise<ObservedPartition[]> {
  const targetEnds = await target.offsets(partitions, 'lastStable')
  const sourceEnds = await source.offsets(partitions, 'lastStable')
  const targetStarts = await target.offsets(partitions, 'logStart')
  const sourceStarts = await source.offsets(partitions, 'logStart')
  const topics = [...new Set(partitions.map(({ topic }) => topic))]
  const compacted = new Set([
    ...(await compactedOf(source.cluster, topics)),
    ...(await compactedOf(target.cluster, topics)),
  ])
  return partitions.map((of, index) => ({
    ...of,
    logStart: { source: sourceStarts[index]!, target: targetStarts[index]! },
    logEnd: { source: sourceEnds[index]!, target: targetEnds[index]! },
    isCompacted: compacted.has(of.topic),
  }))
}

async function observeUnpaired(
  side: Side,
  partitions: readonly (TopicPartition & { readonly what: string })[],
): Promise<Unpaired[]> {
  const starts = await side.offsets(partitions, 'logStart')
  const ends = await side.offsets(partitions, 'lastStable')
  return partitions.map((of, index) => ({ ...of, logStart: starts[index]!, logEnd: ends[index]! }))
}

/** Without the right to read configs none counts as compacted: then nothing is explained by it. */
async function compactedOf(cluster: Cluster, topics: readonly string[]): Promise<string[]> {
  if (topics.length === 0) return []
  const answers = await cluster.topicConfigs(topics)
  return topics.filter(topic => {
    const answer = answers.get(topic)
    const policy = answer?.code === KafkaCode.NONE ? answer.entries.get('cleanup.policy')?.value : undefined
    return policy?.split(',').some(each => each.trim() === 'compact') === true
  })
}
