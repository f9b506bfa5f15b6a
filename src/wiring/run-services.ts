// What the other engines do for a run: a worker of this process where none lives, groups and rights once, what was held back.
import type { ClusterConfig, Config, LinkConfig } from '../config/index.ts'
import type { HeldPartition, RunServices } from '../engine/runs/context.ts'
import { GroupSync } from '../engine/sync/groups.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import { compilePatterns } from '../model/patterns.ts'
import type { Cluster } from '../ports/cluster.ts'
import type { Log } from '../ports/log.ts'
import type { StateStore } from '../ports/state.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { openExport } from './failback.ts'
import { startDirected } from './links.ts'
import { rightsOf, stillMirrors } from './rights.ts'
import { systemClock } from './system.ts'

/** What a run says stands in its steps. */
export const quietLog: Log = { event: () => undefined }

export type ServicesInput = {
  readonly link: LinkConfig
  readonly source: Cluster | undefined
  readonly target: Cluster
  readonly store: StateStore
  readonly guard: () => Promise<void>
  readonly activeClusterId: string
}

export function runServices(config: Config, input: ServicesInput): RunServices {
  const { link, source, target, store, guard, activeClusterId } = input
  const sourceClusterId = (): string => activeClusterId
  const there = (): Cluster => {
    if (source !== undefined) return source
    throw new KdrError('unreachable', `"${link.source}" does not answer`)
  }
  return {
    openExport: to => openExport(config, to),
    startCopying: async () => await startDirected(config, link, { log: quietLog, isAlone: false }),
    isActiveBack: async () => await isBack(clusterOf(config, link.source), activeClusterId),
    syncGroups: async positions => await syncGroups(input, there(), positions),
    syncRights: async () => {
      const rights = await rightsOf(config, link, {
        ...input,
        source: there(),
        hasSourceState: () => true,
        sourceClusterId,
        log: quietLog,
      })
      try {
        for (const { round } of rights.followings) await round(new AbortController().signal)
      } finally {
        await rights.close()
      }
    },
    releaseRights: async () => {
      // The source is not asked.
      const side = source ?? target
      const rights = await rightsOf(config, link, {
        ...input,
        source: side,
        hasSourceState: () => false,
        sourceClusterId,
        log: quietLog,
      })
      try {
        const released = await rights.acls.release(stillMirrors(config, link, store))
        return released.length
      } finally {
        await rights.close()
      }
    },
  }

  async function syncGroups(
    of: ServicesInput,
    from: Cluster,
    positions: readonly HeldPartition[],
  ): Promise<boolean> {
    const filter = compilePatterns(of.link.groups, 'groups')
    const groups = new GroupSync({
      source: from,
      target: of.target,
      isWanted: group => filter.matches(group),
      positions: () =>
        positions.map(({ topic, partition, topicId, logStart, logEnd }) => ({
          topic,
          partition,
          topicId,
          logStart,
          cursor: logEnd,
          isAnchored: true,
          isStopped: false,
        })),
      assertControl: guard,
      link: of.link.name,
      store: of.store,
      mayStill: () => true,
      clock: systemClock,
      log: quietLog,
      limits: undefined,
    })
    const captured = await groups.capture()
    return groups.isCovered(captured) && (await groups.apply(captured))
  }
}

const BACK_WITHIN_MS = 2_000

/** A cluster that does not answer within a short while is not back. */
async function isBack(cluster: ClusterConfig, clusterId: string): Promise<boolean> {
  const opening = openCluster(cluster, systemClock).then(async opened => {
    try {
      return (await opened.describe()).clusterId === clusterId
    } finally {
      await opened.close()
    }
  })
  const inTime = new AbortController()
  try {
    return await Promise.race([opening, systemClock.sleep(BACK_WITHIN_MS, inTime.signal).then(() => false)])
  } catch (error) {
    if (findKdrError(error) === undefined) throw error
    return false
  } finally {
    inTime.abort()
    opening.catch(() => undefined)
  }
}
