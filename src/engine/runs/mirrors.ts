// The mirrors of the link that a run moves: those that `_kdr.state` names and the target has, by id.
import { compilePatterns } from '../../model/patterns.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import { KdrError } from '../../model/errors.ts'
import { readForgotten, readTopics } from '../../model/state-records.ts'
import type { At } from '../../model/runs.ts'
import type { Cluster, LogPoint, LogReader, TopicPartition } from '../../ports/cluster.ts'
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

/**
 * Partitions of the source that the link takes, that hold something, and that no mirror stands for: a topic made or enlarged a moment
 * ago, one that has stopped before it was mirrored, one that was recreated. Throws KdrError('unreachable').
 */
export async function withoutMirror(
  { settings, store }: Pick<RunContext, 'settings' | 'store'>,
  source: Pick<Cluster, 'describe' | 'offsets'>,
  mirrors: readonly Mirror[],
): Promise<At[]> {
  const filter = compilePatterns(settings.topics, 'topics')
  const forgotten = readForgotten(store, settings.name)
  const { topics } = await source.describe()
  const known = new Set(mirrors.map(each => `${nameOf(each)} ${each.sourceTopicId}`))
  const missing = [...topics.values()]
    .filter(({ name, isInternal }) => !isInternal && filter.matches(name) && !forgotten.has(name))
    .flatMap(({ name, id, partitions }) =>
      partitions
        .map(({ partition }) => ({ topic: name, partition }))
        .filter(at => !known.has(`${nameOf(at)} ${id}`)),
    )
  if (missing.length === 0) return []
  const ends = await offsetsOf(source, missing, 'logEnd')
  return missing.filter((_, index) => ends[index]! > 0)
}

/** Mirrors whose source is there: one that was deleted there has nothing to wait for. */
export async function withSource(
  source: Pick<Cluster, 'describe'>,
  mirrors: readonly Mirror[],
): Promise<Mirror[]> {
  const { topics } = await source.describe()
  return mirrors.filter(({ topic, sourceTopicId }) => topics.get(topic)?.id === sourceTopicId)
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
