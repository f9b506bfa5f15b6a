// Moves of a link in the simulated world: a controller is killed, paused or passed over at its calls, and another one
// comes to the same end; whoever wakes then changes nothing. `KDR_SUITE=full` takes every call, the short suite a part.
import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import type { RunKind } from '../../src/model/runs.ts'
import { suite } from '../support/suite.ts'
import { differ, type Move, type MoveOptions, move, type Trouble } from './move-history.ts'

const ORDERS = [
  { isBefore: true, when: 'before it has an effect' },
  { isBefore: false, when: 'when it has had its effect' },
] as const

/** In the short suite one of so many calls is taken: few of the steps that only look. */
const SHORT = { looking: 24, acting: 6 }

/** What has gone wrong, by call; empty when nothing has. */
async function series(base: Move, options: MoveOptions, trouble: Omit<Trouble, 'call'>): Promise<string[]> {
  const wrong: string[] = []
  for (const call of callsOf(base, trouble)) {
    const made = await move({ ...options, trouble: { ...trouble, call } })
    const found = [...made.violations, ...differ(base, made)]
    if (found.length > 0) wrong.push(`call ${call}: ${found.join('; ')}`)
  }
  return wrong
}

/** Each series takes others, so that together they take many. */
function callsOf({ mover }: Move, { what, isBefore }: Omit<Trouble, 'call'>): number[] {
  const calls = Array.from({ length: mover.process.calls }, (_none, index) => index + 1)
  if (suite !== 'short') return calls
  const acting = mover.began.find(({ step }) => step === 'final-sync')!.call
  const shift = ['killed', 'paused', 'taken over'].indexOf(what) * 2 + Number(isBefore)
  return calls.filter(call => (call + shift) % (call < acting ? SHORT.looking : SHORT.acting) === 0)
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
          assert.deepEqual(await series(base, { kind }, { what, isBefore }), [])
        })
  })
