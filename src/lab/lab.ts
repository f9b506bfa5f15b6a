// Real Kafka clusters on this machine, for trying kdr out and for its tests, demo and benchmarks. All of a lab is in one
// folder. It starts and stops its own processes, by id, and never touches others.

import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { KdrError } from '../model/errors.ts'
import { DEFAULT_JVM, killBroker } from './broker.ts'
import { allOf, clusterAt, type LabCluster, nodeDir, type Watching } from './cluster.ts'
import { type Distribution, newClusterId, prepareDistribution, writeLogDir } from './distribution.ts'
import { guardLab, releaseLab } from './guard.ts'
import { ensureHolder } from './line-holder.ts'
import { findPort, findPorts } from './ports.ts'
import { brokerProperties, type ListenerProtocol, type Security, writeProperties } from './properties.ts'
import { type ClusterRecord, hasLab, processesOf, readState, removeFiles, writeState } from './state.ts'

export type { BrokerView, LabCluster } from './cluster.ts'
export { type Line, openLine, openLines } from './line.ts'
export { LAB_USERS, type Security } from './properties.ts'
export { DEFAULT_VERSION, isAtLeast, KNOWN_VERSIONS } from './versions.ts'
export { DEFAULT_JVM } from './broker.ts'

export type ClusterSpec = {
  readonly name: string
  /** `4.3.1`, or `4.3` for the newest known of these. Default: that of KAFKA_HOME, else DEFAULT_VERSION. */
  readonly version?: string | undefined
  /** 1 (default) to 3. */
  readonly brokers?: number | undefined
  /** More lines for server.properties; they win over the lab's own. */
  readonly properties?: Readonly<Record<string, string>>
  /** Of each broker, in their order. */
  readonly racks?: readonly string[]
  readonly security?: Security
  /** Each broker can be reached over a line too: see LabCluster.lines. */
  readonly hasLines?: boolean
  /** More listeners of each broker, by name; see LabCluster.listener. */
  readonly listeners?: Readonly<Record<string, ListenerProtocol>>
  /** JVM options instead of DEFAULT_JVM. */
  readonly jvm?: readonly string[]
}

/** Aborting `signal` kills everything started so far and removes what was written. */
export type LabOptions = Watching & {
  /** Made if need be. What the lab writes into it goes away with `down`. */
  readonly dir: string
  readonly clusters: readonly ClusterSpec[]
  /** `process` (default): the brokers are killed when this process ends. `down`: they stay until `down`. */
  readonly until?: 'process' | 'down'
  /** The script of kdr: a process of it holds the lines of the clusters that have some (line-holder.ts). */
  readonly holdsLines?: string
}

export interface Lab {
  readonly dir: string
  readonly clusters: readonly LabCluster[]
  /** Throws KdrError('usage') for a name that the lab does not have. */
  cluster(name: string): LabCluster
  /** Kills every broker and removes everything that the lab has written. */
  down(): Promise<void>
}

/** Resolves when every broker of every cluster serves. Throws KdrError('not-ready') with the end of a broker's log. */
export async function startLab(options: LabOptions): Promise<Lab> {
  const { clusters, onProgress, signal } = options
  const dir = resolve(options.dir)
  checkClusters(clusters)
  if (hasLab(dir)) {
    throw new KdrError('usage', `there is a lab in "${dir}" already`, {
      hint: `Stop it with \`kdr lab down --dir ${options.dir}\`, or name another folder with \`--dir\`.`,
    })
  }
  const fetching = { ...(onProgress && { onProgress }), ...(signal && { signal }) }
  const distributions = await prepareAll(clusters, version => prepareDistribution(version, fetching))
  const records = []
  for (const spec of clusters) records.push(await planCluster(spec, pick(distributions, spec.version)))
  signal?.throwIfAborted()

  await mkdir(dir, { recursive: true })
  const lines = options.holdsLines === undefined ? undefined : { port: await findPort() }
  writeState(dir, { v: 1, clusters: records, ...(lines && { lines }) })
  // Until it is up, in any case: a second Ctrl-C ends this process at once.
  guardLab(dir)
  const lab = labAt(dir, options)
  try {
    for (const [index, spec] of clusters.entries()) {
      const record = records[index]
      if (record === undefined) continue
      await writeCluster(dir, record, spec, pick(distributions, spec.version).template)
    }
    if (options.holdsLines !== undefined) await ensureHolder(dir, options.holdsLines)
    await allOf(lab.clusters.map(cluster => cluster.start()))
    if (options.until === 'down') releaseLab(dir)
    return lab
  } catch (error) {
    await lab.down()
    throw error
  }
}

/** A lab that another process has started. */
export function openLab(dir: string, options: Watching = {}): Lab {
  readState(dir)
  return labAt(resolve(dir), options)
}

function labAt(dir: string, options: Watching): Lab {
  const clusters = readState(dir).clusters.map(({ name }) => clusterAt(dir, name, options))
  return {
    dir,
    clusters,
    cluster(name) {
      const found = clusters.find(cluster => cluster.name === name)
      if (found !== undefined) return found
      const names = clusters.map(cluster => `"${cluster.name}"`).join(' and ')
      throw new KdrError('usage', `the lab has no cluster "${name}"`, { hint: `It has ${names}.` })
    },
    down: () => takeDown(dir),
  }
}

async function takeDown(dir: string): Promise<void> {
  if (hasLab(dir)) {
    await Promise.all(processesOf(readState(dir)).map(killBroker))
    removeFiles(dir)
  }
  releaseLab(dir)
}

async function planCluster(spec: ClusterSpec, distribution: Distribution): Promise<ClusterRecord> {
  const count = spec.brokers ?? 1
  const listeners = Object.entries(spec.listeners ?? {})
  const each = 4 + listeners.length
  const ports = await findPorts(count * each)
  const port = (index: number, which: number): number => ports[index * each + which] ?? 0
  return {
    name: spec.name,
    version: distribution.version,
    clusterId: newClusterId(),
    security: spec.security ?? 'none',
    classPath: distribution.classPath,
    jvm: [...(spec.jvm ?? DEFAULT_JVM), ...distribution.jvm],
    brokers: Array.from({ length: count }, (_, index) => ({
      id: index + 1,
      port: port(index, 0),
      controllerPort: port(index, 1),
      ...(spec.hasLines === true && { line: { port: port(index, 2), advertisedPort: port(index, 3) } }),
      ...(listeners.length > 0 && {
        listeners: listeners.map(([name, protocol], at) => ({ name, protocol, port: port(index, 4 + at) })),
      }),
    })),
  }
}

async function writeCluster(
  dir: string,
  record: ClusterRecord,
  spec: ClusterSpec,
  template: string,
): Promise<void> {
  for (const [index, node] of record.brokers.entries()) {
    const rack = spec.racks?.[index]
    const home = nodeDir(dir, record.name, node.id)
    const logDir = join(home, 'data')
    await writeLogDir(template, logDir, record.clusterId, node.id)
    const properties = brokerProperties({
      node,
      nodes: record.brokers,
      logDir,
      security: record.security,
      extra: { ...(rack !== undefined && { 'broker.rack': rack }), ...spec.properties },
    })
    await writeFile(join(home, 'server.properties'), writeProperties(properties))
  }
}

function checkClusters(clusters: readonly ClusterSpec[]): void {
  const seen = new Set<string>()
  for (const { name, brokers = 1 } of clusters) {
    if (!/^[a-z0-9][a-z0-9_-]*$/i.test(name)) {
      throw new KdrError('usage', `"${name}" cannot be the name of a lab cluster`, {
        hint: 'Use letters, digits, `-` and `_`, as in `east`.',
      })
    }
    if (seen.has(name)) throw new KdrError('usage', `the lab cluster "${name}" is named twice`)
    seen.add(name)
    if (!Number.isInteger(brokers) || brokers < 1 || brokers > 3)
      throw new KdrError('usage', `a lab cluster has 1 to 3 brokers, not "${brokers}"`)
  }
  if (seen.size === 0) throw new KdrError('usage', 'a lab needs at least one cluster')
}

/** Each version once, one after the other: the work is mostly that of JVMs that use every core. */
async function prepareAll(
  clusters: readonly ClusterSpec[],
  prepare: (version: string | undefined) => Promise<Distribution>,
): Promise<Map<string | undefined, Distribution>> {
  const made = new Map<string | undefined, Distribution>()
  for (const { version } of clusters) if (!made.has(version)) made.set(version, await prepare(version))
  return made
}

function pick(
  made: ReadonlyMap<string | undefined, Distribution>,
  version: string | undefined,
): Distribution {
  const found = made.get(version)
  if (found === undefined) throw new KdrError('not-ready', `Kafka "${version ?? 'default'}" is not prepared`)
  return found
}
