// Runs of all links, as the journals of the clusters that answer have them.
import type { Services } from '../cli/app.ts'
import type { Config } from '../config/index.ts'
import { reportOf, summaryOf } from '../engine/runs/report.ts'
import { KdrError } from '../model/errors.ts'
import { readRuns, readSteps } from '../model/run-records.ts'
import type { RunRecord, StepRecord } from '../model/runs.ts'
import type { Cluster } from '../ports/cluster.ts'
import { JOURNAL_TOPIC } from '../state/topic-store.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { ifReachable, Opened, storeOf } from './opened.ts'
import { systemClock } from './system.ts'

export type KnownRun = { readonly record: RunRecord; readonly steps: readonly StepRecord[] }

export const listRuns: Services['listRuns'] = async (config, onSilent) =>
  (await allRuns(config, onSilent))
    .map(({ record, steps }) => summaryOf(reportOf(record, steps)))
    .toSorted((a, b) => (a.startedAt < b.startedAt ? 1 : -1))

export const readRun: Services['readRun'] = async (config, run) => {
  const { record, steps } = await findRun(config, run)
  return reportOf(record, steps)
}

/** Throws KdrError: usage when no cluster that answers knows it. */
export async function findRun(config: Config, run: string): Promise<KnownRun> {
  const looks = clusterNames(config).map(async name =>
    (await runsAt(config, name)).find(({ record }) => record.run === run),
  )
  const found = await firstFound(looks)
  if (found !== undefined) return found
  throw new KdrError('usage', `there is no run "${run}" in the journal of any cluster that answers`, {
    hint: 'See: kdr runs list',
  })
}

/**
 * A failback that has exported what a failover had left behind, by its own id; by that of the failover all, newest first: one that was given
 * up may have deleted a part of it.
 */
export async function findExports(config: Config, run: string): Promise<[RunRecord, ...RunRecord[]]> {
  const runs = await allRuns(config)
  const hasExported = ({ steps }: KnownRun): boolean =>
    steps.some(({ name, data }) => name === 'export' && data !== undefined && 'location' in data)
  const found = runs
    .filter(({ record }) => record.kind === 'failback' && (record.run === run || record.after === run))
    .toSorted((a, b) => b.record.startedAt - a.record.startedAt)
  const [newest, ...older] = found.filter(hasExported).map(({ record }) => record)
  if (newest !== undefined) return [newest, ...older]
  throw new KdrError('usage', `no run "${run}" has exported stranded records`, {
    hint: 'See: kdr runs list. A failback that has found some says so: kdr runs show RUN',
  })
}

/** Of all clusters that answer: a run is kept where it has made a cluster active. */
async function allRuns(config: Config, onSilent?: (cluster: string) => void): Promise<KnownRun[]> {
  const looks = clusterNames(config).map(async name => await runsAt(config, name, () => onSilent?.(name)))
  return (await Promise.all(looks)).flat()
}

function clusterNames(config: Config): string[] {
  return [...new Set(Object.values(config.links).flatMap(({ source, target }) => [source, target]))]
}

async function runsAt(config: Config, name: string, onSilent?: () => void): Promise<KnownRun[]> {
  const opened = new Opened()
  try {
    const cluster = await ifReachable(opened.add(openCluster(clusterOf(config, name), systemClock)))
    if (cluster !== undefined) return await runsOf(cluster)
    onSilent?.()
    return []
  } finally {
    await opened.close()
  }
}

/** Of a cluster that is open. */
export async function runsOf(cluster: Cluster): Promise<KnownRun[]> {
  const opened = new Opened()
  try {
    const store = await opened.add(storeOf(cluster, { create: false, topic: JOURNAL_TOPIC }))
    await store.refresh()
    return readRuns(store).map(record => ({ record, steps: readSteps(store, record.run) }))
  } finally {
    await opened.close()
  }
}

/** Throws KdrError. */
export const hasRunning = async (cluster: Cluster): Promise<boolean> =>
  (await runsOf(cluster)).some(({ record }) => record.state === 'running')

/** Does not wait for those that keep silent, or fail, once one has found it. Throws the first failure if none has. */
export async function firstFound<T>(looks: readonly Promise<T | undefined>[]): Promise<T | undefined> {
  const all = Promise.allSettled(looks).then(ended => {
    const found = ended.find(one => one.status === 'fulfilled' && one.value !== undefined)
    if (found?.status === 'fulfilled') return found.value
    const failed = ended.find(one => one.status === 'rejected')
    if (failed !== undefined) throw failed.reason
    return undefined
  })
  const first = new Promise<T>(resolve => {
    for (const look of looks) look.then(one => one !== undefined && resolve(one)).catch(() => undefined)
  })
  return await Promise.race([first, all])
}
