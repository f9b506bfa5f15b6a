// Runs of single links for one controller of the world of plans, composed as wiring/runs.ts composes them: the real loop and the real
// journal, over small steps.
import type { LinkRun, LinkRunOf, Links } from '../../../src/engine/plans/world.ts'
import type { RunContext } from '../../../src/engine/runs/context.ts'
import { Journal } from '../../../src/engine/runs/journal.ts'
import { assertNotMoved } from '../../../src/engine/runs/plan.ts'
import { reportOf } from '../../../src/engine/runs/report.ts'
import { executeRun } from '../../../src/engine/runs/run.ts'
import { recordCodec } from '../../../src/kafka/records.ts'
import { findKdrError, KdrError } from '../../../src/model/errors.ts'
import type { LinkSettings } from '../../../src/model/link-settings.ts'
import { readRuns, readSteps } from '../../../src/model/run-records.ts'
import {
  isPlanned,
  mayGiveUp,
  type RunKind,
  type RunRecord,
  type RunReport,
  type StepRecord,
} from '../../../src/model/runs.ts'
import { type LinkRecord, readLink } from '../../../src/model/state-records.ts'
import type { Clock } from '../../../src/ports/clock.ts'
import type { Cluster } from '../../../src/ports/cluster.ts'
import type { StateStore } from '../../../src/ports/state.ts'
import { JOURNAL_TOPIC, STATE_TOPIC } from '../../../src/state/topic-store.ts'
import { beating } from '../../../src/engine/runs/beating.ts'
import { type Hand, linkSteps, planOf } from './link-steps.ts'
import { idOf, type SimLink } from './world.ts'

type Known = { readonly record: RunRecord; readonly steps: readonly StepRecord[] }
type Sides = {
  readonly source: Cluster | undefined
  readonly target: Cluster
  readonly store: StateStore
}

export class LinkRuns implements Links {
  readonly #hand: Hand
  readonly #kind: RunKind
  readonly #takeOver: boolean
  readonly #clock: Clock
  /** Of the plan that they are a part of. */
  above: Journal | undefined
  #made = 0

  constructor(hand: Hand, { kind, takeOver }: { readonly kind: RunKind; readonly takeOver: boolean }) {
    this.#hand = hand
    this.#kind = kind
    this.#takeOver = takeOver
    this.#clock = hand.world.clockOf(hand.process)
  }

  async withRun<T>({ link, resume }: LinkRunOf, act: (run: LinkRun) => Promise<T>): Promise<T> {
    const known = resume === undefined ? undefined : await this.#find(resume)
    if (resume !== undefined && known === undefined)
      throw new KdrError('usage', `there is no run "${resume}"`)
    const record = known?.record ?? (await this.#newRecord(link))
    const sides = await this.#open(record)
    const of: SimLink = {
      ...this.#hand.world.links.get(link)!,
      active: record.active,
      standby: record.standby,
    }
    const plan = planOf(of, {
      kind: record.kind,
      isActiveThere: sides.source !== undefined,
      at: this.#clock.now(),
    })
    return await act({
      plan,
      report: reportOf(record, known?.steps ?? [], plan),
      execute: async onStep => await this.#execute({ record, sides, isNew: known === undefined, onStep }),
    })
  }

  async isAtHome(link: string): Promise<boolean> {
    return this.#leadsHome(link, await this.#now(link))
  }

  #leadsHome(link: string, now: LinkRecord): boolean {
    return now.sourceClusterId === idOf(this.#hand.world.links.get(link)!.source) && now.isWaiting !== true
  }

  async read(run: string): Promise<RunReport | undefined> {
    const known = await this.#find(run)
    return known && reportOf(known.record, known.steps)
  }

  /** As `kdr runs abort RUN`. */
  async giveUp(run: string): Promise<void> {
    const known = await this.#find(run)
    if (known === undefined) throw new KdrError('usage', `there is no run "${run}"`)
    const { record, steps } = known
    if (!mayGiveUp(record.kind, steps)) throw new KdrError('not-ready', 'it has gone too far')
    const sides = await this.#open(record)
    const { journal, stop } = await this.#claimed(record, sides)
    try {
      // As of now: another controller may have come further before this one had the claim.
      if (!mayGiveUp(record.kind, journal.steps(run))) throw new KdrError('not-ready', 'it has gone too far')
      await journal.guard()
      const { world, process } = this.#hand
      if (sides.source !== undefined)
        await world.networks.get(record.active)!.call(process, 'let applications go on', () => {
          world.links.get(record.link)!.isFenced = false
        })
      await journal.writeRun({ ...record, state: 'aborted', endedAt: this.#clock.now() })
    } finally {
      await stop()
    }
  }

  async #execute({
    record: planned,
    sides,
    isNew,
    onStep,
  }: {
    readonly record: RunRecord
    readonly sides: Sides
    readonly isNew: boolean
    readonly onStep: (step: StepRecord) => void
  }): Promise<RunReport> {
    const record = isNew ? { ...planned, startedAt: this.#clock.now() } : planned
    const { journal, stop } = await this.#claimed(record, sides)
    try {
      if (isNew) {
        await closeOpen(journal, record)
        await assertNotMoved({ record, store: sides.store })
      }
      const { record: ended } = await executeRun({
        context: await this.#context(record, sides, journal),
        journal,
        steps: linkSteps(this.#hand),
        clock: this.#clock,
        onStep,
      })
      return reportOf(ended, journal.steps(record.run))
    } finally {
      await stop()
    }
  }

  async #claimed(
    { link }: RunRecord,
    { target }: Sides,
  ): Promise<{ readonly journal: Journal; readonly stop: () => Promise<void> }> {
    const { world, process, name } = this.#hand
    const store = await world.openStore(process, target, JOURNAL_TOPIC)
    const journal = new Journal({
      store,
      clock: this.#clock,
      link,
      controller: name,
      by: name,
      above: this.above,
    })
    await journal.claim(this.#takeOver)
    const stopBeats = beating(journal, this.#clock)
    return {
      journal,
      stop: async () => {
        await stopBeats()
        await journal.release().catch(() => undefined)
      },
    }
  }

  async #newRecord(link: string): Promise<RunRecord> {
    const { name } = this.#hand
    const now = await this.#now(link)
    if (this.#kind !== 'failback' && now.isWaiting === true)
      throw new KdrError('moved', `link "${link}" was moved by a failover`)
    if (this.#kind === 'failback' && this.#leadsHome(link, now))
      throw new KdrError('not-ready', `link "${link}" is home by now`)
    const [active, standby] = [now.sourceClusterId, now.targetClusterId].map(id => id.slice('id-'.length))
    return {
      run: `${link}-${name}-${++this.#made}`,
      kind: this.#kind,
      link,
      active: active!,
      standby: standby!,
      activeClusterId: now.sourceClusterId,
      standbyClusterId: now.targetClusterId,
      generation: now.generation,
      state: 'planned',
      startedAt: this.#clock.now(),
      acceptSplitBrain: false,
      by: name,
      versions: { kdr: '0', node: '0' },
    }
  }

  /** What either side says; the higher generation is the truth. */
  async #now(link: string): Promise<LinkRecord> {
    const { world, process } = this.#hand
    const { source, target } = world.links.get(link)!
    const found = await Promise.all(
      [source, target].map(async name => {
        const cluster = await this.#ifThere(name)
        if (cluster === undefined) return undefined
        const store = await world.openStore(process, cluster, STATE_TOPIC)
        await store.refresh()
        return readLink(store, link)
      }),
    )
    const newest = found.filter(each => each !== undefined).toSorted((a, b) => b.generation - a.generation)[0]
    if (newest === undefined) throw new KdrError('unreachable', `neither side of link "${link}" answers`)
    return newest
  }

  async #open({ active, standby, kind }: RunRecord): Promise<Sides> {
    const { world, process } = this.#hand
    const source = await this.#ifThere(active)
    if (source === undefined && isPlanned(kind))
      throw new KdrError('unreachable', `"${active}" does not answer`)
    const target = world.port(process, standby)
    await target.describe()
    const store = await world.openStore(process, target, STATE_TOPIC)
    await store.refresh()
    return { source, target, store }
  }

  async #ifThere(name: string): Promise<Cluster | undefined> {
    const cluster = this.#hand.world.port(this.#hand.process, name)
    try {
      await cluster.describe()
      return cluster
    } catch (error) {
      if (findKdrError(error)?.code !== 'unreachable') throw error
      return undefined
    }
  }

  /** In the journals of the clusters that answer. */
  async #find(run: string): Promise<Known | undefined> {
    const { world, process } = this.#hand
    const looks = [...world.clusters.keys()].map(async name => {
      const cluster = await this.#ifThere(name)
      if (cluster === undefined) return undefined
      const store = await world.openStore(process, cluster, JOURNAL_TOPIC)
      await store.refresh()
      const record = readRuns(store).find(each => each.run === run)
      return record && { record, steps: readSteps(store, run) }
    })
    return (await Promise.all(looks)).find(each => each !== undefined)
  }

  async #context(record: RunRecord, { source, target, store }: Sides, journal: Journal): Promise<RunContext> {
    const { world, process } = this.#hand
    const unused = async (): Promise<never> => await Promise.reject(new Error('no step asks for this'))
    return {
      record,
      options: record,
      settings: settingsOf(record),
      source,
      target,
      store: journal.guarding(store),
      sourceStore:
        source === undefined
          ? undefined
          : journal.guarding(await world.openStore(process, source, STATE_TOPIC)),
      clock: this.#clock,
      entropy: { bits62: () => 0n, uuid: () => '', fraction: () => 0 },
      codec: recordCodec,
      log: { event: () => undefined },
      facts: { ...record, bootstrap: '' },
      commands: { run: unused },
      fence: { acl: false, command: undefined },
      probe: undefined,
      consumers: 'leave',
      redirects: [],
      own: new Set(),
      dataOf: name => journal.dataOf(record.run, name),
      guard: journal.guard,
      claim: journal.number,
      progress: () => undefined,
      services: {
        startCopying: unused,
        syncGroups: unused,
        isActiveBack: async () => await Promise.resolve(false),
        syncRights: unused,
        releaseRights: unused,
        openExport: () => {
          throw new Error('no step asks for this')
        },
      },
    }
  }
}

/** No step looks at more of it than its names. */
const settingsOf = ({ link, active, standby }: RunRecord): LinkSettings => ({
  name: link,
  source: active,
  target: standby,
  mode: 'exact',
  topics: ['*'],
  groups: ['*'],
  overrides: [],
  priorities: [],
  onSourceDelete: 'keep',
  largeGap: 'stop',
  onOverfilled: 'stop',
  maxBytesPerSecond: undefined,
  connectionsPerBroker: 1,
  sync: { configsMs: 30_000, aclsMs: 30_000, quotasMs: 30_000, groupsMs: 5_000 },
})

async function closeOpen(journal: Journal, { kind, link, run }: RunRecord): Promise<void> {
  const open = journal
    .runs()
    .find(each => each.link === link && (each.state === 'running' || each.state === 'stopped'))
  if (open === undefined) return
  if (kind === 'failover' && isPlanned(open.kind))
    return await journal.writeRun({ ...open, state: 'aborted', sentence: `in its place: ${run}` })
  throw new KdrError('not-ready', `run "${open.run}" of link "${link}" is not over`)
}
