// Topics that were let go of (kdr link forget) are none of the link's in the other direction either: under their names both clusters
// have topics of their own, and neither is a copy. Without a record of that the link would stop at them (`not-empty`).
import { type ForgottenRecord, forgottenKey, readForgotten, toRecord } from '../../model/state-records.ts'
import type { ClusterView } from '../../ports/cluster.ts'
import type { StateStore } from '../../ports/state.ts'

/** `store`, `view`: of the cluster that becomes the target. `letGo`: as the one knows them that was the target until now. */
export async function keepLetGo(
  { store, link, view }: { readonly store: StateStore; readonly link: string; readonly view: ClusterView },
  letGo: ReadonlyMap<string, ForgottenRecord>,
): Promise<void> {
  // From when the link led that way before: it has taken these back since.
  const stale = [...readForgotten(store, link).keys()].filter(topic => !letGo.has(topic))
  await Promise.all(stale.map(async topic => await store.put(forgottenKey(link, topic), undefined)))
  await Promise.all(
    [...letGo].map(async ([topic, record]) => {
      const found = view.topics.get(topic)
      // Not there: copied, it becomes a mirror like any other.
      if (found === undefined) return
      const here: ForgottenRecord = { ...record, targetTopicId: found.id }
      await store.put(forgottenKey(link, topic), toRecord('forgotten', here))
    }),
  )
}
