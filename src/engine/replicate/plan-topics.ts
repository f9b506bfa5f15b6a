// Pure: what to do about each topic, from what the config wants, both clusters have, and `_kdr.state` remembers.
// kdr remembers ids, not names: a name that leads to another topic stops the topic.
import type { FaultReason } from '../../model/link.ts'
import type { TopicRecord } from '../../model/state-records.ts'
import type { ClusterView, TopicView } from '../../ports/cluster.ts'

export type TopicAction =
  | { readonly kind: 'create'; readonly source: TopicView }
  /** A topic of that name stands at the target and kdr does not know it: taken over if empty, else refused. */
  | { readonly kind: 'take-over'; readonly source: TopicView; readonly target: TopicView }
  | { readonly kind: 'add-partitions'; readonly source: TopicView; readonly target: TopicView }
  | { readonly kind: 'mirror'; readonly source: TopicView; readonly target: TopicView }
  | {
      readonly kind: 'stop'
      readonly topic: string
      readonly partitions: number
      readonly reason: FaultReason
      readonly sentence: string
    }

export type PlanTopicsInput = {
  readonly link: string
  readonly isWanted: (topic: string) => boolean
  readonly source: ClusterView
  readonly target: ClusterView
  readonly records: ReadonlyMap<string, TopicRecord>
}

export function planTopics(input: PlanTopicsInput): TopicAction[] {
  const actions: TopicAction[] = []
  for (const source of input.source.topics.values()) {
    if (input.isWanted(source.name)) actions.push(planTopic(input, source))
  }
  for (const name of input.records.keys()) {
    if (input.source.topics.has(name) || !input.isWanted(name)) continue
    actions.push({
      kind: 'stop',
      topic: name,
      partitions: input.target.topics.get(name)?.partitions.length ?? 0,
      reason: 'source-deleted',
      sentence: `"${name}": the topic was deleted at the source; the mirror is kept as it is`,
    })
  }
  return actions
}

function planTopic({ link, target: targetView, records }: PlanTopicsInput, source: TopicView): TopicAction {
  const { name } = source
  const target = targetView.topics.get(name)
  const record = records.get(name)
  const stop = (reason: FaultReason, sentence: string): TopicAction => ({
    kind: 'stop',
    topic: name,
    partitions: source.partitions.length,
    reason,
    sentence: `"${name}": ${sentence}`,
  })
  const anew = `To copy it anew: kdr link recopy ${link} --topic ${name}`
  if (record !== undefined && record.sourceTopicId !== source.id) {
    return stop(
      'recreated',
      `the topic was deleted and created again at the source (id ${record.sourceTopicId}, now ${source.id}); the mirror holds the old one. ${anew}`,
    )
  }
  if (target === undefined) {
    if (record === undefined || record.phase === 'creating') return { kind: 'create', source }
    return stop('recreated', `the mirror topic was deleted at the target. ${anew}`)
  }
  if (target.partitions.length > source.partitions.length) {
    return stop(
      'target-refuses',
      `the target's topic has ${target.partitions.length} partitions, the source's ${source.partitions.length}; partitions cannot be taken away. Delete the topic at the target`,
    )
  }
  if (record === undefined || record.targetTopicId === undefined) return { kind: 'take-over', source, target }
  if (record.targetTopicId !== target.id) {
    return stop(
      'recreated',
      `the mirror topic was deleted and created again at the target (id ${record.targetTopicId}, now ${target.id}). ${anew}`,
    )
  }
  if (target.partitions.length < source.partitions.length) return { kind: 'add-partitions', source, target }
  return { kind: 'mirror', source, target }
}
