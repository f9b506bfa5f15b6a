// What one link, and one set, is made of, so that a config that is read again restarts only what it changes.

import type { ClusterConfig, Config, LinkConfig, SetConfig, VaultConfig } from './config.ts'
import { SecretRef } from './secrets.ts'

/** A link of a config, with all that it is started from. */
export type LinkSnapshot = {
  readonly config: Config
  readonly link: LinkConfig
  readonly clusters: readonly ClusterConfig[]
  /** The certificates and keys as they are now: a connection reads them once. Passwords are read at each login. */
  readonly pems: readonly string[]
}

/** Throws KdrError('config-invalid') when a certificate cannot be read. */
export async function snapshotOf(config: Config, link: LinkConfig): Promise<LinkSnapshot> {
  const clusters = [link.source, link.target].flatMap(name => config.clusters[name] ?? [])
  return { config, link, clusters, pems: await pemsOf(clusters) }
}

async function pemsOf(clusters: readonly ClusterConfig[]): Promise<string[]> {
  const pems = clusters.flatMap(({ tls }) =>
    [tls?.ca, tls?.cert, tls?.key].filter(each => each !== undefined),
  )
  return await Promise.all(pems.map(async pem => await pem.read()))
}

/** A set of a config, with all that it is backed up by. */
export type SetSnapshot = {
  readonly config: Config
  readonly set: SetConfig
  readonly clusters: readonly ClusterConfig[]
  readonly vault: VaultConfig | undefined
  readonly pems: readonly string[]
}

/** Throws KdrError('config-invalid') when a certificate cannot be read. */
export async function snapshotOfSet(config: Config, set: SetConfig): Promise<SetSnapshot> {
  const clusters = [set.cluster].flatMap(name => config.clusters[name] ?? [])
  return { config, set, clusters, vault: config.vaults[set.vault], pems: await pemsOf(clusters) }
}

export function isSameSet(a: SetSnapshot, b: SetSnapshot): boolean {
  return isSame([a.set, a.clusters, a.vault, a.pems], [b.set, b.clusters, b.vault, b.pems])
}

export function isSameLink(a: LinkSnapshot, b: LinkSnapshot): boolean {
  return isSame([a.link, a.clusters, a.pems], [b.link, b.clusters, b.pems])
}

/** Of plain values as the config holds them. */
function isSame(a: unknown, b: unknown): boolean {
  if (a instanceof SecretRef) return b instanceof SecretRef && a.isSameAs(b)
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null) return Object.is(a, b)
  const keys = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...keys].every(key => isSame((a as Keyed)[key], (b as Keyed)[key]))
}

type Keyed = Readonly<Record<string, unknown>>
