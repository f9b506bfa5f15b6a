// A run is given up before it promotes anything: where it has fenced the link, that is undone first. What it has put in the way of
// applications and consumers goes, and workers take the link up again where they were. That it was given up is written down rather than its hold deleted: a controller that
// stood still meanwhile may hold the link once more.
import { givenUpKey, toRecord } from '../../model/state-records.ts'
import type { RunContext } from './context.ts'
import { unfence } from './fence-applications.ts'
import { undoFence } from './undo-fenced.ts'

/** `isFenced`: a step of it may have fenced the link. Throws KdrError: not-ready, not-allowed; what is undone by then stays undone. */
export async function undoRun(context: RunContext, isFenced: boolean): Promise<void> {
  const { store, record, guard } = context
  if (isFenced) await undoFence(context)
  await unfence(context)
  await guard()
  await store.put(givenUpKey(record.link), toRecord('given-up', { run: record.run }))
}
