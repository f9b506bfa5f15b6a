import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { dueAt, lateAt, parseSchedule, type Schedule } from './schedule.ts'
import { parseDuration } from './units.ts'

const parse = (text: string): Schedule => {
  const schedule = parseSchedule(text, parseDuration)
  assert.ok(schedule, text)
  return schedule
}
const at = (text: string): number => Date.parse(`${text}Z`)
const next = (schedule: string, after: string): string =>
  new Date(dueAt(parse(schedule), at(after))).toISOString().slice(0, 16)

describe('a schedule', () => {
  test('a duration is counted from the newest commit on', () => {
    assert.equal(dueAt(parse('15m'), 1_000), 901_000)
    assert.equal(dueAt(parse('continuous'), 1_000), 11_000)
  })

  test('cron is in UTC, and always later', () => {
    for (const [schedule, after, expected] of [
      ['0 3 * * *', '2026-01-31T02:59', '2026-01-31T03:00'],
      ['0 3 * * *', '2026-01-31T03:00', '2026-02-01T03:00'],
      ['*/15 * * * *', '2026-01-31T23:50', '2026-02-01T00:00'],
      ['5/20 8-9 * * *', '2026-01-31T08:26', '2026-01-31T08:45'],
      ['0 0 1 1,7 *', '2026-02-01T00:00', '2026-07-01T00:00'],
      ['30 4 * * 1-5', '2026-01-30T05:00', '2026-02-02T04:30'],
      ['0 0 * * 7', '2026-01-26T00:00', '2026-02-01T00:00'],
      // Either the 13th or a Friday, where both are named.
      ['0 0 13 * 5', '2026-02-10T00:00', '2026-02-13T00:00'],
      ['0 0 13 * 5', '2026-02-13T00:00', '2026-02-20T00:00'],
      ['0 0 29 2 *', '2026-01-01T00:00', '2028-02-29T00:00'],
    ] as const)
      assert.equal(next(schedule, after), expected, `${schedule} after ${after}`)
  })

  test('what is none', () => {
    for (const text of [
      '',
      '0s',
      'often',
      '0 3 * *',
      '0 24 * * *',
      '60 3 * * *',
      '0 3 0 * *',
      '0 3 31 2 *',
      '5-1 * * * *',
      '*/0 * * * *',
      '0 3 * * mon',
    ])
      assert.equal(parseSchedule(text, parseDuration), undefined, text)
  })

  test('a commit is late when the time between two has passed again, at least a minute and at most an hour', () => {
    assert.equal(lateAt(parse('15m'), 0), 30 * 60_000)
    assert.equal(lateAt(parse('5s'), 0), 65_000)
    assert.equal(lateAt(parse('1d'), 0), 25 * 3_600_000)
    assert.equal(lateAt(parse('0 3 * * *'), at('2026-01-31T03:00')), at('2026-02-01T04:00'))
  })
})
