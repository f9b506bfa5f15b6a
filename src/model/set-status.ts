// Where a set stands: its newest commit, held against its schedule. Pure.
import { type ObjectiveDay, rpoHistory, type RpoHistory, withSpell } from './objective-days.ts'
import { lateAt, type Schedule } from './schedule.ts'

/**
 * `unscheduled`: backed up by hand. `waiting`: nothing is there yet, and nothing is late. `unverified`: its commits are fresh, and no full
 * verification has passed for as long as the config wants.
 */
export type SetStateName =
  | 'current'
  | 'late'
  | 'unverified'
  | 'unscheduled'
  | 'waiting'
  | 'unreachable'
  | 'faulted'

export type SetStatus = {
  readonly name: string
  readonly cluster: string
  readonly vault: string
  readonly state: SetStateName
  readonly sentence: string
  /** As the config says; null: by hand. */
  readonly every: string | null
  /** The newest; this and what follows is null when there is none, or the vault does not answer. */
  readonly lastCommit: number | null
  /** As of when it holds the source; ISO 8601. */
  readonly at: string | null
  /** Of that; and how old it may become: by then there should be another one. */
  readonly ageMs: number | null
  readonly objectiveMs: number | null
  /** When the last full verification began that found nothing wrong; ISO 8601. */
  readonly verifiedAt: string | null
  /** How often `kdr run` verifies it, as the config says; null: by hand. */
  readonly verifyEveryMs: number | null
  /** Who drops what is older than the days; null: the config names no days. */
  readonly prune: 'auto' | 'by-hand' | null
  /** Of all that the newest commit needs, as stored. */
  readonly bytes: number | null
  readonly objects: number | null
  /** How old the newest commit was, and for how much of the time that was within `objectiveMs` as it was then. Left out: nothing is kept. */
  readonly history?: RpoHistory
}

export type SetFacts = {
  readonly name: string
  readonly cluster: string
  readonly vault: string
  readonly every: { readonly text: string; readonly schedule: Schedule } | undefined
  readonly verifyEveryMs: number | null
  readonly prune: SetStatus['prune']
  /** ms since 1970. */
  readonly now: number
  /** From then on there could have been a first commit. */
  readonly vaultMadeAt: number
  readonly newest:
    | {
        readonly number: number
        readonly endsAt: string
        /** When it was there; and what is kept of the time up to then. */
        readonly at: string
        readonly days: ReadonlyMap<string, ObjectiveDay>
        readonly bytes: number
        readonly objects: number
        readonly verifiedAt: string | undefined
      }
    | undefined
}

export function setStatus(facts: SetFacts): SetStatus {
  const { every, now, newest, vaultMadeAt, ...names } = facts
  const at = newest === undefined ? undefined : Date.parse(newest.endsAt)
  const allowedMs = every === undefined ? null : allowed(every.schedule, at ?? vaultMadeAt)
  const ageMs = at === undefined ? null : Math.max(0, now - at)
  const isLate = allowedMs !== null && now - (at ?? vaultMadeAt) > allowedMs
  return {
    ...names,
    ...stateOf({ isLate, isUnverified: isUnverified(facts), newest, every: every?.text }),
    every: every?.text ?? null,
    lastCommit: newest?.number ?? null,
    at: newest?.endsAt ?? null,
    ageMs,
    objectiveMs: allowedMs,
    verifiedAt: newest?.verifiedAt ?? null,
    bytes: newest?.bytes ?? null,
    objects: newest?.objects ?? null,
    ...historyOf(facts),
  }
}

/** What the config wants now counts since the newest commit; before, what it wanted when each was made. */
function historyOf({ newest, every, now }: SetFacts): Pick<SetStatus, 'history'> {
  if (newest === undefined) return {}
  const since = Date.parse(newest.endsAt)
  const dueBy = every && lateAt(every.schedule, since)
  const days = withSpell(newest.days, { from: Date.parse(newest.at), to: now, since, dueBy })
  const history = rpoHistory(days, now)
  return history === undefined ? {} : { history }
}

/** It may take as long again as half of the time between two, and an hour at least. */
function isUnverified({ verifyEveryMs, newest, now, vaultMadeAt }: SetFacts): boolean {
  if (verifyEveryMs === null || newest === undefined) return false
  const last = newest.verifiedAt === undefined ? vaultMadeAt : Date.parse(newest.verifiedAt)
  return now - last > verifyEveryMs + Math.max(3_600_000, verifyEveryMs / 2)
}

const allowed = (schedule: Schedule, last: number): number => lateAt(schedule, last) - last

function stateOf({
  isLate,
  isUnverified: isOverdue,
  newest,
  every,
}: {
  readonly isLate: boolean
  readonly isUnverified: boolean
  readonly newest: SetFacts['newest']
  readonly every: string | undefined
}): Pick<SetStatus, 'state' | 'sentence'> {
  const made = newest === undefined ? 'there is no commit yet' : `the newest commit is ${newest.number}`
  if (isLate)
    return {
      state: 'late',
      sentence: `${made}, and another one should be there by now: is \`kdr run\` running?`,
    }
  if (isOverdue)
    return {
      state: 'unverified',
      sentence: `${made}, and no full verification has passed for longer than \`verify:\` allows: see the log of \`kdr run\`, or \`kdr backup verify SET --full\``,
    }
  if (every === undefined)
    return { state: 'unscheduled', sentence: `${made}; it is backed up by hand (no \`every:\`)` }
  return newest === undefined ? { state: 'waiting', sentence: made } : { state: 'current', sentence: made }
}

/** What cannot be looked at: the vault does not answer, is not there, or is damaged. */
export function unknownStatus(
  names: Pick<SetStatus, 'name' | 'cluster' | 'vault' | 'every' | 'verifyEveryMs' | 'prune'>,
  state: 'unreachable' | 'faulted',
  sentence: string,
): SetStatus {
  const nothing = { lastCommit: null, at: null, ageMs: null, objectiveMs: null, verifiedAt: null }
  return { ...names, state, sentence, ...nothing, bytes: null, objects: null }
}
