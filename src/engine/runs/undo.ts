// A run is given up before it has fenced the link: what it has put in the way of applications and consumers goes, and workers
// take the link up again where they were.
import { holdKey, readHold } from '../../model/state-records.ts'
import type { RunContext } from './context.ts'
import { unfence } from './fence-applications.ts'

/** Throws KdrError: not-ready when rules cannot be taken away. */
export async function undoRun(context: RunContext): Promise<void> {
  const { store, record, guard } = context
  await unfence(context)
  await guard()
  await store.refresh()
  if (readHold(store, record.link)?.run === record.run) await store.put(holdKey(record.link), undefined)
}
