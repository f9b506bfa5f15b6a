// Moves of a link in the simulated world: a controller is killed, paused or passed over at its calls, and another one
// comes to the same end; whoever wakes then changes nothing. `KDR_SUITE=soak` takes every call, `full` each
// before its effect or after it, the short suite a part.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import type { RunKind } from '../../src/model/runs.ts'
import { suite } from '../support/suite.ts'
import { differ, type Move, type MoveOptions, move, type Trouble } from './move-history.ts'
import type { Planted } from './mover.ts'
import { NO_FENCE, NO_STANDING_ASIDE, NO_WAIT, UNGUARDED } from './planted/moves.ts'

const ORDERS = [
  { isBefore: true, when: 'before it has an effect' },
  { isBefore: false, when: 'when it has had its effect' },
] as const

type Kind = Omit<Trouble, 'call'>

/** One of so many calls is taken: in the short suite few of the steps that only look. */
const ONE_OF = {
  short: { looking: 48, acting: 24 },
  full: { looking: 2, acting: 2 },
  soak: { looking: 1, acting: 1 },
}[suite]

/** What has gone wrong, by call; empty when nothing has. */
async function series(
  base: Move,
  options: MoveOptions,
  { trouble, from = 1 }: { readonly trouble: Kind; readonly from?: number },
): Promise<string[]> {
  const wrong: string[] = []
  for (const call of callsOf(base, trouble).filter(each => each >= from)) {
    const made = await move({ ...options, trouble: { ...trouble, call } })
    const found = [...made.violations, ...differ(base, made)]
    if (found.length > 0) wrong.push(`call ${call}: ${found.join('; ')}`)
  }
  return wrong
}

/** Each series takes others, so that together they take many. */
function callsOf(base: Move, { what, isBefore }: Kind): number[] {
  const calls = Array.from({ length: base.mover.process.calls }, (_none, index) => index + 1)
  const shift = ['killed', 'paused', 'taken over'].indexOf(what) * 2 + Number(isBefore)
  const acting = beginOf(base, 'final-sync')
  return calls.filter(call => (call + 5 * shift) % (call < acting ? ONE_OF.looking : ONE_OF.acting) === 0)
}

/** The call through a port with which a step began. */
function beginOf({ mover }: Move, step: 'drain' | 'final-sync'): number {
  return mover.began.find(each => each.step === step)?.call ?? Infinity
}

for (const kind of ['switchover', 'failover'] as const satisfies readonly RunKind[])
  describe(`a simulated ${kind}`, () => {
    let base: Move
    before(async () => {
      base = await move({ kind })
    })

    test('comes to its end, and says what is so', () => {
      assert.deepEqual(base.violations, [])
      assert.equal(base.report?.state, 'done')
    })

    for (const what of ['killed', 'paused', 'taken over'] as const)
      for (const { isBefore, when } of ORDERS)
        test(`whose controller is ${what} at a call, ${when}: another one comes to the same end`, async () => {
          assert.deepEqual(await series(base, { kind }, { trouble: { what, isBefore } }), [])
        })

    test('a worker that stood still all the while, and wakes, changes nothing', async () => {
      const step = suite === 'short' ? 80 : 5
      for (let call = 1; call <= 400; call += step) {
        const made = await move({ kind, pausedWorker: { call } })
        assert.deepEqual([...made.violations, ...differ(base, made)], [], `from its call ${call} on`)
      }
    })
  })

describe('a simulated move without cluster rights, fenced by empty transactions', () => {
  const options: MoveOptions = { kind: 'switchover', mayWriteMarkers: false }

  for (const what of ['killed', 'paused'] as const)
    test(`whose controller is ${what} at a call: another one comes to the same end`, async () => {
      const base = await move(options)
      assert.deepEqual(base.violations, [])
      const trouble = { what, isBefore: what === 'paused' }
      assert.deepEqual(await series(base, options, { trouble, from: beginOf(base, 'drain') }), [])
    })
})

describe('a simulated move whose workers have died', () => {
  test('a switchover copies the rest itself, and another controller after it', async () => {
    const options: MoveOptions = { kind: 'switchover', areWorkersDead: true }
    const base = await move(options)
    assert.deepEqual(base.violations, [])
    const last = base.mover.process.calls
    for (let call = beginOf(base, 'drain'); call <= last; call += suite === 'short' ? 150 : 7) {
      const made = await move({ ...options, trouble: { what: 'killed', isBefore: call % 2 === 0, call } })
      assert.deepEqual([...made.violations, ...differ(base, made)], [], `call ${call}`)
    }
  })

  test('a failover counts what they have seen and not copied', async () => {
    const { violations, report, lost } = await move({ kind: 'failover', areWorkersDead: true })
    assert.deepEqual(violations, [])
    assert.ok(lost > 0)
    assert.equal(report?.rpo.records, lost)
  })
})

/** The first that an oracle says of moves with this bug. */
async function found(
  planted: Planted,
  options: Partial<MoveOptions>,
  troubles: readonly Trouble[],
): Promise<string> {
  for (const trouble of troubles) {
    const { violations } = await move({ kind: 'switchover', ...options, trouble, planted })
    if (violations.length > 0) return violations.join('; ')
  }
  return ''
}

describe('the oracles of simulated moves find', () => {
  const at = (what: Trouble['what'], calls: readonly number[]): Trouble[] =>
    calls.map(call => ({ what, isBefore: false, call }))

  // Until one of them shows it: what comes first stands anywhere.
  const range = (from: number, to: number, step: number): number[] =>
    Array.from({ length: Math.ceil((to - from) / step) }, (_, index) => from + index * step)

  test('a controller that does not ask whether it still is one', async () => {
    const said = await found(UNGUARDED, {}, at('paused', [107, ...range(95, 200, 6)]))
    assert.match(said, /two controllers act/)
  })

  test('one that takes over without waiting for the other', async () => {
    const said = await found(NO_WAIT, {}, at('taken over', range(65, 200, 4)))
    assert.match(said, /two controllers act/)
  })

  test('a link that is not fenced', async () => {
    assert.match(await found(NO_FENCE, {}, at('killed', [1])), /its fences are at/)
  })

  test('workers that go on while the link is moved', async () => {
    const calls = [188, ...range(160, 270, 4)]
    const said = await found(NO_STANDING_ASIDE, { mayWriteMarkers: false }, at('killed', calls))
    assert.match(said, /is cut at/)
  })
})
