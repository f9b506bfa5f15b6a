// What the steps of a run get: both clusters and their memories under the controller's guard, the world beside them, and what other
// engines do for a run.
import type { Config, LinkConfig } from '../config/index.ts'
import type { Returned, RunContext } from '../engine/runs/context.ts'
import type { Journal } from '../engine/runs/journal.ts'
import { recordCodec } from '../kafka/records.ts'
import { findKdrError } from '../model/errors.ts'
import type { RunKind, RunRecord, StepRecord } from '../model/runs.ts'
import type { Cluster } from '../ports/cluster.ts'
import type { StateStore } from '../ports/state.ts'
import { type Opened, storeOf } from './opened.ts'
import { commandsOf, factsOf, openWriterProbe, ownPrincipals, redirectsOf } from './outside.ts'
import { quietLog, runServices } from './run-services.ts'
import { systemClock, systemEntropy } from './system.ts'

export type Sides = {
  /** `source` is the active cluster, `target` the standby. */
  readonly link: LinkConfig
  readonly source: Cluster | undefined
  readonly target: Cluster
  readonly activeClusterId: string
  readonly standbyClusterId: string
  readonly generation: number
  readonly store: StateStore
}

export async function contextOf(
  opened: Opened,
  config: Config,
  {
    sides,
    record,
    journal,
    onStep,
    returned,
  }: {
    readonly sides: Sides
    readonly record: RunRecord
    readonly journal: Journal
    readonly onStep: (step: StepRecord) => void
    readonly returned?: Returned | undefined
  },
): Promise<RunContext> {
  const { link, source, target, store } = sides
  const { run } = record
  const facts = factsOf(config, record)
  const probe = await openWriterProbe(config, link, link.source)
  if (probe !== undefined) await opened.add(Promise.resolve(probe))
  return {
    record,
    options: record,
    settings: link,
    source,
    target,
    store: journal.guarding(store),
    sourceStore: await sourceStoreOf(opened, source, { journal, kind: record.kind }),
    clock: systemClock,
    entropy: systemEntropy,
    codec: recordCodec,
    log: quietLog,
    facts,
    commands: commandsOf(config),
    fence: link.fence,
    probe,
    consumers: link.consumers,
    redirects: redirectsOf(config, link),
    own: await ownPrincipals(config, link),
    dataOf: name => journal.dataOf(run, name),
    guard: journal.guard,
    claim: journal.number,
    progress: what => {
      const now = journal.steps(run).findLast(({ state }) => state === 'running')
      if (now !== undefined) onStep({ ...now, what })
    },
    services: runServices(config, {
      link,
      source,
      target,
      store: journal.guarding(store),
      guard: journal.guard,
      activeClusterId: sides.activeClusterId,
    }),
    returned,
  }
}

/** Undefined where kdr may not keep anything: the old active then does not know that it is one. */
async function sourceStoreOf(
  opened: Opened,
  source: Cluster | undefined,
  { journal, kind }: { readonly journal: Journal; readonly kind: RunKind },
): Promise<StateStore | undefined> {
  if (source === undefined) return undefined
  try {
    return journal.guarding(await opened.add(storeOf(source, { create: true })))
  } catch (error) {
    const code = findKdrError(error)?.code
    if (code === 'not-allowed' || (kind === 'failover' && code !== undefined)) return undefined
    throw error
  }
}
