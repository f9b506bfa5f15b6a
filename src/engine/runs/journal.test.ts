// A run that is a part of a plan: who has lost the plan does nothing for its links either.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { FakeClock, FakeStore } from '../../../test/support/fenced-cluster.ts'
import { makeRecord } from '../../../test/support/runs.ts'
import { KdrError } from '../../model/errors.ts'
import { Journal } from './journal.ts'

const MINUTE_MS = 60_000

describe('the journal of a run of a plan', () => {
  const stores = { plan: new FakeStore(), link: new FakeStore() }
  const clock = new FakeClock()
  const journalOf = (of: keyof typeof stores, controller: string, above?: Journal): Journal =>
    new Journal({ store: stores[of], clock, link: of, controller, by: controller, above })
  const isPassedOver = (error: unknown): boolean =>
    error instanceof KdrError && error.code === 'other-controller' && /of link "plan" was/.test(error.message)

  test('takes nothing, and lets nothing be done, once another one has the plan', async () => {
    const plan = journalOf('plan', 'first')
    await plan.claim(false)
    const link = journalOf('link', 'first', plan)
    await link.claim(false)
    await link.guard()
    await link.writeRun(makeRecord({ run: 'r1', link: 'link', state: 'running' }))
    assert.equal(link.isSure(), true)

    // It stands still, and wakes when somebody has taken the plan over, or given it up; nobody has touched the link.
    await clock.sleep(MINUTE_MS)
    await journalOf('plan', 'second').claim(false)
    assert.equal(link.isSure(), false)
    await assert.rejects(link.guard(), isPassedOver)
    await assert.rejects(link.writeRun(makeRecord({ run: 'r1', link: 'link', state: 'done' })), isPassedOver)
    assert.equal(link.run('r1')?.state, 'running')
    const other = journalOf('link', 'second', undefined)
    await other.claim(false)
    await other.guard()
  })
})
