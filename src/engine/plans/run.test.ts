// In which order a plan's links and gates are taken, what stops it, and that whoever resumes it does nothing twice and leaves nothing
// out, wherever it was killed.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakePlanWorld, HOME, Killed, shapeOf } from '../../../test/support/plan-world.ts'
import { RUN_START } from '../../../test/support/runs.ts'
import { KdrError } from '../../model/errors.ts'
import type { PlanRunRecord, PlanShape } from '../../model/plan-runs.ts'
import type { RunKind } from '../../model/runs.ts'
import { observeLinks } from './observe.ts'
import { executePlan, type PlanEnd } from './run.ts'
import { assertSamePlan, stepsOf } from './steps.ts'

const newRecord = (kind: RunKind): PlanRunRecord => ({
  run: 'p1',
  plan: 'region',
  kind,
  state: 'planned',
  startedAt: RUN_START,
  by: 'ann@host',
  acceptSplitBrain: false,
  versions: { kdr: '1.2.3', node: '24.0.0' },
  objectives: {},
})

/** As a controller does that finds what lasts: it begins, or resumes. */
async function go(
  fake: FakePlanWorld,
  shape: PlanShape,
  { kind = 'switchover', seen = [] }: { kind?: RunKind; seen?: string[] } = {},
): Promise<PlanEnd> {
  const world = fake.world(seen)
  if (fake.record !== undefined) {
    const steps = [...fake.steps.values()].toSorted((a, b) => a.index - b.index)
    assertSamePlan(steps, shape, fake.record)
    return await executePlan({ record: fake.record, shape, steps, isResumed: true, world })
  }
  const home = Object.fromEntries(shape.stages.flat().map(link => [link, HOME]))
  const planned = await observeLinks(shape, { kind, links: fake.links, home })
  const steps = stepsOf(shape, planned)
  return await executePlan({ record: newRecord(kind), shape, steps, isResumed: false, world })
}

const GATES = [
  { before: 'b', kind: 'ask', question: 'is a well?' },
  { before: 'b', kind: 'command', command: './check' },
  { before: 'c', kind: 'wait', ms: 60_000 },
] as const
const MANY = shapeOf([['a'], ['b', 'c'], ['d']], GATES)

describe('the run of a plan', () => {
  test('takes its links in order, those of a stage side by side, and the gates before them', async () => {
    const fake = new FakePlanWorld()
    const { record, steps } = await go(fake, MANY)

    assert.equal(record.state, 'done')
    assert.deepEqual(fake.done.slice(0, 3), ['link a', 'ask is a well?', 'command ./check'])
    assert.deepEqual(fake.done.slice(3, 5).toSorted(), ['link b', 'link c'])
    assert.deepEqual(fake.done.slice(5), ['link d'])
    assert.equal(fake.sideBySide, 2)
    assert.ok(steps.every(({ state }) => state === 'done'))
  })

  test('waits from when what comes before the gate had ended', async () => {
    const fake = new FakePlanWorld()
    const { steps } = await go(fake, shapeOf([['a'], ['b']], [{ before: 'b', kind: 'wait', ms: 60_000 }]))

    const gate = steps[1]!
    assert.equal(gate.ms, 60_000)
    assert.equal(fake.now - RUN_START, 62_000)
  })

  test('waits from when a link had ended that stopped and was taken up again later', async () => {
    const fake = new FakePlanWorld()
    const shape = shapeOf([['a'], ['b']], [{ before: 'b', kind: 'wait', ms: 60_000 }])
    fake.broken.set('a', new KdrError('not-ready', 'drain did not end'))
    await go(fake, shape)
    fake.broken.clear()
    fake.now += 3_600_000
    const { steps } = await go(fake, shape)

    const [link, gate] = steps
    assert.deepEqual([link!.ms, link!.endedAt], [1_000, RUN_START + 3_601_000])
    assert.equal(gate!.ms, 60_000)
  })

  test('stops at a link that stops, after those beside it have come to their end; the next stage is not begun', async () => {
    const fake = new FakePlanWorld()
    fake.broken.set('b', new KdrError('not-fenced', 'no fence holds'))
    const { record, steps } = await go(fake, shapeOf([['a', 'b', 'c'], ['d']]))

    assert.deepEqual([record.state, record.stoppedBy], ['stopped', 'not-fenced'])
    assert.match(
      record.sentence ?? '',
      /^link "b" stopped: no fence holds\. To go on: kdr switchover region --resume p1$/,
    )
    assert.deepEqual(
      steps.map(({ state }) => state),
      ['done', 'failed', 'done', 'waiting'],
    )
    fake.broken.clear()
    const again = await go(fake, shapeOf([['a', 'b', 'c'], ['d']]))
    assert.equal(again.record.state, 'done')
    assert.deepEqual(fake.done.toSorted(), ['link a', 'link b', 'link c', 'link d'])
    // The run that had stopped went on; it was not begun anew.
    assert.equal(fake.runs.size, 4)
  })

  test('stops where nobody can be asked; whoever resumes it says yes', async () => {
    const fake = new FakePlanWorld()
    fake.answer = undefined
    const first = await go(fake, MANY)
    assert.deepEqual([first.record.state, first.record.stoppedBy], ['stopped', 'approval-needed'])
    assert.match(
      first.record.sentence ?? '',
      /nobody to ask: is a well\?.*To go on: kdr switchover region --resume p1/,
    )
    assert.deepEqual(fake.done, ['link a'])

    const second = await go(fake, MANY)
    assert.equal(second.record.state, 'done')
    assert.ok(!fake.done.some(each => each.startsWith('ask')))
  })

  test('asks again when it was killed while it asked, whoever resumes it', async () => {
    const fake = new FakePlanWorld()
    // 2 writes of the run and of 4 links and 3 gates, 2 of the intent and the outcome of a, which lasts twice itself, and the intent to ask.
    fake.lives = 2 * (1 + 7 + 2 + 2 + 1)
    await assert.rejects(go(fake, MANY), Killed)
    fake.lives = Infinity
    assert.equal(fake.steps.get(1)?.state, 'running')
    fake.answer = undefined

    const { record } = await go(fake, MANY)
    assert.deepEqual([record.state, record.stoppedBy], ['stopped', 'approval-needed'])
  })

  test('stops at a command that fails, and runs it again when it is resumed', async () => {
    const fake = new FakePlanWorld()
    fake.commandEnd = { code: 3, output: 'not yet' }
    const { record } = await go(fake, MANY)
    assert.match(record.sentence ?? '', /gate before "b" ended with 3: not yet\./)
    fake.commandEnd = { code: 0, output: '' }
    assert.equal((await go(fake, MANY)).record.state, 'done')
    assert.equal(fake.done.filter(each => each === 'command ./check').length, 2)
    assert.equal(fake.done.filter(each => each.startsWith('ask')).length, 1)
  })

  test('stops when it is interrupted, and in the middle of a wait', async () => {
    const fake = new FakePlanWorld()
    const shape = shapeOf([['a'], ['b']], [{ before: 'b', kind: 'wait', ms: 60_000 }])
    const { clock } = fake
    const world = {
      ...fake.world(),
      onWait: () => {
        if (clock.now() > RUN_START + 20_000) fake.abort.abort()
      },
    }
    const planned = await observeLinks(shape, { kind: 'switchover', links: fake.links, home: {} })
    const input = { record: newRecord('switchover'), shape, steps: stepsOf(shape, planned), isResumed: false }
    const { record } = await executePlan({ ...input, world })
    assert.deepEqual([record.state, record.stoppedBy], ['stopped', 'interrupted'])
    assert.deepEqual(fake.done, ['link a'])
  })

  test('does not move back what somebody has moved by itself meanwhile', async () => {
    const fake = new FakePlanWorld()
    fake.answer = undefined
    await go(fake, MANY)
    fake.active.set('d', 'west')
    const { record, steps } = await go(fake, MANY)

    assert.equal(record.state, 'stopped')
    assert.match(record.sentence ?? '', /link "d" leads from "west" to "east" by now/)
    assert.deepEqual(
      fake.done.filter(each => each === 'link d'),
      [],
    )
    assert.equal(steps.at(-1)?.state, 'failed')
  })

  test('begins a link anew whose run was given up by itself', async () => {
    const fake = new FakePlanWorld()
    fake.broken.set('a', new KdrError('not-ready', 'drain did not end'))
    await go(fake, MANY)
    const [[id, stopped]] = [...fake.runs] as [[string, NonNullable<ReturnType<typeof fake.runs.get>>]]
    fake.runs.set(id, { ...stopped, state: 'aborted' })
    fake.broken.clear()
    const { record, steps } = await go(fake, MANY)

    assert.equal(record.state, 'done')
    assert.notEqual((steps[0] as { run?: string }).run, id)
  })

  test('must not be another plan when it is resumed', async () => {
    const fake = new FakePlanWorld()
    fake.answer = undefined
    await go(fake, MANY)
    for (const other of [
      shapeOf([['a'], ['c', 'b'], ['d']], GATES),
      shapeOf([['a'], ['b', 'c'], ['d']], [GATES[1], GATES[0], GATES[2]]),
      shapeOf([['a'], ['b', 'c'], ['d']], GATES, { topics: { d: ['t'] } }),
    ])
      await assert.rejects(go(fake, other), /plan "region" is not what it was when run "p1" began/)
  })
})

describe('a failback of a plan', () => {
  test('takes those home that are away, also when it is resumed', async () => {
    const fake = new FakePlanWorld()
    fake.active.set('b', 'west')
    fake.active.set('d', 'west')
    fake.answer = undefined
    const first = await go(fake, MANY, { kind: 'failback' })
    assert.deepEqual(
      first.steps.map(({ state }) => state),
      ['skipped', 'failed', 'waiting', 'waiting', 'waiting', 'skipped', 'waiting'],
    )
    // Somebody takes it home by itself.
    fake.active.set('b', HOME)
    const { record } = await go(fake, MANY, { kind: 'failback' })
    assert.equal(record.state, 'done')
    assert.deepEqual(
      fake.done.filter(each => each.startsWith('link')),
      ['link d'],
    )
  })
})

describe('a plan whose controller is killed', () => {
  test('comes to the same end from each thing that lasts, resumed or begun anew: every link is moved once', async () => {
    let kills = 0
    for (let lives = 0; ; lives++) {
      const fake = new FakePlanWorld()
      fake.lives = lives
      const isKilled = await go(fake, MANY).then(
        () => false,
        (error: unknown) => {
          if (error instanceof Killed) return true
          throw error
        },
      )
      if (!isKilled) break
      kills++
      fake.lives = Infinity
      const { record, steps } = await go(fake, MANY)
      const where = `killed at ${lives}: ${fake.done.join(', ')}`
      assert.equal(record.state, 'done', where)
      const links = fake.done.filter(each => each.startsWith('link'))
      assert.deepEqual(links.toSorted(), ['link a', 'link b', 'link c', 'link d'], where)
      assert.deepEqual([links[0], links[3]], ['link a', 'link d'], where)
      assert.ok(fake.done.indexOf('ask is a well?') < fake.done.indexOf('link b'), where)
      assert.ok(
        [...fake.runs.values()].every(({ state }) => state === 'done'),
        where,
      )
      assert.ok(
        steps.every(({ state }) => state === 'done'),
        where,
      )
    }
    assert.ok(kills > 50, `${kills}`)
  })
})
