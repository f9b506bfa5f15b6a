// A link that waits since a failover, as a failback and `kdr status` need it: where it was cut, what the cluster that has come back has
// beyond that, and where that can be exported to.
import { createHash } from 'node:crypto'
import type { Services } from '../cli/app.ts'
import type { Config, LinkConfig } from '../config/index.ts'
import type { ExportPlace, Returned } from '../engine/runs/context.ts'
import { observeReturn } from '../engine/runs/plan-return.ts'
import { reportOf, summaryOf } from '../engine/runs/report.ts'
import { observeTails } from '../engine/runs/tails.ts'
import { recordCodec } from '../kafka/records.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import { writeStep } from '../model/run-records.ts'
import type { Plan, RunRecord } from '../model/runs.ts'
import type { Stranded } from '../model/stranded.ts'
import type { Cluster } from '../ports/cluster.ts'
import type { ObjectStore } from '../ports/store.ts'
import type { StateStore } from '../ports/state.ts'
import { JOURNAL_TOPIC } from '../state/topic-store.ts'
import { openStore } from '../store/open.ts'
import { directionOf, turned } from './direction.ts'
import { type Opened, storeOf } from './opened.ts'
import { factsOf, openWriterProbe } from './outside.ts'
import type { Sides } from './run-context.ts'
import { type KnownRun, runsOf } from './run-history.ts'
import { systemClock, systemEntropy } from './system.ts'
import { storeOf as vaultStoreOf } from './vaults.ts'

/** Of all tails, for a status: who wants all of it asks for the plan. */
const STATUS_BYTES = 64 * 1024 * 1024

export const isAtHome: Services['isAtHome'] = async (config, link) => {
  const { isHome, record } = await directionOf(config, link)
  return isHome && record !== undefined && record.isWaiting !== true
}

/** Throws KdrError('not-ready') while the failover itself is not over. */
export async function findFailover(active: Cluster, run: string): Promise<KnownRun | undefined> {
  const found = (await runsOf(active)).find(({ record }) => record.run === run)
  if (found === undefined) return undefined
  const { link, kind, state } = found.record
  if (state === 'done') return found
  throw new KdrError('not-ready', `the failover that has moved link "${link}" is not over (run ${run})`, {
    hint: `Go on with it first: kdr ${kind} ${link} --resume ${run}`,
  })
}

type Cuts = {
  readonly failover: string
  readonly cuts: readonly { topic: string; partition: number; cut: number }[]
}

/** Where nothing says where it was cut, all is taken for other. */
function cutsOf(failover: string, known: KnownRun | undefined): Cuts {
  const data = known?.steps.find(({ name }) => name === 'fence-link')?.data
  return { failover, cuts: data !== undefined && 'cuts' in data ? data.cuts : [] }
}

export async function planReturn(
  opened: Opened,
  { link, source, target }: Sides,
  { failover, isHome }: { readonly failover: string; readonly isHome: boolean },
): Promise<Plan> {
  const active = thereIs(source, link.source)
  const runs = (await runsOf(target)).map(({ record, steps }) => summaryOf(reportOf(record, steps)))
  return await observeReturn({
    ...cutsOf(failover, await findFailover(active, failover)),
    settings: link,
    returned: target,
    active,
    store: await opened.add(storeOf(active, { create: false })),
    codec: recordCodec,
    clock: systemClock,
    isHome,
    runs,
  })
}

/** `link`: as it leads now. */
export async function returnedOf(
  opened: Opened,
  config: Config,
  { sides, record, after }: { readonly sides: Sides; readonly record: RunRecord; readonly after: string },
): Promise<Returned> {
  const { link } = sides
  const active = thereIs(sides.source, link.source)
  const known = await findFailover(active, after)
  const settings = turned(link)
  const probe = await openWriterProbe(config, settings, settings.source)
  if (probe !== undefined) await opened.add(Promise.resolve(probe))
  return {
    ...cutsOf(after, known),
    settings,
    facts: { ...factsOf(config, record), active: record.standby, standby: record.active },
    probe,
    told: toldOf(known),
    tellFailover: async found => {
      if (known === undefined) return
      const store = await opened.add(storeOf(active, { create: false, topic: JOURNAL_TOPIC }))
      await store.refresh()
      await writeStep(store, after, found, claimAbove(store, after))
    },
  }
}

function toldOf(known: KnownRun | undefined): Returned['told'] {
  const data = known?.steps.find(({ name }) => name === 'export')?.data
  return data !== undefined && 'stranded' in data && 'objects' in data ? data : undefined
}

/** Whatever was written of it before. */
function claimAbove(store: Pick<StateStore, 'entries'>, run: string): number {
  const claims = store
    .entries(`step/${run}/export/`)
    .map(([key]) => Number(key.slice(key.lastIndexOf('/') + 1)))
  return Math.max(0, ...claims) + 1
}

function thereIs(cluster: Cluster | undefined, name: string): Cluster {
  if (cluster !== undefined) return cluster
  throw new KdrError('unreachable', `"${name}" does not answer`)
}

/** Undefined: it cannot be told, as the cluster that was left does not answer. */
export async function strandedAt(
  opened: Opened,
  link: LinkConfig,
  { active, left, failover }: { readonly active: Cluster; readonly left: Cluster; readonly failover: string },
): Promise<Stranded | undefined> {
  try {
    const known = (await runsOf(active)).find(({ record }) => record.run === failover)
    const { stranded } = await observeTails({
      ...cutsOf(failover, known),
      link: link.name,
      topics: link.topics,
      returned: left,
      active,
      store: await opened.add(storeOf(active, { create: false })),
      codec: recordCodec,
      budgetBytes: STATUS_BYTES,
    })
    return { ...stranded, partitions: stranded.partitions.filter(({ state }) => state !== 'clean') }
  } catch (error) {
    const code = findKdrError(error)?.code
    if (code !== 'unreachable' && code !== 'not-allowed') throw error
    return undefined
  }
}

/** `to`: the URL of a folder, or `vault:NAME`. Throws KdrError('usage') for a vault that the config does not have. */
export function openExport(config: Config, to: string): ExportPlace {
  const { store, prefix } = exportStore(config, to)
  return {
    name: nameOf(store, prefix),
    put: async (object, body) => {
      const hash = createHash('sha256')
      for (const piece of body) hash.update(piece)
      await store.put(`${prefix}${object}`, body)
      return hash.digest('hex')
    },
    sizeOf: async object => (await store.head(`${prefix}${object}`))?.bytes,
    read: async object => await store.get(`${prefix}${object}`),
  }
}

export function exportStore(
  config: Config,
  to: string,
): { readonly store: ObjectStore; readonly prefix: string } {
  const vault = /^vault:(.+)$/.exec(to)?.[1]
  if (vault !== undefined) return { store: vaultStoreOf(config, vault), prefix: 'stranded/' }
  return { store: openStore({ url: to }, () => systemEntropy.uuid()), prefix: '' }
}

function nameOf({ name }: ObjectStore, prefix: string): string {
  const place = name.startsWith('file://') ? decodeURIComponent(name.slice('file://'.length)) : name
  return prefix === '' ? place : `${place}/${prefix.slice(0, -1)}`
}
