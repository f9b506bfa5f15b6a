// What `kdr status` knows: the worker's own reports in `_kdr.state`, held against what both clusters say right now. It
// needs no living worker, and says so when there is none.
import { readAlerts } from '../../model/alerts.ts'
import { readObjectiveDays, rpoHistory, type RpoHistory } from '../../model/objective-days.ts'
import { findKdrError } from '../../model/errors.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { Headroom, HoldingTransaction, PartitionReport, PartitionState } from '../../model/link.ts'
import type { LinkSettings } from '../../model/link-settings.ts'
import { type Ledger, showLoss, type ShownLoss } from '../../model/ledger.ts'
import { compilePatterns } from '../../model/patterns.ts'
import { pausedSentence, pauseOf, readPauses, type ScopedPause } from '../../model/pauses.ts'
import {
  readForgotten,
  readHold,
  readLedgers,
  readLink,
  readReports,
  readTopics,
  readWorkers,
  type ReportedTopic,
  type WorkerRecord,
} from '../../model/state-records.ts'
import type { Stranded } from '../../model/stranded.ts'
import type { Clock } from '../../ports/clock.ts'
import type { LogPoint, LogReader, TopicPartition } from '../../ports/cluster.ts'
import type { StateStore } from '../../ports/state.ts'
import { type GroupStatus, groupStatuses } from './groups.ts'
import { namingRight } from './missing-right.ts'
import { type RightsStatus, rightsStatus } from './rights.ts'
import {
  type HeadroomStatus,
  headroomNow,
  type TransactionStatus,
  type Warning,
  warningsOf,
} from './warnings.ts'

export type LinkState = 'starting' | 'mirroring' | 'paused' | 'stopped' | 'promoted' | 'faulted'

export type PartitionStatus = Omit<
  PartitionReport,
  'headroom' | 'transaction' | 'isAnchored' | 'logStart'
> & {
  readonly headroom?: HeadroomStatus
  readonly transaction?: TransactionStatus
  /** What was lost and accepted, newest first, up to LEDGER_SHOWN ranges; `lostRanges`: how many there are. */
  readonly ledger?: readonly ShownLoss[]
  readonly lostRanges?: number
}

export type TopicStatus = {
  readonly name: string
  readonly state: PartitionState
  readonly partitions: readonly PartitionStatus[]
}

/** Of a partition: `kdr verify --json` has all of them. */
const LEDGER_SHOWN = 20

export type LinkStatus = RightsStatus & {
  readonly name: string
  readonly source: string
  readonly target: string
  readonly home: boolean
  readonly generation: number
  readonly mode: 'exact' | 'shared'
  readonly state: LinkState
  readonly sentence: string
  /** These three: null when the standby cannot be reached, so that nobody knows. */
  readonly lagRecords: number | null
  readonly lagMs: number | null
  readonly rpoMs: number | null
  /** ISO 8601; null when it was never seen. */
  readonly sourceSeenAt: string | null
  readonly workers: readonly { readonly id: string; readonly slots: readonly number[] }[]
  readonly topics: readonly TopicStatus[]
  /** Topics of the link of which no worker has told anything yet; left out where there are none. */
  readonly unreported?: readonly string[]
  /** Topics that the patterns take and that kdr leaves alone (kdr link forget). */
  readonly forgotten: readonly { readonly topic: string; readonly at: string; readonly by: string }[]
  readonly groups: readonly GroupStatus[]
  /** Of a link that waits since a failover, where the cluster that was left answers: what it has, and the active has not. */
  readonly stranded?: Stranded
  /** What the alerts of `kdr run` say of it, where the config has `alerts:` and a worker lives. */
  readonly alerts?: readonly AlertStatus[]
  /** How its RPO was over the last days; absent where nothing is kept. */
  readonly history?: RpoHistory
  /** What is not wrong yet. */
  readonly warnings: readonly Warning[]
}

/** One that fires. */
export type AlertStatus = {
  readonly alert: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  readonly firesSince: string
  /** False: it is silenced. */
  readonly isTold: boolean
}

export type ObserveStatusInput = {
  /** As it leads now. */
  readonly settings: LinkSettings
  readonly isHome: boolean
  /** Clusters that know an older generation: they were away when the link was moved. */
  readonly stale: readonly string[]
  /** Undefined when it cannot be reached; `sourceProblem` then says why. */
  readonly source: LogReader | undefined
  readonly sourceProblem: string | undefined
  readonly target: LogReader
  readonly store: StateStore
  readonly clock: Clock
}

/** A worker whose last beat is older is taken for dead. */
const BEAT_MISSING_MS = 12_000

export async function observeStatus(input: ObserveStatusInput): Promise<LinkStatus> {
  const { settings, store, clock } = input
  await store.refresh()
  const now = clock.now()
  const link = readLink(store, settings.name)
  const known = readTopics(store, settings.name)
  const filter = compilePatterns(settings.topics, 'topics')
  const groups = compilePatterns(settings.groups, 'groups')
  // One that the config takes no more keeps its last report, which nobody brings up to date.
  const reports = new Map(
    [...readReports(store, settings.name)].filter(
      ([topic]) => filter.matches(topic) && (known.has(topic) || link !== undefined),
    ),
  )
  const unreported = [...known.keys()].filter(topic => filter.matches(topic) && !reports.has(topic))
  const workers = [...readWorkers(store, settings.name)]
  const alive = workers.filter(
    ([, worker]) => worker.state === 'running' && now - worker.at < BEAT_MISSING_MS,
  )

  const partitions = [...reports].flatMap(([topic, report]) =>
    report.partitions.map(({ partition }) => ({ topic, partition })),
  )
  const cursors = await liveOffsets(input.target, partitions, 'logEnd')
  const sourceEnds =
    input.source === undefined ? undefined : await liveOffsets(input.source, partitions, 'highWatermark')
  const pauses = readPauses(store, settings.name)
  const ledgers = readLedgers(store, settings.name)
  const aliveAt = Math.max(0, ...workers.map(([, worker]) => worker.at))
  const live: Live = {
    cursors,
    sourceEnds,
    pauses,
    ledgers,
    link: settings.name,
    now,
    aliveAt,
    isAlive: alive.length > 0,
  }
  const seen = [...reports].map(([name, report]) => topicStatus(name, report, live))
  const topics = seen.map(({ topic }) => topic)
  const all = topics.flatMap(topic => topic.partitions)

  const seenAt =
    sourceEnds === undefined ? Math.max(0, ...workers.map(([, worker]) => worker.sourceSeenAt)) : now
  const lagMs = Math.max(0, ...all.map(partition => partition.lagMs))
  return {
    name: settings.name,
    source: settings.source,
    target: settings.target,
    home: input.isHome,
    generation: link?.generation ?? 0,
    mode: settings.mode,
    ...withStale(input, stateOf({ input, hasRun: link !== undefined, alive, topics, all })),
    lagRecords: all.reduce((sum, partition) => sum + partition.lagRecords, 0),
    lagMs,
    rpoMs: lagMs + (seenAt === 0 ? 0 : now - seenAt),
    sourceSeenAt: seenAt === 0 ? null : new Date(seenAt).toISOString(),
    workers: alive.map(([id, { slots }]) => ({ id, slots })),
    topics,
    ...(unreported.length > 0 && { unreported }),
    forgotten: [...readForgotten(store, settings.name)]
      .filter(([topic]) => filter.matches(topic))
      .map(([topic, { at, by }]) => ({ topic, at: new Date(at).toISOString(), by })),
    groups: groupStatuses(store, settings.name, { now, isWanted: group => groups.matches(group) }),
    ...rightsStatus(store, settings.name),
    ...(alive.length > 0 && alertsStatus(store, settings.name)),
    ...historyStatus(store, settings.name, now),
    warnings: seen.flatMap(({ warnings }) => warnings),
  }
}

function historyStatus(store: StateStore, link: string, now: number): Pick<LinkStatus, 'history'> {
  const history = rpoHistory(readObjectiveDays(store, link), now)
  return history === undefined ? {} : { history }
}

function alertsStatus(store: StateStore, link: string): Pick<LinkStatus, 'alerts'> {
  const alerts = readAlerts(store, link).map(({ name, labels, value, firesSince, isTold }) => ({
    alert: name,
    labels,
    value,
    firesSince: new Date(firesSince).toISOString(),
    isTold,
  }))
  return alerts.length === 0 ? {} : { alerts }
}

/** Offsets by `topic/partition`; those that no leader answered for are missing. Undefined: the cluster went away. */
async function liveOffsets(
  cluster: LogReader,
  partitions: readonly TopicPartition[],
  point: LogPoint,
): Promise<ReadonlyMap<string, number> | undefined> {
  try {
    const answers = await cluster.offsets(partitions, point)
    return new Map(
      answers.flatMap((answer, index) => {
        const of = partitions[index]
        return answer.code === KafkaCode.NONE && of !== undefined
          ? [[`${of.topic}/${of.partition}`, answer.offset] as const]
          : []
      }),
    )
  } catch (error) {
    if (findKdrError(error)?.code === 'unreachable') return undefined
    throw error
  }
}

type Live = {
  readonly cursors: ReadonlyMap<string, number> | undefined
  readonly sourceEnds: ReadonlyMap<string, number> | undefined
  readonly pauses: readonly ScopedPause[]
  readonly ledgers: ReadonlyMap<string, Ledger>
  readonly link: string
  readonly now: number
  readonly aliveAt: number
  readonly isAlive: boolean
}

function topicStatus(
  name: string,
  report: ReportedTopic,
  live: Live,
): { readonly topic: TopicStatus; readonly warnings: readonly Warning[] } {
  const warnings: Warning[] = []
  const partitions = report.partitions.map((reported): PartitionStatus => {
    const {
      at: reportedAt,
      worker: _worker,
      targetTopicId: _targetTopicId,
      generation: _generation,
      isAnchored: _isAnchored,
      logStart: _logStart,
      headroom: _headroom,
      transaction: reportedTransaction,
      ...partition
    } = reported
    // Without a worker nobody has looked whether it is still open.
    const transaction = live.isAlive ? reportedTransaction : undefined
    const key = `${name}/${partition.partition}`
    const cursor = live.cursors?.get(key) ?? partition.cursor
    const seenEnd = live.sourceEnds?.get(key)
    const sourceEnd = seenEnd ?? partition.sourceEnd
    const lagRecords = Math.max(0, sourceEnd - cursor)
    // What the worker measured, grown by the age of its report; nothing is late that has arrived, where it was seen what there is.
    const isInStep = lagRecords === 0 && (seenEnd !== undefined || partition.lagMs === 0)
    const lagMs = isInStep ? 0 : Math.round(partition.lagMs + Math.max(0, live.now - reportedAt))
    const headroom = headroomNow(reported, lagRecords, { ...live, deletion: report.deletion })
    const of = { topic: name, partition: partition.partition, cursor }
    warnings.push(...warningsOf(of, { headroom, transaction, now: live.now }))
    const status = {
      ...partition,
      ...(partition.reason === 'no-rights' &&
        partition.sentence !== undefined && { sentence: namingRight(partition.sentence) }),
      cursor,
      sourceEnd,
      lagRecords,
      lagMs,
      ...(headroom !== undefined && { headroom: headroomStatus(headroom) }),
      ...(transaction !== undefined && { transaction: transactionStatus(transaction, live.now) }),
    }
    return withLedger(held(status, name, live), live.ledgers.get(key))
  })
  return { topic: { name, state: worst(partitions.map(partition => partition.state)), partitions }, warnings }
}

const headroomStatus = ({ ms, basis, isAtMost }: Headroom): HeadroomStatus => ({ ms, basis, isAtMost })

function transactionStatus(transaction: HoldingTransaction, now: number): TransactionStatus {
  const { since, bootstrap: _bootstrap, ...facts } = transaction
  return { ...facts, ageMs: Math.max(0, now - since) }
}

/** A pause holds from the moment that it is recorded, whether or not a worker has seen it. */
function held(partition: PartitionStatus, topic: string, { pauses, link }: Live): PartitionStatus {
  const pause = pauseOf(pauses, { topic, partition: partition.partition })
  if (pause === undefined || partition.state === 'faulted') return partition
  const { reason: _none, ...rest } = partition
  const sentence = pausedSentence(link, `${topic}/${partition.partition}`, pause)
  return { ...rest, state: 'paused', sentence }
}

function withLedger(partition: PartitionStatus, ledger: Ledger | undefined): PartitionStatus {
  if (ledger === undefined || ledger.ranges.length === 0) return partition
  const newest = ledger.ranges.toSorted((a, b) => b.at - a.at).slice(0, LEDGER_SHOWN)
  return {
    ...partition,
    ledger: newest.map(showLoss),
    lostRanges: ledger.ranges.length + (ledger.summed?.ranges ?? 0),
  }
}

const BY_GRAVITY: readonly PartitionState[] = [
  'faulted',
  'waiting',
  'seeding',
  'paused',
  'mirroring',
  'promoted',
]

function worst(states: readonly PartitionState[]): PartitionState {
  return BY_GRAVITY.find(state => states.includes(state)) ?? 'waiting'
}

/** One that was away may still have applications that write to it. */
export function withStale(
  { stale }: Pick<ObserveStatusInput, 'stale'>,
  said: { readonly state: LinkState; readonly sentence: string },
): { readonly state: LinkState; readonly sentence: string } {
  if (stale.length === 0) return said
  return {
    ...said,
    sentence: `${said.sentence}; "${stale.join('", "')}" does not know yet that the link was moved: applications there may not be fenced (kdr runs list)`,
  }
}

function stateOf(found: {
  readonly input: ObserveStatusInput
  readonly hasRun: boolean
  readonly alive: readonly (readonly [string, WorkerRecord])[]
  readonly topics: readonly TopicStatus[]
  readonly all: readonly PartitionStatus[]
}): { readonly state: LinkState; readonly sentence: string } {
  const { input, hasRun, alive, topics, all } = found
  if (!hasRun) return { state: 'stopped', sentence: 'this link has never run; start it with: kdr run' }
  const hold = readHold(input.store, input.settings.name)
  if (hold !== undefined)
    return {
      state: 'paused',
      sentence:
        hold.resume === undefined
          ? `the link is being moved by run ${hold.run}; see: kdr runs show ${hold.run}`
          : `its topics are being handed over; if that was interrupted, repeat it: ${hold.resume}`,
    }
  const faulted = all.filter(partition => partition.state === 'faulted')
  const lag = all.reduce((sum, partition) => sum + partition.lagRecords, 0)
  if (faulted.length > 0) {
    const first = faulted[0]?.sentence ?? ''
    const others = faulted.length > 1 ? ` (and ${faulted.length - 1} more)` : ''
    return {
      state: 'faulted',
      sentence: `${faulted.length} of ${all.length} partition(s) stopped${others}: ${first}`,
    }
  }
  if (input.source === undefined) {
    return {
      state: alive.length > 0 ? 'mirroring' : 'stopped',
      sentence: `the source does not answer: ${input.sourceProblem ?? 'unknown'}`,
    }
  }
  const paused = all.filter(partition => partition.state === 'paused')
  if (paused.length > 0 && paused.length === all.length)
    return {
      state: 'paused',
      sentence: `paused, ${lag} record(s) behind${alive.length === 0 ? ', and no kdr runs this link' : ''}: ${paused[0]?.sentence ?? ''}`,
    }
  if (alive.length === 0)
    return {
      state: 'stopped',
      sentence: `no kdr runs this link; ${lag} record(s) behind. Start it with: kdr run`,
    }
  const waiting = all.filter(partition => partition.state === 'waiting' || partition.state === 'seeding')
  if (waiting.length === 0) {
    const stopped = paused.length === 0 ? '' : `, ${paused.length} of them paused`
    const mirrored = `${topics.length} topic(s), ${all.length} partition(s)${stopped}`
    return {
      state: 'mirroring',
      sentence: lag === 0 ? `${mirrored}, nothing behind` : `${mirrored}, ${lag} record(s) behind`,
    }
  }
  const first = waiting.find(partition => partition.sentence !== undefined)?.sentence
  const sentence = `${waiting.length} of ${all.length} partition(s) wait${first === undefined ? '' : `: ${first}`}`
  return { state: waiting.length === all.length ? 'starting' : 'mirroring', sentence }
}
