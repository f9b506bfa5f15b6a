import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  DAY_MS,
  HOUR_MS,
  type ObjectiveDay,
  ObjectiveDays,
  rpoHistory,
  type RpoLook,
  withSpell,
} from './objective-days.ts'

const NOON = Date.parse('2026-01-31T12:00:00Z')
const MINUTE_MS = 60_000

/** A look each minute, from `from` on. */
function watched(days: ObjectiveDays, from: number, looks: readonly (RpoLook | undefined)[]): ObjectiveDays {
  for (const [index, look] of looks.entries()) days.observe(from + index * MINUTE_MS, look)
  return days
}
const look = (seconds: number, isWithin: boolean | undefined = true): RpoLook => ({
  rpoMs: seconds * 1_000,
  isWithin,
})
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value)
const fresh = (): ObjectiveDays => new ObjectiveDays(new Map())

describe('the history of an RPO', () => {
  test('adds up for how much of the time it was within its objective, and has the worst', () => {
    const days = watched(fresh(), NOON, [...times(31, look(2)), ...times(10, look(90, false))])
    assert.deepEqual(rpoHistory(days.all, NOON + 40 * MINUTE_MS), {
      worstRpoHourMs: 90_000,
      worstRpoDayMs: 90_000,
      withinRatio: 0.75,
      days: [
        {
          day: '2026-01-31',
          worstRpoMs: 90_000,
          withinRatio: 0.75,
          knownMs: 40 * MINUTE_MS,
          withinMs: 30 * MINUTE_MS,
        },
      ],
    })
  })

  test('goes on after a restart, on top of what was kept; the time in between counts for nothing', () => {
    const before = watched(fresh(), NOON, times(11, look(90, false)))
    const kept = new Map(JSON.parse(JSON.stringify([...before.all])) as [string, ObjectiveDay][])
    const days = watched(new ObjectiveDays(kept), NOON + 4 * HOUR_MS, times(31, look(1)))
    assert.partialDeepStrictEqual(rpoHistory(days.all, NOON + 4.5 * HOUR_MS), {
      worstRpoHourMs: 1_000,
      worstRpoDayMs: 90_000,
      withinRatio: 0.75,
    })
  })

  test('leaves out the time of which nobody knows, and time without looks', () => {
    const days = watched(fresh(), NOON, [look(1), look(1), undefined, look(1), look(1)])
    days.observe(NOON + HOUR_MS, look(1))
    assert.equal(rpoHistory(days.all, NOON + HOUR_MS)?.days[0]?.knownMs, 2 * MINUTE_MS)
  })

  test('of a link that no objective concerns is the worst alone', () => {
    const days = watched(fresh(), NOON, times(10, { rpoMs: 7_000, isWithin: undefined }))
    assert.partialDeepStrictEqual(rpoHistory(days.all, NOON), {
      worstRpoHourMs: 7_000,
      withinRatio: null,
      days: [{ worstRpoMs: 7_000, withinRatio: null, knownMs: 0 }],
    })
  })

  test('begins a new day at midnight UTC; the worst of the hour goes across it, and so does that of the day', () => {
    const midnight = NOON + 12 * HOUR_MS
    const days = watched(fresh(), midnight - 10 * MINUTE_MS, [...times(10, look(90)), ...times(11, look(1))])
    const history = (at: number) => rpoHistory(days.all, at)
    assert.deepEqual(
      history(midnight)?.days.map(({ day, worstRpoMs }) => [day, worstRpoMs]),
      [
        ['2026-01-31', 90_000],
        ['2026-02-01', 1_000],
      ],
    )
    assert.equal(history(midnight + 10 * MINUTE_MS)?.worstRpoHourMs, 90_000)
    assert.equal(history(midnight + 70 * MINUTE_MS)?.worstRpoHourMs, 1_000)
    assert.equal(history(midnight + 20 * HOUR_MS)?.worstRpoDayMs, 90_000)
    assert.equal(history(midnight + 26 * HOUR_MS)?.worstRpoDayMs, null)
  })

  test('is bounded: 30 days, a day of at most 4 KB', () => {
    const days = fresh()
    for (let minute = 0; minute < 40 * 24 * 60; minute += 5)
      days.observe(NOON + minute * MINUTE_MS, look(1_000_000 + minute / 7, minute % 2 === 0))
    const end = NOON + 40 * DAY_MS
    const gone = days.forget(end)
    assert.deepEqual([gone.length, days.all.size], [11, 30])
    assert.equal(gone[0], '2026-01-31')
    for (const day of days.all.values()) assert.ok(JSON.stringify(day).length < 4_096)
  })

  test('of nothing is nothing', () => assert.equal(rpoHistory(new Map(), NOON), undefined))
})

describe('the history of an age, of which the times between commits tell all', () => {
  const commitEvery = (minutes: number, count: number, dueMinutes?: number) =>
    Array.from({ length: count }, (_none, index) => NOON + index * minutes * MINUTE_MS).reduce<
      ReadonlyMap<string, ObjectiveDay>
    >((days, since) => {
      const dueBy = dueMinutes === undefined ? undefined : since + dueMinutes * MINUTE_MS
      // It takes a minute until it is there.
      const from = since + MINUTE_MS
      return withSpell(days, { from, to: from + minutes * MINUTE_MS, since, dueBy })
    }, new Map())

  test('adds up for how much of it another one was not due, and has the worst', () => {
    const days = commitEvery(20, 30, 16)
    const end = NOON + (30 * 20 + 1) * MINUTE_MS
    const history = rpoHistory(days, end)
    assert.deepEqual([history?.worstRpoHourMs, history?.worstRpoDayMs], [21 * MINUTE_MS, 21 * MINUTE_MS])
    // Of 20 minutes each the first 15: the last 5 are late.
    assert.equal(history?.withinRatio, 0.75)
    assert.equal(history.days[0]?.knownMs, 600 * MINUTE_MS)
  })

  test('that nothing limits is the worst alone', () => {
    const { withinRatio, worstRpoDayMs } = rpoHistory(commitEvery(20, 3), NOON + HOUR_MS)!
    assert.deepEqual([withinRatio, worstRpoDayMs], [null, 21 * MINUTE_MS])
  })

  test('is the same whether a time comes at once or in pieces', () => {
    const [from, to] = [NOON + 7 * MINUTE_MS + 13, NOON + 3.3 * DAY_MS]
    const spell = { since: NOON, dueBy: NOON + 1.1 * DAY_MS }
    const whole = withSpell(new Map(), { ...spell, from, to })
    let pieces: ReadonlyMap<string, ObjectiveDay> = new Map()
    for (let at = from; at < to; at += 977_777)
      pieces = withSpell(pieces, { ...spell, from: at, to: Math.min(to, at + 977_777) })
    assert.deepEqual(rpoHistory(pieces, to), rpoHistory(whole, to))
    const { knownMs, withinMs } = rpoHistory(whole, to)!.days.reduce((sum, day) => ({
      ...day,
      knownMs: sum.knownMs + day.knownMs,
      withinMs: sum.withinMs + day.withinMs,
    }))
    assert.deepEqual([knownMs, withinMs], [to - from, spell.dueBy - from])
  })

  test('is bounded: 30 days, however long the time was; a clock that went back adds nothing', () => {
    const days = withSpell(new Map(), { from: 0, to: NOON, since: 0, dueBy: 0 })
    assert.deepEqual([days.size, [...days.keys()].at(0)], [30, '2026-01-02'])
    const later = withSpell(days, { from: NOON, to: NOON + 2 * DAY_MS, since: 0, dueBy: 0 })
    assert.deepEqual([later.size, [...later.keys()].at(0)], [30, '2026-01-04'])
    for (const day of later.values()) assert.ok(JSON.stringify(day).length < 4_096)
    const wrong = withSpell(later, { from: NOON, to: NOON + 90 * DAY_MS, since: NOON, dueBy: NOON })
    const righted = withSpell(wrong, { from: NOON, to: NOON + HOUR_MS, since: NOON, dueBy: NOON + DAY_MS })
    assert.deepEqual(
      [[...righted.keys()], rpoHistory(righted, NOON + HOUR_MS)?.worstRpoDayMs],
      [['2026-01-31'], HOUR_MS],
    )
    assert.equal(rpoHistory(wrong, NOON), undefined)
    assert.equal(withSpell(later, { from: NOON, to: NOON - 1, since: 0, dueBy: 0 }), later)
  })
})
