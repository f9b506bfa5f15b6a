// Which way a link leads now. The config names the home direction and is never changed; a promotion turns the link around. Both
// clusters keep a record of it, and the higher generation is the truth: one that was away does not know yet.
import type { Config, LinkConfig } from '../config/index.ts'
import { recordCodec } from '../kafka/records.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import type { RunKind } from '../model/runs.ts'
import { type LinkRecord, readLink } from '../model/state-records.ts'
import type { Cluster } from '../ports/cluster.ts'
import { openTopicStore } from '../state/topic-store.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { systemClock, systemEntropy } from './system.ts'

export type Direction = {
  /** `source` is the active cluster, `target` the standby. */
  readonly link: LinkConfig
  readonly isHome: boolean
  /** Undefined: it has never run, as far as is known. */
  readonly record: LinkRecord | undefined
  /** Names of clusters that keep an older record: they were away. */
  readonly stale: readonly string[]
  /** What clusters remember of it and kdr may not read, with the reason. */
  readonly unread: readonly { readonly cluster: string; readonly why: string }[]
}

/** Clusters that do not answer, or may not be read, are not counted. */
export async function directionOf(config: Config, link: LinkConfig): Promise<Direction> {
  const sides = await Promise.all(
    [link.source, link.target].map(async name => await lookAt(config, link, name)),
  )
  return directionBy(link, sides)
}

/** The same of clusters that are open; undefined: it does not answer. */
export async function directionAmong(
  link: LinkConfig,
  { source, target }: { readonly source: Cluster | undefined; readonly target: Cluster | undefined },
): Promise<Direction> {
  const sides = await Promise.all(
    [source, target].map(async cluster => cluster && (await sideOf(cluster, link.name))),
  )
  return directionBy(link, sides)
}

/**
 * A link that follows a third cluster fails over when that is lost, and home to it; a switchover is not made for it. Whoever was to lead a
 * link home, and stood still until somebody else had, would lead it away again. `link`: as the config has it. Throws
 * KdrError('not-available' | 'not-ready').
 */
export function assertMovable(direction: Direction, link: LinkConfig, kind: RunKind): void {
  const { isHome, record } = direction
  if (kind === 'failback' && isHome && record !== undefined && record.isWaiting !== true)
    throw new KdrError('not-ready', `link "${link.name}" is home by now; nothing was changed`, {
      hint: `See: kdr status --link ${link.name}`,
    })
  const { source: active } = direction.link
  if (active === link.source || active === link.target || kind === 'failover') return
  throw new KdrError(
    'not-available',
    `link "${link.name}" copies from "${active}" by now: a ${kind} is not available before it copies from "${link.source}" again`,
    {
      hint: `When "${link.source}" is active: kdr link follow ${link.name} ${link.source}. When "${active}" is lost: kdr failover ${link.name}`,
    },
  )
}

function directionBy(link: LinkConfig, sides: readonly (Side | undefined)[]): Direction {
  const known = sides.flatMap(side => (side?.record === undefined ? [] : [{ ...side, record: side.record }]))
  const newest = known.toSorted((a, b) => b.record.generation - a.record.generation)[0]?.record
  const stale = known
    .filter(({ record }) => record.generation < (newest?.generation ?? 0))
    .map(({ name }) => name)
  const unread = sides.flatMap(side =>
    side?.unread === undefined ? [] : [{ cluster: side.name, why: side.unread }],
  )
  // A second standby follows whoever is active by now (kdr link follow).
  if (newest?.source !== undefined && newest.source !== link.source)
    return { link: ledAs(link, newest.source, link.target), isHome: false, record: newest, stale, unread }
  if (newest?.target !== undefined)
    return { link: ledAs(link, link.target, newest.target), isHome: false, record: newest, stale, unread }
  const isHome = newest === undefined || !isTurned(newest, sides)
  return { link: isHome ? link : turned(link), isHome, record: newest, stale, unread }
}

/** The link between these two, one of which may be none of the config's. */
export function ledAs(link: LinkConfig, active: string, standby: string): LinkConfig {
  return { ...(link.target === active ? turned(link) : link), source: active, target: standby }
}

/** The link in the other direction. */
export function turned(link: LinkConfig): LinkConfig {
  const principals = Object.fromEntries(Object.entries(link.principals).map(([from, to]) => [to, from]))
  return { ...link, source: link.target, target: link.source, principals, users: {} }
}

type Side = {
  readonly name: string
  readonly clusterId: string
  readonly record: LinkRecord | undefined
  readonly unread?: string
}

/** A first generation is home: where the clusters stand otherwise, their names in the config are wrong. */
function isTurned(record: LinkRecord, [source, target]: readonly (Side | undefined)[]): boolean {
  if (record.generation === 1) return false
  return record.sourceClusterId === target?.clusterId || record.targetClusterId === source?.clusterId
}

async function lookAt(config: Config, link: LinkConfig, name: string): Promise<Side | undefined> {
  const cluster = await openCluster(clusterOf(config, name), systemClock).catch(uncounted)
  try {
    return cluster && (await sideOf(cluster, link.name))
  } finally {
    await cluster?.close()
  }
}

async function sideOf(cluster: Cluster, link: string): Promise<Side | undefined> {
  try {
    const { clusterId } = await cluster.describe()
    return { name: cluster.name, clusterId, ...(await recordAt(cluster, link)) }
  } catch (error) {
    return uncounted(error)
  }
}

function uncounted(error: unknown): undefined {
  const code = findKdrError(error)?.code
  if (code !== 'unreachable' && code !== 'not-allowed') throw error
}

/** `record`: undefined where there is none, or kdr may not read it. */
async function recordAt(cluster: Cluster, link: string): Promise<Pick<Side, 'record' | 'unread'>> {
  const store = await openTopicStore(cluster, recordCodec, systemClock, {
    create: false,
    writer: systemEntropy.bits62(),
  })
  try {
    await store.refresh()
    return { record: readLink(store, link) }
  } catch (error) {
    const known = findKdrError(error)
    if (known?.code === 'not-allowed') return { record: undefined, unread: known.message }
    throw error
  } finally {
    await store.close()
  }
}

/** Throws KdrError('moved') for what only makes sense in the home direction, or while it is copied. */
export function assertCopied({ link, record }: Direction): void {
  if (record?.isWaiting !== true) return
  throw new KdrError(
    'moved',
    `link "${link.name}" was moved by a failover (run ${record.run ?? ''}): nothing is copied`,
    {
      hint: `When the old active is back: kdr failback ${link.name}`,
    },
  )
}
