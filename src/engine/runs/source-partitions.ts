// The partitions at the old active that a link mirrors, as they are led now. A topic of the name that is not the recorded one
// is none of them; but at a cluster that has come back all are that the link takes, as what was never copied may be deleted there.
import { compilePatterns } from '../../model/patterns.ts'
import { readForgotten, readTopics } from '../../model/state-records.ts'
import type { Cluster, ClusterView, TopicPartition } from '../../ports/cluster.ts'
import type { RunContext } from './context.ts'

/** `leader`: -1 when there is none. */
export type SourcePartition = TopicPartition & { readonly topicId: string; readonly leader: number }

export type SourceView = { readonly view: ClusterView; readonly partitions: readonly SourcePartition[] }

export async function sourcePartitions(
  { record, store, returned }: Pick<RunContext, 'record' | 'store' | 'returned'>,
  source: Pick<Cluster, 'describe'>,
): Promise<SourceView> {
  const view = await source.describe()
  const mirrored = readTopics(store, record.link)
  const taken = returned && compilePatterns(returned.settings.topics, 'topics')
  const letGo = readForgotten(store, record.link)
  const partitions = [...view.topics.values()].flatMap(found => {
    const topic = found.name
    const isTaken = !found.isInternal && taken?.matches(topic) === true && !letGo.has(topic)
    if (!isTaken && found.id !== mirrored.get(topic)?.sourceTopicId) return []
    return found.partitions.map(({ partition, leader }) => ({ topic, partition, topicId: found.id, leader }))
  })
  return { view, partitions }
}

export const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

/** `"a/0", "b/1" and 7 more` */
export function someOf(names: readonly string[], shown = 3): string {
  const quoted = names.slice(0, shown).map(name => `"${name}"`)
  const rest = names.length - quoted.length
  return rest > 0 ? `${quoted.join(', ')} and ${rest} more` : quoted.join(', ')
}
