// What a run would do and cost, as both sides say now: observed, nothing changed. Shown before it is approved, and observed again
// when the run begins: what makes it refuse then is in `refusals`.
import { findKdrError, KdrError } from '../../model/errors.ts'
import { readGroups } from '../../model/group-records.ts'
import { compilePatterns, isNeverMatched } from '../../model/patterns.ts'
import { readAcls, readRights } from '../../model/rights.ts'
import {
  type At,
  isPlanned,
  type Plan,
  type PlannedGroup,
  type PlannedProducer,
  type PlannedTransaction,
  type RunSummary,
} from '../../model/runs.ts'
import {
  type ReportedPartition,
  readHold,
  readLink,
  readReports,
  readSlots,
  readWorkers,
} from '../../model/state-records.ts'
import type { Cluster } from '../../ports/cluster.ts'
import type { HeldPartition, RunContext } from './context.ts'
import { expectedOf } from './expected.ts'
import { repeats } from './final-sync.ts'
import { roomAt } from './room.ts'
import { groupsOfOthers, sharedSentence } from './shared-groups.ts'
import { heldBy, type Mirror, mirrorsOf, nameOf, offsetsOf, withoutMirror, withSource } from './mirrors.ts'

/** A switchover waits for what is behind while nobody can write; beyond that it is better to wait before. */
const LAG_LIMIT_MS = 60_000
/** Who has written so lately is taken for one that still does. */
const PRODUCER_RECENT_MS = 600_000
const NAMES_SHOWN = 5
/** A worker reports each 2 s, and a fetch may wait for half a second: what it has last said of a source may be so much older. */
const UNSEEN_MS = 2_500

type Observed = Pick<RunContext, 'settings' | 'source' | 'target' | 'store' | 'clock' | 'own'> & {
  readonly kind: Plan['kind']
  readonly refusals: readonly string[]
  /** Links that move along, by the same plan. */
  readonly together?: readonly string[] | undefined
  /** Earlier ones, to tell how long this one takes; undefined: nobody asks. */
  readonly runs?: readonly RunSummary[]
}

type Seen = {
  readonly mirrors: readonly Mirror[]
  readonly held: readonly HeldPartition[]
  readonly reports: ReadonlyMap<string, ReportedPartition>
  /** Of the source, in the order of `mirrors`; as it was last seen where it does not answer. */
  readonly ends: readonly number[]
  /** Partitions of the source that the link takes, and that have no mirror. */
  readonly unmirrored: readonly At[]
}

/** `refusals`: those that are known already. Throws KdrError('unreachable') when the standby does not answer. */
export async function observePlan(input: Observed): Promise<Plan> {
  const { settings, source, store, clock, kind } = input
  await store.refresh()
  const seen = await look(input)
  const groups = await plannedGroups(input, seen)
  const loss = lossOf(input, seen)
  const warnings: string[] = []
  const refusals = [...input.refusals]
  const tell = isPlanned(kind) ? refusals : warnings
  if (isPlanned(kind) && source === undefined)
    refusals.push(`"${settings.source}" does not answer; if it is lost: kdr failover ${settings.name}`)
  tell.push(...stoppedOf(seen), ...(source === undefined ? [] : laggingOf(seen)))
  if (seen.unmirrored.length > 0)
    tell.push(
      `${seen.unmirrored.length} partition(s) that the link takes have no mirror at "${settings.target}" (kdr status says why): ${shown(seen.unmirrored.map(nameOf))}`,
    )
  const unsynced = readGroups(store, settings.name).filter(
    ({ state, reason }) => state === 'skipped' && (reason === 'no-rights' || reason === 'refused'),
  )
  tell.push(...unsynced.map(({ sentence = '' }) => sentence))
  const { shared } = await groupsOfOthers({ ...input, together: input.together ?? [] })
  tell.push(...[sharedSentence(shared, settings.name)].filter(each => each !== undefined))
  const target = replicasOf(seen, settings.target)
  const room = await roomAt(input.target, settings.target)
  refusals.push(...target.refusals)
  // On the worst day a cluster that is nearly full is better than none.
  tell.push(...room.refusals)
  warnings.push(...target.warnings, ...room.warnings)
  const missingUsers = readRights(store, settings.name, 'users')?.missing ?? []
  if (missingUsers.length > 0)
    tell.push(`"${settings.target}" lacks ${missingUsers.length} user(s): ${shown(missingUsers)}`)
  for (const part of ['acls', 'quotas'] as const) {
    const rights = readRights(store, settings.name, part)
    if (rights?.state === 'refused') tell.push(rights.sentence ?? `${part} are not followed`)
  }
  return {
    kind,
    link: settings.name,
    active: settings.source,
    standby: settings.target,
    at: clock.now(),
    isActiveThere: source !== undefined,
    topics: new Set(seen.mirrors.map(({ topic }) => topic)).size,
    loss,
    groups,
    ...(await plannedWriters(input, seen)),
    heldBack: readAcls(store, settings.name).held.size,
    missingUsers,
    leftBehind: await leftBehind(input, seen),
    refusals,
    warnings,
    ...(input.runs !== undefined && {
      expected: await expectedOf(
        { kind, link: settings.name, partitions: seen.mirrors.length, source },
        input.runs,
      ),
    }),
  }
}

async function look({ settings, source, target, store }: Observed): Promise<Seen> {
  const mirrors = await mirrorsOf({ settings, store, target })
  const reports = new Map(
    [...readReports(store, settings.name)].flatMap(([topic, { partitions }]) =>
      partitions.map(each => [nameOf({ topic, partition: each.partition }), each] as const),
    ),
  )
  const lastSeen = mirrors.map(mirror => reports.get(nameOf(mirror))?.sourceEnd ?? -1)
  const held = await heldBy(target, mirrors)
  if (source === undefined) return { mirrors, held, reports, ends: lastSeen, unmirrored: [] }
  const there = await withSource(source, mirrors)
  const answers = await offsetsOf(source, there, 'highWatermark')
  const known = new Map(there.map((mirror, index) => [nameOf(mirror), answers[index]!]))
  // A topic that was deleted there has lost nothing more.
  const ends = mirrors.map((mirror, index) => known.get(nameOf(mirror)) ?? held[index]!.logEnd)
  const unmirrored = await withoutMirror({ settings, store }, source, mirrors)
  return { mirrors, held, reports, ends, unmirrored }
}

function lossOf({ settings, source, store, clock, kind }: Observed, seen: Seen): Plan['loss'] {
  if (isPlanned(kind)) return { basis: 'exact', records: 0, ms: 0, topics: [], partitions: [] }
  const partitions = seen.mirrors.map(({ topic, partition }, index) => ({
    topic,
    partition,
    sourceEnd: seen.ends[index]!,
    mirrorEnd: seen.held[index]!.logEnd,
  }))
  const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].flatMap(([topic, some]) => {
    const records = some.reduce((sum, each) => sum + Math.max(0, each.sourceEnd - each.mirrorEnd), 0)
    return records > 0 ? [{ topic, records }] : []
  })
  const records = topics.reduce((sum, each) => sum + each.records, 0)
  const lagMs = Math.max(0, ...[...seen.reports.values()].map(each => each.lagMs))
  const workers = [...readWorkers(store, settings.name).values()]
  // Of one that has stopped long ago only what it has reported is left.
  const seenAt = Math.max(
    0,
    ...(workers.length > 0
      ? workers.map(each => each.sourceSeenAt)
      : [...seen.reports.values()].map(each => each.at)),
  )
  const isThere = source !== undefined
  const ms =
    isThere && records === 0 ? 0 : lagMs + (isThere ? 0 : UNSEEN_MS + Math.max(0, clock.now() - seenAt))
  return { basis: isThere ? 'exact' : 'estimate', records, ms, topics, partitions }
}

/** What a person has to put right before. */
function stoppedOf({ mirrors, reports }: Seen): string[] {
  const stopped = mirrors.flatMap(mirror => {
    const report = reports.get(nameOf(mirror))
    if (report === undefined) return [`"${nameOf(mirror)}" was never reported by a worker`]
    if (report.state === 'mirroring' || report.reason === 'source-deleted') return []
    return [report.sentence ?? `"${nameOf(mirror)}" is ${report.state}`]
  })
  return stopped.length > NAMES_SHOWN
    ? [
        ...stopped.slice(0, NAMES_SHOWN),
        `${stopped.length - NAMES_SHOWN} more partition(s) are not mirrored: see kdr status`,
      ]
    : stopped
}

function laggingOf({ mirrors, reports }: Seen): string[] {
  const behind = mirrors.filter(mirror => (reports.get(nameOf(mirror))?.lagMs ?? 0) > LAG_LIMIT_MS)
  return behind.length === 0
    ? []
    : [
        `${behind.length} partition(s) are more than ${LAG_LIMIT_MS / 1_000} s behind: ${shown(behind.map(nameOf))}`,
      ]
}

function replicasOf(
  { mirrors }: Seen,
  standby: string,
): { readonly refusals: readonly string[]; readonly warnings: readonly string[] } {
  const leaderless = mirrors.filter(({ leader }) => leader < 0).map(nameOf)
  const under = mirrors.filter(({ leader, inSync, replicas }) => leader >= 0 && inSync < replicas).map(nameOf)
  return {
    refusals:
      leaderless.length === 0
        ? []
        : [`${leaderless.length} partition(s) of "${standby}" have no leader: ${shown(leaderless)}`],
    warnings:
      under.length === 0
        ? []
        : [`${under.length} partition(s) of "${standby}" lack replicas: ${shown(under)}`],
  }
}

async function plannedGroups(
  { settings, source, target, store }: Observed,
  seen: Seen,
): Promise<PlannedGroup[]> {
  const known = readGroups(store, settings.name)
  const again = new Map<string, number>()
  const members = new Set<string>()
  if (source !== undefined) {
    const { mayRepeat } = await repeats({ settings, target }, source, seen.held)
    for (const each of mayRepeat) again.set(each.group, each.mayRepeat)
    for (const { group, state } of await source.listGroups())
      if (state !== 'Empty' && state !== 'Dead') members.add(group)
  }
  return known.map(({ group, state, reason }) => {
    const mayRepeat = again.get(group) ?? 0
    const isThere = members.has(group)
    return {
      group,
      state:
        state === 'skipped' && reason !== 'behind' ? 'not-carried' : mayRepeat > 0 ? 'behind' : 'in-step',
      mayRepeat,
      members: source === undefined ? -1 : Number(isThere),
      mayBeAhead: source === undefined || (isThere && mayRepeat > 0),
    }
  })
}

type Writers = { readonly producers: PlannedProducer[]; readonly transactions: PlannedTransaction[] }

/** Those that are not kdr's own. Empty where the source does not answer. */
async function plannedWriters(
  { settings, source, store, clock }: Observed,
  { mirrors }: Seen,
): Promise<Writers> {
  if (source === undefined) return { producers: [], transactions: [] }
  const own = new Set([...readSlots(store, settings.name).values()].flatMap(({ producers }) => producers))
  const now = clock.now()
  const found = new Map<bigint, { partitions: number; last: number; isOpen: boolean }>()
  for (const { producers } of await source.producers(mirrors))
    for (const { producerId, lastTimestamp, transactionStart } of producers) {
      if (own.has(String(producerId))) continue
      const before = found.get(producerId) ?? { partitions: 0, last: 0, isOpen: false }
      found.set(producerId, {
        partitions: before.partitions + 1,
        last: Math.max(before.last, lastTimestamp),
        isOpen: before.isOpen || transactionStart >= 0,
      })
    }
  const producers = [...found]
    .filter(([, { last, isOpen }]) => isOpen || now - last < PRODUCER_RECENT_MS)
    .map(([id, { partitions, last }]) => ({
      producerId: String(id),
      partitions,
      lastSeenMs: Math.max(0, now - last),
    }))
  const open = [...found].filter(([, { isOpen }]) => isOpen).map(([id]) => id)
  return { producers, transactions: await openTransactions(source, open, now) }
}

async function openTransactions(
  source: Cluster,
  producers: readonly bigint[],
  now: number,
): Promise<PlannedTransaction[]> {
  if (producers.length === 0) return []
  const { transactions } = await source.transactionsOf(producers)
  return transactions.map(({ transactionalId, producerId, state, startedAt, partitions }) => ({
    transactionalId,
    producerId: String(producerId),
    state,
    ageMs: startedAt < 0 ? 0 : Math.max(0, now - startedAt),
    partitions: partitions.length,
  }))
}

/** Topics of the active that the link does not take: applications that need them too would miss them. */
async function leftBehind({ settings, source }: Observed, { mirrors }: Seen): Promise<string[]> {
  if (source === undefined) return []
  try {
    const taken = new Set(mirrors.map(({ topic }) => topic))
    const filter = compilePatterns(settings.topics, 'topics')
    const { topics } = await source.describe()
    return [...topics.values()]
      .filter(
        ({ name, isInternal }) =>
          !isInternal && !isNeverMatched(name) && !(taken.has(name) && filter.matches(name)),
      )
      .map(({ name }) => name)
      .toSorted()
  } catch (error) {
    if (findKdrError(error)?.code !== 'unreachable') throw error
    return []
  }
}

function shown(names: readonly string[]): string {
  const some = names.slice(0, NAMES_SHOWN).join(', ')
  return names.length > NAMES_SHOWN ? `${some} and ${names.length - NAMES_SHOWN} more` : some
}

/**
 * Between the plan and its approval another run may have moved the link; asked when the journal has been claimed. Throws
 * KdrError('moved').
 */
export async function assertNotMoved({ record, store }: Pick<RunContext, 'record' | 'store'>): Promise<void> {
  await store.refresh()
  const now = readLink(store, record.link)
  if (now === undefined || now.generation <= record.generation) return
  throw new KdrError(
    'moved',
    `link "${record.link}" has been moved since this was planned (run ${now.run ?? ''}): nothing was changed`,
    { hint: 'See: kdr status. Then plan anew.' },
  )
}

/** Why there is nothing to move. */
export function notMovable({ settings, store }: Pick<Observed, 'settings' | 'store'>): string | undefined {
  const link = readLink(store, settings.name)
  if (link === undefined) return `link "${settings.name}" has never run: there is nothing to move`
  const { resume } = readHold(store, settings.name) ?? {}
  if (resume !== undefined)
    return `topics of link "${settings.name}" are being handed over; if that was interrupted, first: ${resume}`
  return link.isWaiting === true
    ? `link "${settings.name}" was moved already (run ${link.run ?? ''}), and nothing has been copied back since: kdr failback ${settings.name}`
    : undefined
}
