// A failover from a cluster that does not answer leaves its applications unfenced. When it comes back in the middle, the run stops. Before
// the standby is promoted a person says how it goes on; afterwards it is resumed at once (wiring/runs.ts). The fence comes first then.
import { KdrError } from '../../model/errors.ts'
import type { RunContext } from './context.ts'

/** Throws KdrError('active-is-back'). */
export async function assertStillDark({ source, record, services }: RunContext): Promise<void> {
  if (source !== undefined || !(await services.isActiveBack())) return
  throw new KdrError(
    'active-is-back',
    `"${record.active}" answers again, and its applications may write to it`,
    { hint: `To fence it and go on: kdr ${record.kind} ${record.link} --resume ${record.run}` },
  )
}
