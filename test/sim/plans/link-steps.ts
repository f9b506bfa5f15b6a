// The steps of a run for a link of the world of plans: each as small as may be, with a call to a cluster where the real one has
// many. As the real ones they observe, act only where they must, and ask the guard before.
import type { RunContext, StepEnd } from '../../../src/engine/runs/context.ts'
import type { Steps } from '../../../src/engine/runs/run.ts'
import { InvariantViolation, KdrError } from '../../../src/model/errors.ts'
import { isPlanned, type Plan, type RunKind } from '../../../src/model/runs.ts'
import { type LinkRecord, linkKey, readLink, toRecord } from '../../../src/model/state-records.ts'
import { makePlan } from '../../support/runs.ts'
import type { SimProcess } from '../network.ts'
import type { PlanningWorld, SimLink } from './world.ts'

/** Who carries a run out. */
export type Hand = { readonly world: PlanningWorld; readonly process: SimProcess; readonly name: string }

export function planOf(
  { name, active, standby, end, held }: SimLink,
  {
    kind,
    isActiveThere,
    at,
  }: { readonly kind: RunKind; readonly isActiveThere: boolean; readonly at: number },
): Plan {
  const records = kind === 'failover' ? end - held : 0
  return makePlan({
    kind,
    link: name,
    active,
    standby,
    at,
    isActiveThere,
    groups: [],
    loss: {
      basis: isActiveThere ? 'exact' : 'estimate',
      records,
      ms: records,
      topics: [{ topic: name, records }],
      partitions: [{ topic: name, partition: 0, sourceEnd: end, mirrorEnd: held }],
    },
  })
}

export function linkSteps({ world, process, name }: Hand): Steps {
  const linkOf = ({ record }: RunContext): SimLink => world.links.get(record.link)!

  /** A call to one of its clusters; with `what` one that changes something. */
  const call = async <T>(
    context: RunContext,
    at: 'active' | 'standby',
    what: string,
    effect: () => T,
  ): Promise<T> => await world.networks.get(context.record[at])!.call(process, what, effect)
  const act = async (
    context: RunContext,
    at: 'active' | 'standby',
    { what, effect }: { readonly what: string; readonly effect: (link: SimLink) => void },
  ): Promise<void> => {
    const { link, run } = context.record
    await context.guard()
    if (!process.isKilled) world.acts.push({ by: name, run, link, what, at: world.clock.monotonic() })
    await call(context, at, what, () => effect(linkOf(context)))
  }
  const never = async (): Promise<never> => {
    await Promise.resolve()
    throw new InvariantViolation('no link waits here')
  }
  const nothing = async <T>(data: T) => await Promise.resolve({ what: '', data, isSkipped: true })
  const at = ({ record }: RunContext) => ({ topic: record.link, partition: 0 })

  return {
    'fence-returned': never,
    export: never,
    reverse: never,
    'catch-up': never,
    preflight: async context => {
      const { source, record, clock } = context
      const isActiveThere = source !== undefined
      if (isActiveThere) await call(context, 'active', 'look', () => undefined)
      return {
        what: 'it can move',
        data: planOf(linkOf(context), { kind: record.kind, isActiveThere, at: clock.now() }),
      }
    },
    'freeze-groups': async () => await nothing({ policy: 'leave', groups: [], denied: [] } as const),
    'fence-applications': async context => {
      if (context.source === undefined)
        return await nothing({ state: 'registered', denied: [], probed: 0, left: [] } as const)
      // An old active that comes back when its applications have been led away is fenced too, and keeps nobody from anything.
      const effect = (link: SimLink): void => {
        link.isFenced = link.leadsTo === context.record.active
      }
      await act(context, 'active', { what: 'stop applications', effect })
      return { what: 'stopped', data: { state: 'proven', denied: [], probed: 1, left: [] } }
    },
    'end-transactions': async () => await nothing({ ended: [] }),
    drain: async context => {
      if (context.source === undefined) return await nothing({ ends: [] })
      const link = linkOf(context)
      await call(context, 'active', 'drain', () => {
        if (link.breaks > 0) {
          link.breaks--
          throw new KdrError('not-ready', `"${link.name}" does not drain`)
        }
        if (isPlanned(context.record.kind)) link.held = link.end
      })
      return {
        what: 'drained',
        data: { ends: [{ ...at(context), end: link.end }], lostMs: link.end - link.held },
      }
    },
    'final-sync': async () => await nothing({ groups: 0, mayRepeat: [] }),
    'fence-link': async context => {
      await act(context, 'standby', { what: 'fence the link', effect: () => undefined })
      return { what: 'fenced', data: { cuts: [{ ...at(context), cut: linkOf(context).held }] } }
    },
    promote: async context =>
      await promote(
        context,
        async () => await act(context, 'standby', { what: 'promote', effect: () => undefined }),
      ),
    redirect: async context => {
      const { standby, generation } = context.record
      const effect = (link: SimLink): void => {
        if (link.ledBy > generation + 1) throw new KdrError('other-controller', 'a newer run has been here')
        link.leadsTo = standby
        link.ledBy = generation + 1
        link.isFenced = false
      }
      await act(context, 'standby', { what: 'redirect', effect })
      return { what: 'led there', data: { targets: [] } }
    },
    canary: async () => await nothing({ ok: true, findings: [] }),
  }
}

/** As the real one: the other side first, where it is ready to be copied to, then the record that counts. */
async function promote(context: RunContext, act: () => Promise<void>): Promise<StepEnd<'promote'>> {
  const { record, store, sourceStore } = context
  const generation = record.generation + 1
  const link: LinkRecord = {
    generation,
    sourceClusterId: record.standbyClusterId,
    targetClusterId: record.activeClusterId,
    slots: 1,
    run: record.run,
    ...(record.kind === 'failover' && { isWaiting: true }),
  }
  await act()
  for (const each of [sourceStore, store]) {
    if (each === undefined) continue
    await each.refresh()
    if ((readLink(each, record.link)?.generation ?? 0) < generation)
      await each.put(linkKey(record.link), toRecord('link', link))
  }
  const reverse = isPlanned(record.kind) ? 'starts' : 'waits'
  return { what: 'promoted', data: { generation, topics: 1, rightsReleased: 0, reverse } }
}
