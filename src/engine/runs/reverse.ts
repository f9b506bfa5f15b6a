// The cluster that has come back becomes a standby: topics that diverged there are deleted, to be copied anew; the others are mirrors with
// what they hold, which is the beginning of what the active has. Then the one record that says so, with a higher generation: at the
// standby first, which is where it counts. Nothing is deleted that was not exported as it stands.
import { KdrError } from '../../model/errors.ts'
import { codeName, isGone, KafkaCode } from '../../model/kafka-codes.ts'
import { compilePatterns } from '../../model/patterns.ts'
import type { StepData } from '../../model/runs.ts'
import { divergedTopics, type Stranded } from '../../model/stranded.ts'
import {
  holdKey,
  type LinkRecord,
  linkKey,
  readForgotten,
  readLink,
  type TopicRecord,
  topicKey,
  toRecord,
} from '../../model/state-records.ts'
import type { ClusterView } from '../../ports/cluster.ts'
import type { RunContext, StepEnd } from './context.ts'
import { assertExportStands } from './export.ts'
import { forgetDirection } from './forget-direction.ts'
import { keepLetGo } from './let-go.ts'
import { nameOf, offsetsOf } from './mirrors.ts'
import { giveOwnRightsBack } from './own-rights.ts'
import { activeStore, asActive } from './returned.ts'

const DELETED_WITHIN_MS = 60_000
const LOOK_EVERY_MS = 200

export async function reverse(context: RunContext): Promise<StepEnd<'reverse'>> {
  const { record, store, guard, dataOf, source, target } = context
  const exported = dataOf('export')
  if (exported === undefined || source === undefined)
    throw new KdrError('not-ready', 'what is stranded was not looked at')
  const { stranded } = exported
  const memory = activeStore(context)
  const { generation } = record
  await memory.refresh()
  await store.refresh()
  const recopied = divergedTopics(stranded)
  const isDone = readLink(store, record.link)?.generation === generation
  if (!isDone) {
    await assertAsExported(context, stranded)
    await giveOwnRightsBack(asActive(context))
    await deleteTopics(context, recopied, exported)
    await guard()
    await forgetDirection(store, record.link)
    const [returned, active] = [await target.describe(), await source.describe()]
    await adopt(context, stranded, { returned, active })
    await keepLetGo({ store, link: record.link, view: returned }, readForgotten(memory, record.link))
    await guard()
    await store.put(linkKey(record.link), toRecord('link', linkOf(context)))
  }
  await guard()
  if ((readLink(memory, record.link)?.generation ?? 0) < generation) {
    await memory.put(linkKey(record.link), toRecord('link', linkOf(context)))
    await memory.put(holdKey(record.link), undefined)
  }
  const taken = stranded.partitions.filter(({ state }) => state !== 'alone')
  const kept = new Set(taken.map(({ topic }) => topic)).size - recopied.length
  const anew = recopied.length === 0 ? '' : `, ${recopied.length} are copied anew: ${recopied.join(', ')}`
  return {
    what: `"${record.standby}" is a standby of "${record.active}" (generation ${generation}): ${kept} topic(s) go on with what they hold${anew}`,
    data: { generation, recopied, kept },
  }
}

function linkOf(context: RunContext): LinkRecord {
  const { record, clock } = context
  const { target, slots = 0 } = readLink(activeStore(context), record.link) ?? {}
  return {
    generation: record.generation,
    sourceClusterId: record.activeClusterId,
    targetClusterId: record.standbyClusterId,
    slots,
    ...(target !== undefined && { target }),
    run: record.run,
    movedAt: clock.now(),
  }
}

/** Throws KdrError('not-fenced') when something was written there since, to a topic that still stands. `only`: to this one. */
async function assertAsExported(
  { record, target }: RunContext,
  { partitions }: Stranded,
  only?: string,
): Promise<void> {
  const { topics } = await target.describe()
  const there = partitions.filter(
    ({ topic, partition, state }) =>
      state !== 'alone' &&
      (only ?? topic) === topic &&
      topics.get(topic)?.partitions[partition] !== undefined,
  )
  const ends = await offsetsOf(target, there, 'logEnd')
  const grown = there.filter(({ end }, index) => ends[index]! !== end)
  if (grown.length === 0) return
  throw new KdrError(
    'not-fenced',
    `"${record.standby}" was written to since it was looked at: ${grown.slice(0, 5).map(nameOf).join(', ')}`,
    {
      hint: `Stop who writes there, give the run up (kdr runs abort ${record.run}), and begin again: kdr ${record.kind} ${record.link}`,
    },
  )
}

/** Resolves when the cluster shows none of them any more. Throws KdrError: not-allowed, not-ready, not-fenced, damaged. */
async function deleteTopics(
  context: RunContext,
  topics: readonly string[],
  exported: StepData['export'],
): Promise<void> {
  const { stranded } = exported
  const { target, record, clock, guard, progress } = context
  const before = await target.describe()
  const ids = new Map(
    topics.flatMap(topic => {
      const id = before.topics.get(topic)?.id
      return id === undefined ? [] : [[topic, id] as const]
    }),
  )
  for (const [topic, id] of ids) {
    await guard()
    progress(`deletes "${topic}" at "${record.standby}"`)
    await assertExportStands(context, exported, topic)
    // Last: what comes now nobody has.
    await assertAsExported(context, stranded, topic)
    // By its id: who stood still before this, and wakes, does not meet the topic that is copied anew.
    const { code, message = '' } = await target.deleteTopic(topic, id)
    if (code === KafkaCode.NONE || isGone(code)) continue
    throw new KdrError(
      code === KafkaCode.TOPIC_AUTHORIZATION_FAILED ? 'not-allowed' : 'not-ready',
      `"${topic}" of "${record.standby}" cannot be deleted, to be copied anew: ${codeName(code)} ${message}`.trim(),
      { hint: `Put that right, then: kdr ${record.kind} ${record.link} --resume ${record.run}` },
    )
  }
  const until = clock.monotonic() + DELETED_WITHIN_MS
  for (;;) {
    const view = await target.describe()
    const left = [...ids].filter(([topic, id]) => view.topics.get(topic)?.id === id)
    if (left.length === 0) return
    if (clock.monotonic() > until)
      throw new KdrError(
        'not-ready',
        `"${left[0]![0]}" of "${record.standby}" is still there, after it was deleted`,
      )
    await clock.sleep(LOOK_EVERY_MS)
    await guard()
  }
}

/** Mirrors with what they hold. Those that the active has no more are none. */
async function adopt(
  { record, store, settings }: RunContext,
  stranded: Stranded,
  { returned, active }: { readonly returned: ClusterView; readonly active: ClusterView },
): Promise<void> {
  const filter = compilePatterns(settings.topics, 'topics')
  const diverged = new Set(divergedTopics(stranded))
  const byTopic = Map.groupBy(stranded.partitions, ({ topic }) => topic)
  await Promise.all(
    [...byTopic].map(async ([topic, partitions]) => {
      const [mirror, source] = [returned.topics.get(topic), active.topics.get(topic)]
      if (diverged.has(topic) || !filter.matches(topic) || mirror === undefined || source === undefined)
        return
      const adopted: TopicRecord = {
        phase: 'mirroring',
        sourceTopicId: source.id,
        targetTopicId: mirror.id,
        applied: {},
        adoptedUpTo: partitions.toSorted((a, b) => a.partition - b.partition).map(({ end }) => end),
      }
      await store.put(topicKey(record.link, topic), toRecord('topic', adopted))
    }),
  )
}
