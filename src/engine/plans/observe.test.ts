// What is said of all links of a plan before the first is touched.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakePlanWorld, HOME, shapeOf } from '../../../test/support/plan-world.ts'
import { KdrError } from '../../model/errors.ts'
import type { RunKind } from '../../model/runs.ts'
import { openingOf } from './gates.ts'
import { losing, observeLinks, refusalsOf } from './observe.ts'
import { assertSamePlan, restrict, stepsOf } from './steps.ts'
import type { Links } from './world.ts'

const shape = shapeOf([['a'], ['b', 'c']])

async function look(fake: FakePlanWorld, kind: RunKind = 'switchover') {
  const observing = { kind, links: fake.links, home: { a: HOME, b: HOME, c: HOME } }
  const planned = await observeLinks(shape, observing)
  return { planned, refusals: refusalsOf(planned, observing), fake }
}

describe('a plan of which some links move', () => {
  const gates = (['a', 'c'] as const).map(before => ({ before, kind: 'ask', question: '?' }) as const)
  const whole = { ...shapeOf([['a'], ['b', 'c']], gates), links: ['a', 'b', 'c'] }
  const part = restrict(whole, ['c'], ['pay-*'])

  test('has these, the gates before them, and what must be all that they mirror', () => {
    assert.deepEqual(
      [part.links, part.stages, part.gates.map(({ before }) => before), part.topics],
      [['c'], [['c']], ['c'], { c: ['pay-*'] }],
    )
  })

  test('is resumed as it was, and with no link more', () => {
    const of = { run: 'r1', kind: 'switchover' }
    assert.doesNotThrow(() => assertSamePlan(stepsOf(part, []), part, of))
    assert.throws(() => assertSamePlan(stepsOf(part, []), whole, of), /is not what it was/)
  })
})

describe('a plan before it begins', () => {
  test('is refused for whatever stands in the way of any link', async () => {
    const fake = new FakePlanWorld()
    fake.refusals.set('c', ['2 partitions are faulted'])
    const { refusals } = await look(fake)
    assert.deepEqual(refusals, ['link "c": 2 partitions are faulted'])
    assert.deepEqual(fake.done, [])
  })

  test('does not move half of its links back', async () => {
    const fake = new FakePlanWorld()
    fake.active.set('b', 'west')
    assert.match(
      (await look(fake)).refusals[0] ?? '',
      /lead different ways: "a", "c" as the config says, "b" the other way/,
    )
    fake.active.set('a', 'west')
    fake.active.set('c', 'west')
    assert.deepEqual((await look(fake)).refusals, [])
  })

  test('passes by what a failover has moved already; in a switchover that is in the way', async () => {
    const fake = new FakePlanWorld()
    const links: Pick<Links, 'withRun' | 'isAtHome'> = {
      isAtHome: async link => await fake.links.isAtHome(link),
      withRun: async (of, act) => {
        if (of.link === 'a') throw new KdrError('moved', 'link "a" was moved by a failover')
        return await fake.links.withRun(of, act)
      },
    }
    const of = async (kind: RunKind) => {
      const observing = { kind, links, home: { a: HOME, b: HOME, c: HOME } }
      const planned = await observeLinks(shape, observing)
      return { planned, refusals: refusalsOf(planned, observing) }
    }
    const failover = await of('failover')
    assert.deepEqual(failover.refusals, [])
    assert.equal(stepsOf(shape, failover.planned)[0]?.state, 'skipped')
    assert.deepEqual(losing(failover.planned), [HOME])
    assert.match((await of('switchover')).refusals[0] ?? '', /^link "a": link "a" was moved by a failover\. /)
  })
})

describe('a failback of a plan', () => {
  test('passes by what is home', async () => {
    const fake = new FakePlanWorld()
    fake.active.set('b', 'west')
    const { planned, refusals } = await look(fake, 'failback')
    assert.deepEqual(refusals, [])
    assert.deepEqual(
      planned.map(each => [each.link, each.passedBy]),
      [
        ['a', 'it is home'],
        ['b', undefined],
        ['c', 'it is home'],
      ],
    )
  })
})

describe('a gate of time', () => {
  const noon = Date.UTC(2026, 2, 1, 12, 0, 0)

  test('opens at the next time of the day, at a moment, or after a while', () => {
    const of = (at: string) => openingOf({ before: 'a', kind: 'at', at }, 0, noon)
    assert.equal(of('12:00'), noon)
    assert.equal(of('22:30'), Date.UTC(2026, 2, 1, 22, 30))
    assert.equal(of('11:59'), Date.UTC(2026, 2, 2, 11, 59))
    assert.equal(of('2026-03-01T11:00:00Z'), Date.UTC(2026, 2, 1, 11))
    assert.equal(openingOf({ before: 'a', kind: 'wait', ms: 5 }, noon, noon + 1), noon + 5)
    assert.equal(openingOf({ before: 'a', kind: 'ask', question: '?' }, noon, noon), undefined)
  })
})
