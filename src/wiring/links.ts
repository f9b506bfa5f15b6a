// Links of the config as running things: connects both clusters, opens the state, starts the engines, and hands
// commands what they show. One file composes them; the engines do not know each other.
import type { RunningLink } from '../cli/app.ts'
import type { Config, LinkConfig } from '../config/index.ts'
import { assertNoCircle, type CircleInput } from '../engine/replicate/circle.ts'
import { assertTwoClusters } from '../engine/replicate/identity.ts'
import { catchUp, faultsOf } from '../engine/replicate/once.ts'
import type { Replication } from '../engine/replicate/replication.ts'
import { startReplication } from '../engine/replicate/start.ts'
import { type LinkStatus, observeStatus } from '../engine/status/status.ts'
import { type GroupLimits, GroupSync } from '../engine/sync/groups.ts'
import { firstDifference } from '../engine/verify/first-difference.ts'
import { recordCodec } from '../kafka/records.ts'
import { findKdrError } from '../model/errors.ts'
import { compilePatterns } from '../model/patterns.ts'
import type { Cluster } from '../ports/cluster.ts'
import type { Log } from '../ports/log.ts'
import { openTopicStore } from '../state/topic-store.ts'
import { clusterOf, openBoth, openCluster } from './clusters.ts'
import { follow } from './follow.ts'
import { positionsOf } from './position.ts'
import { type LinkRights, rightsOf } from './rights.ts'
import { systemClock, systemEntropy } from './system.ts'

type StartOptions = {
  readonly log: Log
  readonly isAlone: boolean
  /** Other than those of the product: for tests, which do not wait an hour. */
  readonly groupLimits?: GroupLimits | undefined
}

/**
 * `isAlone`: shares the link with no other kdr. Throws KdrError: unreachable, not-allowed, cluster-lacks, wrong-cluster; when
 * alone also other-controller.
 */
export async function startLink(
  config: Config,
  link: LinkConfig,
  { log, isAlone, groupLimits }: StartOptions,
): Promise<RunningLink> {
  const closers: (() => Promise<void>)[] = []
  const closeAll = async (): Promise<void> => {
    for (const close of closers.toReversed()) await close()
  }
  try {
    const { source, target } = await openBoth(config, link, systemClock)
    closers.push(async () => void (await Promise.all([source.close(), target.close()])))
    // Before anything is made there.
    const [sourceView, targetView] = await Promise.all([source.describe(), target.describe()])
    assertTwoClusters({ name: source.name, view: sourceView }, { name: target.name, view: targetView })
    const upstream = await upstreamOf(link, source, {
      source: { name: source.name, clusterId: sourceView.clusterId },
      target: { name: target.name, clusterId: targetView.clusterId },
    })
    const store = await openTopicStore(target, recordCodec, systemClock, {
      create: true,
      writer: systemEntropy.bits62(),
    })
    closers.push(async () => await store.close())
    const replication = await startReplication({
      settings: link,
      source,
      target,
      store,
      upstream,
      codec: recordCodec,
      clock: systemClock,
      entropy: systemEntropy,
      log,
      isAlone,
      firstDifference: async topic =>
        await firstDifference({ source, target, codec: recordCodec, clock: systemClock }, topic),
    })
    closers.push(async () => await replication.stop())
    const rights = await rightsOf(config, link, replication.context, log)
    // Closed after the replication, whose end stops what follows.
    closers.splice(-1, 0, async () => await rights.close())
    return running(link, { replication, rights }, closeAll, { log, groupLimits })
  } catch (error) {
    await closeAll()
    throw error
  }
}

/** Throws KdrError: see assertNoCircle. Where kdr may not read the source's memory, there is nothing to hold it against. */
async function upstreamOf(
  link: LinkConfig,
  source: Cluster,
  sides: Pick<CircleInput, 'source' | 'target'>,
): Promise<string[]> {
  const filter = compilePatterns(link.topics, 'topics')
  const store = await openTopicStore(source, recordCodec, systemClock, {
    create: false,
    writer: systemEntropy.bits62(),
  })
  try {
    await store.refresh()
    return assertNoCircle(store, {
      ...sides,
      link: link.name,
      isWanted: topic => filter.matches(topic),
    })
  } catch (error) {
    if (findKdrError(error)?.code === 'not-allowed') return []
    throw error
  } finally {
    await store.close()
  }
}

function running(
  link: LinkConfig,
  { replication, rights }: { readonly replication: Replication; readonly rights: LinkRights },
  closeAll: () => Promise<void>,
  { log, groupLimits }: Pick<StartOptions, 'log' | 'groupLimits'>,
): RunningLink {
  const { source, target, assertControl, store, lease } = replication.context
  const filter = compilePatterns(link.groups, 'groups')
  const groups = new GroupSync({
    source,
    target,
    isWanted: group => filter.matches(group),
    positions: () => positionsOf(replication),
    assertControl,
    link: link.name,
    store,
    mayStill: () => lease.isHeld,
    clock: systemClock,
    log,
    limits: groupLimits,
  })
  return {
    link,
    progress: () => replication.progress(),
    failed: replication.failed,
    once: async options => {
      const captured = await groups.capture()
      const result = await catchUp(replication, options)
      await replication.trimNow()
      await replication.syncConfigs()
      if (groups.isCovered(captured)) await groups.apply(captured)
      else
        log.event(
          'warn',
          'groups are left as they are: open transactions at the source hide records that their offsets may imply',
        )
      await followOnce(rights, replication, log)
      return { ...result, faulted: faultsOf(replication) }
    },
    follow: () => {
      const { groupsMs: everyMs } = link.sync
      const all = [
        {
          what: 'groups',
          everyMs,
          round: async (signal: AbortSignal) => await groups.round(signal),
          onElsewhere: () => groups.forget(),
        },
        ...rights.followings,
      ]
      for (const each of all) void follow(replication.context, log, each)
    },
    stop: closeAll,
  }
}

/** The data has been copied: what cannot be followed is said, and no reason to fail. */
async function followOnce({ followings }: LinkRights, { context }: Replication, log: Log): Promise<void> {
  for (const { what, round } of followings) {
    try {
      await round(context.signal)
    } catch (error) {
      const known = findKdrError(error)
      if (known === undefined) throw error
      log.event('warn', `${what} are not in step: ${known.message}`)
    }
  }
}

/** Throws KdrError('unreachable') when the target does not answer: what is known about a link is kept there. */
export async function readLinkStatus(config: Config, link: LinkConfig): Promise<LinkStatus> {
  const target = await openCluster(clusterOf(config, link.target), systemClock)
  let source: Cluster | undefined
  let sourceProblem: string | undefined
  try {
    source = await openCluster(clusterOf(config, link.source), systemClock).catch((error: unknown) => {
      const known = findKdrError(error)
      if (known?.code !== 'unreachable') throw error
      sourceProblem = known.message
      return undefined
    })
    const store = await openTopicStore(target, recordCodec, systemClock, {
      create: false,
      writer: systemEntropy.bits62(),
    })
    try {
      return await observeStatus({ settings: link, source, sourceProblem, target, store, clock: systemClock })
    } finally {
      await store.close()
    }
  } finally {
    await Promise.all([source?.close(), target.close()])
  }
}
