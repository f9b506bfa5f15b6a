import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setStatus, type SetFacts } from './set-status.ts'

const MINUTE_MS = 60_000
const NOW = 1_800_000_000_000
const every = { text: '15m', schedule: { kind: 'interval', ms: 15 * MINUTE_MS } } as const
const of = (ageMs: number | undefined, changes: Partial<SetFacts> = {}) =>
  setStatus({
    name: 'all',
    cluster: 'east',
    vault: 'main',
    every,
    verifyEveryMs: null,
    prune: null,
    now: NOW,
    vaultMadeAt: NOW - 60 * MINUTE_MS,
    newest:
      ageMs === undefined
        ? undefined
        : {
            number: 7,
            endsAt: new Date(NOW - ageMs).toISOString(),
            at: new Date(NOW - ageMs).toISOString(),
            days: new Map(),
            bytes: 10,
            objects: 2,
            verifiedAt: undefined,
          },
    ...changes,
  })

describe('the status of a set', () => {
  test('is current until another commit should be there', () => {
    assert.equal(of(30 * MINUTE_MS).state, 'current')
    const late = of(30 * MINUTE_MS + 1)
    assert.deepEqual(
      [late.state, late.lastCommit, late.ageMs, late.objectiveMs],
      ['late', 7, 30 * MINUTE_MS + 1, 30 * MINUTE_MS],
    )
    assert.match(late.sentence, /newest commit is 7, and another one should be there/)
  })

  test('without a commit counts from when the vault was made', () => {
    assert.equal(of(undefined, { vaultMadeAt: NOW - MINUTE_MS }).state, 'waiting')
    assert.equal(of(undefined).state, 'late')
  })

  test('by hand has no objective, however old it is', () => {
    const { state, objectiveMs } = of(1e10, { every: undefined })
    assert.deepEqual([state, objectiveMs], ['unscheduled', null])
  })

  test('is unverified when `verify:` asks for more, and an hour or half of it has passed', () => {
    const daysAgo = (days: number) => new Date(NOW - days * 86_400_000).toISOString()
    const stateOf = (verifiedAt: string | undefined, vaultMadeAt = 0) =>
      of(MINUTE_MS, {
        verifyEveryMs: 2 * 86_400_000,
        vaultMadeAt,
        newest: {
          number: 7,
          endsAt: daysAgo(0),
          at: daysAgo(0),
          days: new Map(),
          bytes: 1,
          objects: 1,
          verifiedAt,
        },
      })
    assert.equal(stateOf(daysAgo(2.9)).state, 'current')
    const { state, sentence } = stateOf(daysAgo(3.1))
    assert.equal(state, 'unverified')
    assert.match(sentence, /no full verification has passed/)
    assert.equal(stateOf(undefined).state, 'unverified')
    assert.equal(stateOf(undefined, NOW - 86_400_000).state, 'current', 'the vault is new')
  })

  test('has how old it was: what its vault keeps, and the time since by what is wanted now', () => {
    const endsAt = new Date(NOW - 40 * MINUTE_MS).toISOString()
    const hours = { '0': { knownMs: 60 * MINUTE_MS, withinMs: 20 * MINUTE_MS, worstMs: 90 * MINUTE_MS } }
    const days = new Map([['2027-01-14', { hours, recent: [] }]])
    const newest = { number: 7, endsAt, at: endsAt, days, bytes: 1, objects: 1, verifiedAt: undefined }
    const { history } = of(40 * MINUTE_MS, { newest })
    assert.partialDeepStrictEqual(history, { worstRpoHourMs: 40 * MINUTE_MS, withinRatio: 0.5 })
    assert.deepEqual(
      history?.days.map(({ day, withinRatio }) => [day, withinRatio]),
      [
        ['2027-01-14', 1 / 3],
        ['2027-01-15', 0.75],
      ],
    )
    assert.equal(of(undefined).history, undefined)
  })

  test('a commit from the future has no negative age', () => assert.equal(of(-5_000).ageMs, 0))
})
