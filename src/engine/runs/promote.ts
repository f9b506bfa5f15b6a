// The mirrors become topics that applications write to: rights that were held back, the configs that the source had, and then the
// one record that says so, with a higher generation. After a switchover the link is made ready for the other direction before that; in a
// failover the old active is told last, if it can be told.
import { KdrError } from '../../model/errors.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import { isPlanned } from '../../model/runs.ts'
import {
  holdKey,
  type LinkRecord,
  linkKey,
  readForgotten,
  readLink,
  readTopics,
  type TopicRecord,
  topicKey,
  toRecord,
} from '../../model/state-records.ts'
import type { ClusterView } from '../../ports/cluster.ts'
import type { StateStore } from '../../ports/state.ts'
import type { RunContext, StepEnd } from './context.ts'
import type { FenceSite } from './denials.ts'
import { liftAll } from './fence-applications.ts'
import { forgetDirection } from './forget-direction.ts'
import { type Mirror, mirrorsOf } from './mirrors.ts'
import { liftGuard } from './lift-guard.ts'
import { keepLetGo } from './let-go.ts'
import { giveOwnRightsBack, takeOwnRights } from './own-rights.ts'
import { assertStillDark } from './still-dark.ts'

/** Of topics that are given configs. */
const AT_ONCE = 200
const NAMES_SHOWN = 3

export async function promote(context: RunContext): Promise<StepEnd<'promote'>> {
  const { record, store, source, sourceStore, guard, services } = context
  await assertStillDark(context)
  const mirrors = await mirrorsOf(context)
  const topics = [...new Set(mirrors.map(({ topic }) => topic))]
  await guard()
  const rightsReleased = await services.releaseRights()
  const standby: FenceSite = {
    of: { link: record.link, clusterId: record.standbyClusterId },
    cluster: context.target,
    stores: sourceStore === undefined ? [store] : [store, sourceStore],
    clock: context.clock,
    guard,
  }
  // What fenced its applications when it was the old active.
  await liftAll(standby)
  await liftGuard({ ...standby, stores: [store] }, topics)
  const { unknown, refused } = await restoreConfigs(context, topics)
  const own = await takeOwnRights(context, standby, topics)
  const generation = record.generation + 1
  const reverse = isPlanned(record.kind) ? 'starts' : 'waits'
  const link = reversed(context, generation)
  const atSource = async (): Promise<void> => {
    if (source === undefined || sourceStore === undefined) return
    await guard()
    await giveOwnRightsBack(context)
    await sourceStore.refresh()
    if ((readLink(sourceStore, record.link)?.generation ?? 0) < generation)
      await prepareReverse(context, sourceStore, { mirrors, link, view: await source.describe() })
  }
  // After a switchover workers go on in the other direction at once: what they need there stands before.
  if (isPlanned(record.kind)) await atSource()
  await guard()
  await store.refresh()
  if (readLink(store, record.link)?.generation !== generation)
    await store.put(linkKey(record.link), toRecord('link', link))
  await store.put(holdKey(record.link), undefined)
  // An old active that is given up must not hold this up: once more without it, and it is told when it is looked at.
  if (record.kind === 'failover') await atSource()
  const next =
    reverse === 'starts'
      ? `the link goes on from "${record.standby}" to "${record.active}"`
      : `nothing is copied back before "${record.active}" was looked at (kdr failback)`
  return {
    what: `${topics.length} topic(s) of "${record.standby}" are no mirrors any more (generation ${generation})${own}; ${next}${configWords(unknown, refused)}`,
    data: { generation, topics: topics.length, rightsReleased, reverse },
  }
}

function reversed({ record, store, clock }: RunContext, generation: number): LinkRecord {
  const { source, target, slots = 0 } = readLink(store, record.link) ?? {}
  return {
    generation,
    sourceClusterId: record.standbyClusterId,
    targetClusterId: record.activeClusterId,
    slots,
    ...(target !== undefined && { source: target }),
    ...(source !== undefined && { target: source }),
    run: record.run,
    movedAt: clock.now(),
    ...(record.kind === 'failover' && { isWaiting: true }),
  }
}

function configWords(unknown: readonly string[], refused: readonly string[]): string {
  const names = (topics: readonly string[]): string =>
    `${topics.slice(0, NAMES_SHOWN).join(', ')}${topics.length > NAMES_SHOWN ? ` and ${topics.length - NAMES_SHOWN} more` : ''}`
  return [
    unknown.length === 0
      ? ''
      : `; what retention the source had is not known of ${names(unknown)}: they keep all records until you set it`,
    refused.length === 0 ? '' : `; refused, and to be set by hand: configs of ${names(refused)}`,
  ].join('')
}

/**
 * What the source has, or had when it was last seen. `unknown`: topics of which nobody has recorded it. `refused`: in a failover,
 * which goes on; a switchover stops.
 */
async function restoreConfigs(
  { target, store, record, guard }: RunContext,
  topics: readonly string[],
): Promise<{ readonly unknown: readonly string[]; readonly refused: readonly string[] }> {
  const unknown: string[] = []
  const refused: string[] = []
  const records = readTopics(store, record.link)
  for (let at = 0; at < topics.length; at += AT_ONCE) {
    await guard()
    await Promise.all(
      topics.slice(at, at + AT_ONCE).map(async topic => {
        const held = records.get(topic)?.held
        if (held === undefined) return void unknown.push(topic)
        const { code, message = '' } = await target.alterTopicConfigs(topic, held)
        if (code === KafkaCode.NONE) return
        if (record.kind === 'failover')
          return void refused.push(`"${topic}" (${codeName(code)} ${message}`.trim() + ')')
        throw new KdrError(
          'not-ready',
          `"${topic}" cannot be given the configs that it had at "${record.active}": ${codeName(code)} ${message}`.trim(),
          { hint: `Then go on: kdr ${record.kind} ${record.link} --resume ${record.run}` },
        )
      }),
    )
  }
  return { unknown, refused }
}

/**
 * The old active becomes a target: its topics are mirrors with what they hold. After a drained switchover they are the beginning
 * of their new sources, which have one more marker (the fence) each. The link's record comes last: before it nothing counts.
 */
async function prepareReverse(
  { record, dataOf, guard, store: known }: RunContext,
  store: StateStore,
  {
    mirrors,
    link,
    view,
  }: { readonly mirrors: readonly Mirror[]; readonly link: LinkRecord; readonly view: ClusterView },
): Promise<void> {
  await forgetDirection(store, record.link)
  await keepLetGo({ store, link: record.link, view }, readForgotten(known, record.link))
  const ends = Map.groupBy(dataOf('drain')?.ends ?? [], ({ topic }) => topic)
  await guard()
  if (isPlanned(record.kind))
    await Promise.all(
      [...Map.groupBy(mirrors, ({ topic }) => topic)].map(async ([topic, [first]]) => {
        const adopted: TopicRecord = {
          phase: 'mirroring',
          sourceTopicId: first!.topicId,
          targetTopicId: first!.sourceTopicId,
          applied: {},
          adoptedUpTo: (ends.get(topic) ?? [])
            .toSorted((a, b) => a.partition - b.partition)
            .map(({ end }) => end),
        }
        await store.put(topicKey(record.link, topic), toRecord('topic', adopted))
      }),
    )
  await guard()
  await store.put(linkKey(record.link), toRecord('link', link))
}
