// Pure: what to do about each topic, from what the config wants, both clusters have, and `_kdr.state` remembers.
// kdr remembers ids, not names: a name that leads to another topic stops the topic.
import type { FaultReason } from '../../model/link.ts'
import type { SourceDeletePolicy } from '../../model/link-settings.ts'
import type { ForgottenRecord, TopicRecord } from '../../model/state-records.ts'
import type { ClusterView, TopicView } from '../../ports/cluster.ts'
import type { Missing } from './source-deletes.ts'

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

  /** The source deleted it, and the time that its mirror was to be kept is over. */
  | { readonly kind: 'delete'; readonly topic: string; readonly partitions: number }

export type PlanTopicsInput = {
  readonly link: string
  readonly isWanted: (topic: string) => boolean
  readonly source: ClusterView
  readonly target: ClusterView
  readonly records: ReadonlyMap<string, TopicRecord>
  /** Of topics that the source does not show: what it says when asked by id. */
  readonly missing: ReadonlyMap<string, Missing>
  /** The same of mirrors that the target does not show. */
  readonly missingMirrors: ReadonlyMap<string, Missing>
  readonly onSourceDelete: SourceDeletePolicy
  /** Wall clock, ms since 1970. */
  readonly now: number
  /** Mirrors that were let go (kdr link forget): left alone as long as they stand there. */
  readonly forgotten?: ReadonlyMap<string, ForgottenRecord>
}

export function planTopics(input: PlanTopicsInput): TopicAction[] {
  const actions: TopicAction[] = []
  for (const source of input.source.topics.values()) {
    if (!input.isWanted(source.name) || isForgotten(input, source.name)) continue
    const action = planTopic(input, source)
    if (action !== undefined) actions.push(action)
  }
  for (const name of input.records.keys()) {
    if (input.source.topics.has(name) || !input.isWanted(name)) continue
    const action = planMissing(input, name)
    if (action !== undefined) actions.push(action)
  }
  return actions
}

/** Undefined: nothing follows from its absence, and what goes on goes on. */
function planMissing(input: PlanTopicsInput, topic: string): TopicAction | undefined {
  const { link, onSourceDelete: policy, now } = input
  const partitions = input.target.topics.get(topic)?.partitions.length ?? 0
  const missing = input.missing.get(topic) ?? 'unknown'
  const since = input.records.get(topic)?.sourceDeletedAt
  const stop = (reason: FaultReason, sentence: string): TopicAction => ({
    kind: 'stop',
    topic,
    partitions,
    reason,
    sentence: `"${topic}": ${sentence}`,
  })
  if (missing === 'hidden') {
    return stop(
      'no-rights',
      'the source does not show the topic to kdr any more: DESCRIBE and READ on it are missing. The mirror is kept, and copying goes on when they are back',
    )
  }
  if (missing === 'unknown' || since === undefined) return undefined
  const seen = `the topic was deleted at the source (seen at ${new Date(since).toISOString()})`
  const forget = `kdr link forget ${link} --topic ${topic}`
  if (policy === 'keep') {
    return stop(
      'source-deleted',
      `${seen}; the mirror is kept as it is. To let go of it: ${forget}. To have such mirrors deleted after a while: onSourceDelete in the config`,
    )
  }
  const at = since + policy.deleteAfterMs
  if (now >= at) return { kind: 'delete', topic, partitions }
  return stop(
    'source-deleted',
    `${seen}; its mirror will be deleted at ${new Date(at).toISOString()} (onSourceDelete). To keep it: ${forget}`,
  )
}

/** A mirror that was deleted since is no reason any more. */
export function isForgotten(
  { forgotten, target }: Pick<PlanTopicsInput, 'forgotten' | 'target'>,
  topic: string,
): boolean {
  const id = forgotten?.get(topic)?.targetTopicId
  return id !== undefined && target.topics.get(topic)?.id === id
}

/** Undefined: the target does not say what became of the mirror, and what goes on goes on. */
function planTopic(input: PlanTopicsInput, source: TopicView): TopicAction | undefined {
  const { link, target: targetView, records } = input
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
  // Before a mirror is known there is none to hold the records of another topic.
  if (record?.targetTopicId !== undefined && record.sourceTopicId !== source.id) {
    return stop(
      'recreated',
      `the topic was deleted and created again at the source (id ${record.sourceTopicId}, now ${source.id}); the mirror holds the old one. ${anew}`,
    )
  }
  if (target === undefined) {
    if (record === undefined || record.phase === 'creating') return { kind: 'create', source }
    const missing = input.missingMirrors.get(name)
    if (missing === 'deleted') return stop('recreated', `the mirror topic was deleted at the target. ${anew}`)
    if (missing !== 'hidden') return undefined
    return stop(
      'no-rights',
      'the target does not show the mirror to kdr any more: DESCRIBE, READ and WRITE on it are missing. Copying goes on when they are back',
    )
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
