// Giving a plan up leaves its links where they are: moved, or not begun. One in the middle has to be given up, or brought to its end,
// by itself first.
import { KdrError } from '../../model/errors.ts'
import type { PlanRunRecord, PlanStep } from '../../model/plan-runs.ts'
import { isLink, isOver } from './steps.ts'
import type { Links } from './world.ts'

/** Throws KdrError('not-ready') while a run of one of its links is not over. */
export async function assertNoneUnderWay(
  steps: readonly PlanStep[],
  { kind }: Pick<PlanRunRecord, 'kind'>,
  read: Links['read'],
): Promise<void> {
  for (const step of steps.filter(isLink)) {
    const own = step.run === undefined || isOver(step) ? undefined : await read(step.run)
    if (own !== undefined && own.state !== 'aborted' && own.state !== 'done')
      throw new KdrError('not-ready', `link "${step.link}" is under way: run "${own.run}" is not over`, {
        hint: `Give that up first (kdr runs abort ${own.run}), or let it go on (kdr ${kind} ${step.link} --resume ${own.run}).`,
      })
  }
}
