// One cluster of a lab: what stands in the state file, and what can be done to its brokers while it is used.

import { join } from 'node:path'
import { KdrError } from '../model/errors.ts'
import { killBroker, startBroker, stopBroker } from './broker.ts'
import type { Progress } from './jars.ts'
import { pauseProcess, type ProcessMark, processState, resumeProcess } from './processes.ts'
import type { Security } from './properties.ts'
import { type BrokerRecord, type ClusterRecord, readState, recordProcess } from './state.ts'

export type BrokerView = {
  readonly id: number
  /** 0 when it has never run. */
  readonly pid: number
  readonly port: number
  readonly state: 'running' | 'paused' | 'stopped'
}

/** All ids default to every broker of the cluster. */
export interface LabCluster {
  readonly name: string
  readonly version: string
  readonly clusterId: string
  readonly security: Security
  /** `host:port,...`, the same for as long as the lab exists. */
  readonly bootstrap: string
  readonly brokers: readonly BrokerView[]
  /**
   * With `hasLines`: a listener of each broker that advertises another port, `localhost:advertisedPort`, where somebody must
   * pass bytes on to it (openLines). Who comes by that listener is led over the line.
   */
  readonly lines: readonly { readonly id: number; readonly port: number; readonly advertisedPort: number }[]
  /** `localhost:port,...` of one of the listeners that the cluster was started with. */
  listener(name: string): string
  /** Where a broker keeps its logs: a folder for each partition. */
  logDir(id: number): string
  /** SIGKILL; resolves when it is gone. */
  kill(id?: number): Promise<void>
  /** SIGTERM, with a controlled shutdown. */
  stop(id?: number): Promise<void>
  /** SIGSTOP: connections stay open and nobody answers. */
  pause(id?: number): Promise<void>
  resume(id?: number): Promise<void>
  /** Starts what does not run and resolves when it serves; does nothing to what runs. */
  start(id?: number): Promise<void>
}

/** Who watches what takes long. */
export type Watching = { readonly onProgress?: Progress; readonly signal?: AbortSignal }

/** A view of what the state file says; any process may have changed it meanwhile. */
export function clusterAt(dir: string, name: string, { onProgress, signal }: Watching): LabCluster {
  const record = () => recordOf(dir, name)
  const chosen = (id: number | undefined) => brokersOf(record(), id)
  const onEach = (act: (mark: ProcessMark) => Promise<void>) => async (id?: number) => {
    await Promise.all(chosen(id).flatMap(({ process: mark }) => (mark ? [act(mark)] : [])))
  }
  const first = record()
  const started = async (broker: BrokerRecord) => {
    if (stateOf(broker) === 'running') return
    if (broker.process && stateOf(broker) === 'paused') return resumeProcess(broker.process)
    await startBroker({
      name: `${name}/${broker.id}`,
      dir: nodeDir(dir, name, broker.id),
      distribution: { classPath: first.classPath, jvm: [] },
      jvm: first.jvm,
      signal,
      onSpawn: mark => recordProcess(dir, name, broker.id, mark),
    })
    const { brokers } = record()
    const running = brokers.filter(each => stateOf(each) === 'running').length
    onProgress?.(`${name}: broker ${broker.id} serves, ${running} of ${brokers.length} run`)
  }
  return {
    name,
    version: first.version,
    clusterId: first.clusterId,
    security: first.security,
    bootstrap: first.brokers.map(({ port }) => `127.0.0.1:${port}`).join(','),
    lines: first.brokers.flatMap(({ id, line }) => (line === undefined ? [] : [{ id, ...line }])),
    get brokers() {
      return record().brokers.map(broker => ({
        id: broker.id,
        pid: broker.process?.pid ?? 0,
        port: broker.port,
        state: stateOf(broker),
      }))
    },
    listener: wanted =>
      first.brokers
        .flatMap(({ listeners = [] }) => listeners.filter(each => each.name === wanted))
        .map(({ port }) => `localhost:${port}`)
        .join(','),
    logDir: id => join(nodeDir(dir, name, id), 'data'),
    kill: onEach(killBroker),
    stop: onEach(stopBroker),
    pause: onEach(pauseProcess),
    resume: onEach(resumeProcess),
    start: async id => {
      await allOf(chosen(id).map(started))
    },
  }
}

/** Waits for all before it throws the first failure, so that nothing is still being started behind the caller's back. */
export async function allOf(work: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(work)
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

function recordOf(dir: string, name: string): ClusterRecord {
  const found = readState(dir).clusters.find(cluster => cluster.name === name)
  if (found === undefined) throw new KdrError('usage', `the lab in "${dir}" has no cluster "${name}"`)
  return found
}

function brokersOf({ name, brokers }: ClusterRecord, id: number | undefined): readonly BrokerRecord[] {
  if (id === undefined) return brokers
  const found = brokers.filter(broker => broker.id === id)
  if (found.length > 0) return found
  throw new KdrError('usage', `the lab cluster "${name}" has no broker ${id}`, {
    hint: `It has ${brokers.map(broker => broker.id).join(', ')}.`,
  })
}

function stateOf({ process: mark }: BrokerRecord): BrokerView['state'] {
  const state = mark === undefined ? 'gone' : processState(mark)
  return state === 'gone' ? 'stopped' : state
}

export function nodeDir(dir: string, cluster: string, id: number): string {
  return join(dir, cluster, String(id))
}
