// Which steps are taken, again or for the first time, and what an old active that is lost by halves may stop.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakeClock, FakeStore } from '../../../test/support/fenced-cluster.ts'
import { makeRecord } from '../../../test/support/runs.ts'
import { type ErrorCode, KdrError } from '../../model/errors.ts'
import { type RunKind, type StepName, STEPS } from '../../model/runs.ts'
import type { RunContext } from './context.ts'
import { Journal } from './journal.ts'
import { executeRun, type RunEnd, type Steps } from './run.ts'

type Given = {
  readonly kind: RunKind
  readonly hasSource?: boolean
  readonly acceptSplitBrain?: boolean
  /** Whether somebody at the old active answers. */
  readonly isThere?: boolean
  readonly store?: FakeStore
  /** What a step throws while it has a source. */
  readonly failing?: Partial<Record<StepName, ErrorCode>>
  /** What a step throws whether or not it has one. */
  readonly broken?: Partial<Record<StepName, ErrorCode>>
}

/** `taken`: the steps in their order, with `dark` where they had no source. */
async function run(given: Given): Promise<RunEnd & { taken: string[]; store: FakeStore }> {
  const { kind, hasSource = true, acceptSplitBrain = false, isThere = hasSource } = given
  const { store = new FakeStore(), failing = {}, broken = {} } = given
  const clock = new FakeClock()
  const journal = new Journal({ store, clock, link: 'ew', controller: 'c', by: 'test' })
  await journal.claim(true)
  const taken: string[] = []
  const step = (name: StepName) => async (context: RunContext) => {
    taken.push(context.source === undefined ? `${name} dark` : name)
    const why = broken[name] ?? (context.source === undefined ? undefined : failing[name])
    if (why !== undefined) throw new KdrError(why, `${name} fails`)
    if (context.source === undefined && (name === 'promote' || name === 'canary'))
      assert.equal(await context.services.isActiveBack(), hasSource ? false : isThere)
    const isSkipped = context.source === undefined && name !== 'promote' && name !== 'redirect'
    return await Promise.resolve({ what: name, data: {}, isSkipped })
  }
  const record = makeRecord({ kind, acceptSplitBrain })
  const context = {
    record,
    options: record,
    source: hasSource ? {} : undefined,
    services: { isActiveBack: async () => await Promise.resolve(isThere) },
  } as unknown as RunContext
  const steps = Object.fromEntries(STEPS.map(name => [name, step(name)])) as unknown as Steps
  const end = await executeRun({ context, journal, steps, clock, onStep: () => undefined })
  return { ...end, taken, store }
}

const between = (from: StepName, to: StepName): string[] =>
  STEPS.slice(STEPS.indexOf(from), STEPS.indexOf(to) + 1)

describe('a switchover', () => {
  test('takes each step once, in their order', async () => {
    const { record, taken } = await run({ kind: 'switchover' })
    assert.equal(record.state, 'done')
    assert.deepEqual(taken, [...STEPS])
  })

  test('that is resumed looks at what is passing again, until the link may be fenced', async () => {
    const first = await run({ kind: 'switchover', broken: { 'final-sync': 'not-ready' } })
    assert.deepEqual([first.record.state, first.record.stoppedBy], ['stopped', 'not-ready'])
    const { store } = first
    const second = await run({ kind: 'switchover', store, broken: { 'fence-link': 'not-fenced' } })
    assert.deepEqual(second.taken, between('drain', 'fence-link'))
    const third = await run({ kind: 'switchover', store })
    assert.deepEqual(third.taken, between('fence-link', 'canary'))
    assert.deepEqual([third.record.state, third.record.stoppedBy], ['done', undefined])
  })

  test('is stopped by whatever its source does not answer', async () => {
    const { record, taken } = await run({ kind: 'switchover', failing: { drain: 'unreachable' } })
    assert.deepEqual([record.state, record.stoppedBy, taken.at(-1)], ['stopped', 'unreachable', 'drain'])
    assert.match(record.sentence ?? '', /^drain fails\. .*[^.]\. To go on: kdr switchover l --resume r1$/)
  })
})

describe('a failover from a cluster that is lost by halves', () => {
  test('goes on without it where it is in the way', async () => {
    const failing = { drain: 'unreachable', 'final-sync': 'not-allowed', promote: 'not-ready' } as const
    const { record, taken } = await run({ kind: 'failover', failing })
    assert.equal(record.state, 'done')
    for (const name of Object.keys(failing)) assert.ok(taken.includes(`${name} dark`), name)
  })

  test('does not take what the standby does for it', async () => {
    const { record, taken } = await run({ kind: 'failover', broken: { promote: 'not-ready' } })
    assert.deepEqual([record.state, record.stoppedBy], ['stopped', 'not-ready'])
    assert.deepEqual(taken.slice(-2), ['promote', 'promote dark'])
  })

  test('stops where its applications cannot be fenced, until that is accepted', async () => {
    const failing = { 'fence-applications': 'not-allowed' } as const
    const { record, store } = await run({ kind: 'failover', failing })
    assert.deepEqual([record.state, record.stoppedBy], ['stopped', 'not-fenced'])
    const accepted = await run({ kind: 'failover', failing, store, acceptSplitBrain: true })
    assert.equal(accepted.record.state, 'done')
  })

  test('goes on where it has died since', async () => {
    const failing = { 'fence-applications': 'unreachable' } as const
    const { record } = await run({ kind: 'failover', failing, isThere: false })
    assert.equal(record.state, 'done')
  })
})

describe('a failover that begins in the dark', () => {
  const owed = between('fence-applications', 'drain')

  test('does what is owed when the cluster is back before it is promoted', async () => {
    const { store } = await run({ kind: 'failover', hasSource: false, broken: { promote: 'active-is-back' } })
    const { taken } = await run({ kind: 'failover', store, broken: { promote: 'active-is-back' } })
    assert.deepEqual(
      taken.filter(name => owed.includes(name)),
      owed,
    )
  })

  test('leaves groups alone once promotion has begun: applications may use them', async () => {
    const { store } = await run({ kind: 'failover', hasSource: false, broken: { canary: 'active-is-back' } })
    const { taken, record } = await run({ kind: 'failover', store })
    assert.ok(taken.includes('fence-applications'))
    assert.ok(!taken.includes('final-sync'))
    assert.equal(record.state, 'done')
  })
})
