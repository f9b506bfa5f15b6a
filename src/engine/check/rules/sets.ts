// Backups: how old they are, whether anybody has read them, whether they are whole, and what is in none. Pure.
import { type Finding, finding } from '../../../model/findings.ts'
import type { SetStatus } from '../../../model/set-status.ts'
import { clusterAt, counted, isInternal, listed, type SeenCluster } from '../observation.ts'

export type SetSight = {
  readonly status: SetStatus
  /** ms since 1970. */
  readonly now: number
  /** What a cheap verification has found; undefined: it was not made, as there is nothing to verify. */
  readonly problems: readonly { readonly object: string; readonly what: string }[] | undefined
  /** The lock that ends first, and for how long the vault is to lock; undefined: it is not to. */
  readonly lock:
    | { readonly object: string; readonly until: number | undefined; readonly wantedDays: number }
    | undefined
}

const DAY_MS = 86_400_000
const VERIFIED_WITHIN_MS = 7 * DAY_MS

export function setFindings(sight: SetSight): Finding[] {
  const { status } = sight
  const values = { set: status.name, vault: status.vault }
  const where = `set:${status.name}`
  const { name, vault, sentence, state } = status
  if (state === 'unreachable')
    return [
      finding('C095', {
        where: `${where} vault:${vault}`,
        message: `vault "${vault}" of set "${name}" cannot be reached`,
        evidence: [sentence],
        values,
      }),
    ]
  if (state === 'faulted')
    return [finding('C094', { where, message: `set "${name}" cannot be read`, evidence: [sentence], values })]
  if (status.lastCommit === null)
    return [
      finding('C091', {
        where,
        message: `set "${name}" has no commit yet`,
        evidence: [sentence],
        values,
        severity: state === 'late' ? 'error' : 'warning',
      }),
    ]
  return [
    ...(state === 'late'
      ? [finding('C090', { where, message: `set "${name}" is late`, evidence: [lateness(status)], values })]
      : []),
    ...unverified(sight),
    ...damaged(sight),
    ...unlocked(sight),
  ]
}

const hours = (ms: number): string =>
  ms < 2 * DAY_MS ? `${(ms / 3_600_000).toFixed(1)} hours` : `${Math.floor(ms / DAY_MS)} days`

function lateness({ ageMs, objectiveMs, every }: SetStatus): string {
  return `its newest commit is ${hours(ageMs ?? 0)} old; with \`every: ${every ?? ''}\`, ${hours(objectiveMs ?? 0)} at most`
}

/** A set that is younger than a week has time. */
function unverified({ status, now }: SetSight): Finding[] {
  const { name, verifiedAt, at } = status
  const since = verifiedAt === null ? undefined : now - Date.parse(verifiedAt)
  const firstSeen = at === null ? 0 : now - Date.parse(at)
  if (
    since === undefined
      ? (status.lastCommit ?? 0) <= 1 && firstSeen < VERIFIED_WITHIN_MS
      : since <= VERIFIED_WITHIN_MS
  )
    return []
  return [
    finding('C092', {
      where: `set:${name}`,
      message: `set "${name}" was ${since === undefined ? 'never verified' : `last verified ${hours(since)} ago`}`,
      values: { set: name },
    }),
  ]
}

function damaged({ status: { name }, problems = [] }: SetSight): Finding[] {
  if (problems.length === 0) return []
  return [
    finding('C094', {
      where: `set:${name}`,
      message: `${counted(problems.length, 'object')} of set "${name}" missing or damaged`,
      evidence: problems.slice(0, 5).map(({ object, what }) => `${object}: ${what}`),
      values: { set: name },
    }),
  ]
}

/** The newest commit extends all locks: from then on they hold for what the vault wants. A day is lost to rounding and clocks. */
function unlocked({ status, now, lock }: SetSight): Finding[] {
  if (lock === undefined) return []
  const since = Math.max(0, status.ageMs ?? 0)
  const left = (lock.until ?? 0) - now
  if (left >= lock.wantedDays * DAY_MS - since - DAY_MS) return []
  const until =
    lock.until === undefined ? 'is not locked' : `is locked until ${new Date(lock.until).toISOString()}`
  return [
    finding('C093', {
      where: `set:${status.name}`,
      message: `set "${status.name}" is locked for less than its vault says`,
      evidence: [`${lock.object} ${until}; ${counted(lock.wantedDays, 'day')} wanted`],
      values: { set: status.name },
    }),
  ]
}

/** Of a cluster that has sets: topics that none of them takes. */
export function coverageFindings(
  cluster: SeenCluster,
  sets: readonly { readonly name: string; readonly takes: (topic: string) => boolean }[],
): Finding[] {
  if (sets.length === 0) return []
  const outside = [...cluster.topics.values()]
    .filter(topic => !isInternal(topic) && !sets.some(({ takes }) => takes(topic.name)))
    .map(({ name }) => name)
  if (outside.length === 0) return []
  return [
    finding('C096', {
      where: clusterAt(cluster),
      message: `${counted(outside.length, 'topic')} of "${cluster.name}" in no backup`,
      evidence: [listed(outside.toSorted())],
    }),
  ]
}
