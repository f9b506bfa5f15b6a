import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { commitBatches, madeVault, SET } from '../../test/vault/made.ts'
import { capturedAt } from '../model/backup-age.ts'
import { rpoHistory } from '../model/objective-days.ts'
import { applyCommit, CHECKPOINT_EVERY } from '../model/vault.ts'
import type { ObjectStore } from '../ports/store.ts'
import { readCommit, readLatest } from './chain.ts'

const iso = (seconds: number): string => new Date(seconds * 1_000).toISOString()

describe('how old the newest commit was', () => {
  const MINUTE_MS = 60_000
  const lateAt = (last: number): number => last + 15 * MINUTE_MS

  /** One commit every 10 minutes, and once none for an hour. */
  async function given(count: number): Promise<{ readonly store: ObjectStore; readonly end: number }> {
    const store = await madeVault()
    let now = 0
    for (let number = 1; number <= count; number++) {
      now += (number === 50 ? 60 : 10) * MINUTE_MS
      const draft = { endsAt: new Date(now).toISOString() }
      await commitBatches(store, [], { now, draft, lateAt: number === 60 ? undefined : lateAt })
    }
    return { store, end: now }
  }

  test('is in the vault, over a checkpoint too', async () => {
    const { store, end } = await given(CHECKPOINT_EVERY + 20)
    const { commit } = await readCommit(store, SET, CHECKPOINT_EVERY)
    assert.ok(commit.isCheckpoint && commit.days !== undefined)
    assert.equal(commit.nextBy, new Date(lateAt(Date.parse(commit.at))).toISOString())
    const state = await readLatest(store, SET)
    const history = rpoHistory(state!.days, end)!
    assert.equal(history.worstRpoHourMs, 10 * MINUTE_MS)
    assert.equal(history.days[0]?.worstRpoMs, 60 * MINUTE_MS)
    const known = history.days.reduce((sum, { knownMs }) => sum + knownMs, 0)
    const within = history.days.reduce((sum, { withinMs }) => sum + withinMs, 0)
    // All but the ten minutes behind the one by hand; an hour of which 45 minutes were late.
    assert.equal(known, end - 20 * MINUTE_MS)
    assert.equal(known - within, 45 * MINUTE_MS)
  })

  test('has no end where another commit is due further away than a date can be', async () => {
    const store = await madeVault()
    await commitBatches(store, [], { lateAt: last => last + 8.64e18 })
    assert.equal((await readCommit(store, SET, 1)).commit.nextBy, undefined)
  })

  test('begins anew behind a checkpoint of a kdr that did not keep it, and has none of whoever never did', async () => {
    const { store } = await given(3)
    const state = (await readLatest(store, SET))!
    const old = (await readCommit(store, SET, 3)).commit
    assert.ok(state.days.size > 0)
    assert.equal(applyCommit(state, { ...old, isCheckpoint: true }, '').days.size, 0)
  })

  test('is no older, for whoever waits for the next one, than the clock said when it was made', () => {
    // The one before it was made by a clock that was ahead.
    assert.equal(capturedAt({ endsAt: iso(900), at: iso(20) }), iso(20))
    assert.equal(capturedAt({ endsAt: iso(10), at: iso(20) }), iso(10))
  })
})
