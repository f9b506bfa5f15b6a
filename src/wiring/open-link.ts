// A link as `kdr verify` and `kdr link` need it: both clusters, and the link's memory when something is written there.
import type { OpenedLink } from '../cli/app.ts'
import type { Config, LinkConfig } from '../config/index.ts'
import { checkPrefix } from '../engine/verify/adopt.ts'
import { verify } from '../engine/verify/verify.ts'
import { recordCodec } from '../kafka/records.ts'
import { KdrError } from '../model/errors.ts'
import { compilePatterns } from '../model/patterns.ts'
import {
  commandKey,
  type CommandRecord,
  readLink,
  readTopics,
  readWorkers,
  type TopicRecord,
  topicKey,
  toRecord,
} from '../model/state-records.ts'
import type { Cluster } from '../ports/cluster.ts'
import type { StateStore } from '../ports/state.ts'
import { openTopicStore } from '../state/topic-store.ts'
import { clusterOf, openBoth, openCluster } from './clusters.ts'
import { systemClock, systemEntropy } from './system.ts'

/** A worker that has not beaten for this long is taken for gone. */
const WORKER_GONE_MS = 30_000

/** Throws KdrError: unreachable, not-allowed, cluster-lacks; what is opened is closed when `act` has ended. */
export async function withLink<T>(
  config: Config,
  link: LinkConfig,
  act: (opened: OpenedLink) => Promise<T>,
): Promise<T> {
  const { source, target } = await openBoth(config, link, systemClock)
  const filter = compilePatterns(link.topics, 'topics')
  const clusters = { source, target, codec: recordCodec, clock: systemClock }
  try {
    return await act({
      verify: async ({ topics, sinceMs, samplePercent, signal, onProgress }) =>
        await verify({
          ...clusters,
          link: link.name,
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
        const record: TopicRecord & { readonly reason?: string } = {
          phase: 'mirroring',
          sourceTopicId,
          targetTopicId,
          applied: {},
          adoptedUpTo: partitions.map(({ logEnd }) => logEnd),
          ...(reason !== undefined && { reason }),
        }
        await withStore(target, true, async store => {
          await assertClusters(link, store, { source, target })
          await store.put(topicKey(link.name, topic), toRecord('topic', record))
        })
      },
    })
  } finally {
    await Promise.all([source.close(), target.close()])
  }
}

/** Leaves a command for the worker of the link. Throws KdrError: unreachable, not-allowed; usage if it has never run. */
/** The mirror that a recopy means, by id. Throws KdrError('usage') for a topic that is not mirrored. */
function mirrorOf(store: StateStore, link: string, topic: string): { readonly targetTopicId: string } {
  const targetTopicId = readTopics(store, link).get(topic)?.targetTopicId
  if (targetTopicId !== undefined) return { targetTopicId }
  throw new KdrError('usage', `link "${link}" does not mirror topic "${topic}"`, {
    hint: `A topic that kdr did not make is deleted with Kafka's own tools, or taken over: kdr link adopt ${link} --topic ${topic}`,
  })
}

export async function sendCommand(
  config: Config,
  link: LinkConfig,
  command: Omit<CommandRecord, 'at'>,
): Promise<{ readonly id: string; readonly isRunning: boolean }> {
  const target = await openCluster(clusterOf(config, link.target), systemClock)
  try {
    return await withStore(target, false, async store => {
      if (readLink(store, link.name) === undefined)
        throw new KdrError('usage', `link "${link.name}" has never run, so that there is nothing to resume`, {
          hint: `Start it: kdr run --link ${link.name}`,
        })
      const now = systemClock.now()
      const id = systemEntropy.uuid()
      const isRunning = [...readWorkers(store, link.name).values()].some(
        ({ state, at }) => state === 'running' && now - at < WORKER_GONE_MS,
      )
      const mirror = command.verb === 'recopy' ? mirrorOf(store, link.name, command.topic ?? '') : {}
      await store.put(commandKey(link.name, id), toRecord('command', { ...command, ...mirror, at: now }))
      return { id, isRunning }
    })
  } finally {
    await target.close()
  }
}

async function withStore<T>(
  target: Cluster,
  create: boolean,
  act: (store: StateStore) => Promise<T>,
): Promise<T> {
  const store = await openTopicStore(target, recordCodec, systemClock, { create })
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
