// kdr link hand-over, put together: both memories are in `_kdr.state` of the target that the two links have. One controller at a time of
// either: the claims of both links there, as for runs.
import type { Services } from '../cli/app.ts'
import type { Config, LinkConfig } from '../config/index.ts'
import { beating } from '../engine/runs/beating.ts'
import { handOver, observeHandOver } from '../engine/runs/hand-over.ts'
import { Journal } from '../engine/runs/journal.ts'
import { findKdrError, KdrError } from '../model/errors.ts'
import type { Cluster } from '../ports/cluster.ts'
import type { StateStore } from '../ports/state.ts'
import { JOURNAL_TOPIC } from '../state/topic-store.ts'
import { BothClusters } from './both-clusters.ts'
import { directionOf } from './direction.ts'
import { Opened, storeOf } from './opened.ts'
import { systemClock, systemEntropy, whoAmI } from './system.ts'

export const withHandOver: Services['withHandOver'] = async (config, of, { reason }, act) => {
  const [from, to] = await directed(config, of)
  const opened = new Opened()
  try {
    const clusters = await opened.add(BothClusters.open(config, from, { isUrgent: true }))
    const target = await clusters.insist(from.target)
    const store = await opened.add(storeOf(target, { create: false }))
    const sourceStore = await memoryOf(opened, clusters.ifThere(from.source))
    const input = { from, to, store, sourceStore }
    return await act({
      ...(await observeHandOver(input)),
      target: from.target,
      execute: async progress => {
        const kept = await opened.add(storeOf(target, { create: true, topic: JOURNAL_TOPIC }))
        await kept.refresh()
        const own = { store: kept, clock: systemClock, by: whoAmI() }
        const above = new Journal({ ...own, link: from.name, controller: systemEntropy.uuid() })
        const journal = new Journal({ ...own, link: to.name, controller: systemEntropy.uuid(), above })
        assertNoRun(above, [from, to])
        await above.claim(false)
        const beats = [beating(above, systemClock)]
        try {
          await journal.claim(false)
          beats.push(beating(journal, systemClock))
          const { guard } = journal
          const guarded = {
            ...input,
            store: journal.guarding(store),
            sourceStore: sourceStore && journal.guarding(sourceStore),
          }
          return await handOver({ ...guarded, clock: systemClock, by: own.by, reason, guard, progress })
        } finally {
          for (const stop of beats) await stop()
          for (const each of [journal, above]) await each.release().catch(() => undefined)
        }
      },
    })
  } finally {
    await opened.close()
  }
}

/** Undefined: the cluster does not answer, or kdr may not read it. */
async function memoryOf(opened: Opened, cluster: Cluster | undefined): Promise<StateStore | undefined> {
  if (cluster === undefined) return undefined
  const store = await opened.add(storeOf(cluster, { create: false }))
  try {
    await store.refresh()
    return store
  } catch (error) {
    const code = findKdrError(error)?.code
    if (code !== 'unreachable' && code !== 'not-allowed') throw error
    return undefined
  }
}

/** As they lead now; one that has never run, as the other one. Throws KdrError('usage') for the same link twice. */
async function directed(
  config: Config,
  { from, to }: { readonly from: LinkConfig; readonly to: LinkConfig },
): Promise<readonly [LinkConfig, LinkConfig]> {
  if (from.name === to.name)
    throw new KdrError('usage', `link "${from.name}" cannot hand its topics over to itself`)
  const [giver, taker] = await Promise.all([from, to].map(async each => await directionOf(config, each)))
  if (taker!.record !== undefined || giver!.isHome) return [giver!.link, taker!.link]
  const isTwin = from.source === to.source && from.target === to.target
  const { source, target } = giver!.link
  return [giver!.link, isTwin ? { ...to, source, target } : to]
}

/** Throws KdrError('not-ready'): it may hold the link, or resume. */
function assertNoRun(journal: Journal, links: readonly LinkConfig[]): void {
  const names = links.map(({ name }) => name)
  const open = journal
    .runs()
    .find(({ link, state }) => names.includes(link) && (state === 'running' || state === 'stopped'))
  if (open === undefined) return
  throw new KdrError('not-ready', `run "${open.run}" of link "${open.link}" is not over`, {
    hint: `Go on with it: kdr ${open.kind} ${open.link} --resume ${open.run}; or give it up: kdr runs abort ${open.run}`,
  })
}
