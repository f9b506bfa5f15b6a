// What one link, and one set, is made of, so that a config that is read again restarts only what it changes. The values of secrets,
// certificates and keys are no part of it: each new connection reads them again.

import type { ClusterConfig, Config, LinkConfig, MonitorConfig, SetConfig, VaultConfig } from './config.ts'
import { SecretRef } from './secrets.ts'

/** A link of a config, with all that it is started from. */
export type LinkSnapshot = {
  readonly config: Config
  readonly link: LinkConfig
  readonly clusters: readonly ClusterConfig[]
}

export function snapshotOf(config: Config, link: LinkConfig): LinkSnapshot {
  const clusters = [link.source, link.target].flatMap(name => config.clusters[name] ?? [])
  return { config, link, clusters }
}

/** A set of a config, with all that it is backed up by. */
export type SetSnapshot = {
  readonly config: Config
  readonly set: SetConfig
  readonly clusters: readonly ClusterConfig[]
  readonly vault: VaultConfig | undefined
}

export function snapshotOfSet(config: Config, set: SetConfig): SetSnapshot {
  const clusters = [set.cluster].flatMap(name => config.clusters[name] ?? [])
  return { config, set, clusters, vault: config.vaults[set.vault] }
}

export function isSameSet(a: SetSnapshot, b: SetSnapshot): boolean {
  return isSame([a.set, a.clusters, a.vault], [b.set, b.clusters, b.vault])
}

export function isSameLink(a: LinkSnapshot, b: LinkSnapshot): boolean {
  return isSame([a.link, a.clusters], [b.link, b.clusters])
}

/** What one cluster is watched by. */
export type WatchSnapshot = {
  readonly config: Config
  readonly cluster: ClusterConfig
  readonly monitor: Omit<MonitorConfig, 'checkMs'>
}

/** Of all clusters of the config. */
export function watchSnapshotsOf(config: Config): WatchSnapshot[] {
  const { checkMs: _checkMs, ...monitor } = config.monitor
  return Object.values(config.clusters).map(cluster => ({ config, cluster, monitor }))
}

export function isSameWatch(a: WatchSnapshot, b: WatchSnapshot): boolean {
  return isSame([a.cluster, a.monitor], [b.cluster, b.monitor])
}

/** Of plain values as the config holds them. */
function isSame(a: unknown, b: unknown): boolean {
  if (a instanceof SecretRef) return b instanceof SecretRef && a.isSameAs(b)
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return Object.is(a, b)
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...keys].every(key => isSame((a as Keyed)[key], (b as Keyed)[key]))
}

type Keyed = Readonly<Record<string, unknown>>
