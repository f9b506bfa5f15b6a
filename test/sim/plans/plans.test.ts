// Runs of plans in the simulated world: random histories, each judged at its end; one plan whose controller is killed, paused or passed
// over at each of its calls; and the bugs that all of this must find. `KDR_SUITE=full` plays more, `soak` takes every call.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { shapeOf } from '../../support/plan-world.ts'
import { suite } from '../../support/suite.ts'
import { PLANTED_IN_PLANS } from '../planted/plans.ts'
import { type PlanHistory, type PlanStory, playPlan, type PlanTrouble, storyOf } from './history.ts'
import { plansWith } from './variant.ts'

const HISTORIES = { short: 26, full: 1_000, soak: 20_000 }[suite]
/** Of the calls of one plan one in so many: others for each trouble. */
const ONE_IN = { short: 210, full: 6, soak: 1 }[suite]

const TWO_INTO_ONE: PlanStory = {
  ...storyOf(1),
  kind: 'failover',
  links: [
    { name: 'a', source: 'east', target: 'west' },
    { name: 'b', source: 'north', target: 'west' },
    { name: 'c', source: 'east', target: 'west' },
  ],
  away: [],
  shape: shapeOf(
    [['a'], ['b', 'c']],
    [
      { before: 'b', kind: 'ask', question: 'is a well?' },
      { before: 'b', kind: 'command', command: './check' },
      { before: 'c', kind: 'wait', ms: 5_000 },
    ],
  ),
  answers: [],
  codes: [],
  breaks: {},
  troubles: [],
  outages: [],
  next: [],
}

describe('simulated plans', () => {
  test(`${HISTORIES} random histories: each link is moved once or not touched, in its turn, and the report says so`, async () => {
    const ends = new Set<string>()
    for (let seed = 1; seed <= HISTORIES; seed++) {
      const { violations, end } = await playPlan(storyOf(seed))
      assert.deepEqual(violations, [], `node test/sim/plans/main.ts --seed ${seed}`)
      ends.add(end)
    }
    assert.deepEqual([...ends].toSorted(), ['aborted', 'done'])
  })

  for (const [half, kind] of (['switchover', 'failover'] as const).entries())
    test(`a ${kind} of three links whose controller is killed, paused or passed over at a call: another one comes to the same end`, async () => {
      const story = { ...TWO_INTO_ONE, kind }
      const base = await playPlan(story)
      assert.deepEqual([base.violations, base.end], [[], 'done'])
      for (const [shift, what] of (['killed', 'paused', 'taken over'] as const).entries())
        for (
          let call = 1 + Math.floor((ONE_IN * (2 * shift + half)) / 6);
          call <= base.calls;
          call += ONE_IN
        ) {
          const trouble: PlanTrouble = { call, what, isBefore: call % 2 === 0 }
          const { violations, end } = await playPlan({ ...story, troubles: [trouble] })
          assert.deepEqual([violations, end], [[], 'done'], `${what} at call ${call}`)
        }
    })
})

describe('the histories of plans find', () => {
  for (const bug of PLANTED_IN_PLANS)
    test(`${bug.name}: ${bug.breaks}`, async () => {
      const planted = await plansWith(bug)
      const of = async (seed: number): Promise<PlanHistory> => await planted.playPlan(storyOf(seed))
      const { violations } = await of(bug.seed)
      assert.notDeepEqual(
        violations,
        [],
        `node test/sim/plans/main.ts --bug ${bug.name} --count 3000 finds another seed`,
      )
      assert.deepEqual((await playPlan(storyOf(bug.seed))).violations, [], 'without it all is well')
    })
})
