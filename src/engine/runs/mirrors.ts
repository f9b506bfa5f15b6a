// The mirrors of the link that a run moves: those that `_kdr.state` names and the target has, by id.
import { compilePatterns } from '../../model/patterns.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import { KdrError } from '../../model/errors.ts'
import { readTopics } from '../../model/state-records.ts'
import type { At } from '../../model/runs.ts'
import type { LogPoint, LogReader, TopicPartition } from '../../ports/cluster.ts'
import type { HeldPartition, RunContext } from './context.ts'

export type Mirror = At & {
  /** The mirror's. */
  readonly topicId: string
  readonly sourceTopicId: string
  /** At the target; -1 when there is none. */
  readonly leader: number
  readonly replicas: number
  readonly inSync: number
}

type Sides = Pick<RunContext, 'settings' | 'store' | 'target'>

/** As the target has them now. What the link's patterns take no more is not moved. */
export async function mirrorsOf({ settings, store, target }: Sides): Promise<Mirror[]> {
  const filter = compilePatterns(settings.topics, 'topics')
  const { topics } = await target.describe()
  return [...readTopics(store, settings.name)].flatMap(([topic, { targetTopicId, sourceTopicId }]) => {
    const found = topics.get(topic)
    if (found === undefined || found.id !== targetTopicId || !filter.matches(topic)) return []
    return found.partitions.map(({ partition, leader, replicas, isr }) => ({
      topic,
      partition,
      topicId: found.id,
      sourceTopicId,
      leader,
      replicas: replicas.length,
      inSync: isr.length,
    }))
  })
}

/** In the order of `partitions`. Throws KdrError('unreachable') when one is not known. */
export async function offsetsOf(
  cluster: Pick<LogReader, 'offsets'>,
  partitions: readonly TopicPartition[],
  point: LogPoint,
): Promise<number[]> {
  const answers = await cluster.offsets(partitions, point)
  return answers.map(({ code, offset }, index) => {
    if (code === KafkaCode.NONE) return offset
    const { topic, partition } = partitions[index]!
    throw new KdrError(
      'unreachable',
      `"${topic}/${partition}" cannot be asked where it ends: ${codeName(code)}`,
    )
  })
}

export async function heldBy(
  target: Pick<LogReader, 'offsets'>,
  mirrors: readonly Mirror[],
): Promise<HeldPartition[]> {
  const [starts, ends] = await Promise.all([
    offsetsOf(target, mirrors, 'logStart'),
    offsetsOf(target, mirrors, 'logEnd'),
  ])
  return mirrors.map(({ topic, partition, topicId }, index) => ({
    topic,
    partition,
    topicId,
    logStart: starts[index]!,
    logEnd: ends[index]!,
  }))
}

export const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`
