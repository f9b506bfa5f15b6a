// Applications are sent to the new active: each way of `redirect:` in its order, done where it does not lead there yet, then looked at.
import { findKdrError, KdrError } from '../../model/errors.ts'
import type { StepData } from '../../model/runs.ts'
import type { RunContext, StepEnd } from './context.ts'

type Target = StepData['redirect']['targets'][number]

export async function redirect(context: RunContext): Promise<StepEnd<'redirect'>> {
  const { redirects, facts, record, guard, progress } = context
  if (redirects.length === 0)
    return {
      what: `nothing is configured (\`redirect:\`): applications must be sent to ${facts.bootstrap}`,
      data: { targets: [] },
      isSkipped: true,
    }
  const targets: Target[] = []
  for (const each of redirects) {
    await guard()
    try {
      progress(each.describe(facts))
      const isApplied = await each.isApplied(facts)
      if (!isApplied) await each.apply(facts)
      await each.verify(facts)
      targets.push({
        name: each.name,
        ok: true,
        what: isApplied ? 'led there already' : each.describe(facts),
      })
    } catch (error) {
      const known = findKdrError(error)
      if (known === undefined) throw error
      // Also where a newer run has been: whether this controller has been passed over too, its journal says.
      throw new KdrError('not-ready', `${each.name}: ${known.message}`, {
        hint: `${known.hint} Then go on: kdr ${record.kind} ${record.link} --resume ${record.run}`,
        cause: error,
      })
    }
  }
  return {
    what: `${targets.map(({ name }) => name).join(', ')} lead to "${record.standby}"`,
    data: { targets },
  }
}
