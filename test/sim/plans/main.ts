// Histories of plans: `node test/sim/plans/main.ts [--from SEED] [--count N] [--bug NAME]`, or one with its trace: `--seed SEED`.
import { parseArgs } from 'node:util'
import { PLANTED_IN_PLANS } from '../planted/plans.ts'
import * as histories from './history.ts'
import { plansWith } from './variant.ts'

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: '1' },
    count: { type: 'string', default: '100' },
    seed: { type: 'string' },
    bug: { type: 'string' },
  },
})
const planted = PLANTED_IN_PLANS.find(({ name }) => name === values.bug)
if (values.bug !== undefined && planted === undefined) throw new Error(`no bug is called "${values.bug}"`)
const { playPlan, storyOf } = planted === undefined ? histories : await plansWith(planted)

const from = Number(values.seed ?? values.from)
const count = values.seed === undefined ? Number(values.count) : 1
const ends = new Map<string, number>()
for (let seed = from; seed < from + count; seed++) {
  const { story, violations, trace, end } = await playPlan(storyOf(seed))
  ends.set(end, (ends.get(end) ?? 0) + 1)
  if (values.seed !== undefined) console.log(`${trace.join('\n')}\n${JSON.stringify(story, undefined, 2)}`)
  if (violations.length === 0) continue
  console.log(`seed ${seed}: ${violations.join('\n  ')}`)
  process.exitCode = 1
  // Of a planted bug one is enough.
  if (planted !== undefined) break
}
console.log([...ends].map(([end, times]) => `${times} ${end}`).join(', '))
