// kdr link follow, put together: the cluster that is to be copied from, the mirror, and both of their memories. One controller at a time:
// the claim of the link at its target, as for a run.
import type { Services } from '../cli/app.ts'
import { follow, observeFanOut } from '../engine/runs/fan-out.ts'
import { beating } from '../engine/runs/beating.ts'
import { Journal } from '../engine/runs/journal.ts'
import { KdrError } from '../model/errors.ts'
import { JOURNAL_TOPIC } from '../state/topic-store.ts'
import { clusterOf, openCluster } from './clusters.ts'
import { directionOf } from './direction.ts'
import { Opened, storeOf } from './opened.ts'
import { systemClock, systemEntropy, whoAmI } from './system.ts'

export const withFollow: Services['withFollow'] = async (config, of, name, act) => {
  const { link } = await directionOf(config, of)
  if (name === link.source)
    throw new KdrError('usage', `link "${link.name}" copies from "${name}" already`, {
      hint: 'See: kdr status',
    })
  if (name === link.target || config.clusters[name] === undefined)
    throw new KdrError('usage', `link "${link.name}" cannot copy from "${name}"`, {
      hint: `Name the cluster that is active now: ${Object.keys(config.clusters)
        .filter(each => each !== link.target && each !== link.source)
        .join(', ')}.`,
    })
  const opened = new Opened()
  try {
    const [source, target] = await Promise.all(
      [name, link.target].map(async each => opened.add(openCluster(clusterOf(config, each), systemClock))),
    )
    const [store, sourceStore, sourceJournal] = await Promise.all([
      opened.add(storeOf(target!, { create: false })),
      opened.add(storeOf(source!, { create: false })),
      opened.add(storeOf(source!, { create: false, topic: JOURNAL_TOPIC })),
    ])
    const input = {
      settings: link,
      source: source!,
      target: target!,
      store,
      sourceStore,
      sourceJournal,
      clock: systemClock,
    }
    return await act({
      source: link.source,
      topics: await observeFanOut(input),
      execute: async onProgress => {
        const kept = await opened.add(storeOf(target!, { create: true, topic: JOURNAL_TOPIC }))
        await kept.refresh()
        const journal = new Journal({
          store: kept,
          clock: systemClock,
          link: link.name,
          controller: systemEntropy.uuid(),
          by: whoAmI(),
        })
        await journal.claim(false)
        const stopBeats = beating(journal, systemClock)
        try {
          return await follow({
            ...input,
            store: journal.guarding(store),
            run: `${link.name}-follow-${systemEntropy.uuid().slice(0, 8)}`,
            by: whoAmI(),
            guard: journal.guard,
            progress: onProgress,
          })
        } finally {
          await stopBeats()
          await journal.release().catch(() => undefined)
        }
      },
    })
  } finally {
    await opened.close()
  }
}
