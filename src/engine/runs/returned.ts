// A cluster that was left by a failover and is here again: first its applications are fenced and its open transactions ended, so that
// nothing moves there any more. The steps that do so at an old active do it here too: the context is turned around for them.
import { InvariantViolation, KdrError } from '../../model/errors.ts'
import type { Returned, RunContext, StepEnd } from './context.ts'
import { endTransactions } from './end-transactions.ts'
import { fenceApplications, type FenceLimits } from './fence-applications.ts'

export function returnedOf({ returned, record }: RunContext): Returned {
  if (returned === undefined)
    throw new InvariantViolation('the run takes up no link again', { run: record.run })
  return returned
}

/** The memory of the active: it knows where the link was cut. Throws KdrError('not-allowed'). */
export function activeStore({ sourceStore, record }: RunContext): NonNullable<RunContext['sourceStore']> {
  if (sourceStore !== undefined) return sourceStore
  throw new KdrError(
    'not-allowed',
    `what "${record.active}" remembers of the link cannot be read: kdr needs CREATE, READ and WRITE on "_kdr.state" there`,
  )
}

/** As the run sees it that would move the link away from the cluster that has come back. */
export function asActive(context: RunContext): RunContext {
  const { record, source, target, store } = context
  const { settings, facts, probe } = returnedOf(context)
  return {
    ...context,
    record: {
      ...record,
      active: record.standby,
      standby: record.active,
      activeClusterId: record.standbyClusterId,
      standbyClusterId: record.activeClusterId,
    },
    settings,
    facts,
    probe,
    source: target,
    target: source ?? target,
    store: activeStore(context),
    sourceStore: store,
  }
}

export async function fenceReturned(
  context: RunContext,
  limits: FenceLimits = {},
): Promise<StepEnd<'fence-returned'>> {
  const turned = asActive(context)
  const fenced = await fenceApplications(turned, limits)
  const { what } = await endTransactions(turned)
  return { what: `${fenced.what}; ${what}`, data: fenced.data }
}
