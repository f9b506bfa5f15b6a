// How the RPO of a link was, or the age of a set, day by day: its worst, and for how much of the time it was within what is wanted, for
// 30 days. Of a link one record a day in `_kdr.state`, written by whoever does the control work; of a set in its vault, where the times
// of the commits tell all of it. Days and hours are those of UTC. Pure.
import type { StateRecords } from './state-records.ts'

export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS
export const DAYS_KEPT = 30
const PIECE_MS = 300_000
/** Between two looks: when nobody looked for longer, the time in between says nothing. */
const LONGEST_MS = 300_000

/** ms of which something is known, ms of these within the objectives, and the largest RPO in ms; nulls: there was no objective, nothing was seen. */
export type HistoryHour = {
  readonly knownMs: number
  readonly withinMs: number | null
  readonly worstMs: number | null
}

export type ObjectiveDay = {
  /** By hour of the day, those of which something is known. */
  readonly hours: Readonly<Record<string, HistoryHour>>
  /** The worst of the last hour, in pieces of 5 minutes: when each began (ms since 1970), and its largest RPO. */
  readonly recent: readonly (readonly [at: number, worstMs: number])[]
}

export const NO_DAY: ObjectiveDay = { hours: {}, recent: [] }

export const dayOf = (at: number): string => new Date(at).toISOString().slice(0, 10)
const hourOf = (at: number): string => String(new Date(at).getUTCHours())

export const objectiveDayKey = (link: string, day: string): string => `objective-day/${link}/${day}`

/** By day. */
export function readObjectiveDays(store: StateRecords, link: string): Map<string, ObjectiveDay> {
  const prefix = objectiveDayKey(link, '')
  return new Map(
    store.entries(prefix).map(([key, record]) => {
      const { hours, recent } = record as ObjectiveDay
      return [key.slice(prefix.length), { hours, recent }]
    }),
  )
}

/** `isWithin`: undefined where no objective concerns it. */
export type RpoLook = { readonly rpoMs: number; readonly isWithin: boolean | undefined }

/** Adds up looks, on top of what was kept before. */
export class ObjectiveDays {
  readonly #days: Map<string, ObjectiveDay>
  #lastAt: number | undefined

  constructor(kept: ReadonlyMap<string, ObjectiveDay>) {
    this.#days = new Map(kept)
  }

  get all(): ReadonlyMap<string, ObjectiveDay> {
    return this.#days
  }

  /** The time since the last look counts as what is seen now. Undefined: nobody knows how far behind it is. `at`: ms since 1970. */
  observe(at: number, look: RpoLook | undefined): void {
    const sinceMs = this.#lastAt === undefined ? 0 : at - this.#lastAt
    this.#lastAt = look === undefined ? undefined : at
    if (look === undefined) return
    const day = this.#days.get(dayOf(at)) ?? NO_DAY
    const before = day.hours[hourOf(at)] ?? { knownMs: 0, withinMs: null, worstMs: null }
    const ms = sinceMs > 0 && sinceMs <= LONGEST_MS ? sinceMs : 0
    const { rpoMs, isWithin } = look
    const hour: HistoryHour = {
      // Time without an objective is no time within one, nor beyond.
      knownMs: before.knownMs + (isWithin === undefined ? 0 : ms),
      withinMs: isWithin === undefined ? before.withinMs : (before.withinMs ?? 0) + (isWithin ? ms : 0),
      worstMs: Math.max(before.worstMs ?? 0, Math.round(rpoMs)),
    }
    this.#days.set(dayOf(at), {
      hours: { ...day.hours, [hourOf(at)]: hour },
      recent: withPiece(recentOf(this.#days, at), at, Math.round(rpoMs)),
    })
  }

  /** Takes what is too old out, and says which days that were. */
  forget(at: number): string[] {
    const oldest = dayOf(at - DAYS_KEPT * DAY_MS)
    const old = [...this.#days.keys()].filter(day => day <= oldest)
    for (const day of old) this.#days.delete(day)
    return old
  }
}

/** A time [from, to) in which an age grew: 0 at `since`, too old from `dueBy` on (undefined: nothing says so). ms since 1970. */
export type Spell = {
  readonly from: number
  readonly to: number
  readonly since: number
  readonly dueBy: number | undefined
}

/** What is older than 30 days is left out, and what a clock has put there that was ahead. One that went back adds nothing. */
export function withSpell(
  days: ReadonlyMap<string, ObjectiveDay>,
  { from, to, since, dueBy }: Spell,
): ReadonlyMap<string, ObjectiveDay> {
  if (to <= from) return days
  const first = (Math.floor(to / DAY_MS) - DAYS_KEPT + 1) * DAY_MS
  const found = new Map([...days].filter(([day]) => day >= dayOf(first) && day <= dayOf(to)))
  for (const [at, end] of piecesOf(Math.max(from, first), to, HOUR_MS)) {
    const { hours, recent } = found.get(dayOf(at)) ?? NO_DAY
    const hour = withAge(hours[hourOf(at)], { from: at, to: end, since, dueBy })
    found.set(dayOf(at), { hours: { ...hours, [hourOf(at)]: hour }, recent })
  }
  const recent = piecesOf(Math.max(from, to - HOUR_MS), to, PIECE_MS).reduce(
    (all, [at, end]) => withPiece(all, at, end - since),
    recentOf(days, to),
  )
  return found.set(dayOf(to), { ...(found.get(dayOf(to)) ?? NO_DAY), recent })
}

/** [from, to), cut at all multiples of `ms`. */
function piecesOf(from: number, to: number, ms: number): (readonly [from: number, to: number])[] {
  const pieces: (readonly [number, number])[] = []
  for (let at = from; at < to; ) {
    const end = Math.min(to, (Math.floor(at / ms) + 1) * ms)
    pieces.push([at, end])
    at = end
  }
  return pieces
}

function withAge(before: HistoryHour | undefined, { from, to, since, dueBy }: Spell): HistoryHour {
  const { knownMs, withinMs, worstMs } = before ?? { knownMs: 0, withinMs: null, worstMs: null }
  return {
    knownMs: knownMs + (dueBy === undefined ? 0 : to - from),
    withinMs:
      dueBy === undefined ? withinMs : (withinMs ?? 0) + Math.min(to - from, Math.max(0, dueBy - from)),
    worstMs: Math.max(worstMs ?? 0, to - since),
  }
}

/** After midnight those of yesterday go on. */
function recentOf(days: ReadonlyMap<string, ObjectiveDay>, at: number): ObjectiveDay['recent'] {
  const today = days.get(dayOf(at))?.recent ?? []
  const all = today.length > 0 ? today : (days.get(dayOf(at - DAY_MS))?.recent ?? [])
  return all.filter(([from]) => from > at - HOUR_MS - PIECE_MS && from <= at)
}

function withPiece(recent: ObjectiveDay['recent'], at: number, worstMs: number): ObjectiveDay['recent'] {
  const from = Math.floor(at / PIECE_MS) * PIECE_MS
  const before = recent.find(([each]) => each === from)?.[1] ?? 0
  return [...recent.filter(([each]) => each !== from), [from, Math.max(before, worstMs)]]
}

export type DaySummary = {
  readonly day: string
  /** Null: it was not seen. */
  readonly worstRpoMs: number | null
  /** 0 to 1; null: no objective concerned it. */
  readonly withinRatio: number | null
  /** How much of the day something is known of, where an objective concerned it. */
  readonly knownMs: number
  readonly withinMs: number
}

export type RpoHistory = {
  /** Of the last hour and day; null: nothing was seen. */
  readonly worstRpoHourMs: number | null
  readonly worstRpoDayMs: number | null
  /** Of all days that are kept. */
  readonly withinRatio: number | null
  /** The oldest first. */
  readonly days: readonly DaySummary[]
}

/** Undefined: nothing is kept. What a clock has put into days to come that was ahead is none. */
export function rpoHistory(kept: ReadonlyMap<string, ObjectiveDay>, now: number): RpoHistory | undefined {
  const days = new Map([...kept].filter(([day]) => day <= dayOf(now)))
  if (days.size === 0) return undefined
  const summaries = [...days]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([day, each]) => summaryOf(day, each))
  return {
    worstRpoHourMs: worst(recentOf(days, now).map(([, worstMs]) => worstMs)),
    worstRpoDayMs: worst(
      [...days].flatMap(([day, { hours }]) =>
        Object.entries(hours).flatMap(([hour, { worstMs }]) => {
          const from = Date.parse(`${day}T00:00:00Z`) + Number(hour) * HOUR_MS
          return from > now - DAY_MS - HOUR_MS && from <= now && worstMs !== null ? [worstMs] : []
        }),
      ),
    ),
    withinRatio: withinRatio(summaries),
    days: summaries,
  }
}

function summaryOf(day: string, { hours }: ObjectiveDay): DaySummary {
  const all = Object.values(hours)
  const knownMs = all.reduce((sum, each) => sum + each.knownMs, 0)
  const withinMs = all.reduce((sum, each) => sum + (each.withinMs ?? 0), 0)
  return {
    day,
    worstRpoMs: worst(all.flatMap(({ worstMs }) => worstMs ?? [])),
    withinRatio: knownMs === 0 ? null : withinMs / knownMs,
    knownMs,
    withinMs,
  }
}

/** Null: no objective concerned any of it. */
export function withinRatio(days: readonly Pick<DaySummary, 'knownMs' | 'withinMs'>[]): number | null {
  const knownMs = days.reduce((sum, each) => sum + each.knownMs, 0)
  return knownMs === 0 ? null : days.reduce((sum, each) => sum + each.withinMs, 0) / knownMs
}

const worst = (all: readonly number[]): number | null =>
  all.length === 0 ? null : all.reduce((a, b) => Math.max(a, b))
