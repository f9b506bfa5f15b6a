// The life of one partition's copy: anchor, seed if the source starts later, copy until something is in doubt, anchor
// again. Ends when the partition faults or the link stops.
import { findKdrError, InvariantViolation, type KdrError } from '../../model/errors.ts'
import { lossAt, type LossRange, missingFrom } from '../../model/ledger.ts'
import type { Fault } from '../../model/link.ts'
import { isAuthorization, isLeaderChange, KafkaCode } from '../../model/kafka-codes.ts'
import { splitBatches } from '../../model/batch.ts'
import { type Anchor, anchor, type AnchorResult } from './anchor.ts'
import type { LinkContext } from './context.ts'
import { checkFilling } from './estimate.ts'
import { fenced, isFenced, lostAtTarget, lossOf, noRights, refusal } from './faults.ts'
import type { Fetchers } from './fetchers.ts'
import type { Break } from './hooks.ts'
import type { AppendLanes } from './lanes.ts'
import { lossOps, planLoss } from './losses.ts'
import { BACKOFF_MS, NO_RIGHTS_RETRY_MS, PRODUCE_TIMEOUT_MS, SETTLE_MS } from './limits.ts'
import type { PartitionCopy } from './partition.ts'
import type { Seeder } from './seed.ts'

export type DriveParts = {
  readonly lanes: AppendLanes
  readonly fetchers: Fetchers
  readonly seeder: Seeder
  /** Readies the mirror topic for seeding: a compacted topic refuses null keys. */
  readonly beforeSeed: (copy: PartitionCopy) => Promise<void>
}

/** After this many times the same doubt at one offset, the state says so until an append succeeds. */
const STUBBORN_TIMES = 3
/** How long a partition may be without an answer before its state says so. */
const PATIENCE_MS = 2_000

export async function drive(
  context: LinkContext,
  copy: PartitionCopy,
  parts: DriveParts,
  signal: AbortSignal,
): Promise<void> {
  const doubts = new Doubts()
  while (!signal.aborted) {
    const result = await attempt(context, copy, parts, { signal, doubts })
    await copy.drained()
    if (result.kind === 'closed' || signal.aborted) return
    if (result.kind === 'seeded') continue
    if (result.kind === 'fault') return fail(context, copy, result.fault)
    if (result.kind === 'wait') {
      waitFor(context, copy, doubts, result)
      await context.clock.sleep(isRights(result.code) ? NO_RIGHTS_RETRY_MS : doubts.backoff(), signal)
    } else {
      doubts.worked()
      const verdict = judge(copy, result.reason, doubts)
      if (verdict.kind === 'fault') return fail(context, copy, verdict.fault)
      context.log.event('debug', 'anchoring', {
        partition: copy.name,
        cause: verdict.cause,
        unguarded: copy.isUnguarded,
      })
      if (isRights(verdict.code)) waitFor(context, copy, doubts, verdict)
      else if (doubts.isStubborn) waitAloud(copy, verdict.cause)
      await context.clock.sleep(verdict.waitMs, signal)
    }
    await refreshBoth(context)
  }
}

/** What an attempt belongs to. */
type Trying = { readonly signal: AbortSignal; readonly doubts: Doubts }

type Attempt =
  | { readonly kind: 'closed' }
  | { readonly kind: 'seeded' }
  | { readonly kind: 'broken'; readonly reason: Exclude<Break, { why: 'closed' }> }
  | Exclude<AnchorResult, Anchor>

/** One anchor, and the copying that follows it. */
async function attempt(
  context: LinkContext,
  copy: PartitionCopy,
  parts: DriveParts,
  trying: Trying,
): Promise<Attempt> {
  try {
    await context.lease.hold()
    const leader = context.targetWatch.partition(copy)?.leader ?? -1
    if (leader < 0)
      return {
        kind: 'wait',
        cause: 'the mirror partition has no leader',
        code: KafkaCode.LEADER_NOT_AVAILABLE,
      }
    const { isUnguarded } = copy
    const anchored = await anchor(context, copy, isUnguarded ? PRODUCE_TIMEOUT_MS : SETTLE_MS)
    if (isDelicate(copy, anchored) && !isUnguarded && copy.isInDoubt) {
      copy.isUnguarded = true
      return { kind: 'broken', reason: { why: 'anchor', cause: 'something unanswered may still land' } }
    }
    if (anchored.kind === 'fault' && isUnguarded) copy.clearDoubts()
    // Groups go by where a mirror ends, also where it has stopped.
    if (anchored.kind === 'fault') copy.appended = Math.min(copy.appended, anchored.end ?? Infinity)
    if (anchored.kind !== 'anchored') return anchored
    if (isUnguarded) copy.clearDoubts()
    if (isShorter(copy, anchored))
      context.log.event('warn', lostAtTarget(copy, anchored.offset, copy.appended), { link: context.link })
    copy.isAnchored = true
    copy.appended = anchored.offset
    copy.targetLogStart = anchored.targetLogStart
    copy.sourceLogStart = anchored.sourceLogStart
    if (anchored.isFresh) copy.origin = anchored.sourceLogStart
    copy.acceptedLogStart = Math.max(copy.acceptedLogStart, copy.origin)
    if (anchored.isFresh && anchored.sourceLogStart > anchored.offset) {
      const base = await firstBase(context, copy, anchored.sourceLogStart)
      if (base === undefined) return { kind: 'wait', cause: "the source's first batch cannot be read" }
      if (base > anchored.offset) return await seedTo(context, copy, parts, anchored, base)
    }
    // Seeded, and not trimmed: the request to do so was lost, or its worker.
    const seededTo = Math.min(copy.origin, anchored.offset)
    if (anchored.isFresh && anchored.targetLogStart < seededTo) {
      await parts.beforeSeed(copy)
      const trimmed = await parts.seeder.trim(copy, seededTo)
      if (trimmed.kind === 'again') return { kind: 'wait', cause: trimmed.cause, ...withCode(trimmed.code) }
    }
    // Below its origin nothing was ever to be copied.
    const lost = lossAt(copy.ledger, Math.max(anchored.offset, copy.origin))
    const how = lost === undefined ? 'gap' : planLoss(context, copy, { from: anchored.offset, loss: lost })
    if (how === 'seed') return await seedOver(context, copy, parts, { anchored, to: lost?.to ?? 0 })
    if (how !== 'gap') return { kind: 'fault', fault: how }
    const tooMuch = await fillingFault(context, copy, lost?.to ?? anchored.offset)
    if (tooMuch !== undefined) return { kind: 'fault', fault: tooMuch }
    return await copyFrom(context, copy, parts, { anchored, lost, leader, trying })
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined || error instanceof InvariantViolation) throw error
    if (known.code === 'corrupt') return corrupted(known)
    if (known.code !== 'unreachable' && known.code !== 'not-allowed') throw error
    return { kind: 'wait', cause: known.message }
  }
}

/**
 * What may still land would change what a fault says, and what a person then does. A target that has lost its end may have
 * lost the sequence numbers too that would stop it.
 */
function isDelicate(copy: PartitionCopy, found: AnchorResult): boolean {
  return found.kind === 'fault' || (found.kind === 'anchored' && isShorter(copy, found))
}

function isShorter(copy: PartitionCopy, { offset }: Anchor): boolean {
  return copy.isAnchored && offset < copy.appended
}

/** Counted like a broker's own word for it: read again some times, then a fault. */
function corrupted(error: KdrError): Attempt {
  const batch = lossOf(error)
  const reason = { why: 'anchor', cause: error.message, code: KafkaCode.CORRUPT_MESSAGE } as const
  return { kind: 'broken', reason: { ...reason, ...(batch === undefined ? {} : { batch }) } }
}

async function fillingFault(
  context: LinkContext,
  copy: PartitionCopy,
  from: number,
): Promise<Fault | undefined> {
  if (context.settings.largeGap !== 'stop') return undefined
  const { offset: end } = await context.reads.sourceEnd(copy)
  return await checkFilling(context, copy, { from, end })
}

async function copyFrom(
  context: LinkContext,
  copy: PartitionCopy,
  { lanes, fetchers }: DriveParts,
  {
    anchored,
    lost,
    leader,
    trying,
  }: { anchored: Anchor; lost: LossRange | undefined; leader: number; trying: Trying },
): Promise<Attempt> {
  const { clock, producerExpirationMs } = context
  const broken = copy.open({
    offset: anchored.offset,
    planFrom: anchored.planFrom,
    fetchFrom: anchored.sourceLogStart,
    sourceEpoch: anchored.sourceEpoch,
    sequence: anchored.sequence,
    // Half of the time after which a broker forgets: what is younger is safe for hours, whatever the clocks say.
    freshSince: () => clock.now() - producerExpirationMs / 2,
  })
  const close = (): void => copy.break({ why: 'closed' })
  trying.signal.addEventListener('abort', close)
  if (trying.signal.aborted) close()
  try {
    await lanes.attach(copy, leader)
    if (lost !== undefined && copy.planned === anchored.offset)
      copy.enqueue(lossOps(context, copy, { from: anchored.offset, to: lost.to }), undefined)
    if (!fetchers.attach(copy)) {
      copy.break({
        why: 'anchor',
        cause: 'the source partition has no leader',
        code: KafkaCode.LEADER_NOT_AVAILABLE,
      })
    } else if (!trying.doubts.isStubborn) {
      copy.state = 'mirroring'
      copy.fault = undefined
      copy.note = undefined
    }
    const reason = await broken
    return reason.why === 'closed' ? { kind: 'closed' } : { kind: 'broken', reason }
  } finally {
    trying.signal.removeEventListener('abort', close)
    // An open copy here means that attaching threw.
    close()
    fetchers.detach(copy)
    lanes.detach(copy)
  }
}

/**
 * Seeds to the base of the batch that holds the source's log start: a batch that straddles it is written whole, and
 * trimmed with the log start afterwards.
 */
async function seedTo(
  context: LinkContext,
  copy: PartitionCopy,
  parts: DriveParts,
  at: Anchor,
  to: number,
): Promise<Attempt> {
  copy.state = 'seeding'
  copy.fault = undefined
  copy.note = `to the source's log start at ${at.sourceLogStart}`
  await parts.beforeSeed(copy)
  const seeded = await parts.seeder.seed(copy, { from: at.offset, to, sequence: at.sequence })
  // Done: the next attempt anchors at the new end and copies on.
  return seeded.kind === 'done'
    ? { kind: 'seeded' }
    : { kind: 'wait', cause: seeded.cause, ...withCode(seeded.code) }
}

/**
 * Fills an accepted loss as a mirror that starts later is filled. The log start moves to the end first: then no reader has
 * null records between records.
 */
async function seedOver(
  context: LinkContext,
  copy: PartitionCopy,
  parts: DriveParts,
  { anchored, to }: { anchored: Anchor; to: number },
): Promise<Attempt> {
  const { offset, sequence, targetLogStart } = anchored
  copy.state = 'seeding'
  copy.fault = undefined
  copy.note = `over offsets ${offset} to ${to - 1}, which were accepted as lost`
  copy.acceptedLogStart = Math.max(copy.acceptedLogStart, to)
  await parts.beforeSeed(copy)
  const emptied = targetLogStart < offset ? await parts.seeder.trim(copy, offset) : undefined
  const seeded =
    emptied === undefined || emptied.kind === 'done'
      ? await parts.seeder.seed(copy, { from: offset, to, sequence })
      : emptied
  return seeded.kind === 'done'
    ? { kind: 'seeded' }
    : { kind: 'wait', cause: seeded.cause, ...withCode(seeded.code) }
}

/** The base of the source's first batch, which may lie below its log start. */
async function firstBase(
  context: LinkContext,
  copy: PartitionCopy,
  logStart: number,
): Promise<number | undefined> {
  const answer = await context.reads.peek('source', {
    topic: copy.topic,
    topicId: copy.sourceTopicId,
    partition: copy.partition,
    offset: logStart,
    isolation: 'uncommitted',
  })
  if (answer.code !== KafkaCode.NONE) return undefined
  return Math.min(splitBatches(answer.records)[0]?.header.baseOffset ?? logStart, logStart)
}

const withCode = (code: number | undefined): { readonly code?: number } =>
  code === undefined ? {} : { code }
const isRights = (code: number | undefined): boolean => code !== undefined && isAuthorization(code)

async function refreshBoth({ sourceWatch, targetWatch }: LinkContext): Promise<void> {
  // Unreachable: the next attempt says so.
  await Promise.all(
    [sourceWatch, targetWatch].map(async watch => await watch.refresh().catch(() => undefined)),
  )
}

function fail({ log }: LinkContext, copy: PartitionCopy, fault: Fault): void {
  copy.state = 'faulted'
  copy.fault = fault
  copy.note = undefined
  log.event('error', fault.sentence, { topic: copy.topic, partition: copy.partition, reason: fault.reason })
}

function waitFor(
  { clock, log, link, source, target }: LinkContext,
  copy: PartitionCopy,
  doubts: Doubts,
  result: { cause: string; code?: number },
): void {
  const sentence = `"${copy.name}": ${result.cause}; trying again`
  if (isRights(result.code)) {
    if (copy.fault?.reason !== 'no-rights') log.event('warn', sentence, { link, reason: 'no-rights' })
    copy.state = 'waiting'
    copy.fault = noRights(copy, sentence, { source: source.name, target: target.name })
    return
  }
  if (doubts.waitingMs(clock.monotonic()) < PATIENCE_MS) return
  copy.state = 'waiting'
  copy.note = sentence
  const isAway = result.code === undefined || result.code === KafkaCode.LEADER_NOT_AVAILABLE
  copy.fault = isAway ? { reason: 'unreachable', sentence } : undefined
}

/** The same doubt again and again, without an end in sight: the state says what for. */
function waitAloud(copy: PartitionCopy, cause: string): void {
  copy.state = 'waiting'
  copy.note = `"${copy.name}": ${cause}; trying again`
}

type Verdict =
  | { readonly kind: 'fault'; readonly fault: Fault }
  | {
      readonly kind: 'again'
      readonly cause: string
      readonly waitMs: number
      readonly code?: number
    }

/** What a broken copy calls for. */
function judge(copy: PartitionCopy, reason: Exclude<Break, { why: 'closed' }>, doubts: Doubts): Verdict {
  if (reason.why === 'fault') return { kind: 'fault', fault: reason.fault }
  if (isFenced(reason.code)) throw fenced(copy, reason.cause)
  const { cause, code } = reason
  const times = doubts.count(copy.appended, code)
  const { batch } = reason
  // Accepted as lost: the anchor finds it in the ledger.
  if (batch !== undefined && missingFrom(copy.ledger, batch).length === 0)
    return { kind: 'again', cause, waitMs: 0 }
  const refused =
    code === undefined ? undefined : refusal(copy, { offset: copy.appended, code, times, batch })
  if (refused !== undefined) return { kind: 'fault', fault: refused }
  const waitMs = isRights(code)
    ? NO_RIGHTS_RETRY_MS
    : times <= 1 && (code === undefined || isLeaderChange(code))
      ? 0
      : doubts.backoff()
  return { kind: 'again', cause, waitMs, ...withCode(code) }
}

/** Counts how often the same doubt came back without progress, and since when nothing has worked. */
class Doubts {
  #key = ''
  #times = 0
  #offset = -1
  #tries = 0
  #since: number | undefined

  /** Of this code at this offset, this one included. */
  count(offset: number, code: number | undefined): number {
    const key = `${offset}/${code ?? ''}`
    this.#times = key === this.#key ? this.#times + 1 : 1
    this.#key = key
    if (offset !== this.#offset) this.#tries = 0
    this.#offset = offset
    return this.#times
  }

  /** It has come back so often that it is worth a word. */
  get isStubborn(): boolean {
    return this.#times >= STUBBORN_TIMES
  }

  backoff(): number {
    this.#tries++
    return Math.min(BACKOFF_MS.first * 2 ** (this.#tries - 1), BACKOFF_MS.last)
  }

  waitingMs(monotonic: number): number {
    this.#since ??= monotonic
    return monotonic - this.#since
  }

  worked(): void {
    this.#since = undefined
  }
}
