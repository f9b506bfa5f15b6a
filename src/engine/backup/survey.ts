// What the source has of a set: its topics, where each partition's log starts and how far it is stable, and where its history leaves
// what the vault has.
import { codeName, KafkaCode, lackingRight } from '../../model/kafka-codes.ts'
import {
  clipSegments,
  type Note,
  type PartitionState,
  type SetState,
  type TopicState,
} from '../../model/vault.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Cluster, ClusterView, TopicPartition, TopicView } from '../../ports/cluster.ts'
import type { SetWriter } from '../../ports/vault.ts'
import { BACKOFF_MS, PATIENCE_MS } from './limits.ts'
import { agreesUpTo, epochBelow, type Sight } from './plan.ts'

export type Surveyed = {
  readonly view: ClusterView
  readonly topics: readonly TopicView[]
  /** By `topic/partition`; those that could not be asked are in `unread`. */
  readonly sights: ReadonlyMap<string, Sight>
  readonly unread: ReadonlyMap<string, string>
  readonly topicsGone: readonly string[]
  readonly notes: readonly Note[]
  readonly endsAt: number
}

export const nameOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`

type SurveyInput = {
  readonly cluster: Cluster
  readonly writer: Pick<SetWriter, 'firstOpen'>
  readonly clock: Clock
  readonly isWanted: (topic: string) => boolean
  readonly before: SetState | undefined
  readonly signal: AbortSignal
}

/** Throws KdrError('unreachable'), and the reason of `signal`. */
export async function survey(input: SurveyInput): Promise<Surveyed> {
  const { cluster, clock, isWanted, before } = input
  const view = await cluster.describe()
  const topics = [...view.topics.values()].filter(({ name }) => isWanted(name))
  const gone = await findGone(input, view)
  const partitions = topics.flatMap(({ name, partitions: own }) =>
    own.map(({ partition }) => ({ topic: name, partition })),
  )
  const unread = new Map<string, string>()
  const stable = await askOffsets(input, partitions, 'lastStable', unread)
  // The clock after the answers: whatever stands below the ends was there by then.
  const endsAt = clock.now()
  const starts = await askOffsets(input, partitions, 'logStart', unread)
  const known = new Map<string, PartitionState>()
  for (const topic of topics)
    for (const { partition } of topic.partitions) {
      const state = sameTopic(before, topic)?.partitions[partition]
      if (state !== undefined) known.set(nameOf({ topic: topic.name, partition }), state)
    }
  const diverging = await findDivergences(input, partitions, known, unread)
  const sights = new Map<string, Sight>()
  for (const of of partitions) {
    const name = nameOf(of)
    const [start, lastStable] = [starts.get(name), stable.get(name)]
    if (start === undefined || lastStable === undefined || unread.has(name)) continue
    sights.set(name, {
      topic: of.topic,
      before: known.get(name),
      start,
      lastStable,
      divergesAt: diverging.get(name),
    })
  }
  return { view, topics, sights, unread, ...gone, endsAt }
}

export function sameTopic(
  before: SetState | undefined,
  { name, id }: Pick<TopicView, 'name' | 'id'>,
): TopicState | undefined {
  const known = before?.topics.get(name)
  return known?.id === id ? known : undefined
}

/** Missing in the metadata proves nothing: without the right to see a topic it looks the same. The source is asked by id. */
async function findGone(
  { cluster, isWanted, before }: SurveyInput,
  view: ClusterView,
): Promise<Pick<Surveyed, 'topicsGone' | 'notes'>> {
  const topicsGone: string[] = []
  const notes: Note[] = []
  const missing: TopicState[] = []
  for (const topic of before?.topics.values() ?? []) {
    if (!isWanted(topic.name)) {
      topicsGone.push(topic.name)
      notes.push({
        kind: 'deleted',
        topic: topic.name,
        what: `"${topic.name}" is no longer a topic of the set`,
      })
    } else if (!view.topics.has(topic.name)) missing.push(topic)
  }
  const answers = missing.length === 0 ? [] : (await cluster.topicsById(missing.map(({ id }) => id))).topics
  for (const [index, { name }] of missing.entries()) {
    const code = answers[index]?.code ?? KafkaCode.UNKNOWN_SERVER_ERROR
    if (code === KafkaCode.UNKNOWN_TOPIC_ID) {
      topicsGone.push(name)
      notes.push({ kind: 'deleted', topic: name, what: `"${name}" was deleted at the source` })
    } else
      notes.push({
        kind: 'unread',
        topic: name,
        what: `"${name}" is not shown to kdr any more (${codeName(code)}${lackingRight(code, 'READ on it')}): it stays in the set as it was`,
      })
  }
  return { topicsGone, notes }
}

/** Asks again, for a while, where there is no leader at the moment. */
async function askOffsets(
  { cluster, clock, signal }: SurveyInput,
  partitions: readonly TopicPartition[],
  point: 'lastStable' | 'logStart',
  unread: Map<string, string>,
): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  const deadline = clock.monotonic() + PATIENCE_MS
  let asked = partitions.filter(of => !unread.has(nameOf(of)))
  for (
    let waitMs: number = BACKOFF_MS.first;
    asked.length > 0;
    waitMs = Math.min(waitMs * 2, BACKOFF_MS.last)
  ) {
    const answers = await cluster.offsets(asked, point)
    const failed: { readonly of: TopicPartition; readonly code: number }[] = []
    for (const [index, of] of asked.entries()) {
      const { code, offset } = answers[index]!
      if (code === KafkaCode.NONE) found.set(nameOf(of), offset)
      else failed.push({ of, code })
    }
    if (failed.length === 0) break
    if (clock.monotonic() >= deadline) {
      for (const { of, code } of failed) unread.set(nameOf(of), codeName(code))
      break
    }
    await clock.sleep(waitMs, signal)
    signal.throwIfAborted()
    await cluster.describe()
    asked = failed.map(({ of }) => of)
  }
  return found
}

/**
 * Step by step, for those few whose histories part. A truncated log may have lost markers too: what a transaction wrote before it
 * may be decided otherwise by now, so that all from there on is taken anew.
 */
async function findDivergences(
  { cluster, writer }: SurveyInput,
  partitions: readonly TopicPartition[],
  known: ReadonlyMap<string, PartitionState>,
  unread: Map<string, string>,
): Promise<Map<string, number>> {
  const found = new Map<string, number>()
  let asked = partitions.flatMap(of => {
    const state = known.get(nameOf(of))
    return state === undefined || unread.has(nameOf(of)) ? [] : [{ of, state, at: state.end }]
  })
  for (;;) {
    const questions = asked
      .map(each => ({ ...each, epoch: epochBelow(each.state, each.at) }))
      .filter(({ epoch }) => epoch >= 0)
    if (questions.length === 0) break
    const answers = await cluster.epochEnds(questions.map(({ of, epoch }) => ({ ...of, epoch })))
    asked = []
    for (const [index, { of, state, at, epoch }] of questions.entries()) {
      const answer = answers[index]!
      if (answer.code !== KafkaCode.NONE) {
        unread.set(nameOf(of), codeName(answer.code))
        continue
      }
      const agreed = agreesUpTo(state, { epoch, at }, answer)
      if (agreed >= at) continue
      found.set(nameOf(of), agreed)
      asked.push({ of, state, at: agreed })
    }
  }
  for (const [name, at] of found)
    found.set(name, await writer.firstOpen(clipSegments(known.get(name)!.segments, at), at))
  return found
}
