// A second standby follows the cluster that has become active: its link keeps its name and its mirrors, and copies from there, from
// where each mirror ends. The link's record comes last, with the next generation: before it nothing counts, and the hold keeps workers
// aside; whoever repeats it after a crash finds what was written and goes on.
import {
  forgottenKey,
  holdKey,
  linkKey,
  readLedgers,
  readLink,
  readReports,
  readTopics,
  type TopicRecord,
  topicKey,
  toRecord,
} from '../../model/state-records.ts'
import type { LinkSettings } from '../../model/link-settings.ts'
import { readRuns, readSteps } from '../../model/run-records.ts'
import type { StepData } from '../../model/runs.ts'
import { KdrError } from '../../model/errors.ts'
import type { Clock } from '../../ports/clock.ts'
import type { Cluster, TopicPartition } from '../../ports/cluster.ts'
import type { StateStore } from '../../ports/state.ts'
import { forgetDirection } from './forget-direction.ts'
import { offsetsOf } from './mirrors.ts'
import { type FanOutTopic, type History, planFanOut } from './plan-fan-out.ts'
import { standAside } from './stand-aside.ts'

export type FanOut = {
  /** As the config has it, or as it leads now. */
  readonly settings: LinkSettings
  /** What it shall copy from. */
  readonly source: Cluster
  readonly target: Cluster
  readonly store: StateStore
  readonly sourceStore: Pick<StateStore, 'refresh' | 'get' | 'entries'>
  readonly sourceJournal: Pick<StateStore, 'refresh' | 'get' | 'entries'>
  readonly clock: Clock
}

/** Changes nothing. Throws KdrError: 'not-ready' where the cluster is not active, 'usage' for a link that has never run. */
export async function observeFanOut(input: FanOut): Promise<FanOutTopic[]> {
  const { settings, source, target, store, sourceStore, sourceJournal } = input
  await Promise.all([store.refresh(), sourceStore.refresh(), sourceJournal.refresh()])
  if (readLink(store, settings.name) === undefined)
    throw new KdrError('usage', `link "${settings.name}" has never run`, { hint: 'See: kdr status' })
  const [sourceView, targetView] = await Promise.all([source.describe(), target.describe()])
  const histories = historiesOf(input, sourceView.clusterId)
  if (histories.length === 0)
    throw new KdrError('not-ready', `no run has made "${source.name}" active: there is nothing to follow`, {
      hint: 'See: kdr runs list',
    })
  const mirrors = readTopics(store, settings.name)
  const partitionsOf = (topics: typeof targetView.topics): TopicPartition[] =>
    [...mirrors.keys()].flatMap(
      topic => topics.get(topic)?.partitions.map(({ partition }) => ({ topic, partition })) ?? [],
    )
  const [there, here] = [partitionsOf(sourceView.topics), partitionsOf(targetView.topics)]
  const [starts, ends] = await Promise.all([
    offsetsOf(source, there, 'logStart'),
    offsetsOf(target, here, 'logEnd'),
  ])
  const byName = (all: readonly TopicPartition[], offsets: readonly number[]): Map<string, number> =>
    new Map(all.map(({ topic, partition }, index) => [`${topic}/${partition}`, offsets[index]!]))
  return planFanOut({
    mirrors,
    target: { name: target.name, topics: targetView.topics, ends: byName(here, ends) },
    source: { name: source.name, topics: sourceView.topics, starts: byName(there, starts) },
    histories,
    unsound: unsoundOf(input),
  })
}

/** Of links that have led to it, and lead from it since a run: mirrors as they were, cut where that run has fenced them. */
function historiesOf({ sourceStore, sourceJournal }: FanOut, sourceClusterId: string): History[] {
  const links = sourceStore.entries('link/').map(([key]) => key.slice('link/'.length))
  return links.flatMap(name => {
    const record = readLink(sourceStore, name)
    if (record?.sourceClusterId !== sourceClusterId) return []
    // The last that has made it active, whichever run has taken the link up again since.
    const run = readRuns(sourceJournal).find(
      each =>
        each.link === name &&
        each.standbyClusterId === sourceClusterId &&
        readSteps(sourceJournal, each.run).some(step => step.name === 'promote' && step.state === 'done'),
    )
    if (run === undefined) return []
    const fence = readSteps(sourceJournal, run.run).find(step => step.name === 'fence-link')
    const { cuts = [] } = (fence?.data ?? {}) as Partial<StepData['fence-link']>
    const byTopic = Map.groupBy(cuts, ({ topic }) => topic)
    return [...readTopics(sourceStore, name)].map(([topic, { sourceTopicId, targetTopicId = '' }]) => ({
      topic,
      sourceTopicId,
      targetTopicId,
      cuts: new Map((byTopic.get(topic) ?? []).map(({ partition, cut }) => [partition, cut])),
    }))
  })
}

/** What was given up at one side is not what the other has; what has stopped may not be what its source had. */
function unsoundOf({ settings, store, sourceStore }: FanOut): Map<string, string> {
  const unsound = new Map<string, string>()
  const ledgers = [
    ...readLedgers(store, settings.name),
    ...sourceStore
      .entries('link/')
      .flatMap(([key]) => [...readLedgers(sourceStore, key.slice('link/'.length))]),
  ]
  for (const [name, { ranges }] of ledgers)
    if (ranges.length > 0) unsound.set(name, 'records of it were given up, and the two may differ there')
  for (const [topic, { partitions }] of readReports(store, settings.name))
    for (const { partition, state, sentence } of partitions)
      if (state === 'faulted') unsound.set(`${topic}/${partition}`, sentence ?? 'it has stopped')
  return unsound
}

export type Following = FanOut & {
  readonly run: string
  readonly by: string
  readonly guard: () => Promise<void>
  readonly progress: (what: string) => void
}

/** `store`: under the controller's guard. Resolves with what was done; throws KdrError('not-ready') where nothing can go on. */
export async function follow(input: Following): Promise<FanOutTopic[]> {
  const { settings, source, target, store, clock, run, by, guard } = input
  const { name } = settings
  const before = readLink(store, name)!
  await standAside({ ...input, record: { run, generation: before.generation } })
  // Nobody writes any more: only now the ends hold.
  const plan = await observeFanOut(input)
  if (plan.every(({ state }) => state !== 'goes-on')) {
    await store.put(holdKey(name), undefined)
    throw new KdrError('not-ready', `nothing of link "${name}" can go on from "${source.name}"`)
  }
  const topics = readTopics(store, name)
  await guard()
  for (const { topic, state, ends, sourceTopicId } of plan) {
    const known = topics.get(topic)
    if (known === undefined || state === 'differs') continue
    if (state === 'left') {
      // Or a policy might take it for deleted at its source.
      const forgotten = {
        targetTopicId: known.targetTopicId ?? '',
        at: clock.now(),
        by,
        reason: `not at "${source.name}"`,
      }
      await store.put(forgottenKey(name, topic), toRecord('forgotten', forgotten))
      await store.put(topicKey(name, topic), undefined)
      continue
    }
    const { sourceDeletedAt: _old, ...kept } = known
    const record: TopicRecord = { ...kept, sourceTopicId, adoptedUpTo: ends }
    await store.put(topicKey(name, topic), toRecord('topic', record))
  }
  await guard()
  await forgetDirection(store, name, ['topic'])
  const [sourceView, targetView] = await Promise.all([source.describe(), target.describe()])
  await guard()
  const { upstream: _was, source: _other, target: _left, isWaiting: _waits, ...rest } = before
  await store.put(
    linkKey(name),
    toRecord('link', {
      ...rest,
      generation: before.generation + 1,
      sourceClusterId: sourceView.clusterId,
      targetClusterId: targetView.clusterId,
      source: source.name,
      run,
      movedAt: clock.now(),
    }),
  )
  await store.put(holdKey(name), undefined)
  return plan
}
