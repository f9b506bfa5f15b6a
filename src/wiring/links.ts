// Links of the config as running things: connects both clusters, opens the state, starts the engines, and hands
// commands what they show. One file composes them; the engines do not know each other.
import type { RunningLink } from '../cli/app.ts'
import type { Config, LinkConfig } from '../config/index.ts'
import { assertNoCircle, type CircleInput } from '../engine/replicate/circle.ts'
import { assertTwoClusters } from '../engine/replicate/identity.ts'
import { catchUp, faultsOf } from '../engine/replicate/once.ts'
import type { Replication } from '../engine/replicate/replication.ts'
import { startReplication } from '../engine/replicate/start.ts'
import { darkStatus } from '../engine/status/dark.ts'
import { observePromoted } from '../engine/status/promoted.ts'
import { type LinkStatus, observeStatus } from '../engine/status/status.ts'
import { type GroupLimits, GroupSync } from '../engine/sync/groups.ts'
import { firstDifference } from '../engine/verify/first-difference.ts'
import { gentle } from '../kafka/gentle.ts'
import { measured, TrafficMeter } from '../kafka/measured.ts'
import { recordCodec } from '../kafka/records.ts'
import { alertsKey, readAlerts } from '../model/alerts.ts'
import { findKdrError } from '../model/errors.ts'
import { objectiveDayKey, readObjectiveDays } from '../model/objective-days.ts'
import { compilePatterns } from '../model/patterns.ts'
import { type LinkRecord, linkKey, readLink, toRecord } from '../model/state-records.ts'
import type { Cluster } from '../ports/cluster.ts'
import type { Log } from '../ports/log.ts'
import type { StateStore } from '../ports/state.ts'
import { openTopicStore, STATE_TOPIC } from '../state/topic-store.ts'
import { clusterOf, openBoth, openCluster } from './clusters.ts'
import { assertCopied, type Direction, directionOf } from './direction.ts'
import { follow } from './follow.ts'
import { strandedAt } from './failback.ts'
import { factsOf, type LinkMeters, viewOf } from './link-facts.ts'
import { logAbout } from './log-about.ts'
import { assertMemory } from './memory.ts'
import { withStore } from './open-link.ts'
import { ifReachable, Opened } from './opened.ts'
import { positionsOf } from './position.ts'
import { type LinkRights, rightsOf } from './rights.ts'
import { gentleTo } from './slow-brokers.ts'
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
  options: StartOptions,
): Promise<RunningLink> {
  const direction = await directionOf(config, link)
  assertCopied(direction)
  if (!direction.isHome)
    options.log.event(
      'info',
      `link "${link.name}" leads from "${direction.link.source}" to "${direction.link.target}" since generation ${direction.record?.generation ?? 0}`,
      { link: link.name },
    )
  return await startDirected(config, direction.link, options)
}

/** `link` as it leads now. Throws as startLink does. */
export async function startDirected(
  config: Config,
  link: LinkConfig,
  { log: anyLog, isAlone, groupLimits }: StartOptions,
): Promise<RunningLink> {
  const log = logAbout(anyLog, { link: link.name })
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
    const meters = {
      source: new TrafficMeter(source.name, systemClock),
      target: new TrafficMeter(target.name, systemClock),
    }
    await assertMemory(target, clusterOf(config, link.target).bootstrap)
    const replication = await startReplication({
      settings: link,
      source: gentle(measured(source, meters.source), gentleTo(link, meters.source, log)),
      target: measured(target, meters.target),
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
    await tellSource(link, source, store, log)
    const { sourceWatch, assertControl, lease } = replication.context
    const rights = await rightsOf(config, link, {
      source,
      target,
      store,
      guard: assertControl,
      mayStill: () => lease.isHeld,
      sourceClusterId: () => sourceWatch.view?.clusterId,
      hasSourceState: () => sourceWatch.topic(STATE_TOPIC) !== undefined,
      log,
    })
    // Closed after the replication, whose end stops what follows.
    closers.splice(-1, 0, async () => await rights.close())
    return running(link, { replication, rights, meters }, closeAll, { log, groupLimits })
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

/**
 * Both clusters keep which way the link leads (DESIGN 3). Where kdr may keep nothing at the source, that is no reason not to copy:
 * a source that comes back after a failover then does not know that it was left.
 */
async function tellSource(link: LinkConfig, source: Cluster, store: StateStore, log: Log): Promise<void> {
  const record = readLink(store, link.name)
  try {
    await withStore(source, true, async copy => {
      const before = readLink(copy, link.name)
      if (record !== undefined && (before?.generation ?? 0) < record.generation)
        await copy.put(linkKey(link.name), toRecord('link', record))
    })
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined) throw error
    log.event(
      'info',
      `link "${link.name}": which way it leads is kept at "${link.target}" alone: ${known.message}`,
    )
  }
}

function running(
  link: LinkConfig,
  {
    replication,
    rights,
    meters,
  }: { readonly replication: Replication; readonly rights: LinkRights; readonly meters: LinkMeters },
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
    facts: () => factsOf(replication, meters),
    view: () => viewOf(replication),
    alerts: () => readAlerts(store, link.name),
    keepAlerts: async alerts =>
      await store.put(alertsKey(link.name), toRecord('alerts', { alerts }), () => lease.isHeld),
    objectiveDays: () => readObjectiveDays(store, link.name),
    keepObjectiveDay: async (day, record) =>
      await store.put(
        objectiveDayKey(link.name, day),
        record && toRecord('objective-day', record),
        () => lease.isHeld,
      ),
    failed: replication.failed,
    movedAway: replication.movedAway,
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
        rights.guarding,
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

/** Never ends for a cluster that cannot be reached: then the status says so. */
export async function readLinkStatus(config: Config, of: LinkConfig): Promise<LinkStatus> {
  const direction = await directionOf(config, of)
  const { link, record } = direction
  if (record?.isWaiting === true) return await readPromoted(config, { ...direction, record })
  const [source, target] = await Promise.all([
    openIfThere(config, link.source),
    openIfThere(config, link.target),
  ])
  const dark = (problem: string): LinkStatus =>
    darkStatus({
      ...direction,
      settings: link,
      isSourceThere: typeof source !== 'string',
      problem,
      clock: systemClock,
    })
  try {
    return typeof target === 'string' ? dark(target) : await readMirroring(direction, source, target)
  } catch (error) {
    const known = findKdrError(error)
    if (known?.code !== 'unreachable') throw error
    return dark(known.message)
  } finally {
    for (const side of [source, target]) if (typeof side !== 'string') await side.close()
  }
}

async function readMirroring(
  { link, isHome, stale }: Direction,
  source: Cluster | string,
  target: Cluster,
): Promise<LinkStatus> {
  return await withStore(
    target,
    false,
    async store =>
      await observeStatus({
        settings: link,
        isHome,
        stale,
        ...(typeof source === 'string'
          ? { source: undefined, sourceProblem: source }
          : { source, sourceProblem: undefined }),
        target,
        store,
        clock: systemClock,
      }),
  )
}

/** Or why it cannot be reached. */
async function openIfThere(config: Config, name: string): Promise<Cluster | string> {
  try {
    return await openCluster(clusterOf(config, name), systemClock)
  } catch (error) {
    const known = findKdrError(error)
    if (known?.code !== 'unreachable') throw error
    return known.message
  }
}

async function readPromoted(
  config: Config,
  { link, isHome, stale, record }: Direction & { readonly record: LinkRecord },
): Promise<LinkStatus> {
  const opened = new Opened()
  try {
    const active = await opened.add(openCluster(clusterOf(config, link.source), systemClock))
    const left = await ifReachable(opened.add(openCluster(clusterOf(config, link.target), systemClock)))
    const failover = record.run ?? ''
    const stranded = left && (await strandedAt(opened, link, { active, left, failover }))
    return await withStore(
      active,
      false,
      async store =>
        await observePromoted({
          settings: link,
          isHome,
          stale,
          record,
          active,
          store,
          stranded,
          clock: systemClock,
        }),
    )
  } finally {
    await opened.close()
  }
}
