// The link is fenced: nobody writes to the mirrors any more under its name, whoever wakes and whatever is still under way.
import { KdrError } from '../../model/errors.ts'
import { fenceLink } from './fence-link.ts'
import type { RunContext, StepEnd } from './context.ts'
import { sourceNow } from './drain.ts'
import { nameOf } from './mirrors.ts'
import { standAside } from './stand-aside.ts'

const WITHIN_MS = 30_000
const NAMES_SHOWN = 3

export async function fenceStep(context: RunContext): Promise<StepEnd<'fence-link'>> {
  const { record, target, store, clock, guard, claim, options } = context
  await standAside(context)
  const ends = await sourceNow(context)
  await guard()
  const { fenced, open } = await fenceLink({
    link: record.link,
    target,
    store,
    clock,
    guard,
    claim,
    withinMs: WITHIN_MS,
  })
  if (open.length > 0 && !options.acceptSplitBrain) {
    const some = open.slice(0, NAMES_SHOWN).map(each => `"${nameOf(each)}" (${each.why})`)
    const more = open.length > NAMES_SHOWN ? ` and ${open.length - NAMES_SHOWN} more` : ''
    throw new KdrError(
      'not-fenced',
      `the link's own writes are not fenced on ${open.length} partition(s) of "${record.standby}": ${some.join(', ')}${more}`,
      { hint: `Put that right, then: kdr ${record.kind} ${record.link} --resume ${record.run}` },
    )
  }
  const left = open.length === 0 ? '' : `; ${open.length} are not, which was accepted`
  return {
    what: `the link's producer has a newer epoch on ${fenced.length} partition(s), as their leaders say${left}`,
    data: {
      cuts: fenced.map(({ topic, partition, cut }) => ({ topic, partition, cut })),
      ...(ends !== undefined && { ends }),
    },
  }
}
