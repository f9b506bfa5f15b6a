// A run is given up before it has fenced the link: what it has put in the way of applications and consumers goes, and workers
// take the link up again where they were. That it was given up is written down rather than its hold deleted: a controller that
// stood still meanwhile may hold the link once more.
import { givenUpKey, toRecord } from '../../model/state-records.ts'
import type { RunContext } from './context.ts'
import { unfence } from './fence-applications.ts'

/** Throws KdrError: not-ready when rules cannot be taken away. */
export async function undoRun(context: RunContext): Promise<void> {
  const { store, record, guard } = context
  await unfence(context)
  await guard()
  await store.put(givenUpKey(record.link), toRecord('given-up', { run: record.run }))
}
