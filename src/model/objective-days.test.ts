import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  DAY_MS,
  HOUR_MS,
  type ObjectiveDay,
  ObjectiveDays,
  rpoHistory,
  type RpoLook,
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
