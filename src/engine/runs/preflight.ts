// What was planned is looked at once more, when it is approved: what has gone wrong since refuses the run (exit 17).
import { KdrError } from '../../model/errors.ts'
import type { RunContext, StepEnd } from './context.ts'
import { observePlan } from './plan.ts'

export async function preflight(context: RunContext): Promise<StepEnd<'preflight'>> {
  const { record } = context
  const plan = await observePlan({
    ...context,
    kind: record.kind,
    refusals: [],
    together: record.together,
  })
  if (plan.refusals.length > 0)
    throw new KdrError('not-ready', plan.refusals.join('; '), {
      hint: `Put that right, then: kdr ${record.kind} ${record.link} --resume ${record.run}`,
    })
  const there = plan.isActiveThere ? 'both sides answer' : `"${record.active}" does not answer`
  return { what: `${plan.topics} topic(s) can move: ${there}`, data: plan }
}
