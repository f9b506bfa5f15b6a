// A link as `kdr verify` and `kdr link` need it: both clusters, and the link's memory when something is written there.
import type { OpenedLink } from '../cli/app.ts'
import type { Config, LinkConfig } from '../config/index.ts'
import { checkPrefix } from '../engine/verify/adopt.ts'
import { verify } from '../engine/verify/verify.ts'
import { recordCodec } from '../kafka/records.ts'
import { KdrError } from '../model/errors.ts'
import { writeJournal } from '../model/journal.ts'
import { compilePatterns } from '../model/patterns.ts'
import {
  forgottenKey,
  readLedgers,
  readLink,
  readTopics,
  type TopicRecord,
  topicKey,
  toRecord,
} from '../model/state-records.ts'
import type { Cluster } from '../ports/cluster.ts'
import type { StateStore } from '../ports/state.ts'
import { openTopicStore } from '../state/topic-store.ts'
import { openBoth } from './clusters.ts'
import { directionOf } from './direction.ts'
import { systemClock, systemEntropy, whoAmI } from './system.ts'

/** Throws KdrError: unreachable, not-allowed, cluster-lacks; what is opened is closed when `act` has ended. */
export async function withLink<T>(
  config: Config,
  of: LinkConfig,
  act: (opened: OpenedLink) => Promise<T>,
): Promise<T> {
  const { link } = await directionOf(config, of)
  const { source, target } = await openBoth(config, link, systemClock)
  const filter = compilePatterns(link.topics, 'topics')
  const clusters = { source, target, codec: recordCodec, clock: systemClock }
  try {
    return await act({
      verify: async ({ topics, sinceMs, samplePercent, signal, onProgress }) =>
        await verify({
          ...clusters,
          link: link.name,
          ledgers: await withStore(target, false, store => Promise.resolve(readLedgers(store, link.name))),
          isWanted: topic => filter.matches(topic),
          topics,
          signal,
          onProgress,
          ...(sinceMs !== undefined && { since: systemClock.now() - sinceMs }),
          ...(samplePercent !== undefined && {
            sample: { percent: samplePercent, fraction: () => systemEntropy.fraction() },
          }),
        }),
      isMirrored: async topic => {
        if (!filter.matches(topic))
          throw new KdrError('usage', `link "${link.name}" does not take topic "${topic}"`, {
            hint: 'Name a topic that `topics:` of the link takes.',
          })
        return await withStore(target, false, async store => {
          await assertClusters(link, store, { source, target })
          return readTopics(store, link.name).get(topic)?.targetTopicId !== undefined
        })
      },
      checkPrefix: async (topic, options) => await checkPrefix(clusters, topic, options),
      adopt: async (topic, { sourceTopicId, targetTopicId, partitions }, reason) => {
        const record: TopicRecord = {
          phase: 'mirroring',
          sourceTopicId,
          targetTopicId,
          applied: {},
          adoptedUpTo: partitions.map(({ logEnd }) => logEnd),
        }
        await withStore(target, true, async store => {
          await assertClusters(link, store, { source, target })
          const at = systemClock.now()
          await writeJournal(store, link.name, {
            id: systemEntropy.uuid(),
            at,
            by: whoAmI(),
            verb: 'adopt',
            topic,
            ...(reason !== undefined && { reason }),
            what: `topic "${topic}" becomes a mirror, with what it holds`,
            state: 'done',
            doneAt: at,
          })
          await store.put(topicKey(link.name, topic), toRecord('topic', record))
          await store.put(forgottenKey(link.name, topic), undefined)
        })
      },
    })
  } finally {
    await Promise.all([source.close(), target.close()])
  }
}

export async function withStore<T>(
  target: Cluster,
  create: boolean,
  act: (store: StateStore) => Promise<T>,
): Promise<T> {
  const store = await openTopicStore(target, recordCodec, systemClock, {
    create,
    writer: systemEntropy.bits62(),
  })
  try {
    await store.refresh()
    return await act(store)
  } finally {
    await store.close()
  }
}

/** What the link remembers is about two certain clusters. */
async function assertClusters(
  link: LinkConfig,
  store: StateStore,
  { source, target }: { readonly source: Cluster; readonly target: Cluster },
): Promise<void> {
  const known = readLink(store, link.name)
  if (known === undefined) return
  for (const [cluster, id] of [
    [source, known.sourceClusterId],
    [target, known.targetClusterId],
  ] as const) {
    const { clusterId } = await cluster.describe()
    if (clusterId === id) continue
    throw new KdrError(
      'wrong-cluster',
      `cluster "${cluster.name}" is "${clusterId}"; link "${link.name}" was set up with "${id}"`,
    )
  }
}
