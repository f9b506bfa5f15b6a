// When a set is backed up: every so long, at times of the day (cron, in UTC), or one commit right after the other. Pure: the newest
// commit decides when the next one is due, so whoever looks comes to the same answer.

export type Schedule =
  | { readonly kind: 'interval'; readonly ms: number }
  | { readonly kind: 'continuous' }
  | { readonly kind: 'cron'; readonly fields: CronFields }

export type CronFields = {
  readonly minutes: readonly number[]
  readonly hours: readonly number[]
  readonly days: readonly number[]
  readonly months: readonly number[]
  /** Sunday is 0. */
  readonly weekdays: readonly number[]
  /** `*` in one of the two: only the other one counts; else a day that fits either. */
  readonly isAnyDay: boolean
  readonly isAnyWeekday: boolean
}

export const SCHEDULE_FORM =
  'a duration such as `15m`, `continuous`, or five fields of cron such as `0 3 * * *` (UTC)'

/** Between the ends of two commits: each is an object for ever. */
export const CONTINUOUS_MS = 10_000
/** After the time when it is due, a commit may take as long as the time between two, within these. */
const LATE_AFTER_MS = { least: 60_000, most: 3_600_000 } as const

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** A 29th of February on a given weekday comes again within 40 years. */
const DAYS_AHEAD = 366 * 41

/** `duration`: how durations are read. Undefined: `text` is none. */
export function parseSchedule(
  text: string,
  duration: (text: string) => number | undefined,
): Schedule | undefined {
  if (text === 'continuous') return { kind: 'continuous' }
  const ms = duration(text)
  if (ms !== undefined) return ms > 0 ? { kind: 'interval', ms } : undefined
  const fields = parseCron(text)
  return fields === undefined ? undefined : { kind: 'cron', fields }
}

/** When the next commit is to begin, where the newest one is as of `last`. Times are ms since 1970. */
export function dueAt(schedule: Schedule, last: number): number {
  switch (schedule.kind) {
    case 'interval':
      return last + schedule.ms
    case 'continuous':
      return last + CONTINUOUS_MS
    case 'cron':
      return nextTime(schedule.fields, last)
  }
}

/** From when on there should have been another one. */
export function lateAt(schedule: Schedule, last: number): number {
  const due = dueAt(schedule, last)
  const between = dueAt(schedule, due) - due
  return due + Math.min(LATE_AFTER_MS.most, Math.max(LATE_AFTER_MS.least, between))
}

function parseCron(text: string): CronFields | undefined {
  const parts = text.trim().split(/\s+/)
  const [minute, hour, day, month, weekday] = parts
  if (parts.length !== 5) return undefined
  const fields = {
    minutes: parseField(minute, 0, 59),
    hours: parseField(hour, 0, 23),
    days: parseField(day, 1, 31),
    months: parseField(month, 1, 12),
    weekdays: parseField(weekday, 0, 7)?.map(each => each % 7),
    isAnyDay: day === '*',
    isAnyWeekday: weekday === '*',
  }
  const { minutes, hours, days, months, weekdays } = fields
  if (!minutes || !hours || !days || !months || !weekdays) return undefined
  const whole: CronFields = { ...fields, minutes, hours, days, months, weekdays }
  return Number.isFinite(nextTime(whole, 0)) ? whole : undefined
}

/** `*`, `5`, `1-5`, `0/15`, `0-30/10`, and several with commas between; ascending. */
function parseField(text: string | undefined, least: number, most: number): number[] | undefined {
  const found = new Set<number>()
  for (const part of (text ?? '').split(',')) {
    const [, any, from, to, step] = /^(?:(\*)|(\d{1,2})(?:-(\d{1,2}))?)(?:\/(\d{1,2}))?$/.exec(part) ?? []
    if (any === undefined && from === undefined) return undefined
    const first = any === undefined ? Number(from) : least
    // `5/15` begins at 5 and goes on to the end.
    const isOne = any === undefined && to === undefined && step === undefined
    const last = isOne ? first : Number(to ?? most)
    const by = Number(step ?? 1)
    if (first < least || last > most || first > last || by === 0) return undefined
    for (let value = first; value <= last; value += by) found.add(value)
  }
  return [...found].sort((a, b) => a - b)
}

/** The first later than `after`; Infinity when there is none. */
function nextTime(fields: CronFields, after: number): number {
  const from = Math.floor(after / MINUTE_MS) * MINUTE_MS + MINUTE_MS
  const today = Math.floor(from / DAY_MS) * DAY_MS
  for (let day = today; day < today + DAYS_AHEAD * DAY_MS; day += DAY_MS) {
    if (!fitsDay(fields, new Date(day))) continue
    for (const hour of fields.hours)
      for (const minute of fields.minutes) {
        const at = day + (hour * 60 + minute) * MINUTE_MS
        if (at >= from) return at
      }
  }
  return Number.POSITIVE_INFINITY
}

function fitsDay(fields: CronFields, date: Date): boolean {
  const { days, months, weekdays, isAnyDay, isAnyWeekday } = fields
  if (!months.includes(date.getUTCMonth() + 1)) return false
  const isDay = days.includes(date.getUTCDate())
  const isWeekday = weekdays.includes(date.getUTCDay())
  return isAnyDay || isAnyWeekday ? isDay && isWeekday : isDay || isWeekday
}
