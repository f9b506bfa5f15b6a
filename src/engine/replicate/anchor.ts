// Anchoring (DESIGN 2.2.2): finds out, from the target's own log and nothing else, where a mirror partition stands and
// what may be appended next. Done at the start, at a take-over, and after every answer that leaves a doubt. The caller
// has seen to it that nothing of its own is in flight on a living connection.
//   1. the true end equals the high watermark, twice, under one leader epoch: what was under way has landed or is lost
//   2. the leader's producer state at that moment gives the next sequence number
//   3. the last data batch below the end equals the source's; it, and all that no answer has confirmed yet, is the link's own
//   4. what stands above it at the target (markers) is a gap at the source too
//   5. the source's epochs still lead to that end: nothing that was copied has been truncated there
import { advanceSequence, type BatchHeader, type RawBatch, splitBatches } from '../../model/batch.ts'
import { lossAt, missingFrom } from '../../model/ledger.ts'
import { epochBefore, type Fault } from '../../model/link.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import { compareTail } from './compare-tail.ts'
import type { LinkContext } from './context.ts'
import { SETTLE_MS } from './limits.ts'
import { fenced, foreignWrite, landedLate, lostToRetention, shorterSource, truncated } from './faults.ts'
import type { PartitionCopy } from './partition.ts'

export type Anchor = {
  readonly kind: 'anchored'
  /** The target's log end: the cursor. */
  readonly offset: number
  readonly sequence: number
  readonly targetLogStart: number
  readonly sourceLogStart: number
  /** Its leader's, under which all this was asked. */
  readonly sourceEpoch: number
  /** Where the plan begins: below the end when the target is longer than what the source shows yet. */
  readonly planFrom: number
  /** No record was ever copied: a source that starts later is seeded, not mourned. */
  readonly isFresh: boolean
}
/** Not now: no leader, not settled, not answered. Ask again. */
export type Wait = { readonly kind: 'wait'; readonly cause: string; readonly code?: number }
/** `end`: the target's, as it was found. */
export type Stop = { readonly kind: 'fault'; readonly fault: Fault; readonly end?: number }
export type AnchorResult = Anchor | Wait | Stop

/** `settleMs`: how long the end must stay unchanged. Throws KdrError('unreachable'). */
export async function anchor(
  context: LinkContext,
  copy: PartitionCopy,
  settleMs: number = SETTLE_MS,
): Promise<AnchorResult> {
  const result = await lookAtBoth(context, copy, settleMs)
  if (result.kind !== 'fault') return result
  // Most of what it is made of was asked by name, and a name may lead to another topic by now.
  await Promise.all([context.sourceWatch.refresh(), context.targetWatch.refresh()])
  return otherTopic(context, copy) ?? result
}

async function lookAtBoth(
  context: LinkContext,
  copy: PartitionCopy,
  settleMs: number,
): Promise<AnchorResult> {
  const sourceEpoch = context.sourceWatch.partition(copy)?.leaderEpoch ?? -1
  const settled = await settle(context, copy, settleMs)
  if (settled.kind !== 'settled') return settled
  const found = await compareWithSource(context, copy, { settled, sourceEpoch })
  return found.kind === 'fault' ? { ...found, end: settled.end } : found
}

/** Steps 3 to 5. */
async function compareWithSource(
  context: LinkContext,
  copy: PartitionCopy,
  { settled: { end, sequence }, sourceEpoch }: { settled: Settled; sourceEpoch: number },
): Promise<AnchorResult> {
  const [start, sourceEnd] = await Promise.all([
    context.reads.sourceStart(copy),
    context.reads.sourceEnd(copy),
  ])
  const failed = [start, sourceEnd].find(answer => answer.code !== KafkaCode.NONE)
  if (failed !== undefined) return wait(`the source answers ${codeName(failed.code)}`, failed.code)

  const tail = await readTail(context, copy, end)
  if (tail.kind !== 'tail') return tail
  const isFresh = !copy.lineage.hasBegun && copy.adoptedUpTo === 0
  const seen = await lookForOthers(context, copy, { tail, end, isFresh })
  if (seen.kind !== 'tail') return seen
  if (seen.stray !== undefined) return fault(seen.stray)
  const lost = await checkLineage(context, copy, { end, tail, source: sourceEnd })
  if (lost !== undefined) return lost
  const gone = { from: Math.max(end, copy.origin), to: start.offset }
  const [unaccepted] = missingFrom(copy.ledger, gone)
  if (unaccepted !== undefined && !isFresh)
    return fault(lostToRetention(copy, { from: unaccepted.from, to: gone.to }))

  const compared = await compareTail(context, copy, { end, tail, sourceStart: start.offset })
  if (compared.kind !== 'compared') return compared
  // Most of the above was asked by name.
  const other = otherTopic(context, copy)
  if (other !== undefined) return other
  return {
    kind: 'anchored',
    offset: end,
    sequence,
    targetLogStart: tail.logStart,
    sourceLogStart: start.offset,
    sourceEpoch,
    planFrom: Math.min(end, compared.upTo),
    isFresh,
  }
}

/**
 * All that nobody has held against an answer yet: where somebody else wrote there, the link's own batches behind it stand
 * elsewhere too, and the source may have deleted by then what would tell. On a fresh mirror that is everything: it was
 * seeded, or is somebody else's, and will be trimmed.
 */
async function lookForOthers(
  context: LinkContext,
  copy: PartitionCopy,
  { tail, end, isFresh }: { tail: Tail & { readonly logStart: number }; end: number; isFresh: boolean },
): Promise<Tail | Wait> {
  const from = isFresh ? tail.logStart : Math.max(tail.logStart, copy.verifiedUpTo ?? end)
  return from < tail.seenFrom ? await look(context, copy, from, end) : tail
}

/** The look at the topics says `recreated` within seconds. */
function otherTopic(
  { sourceWatch, targetWatch }: LinkContext,
  copy: PartitionCopy,
): AnchorResult | undefined {
  for (const [side, watch, id] of [
    ['source', sourceWatch, copy.sourceTopicId],
    ['target', targetWatch, copy.targetTopicId],
  ] as const) {
    if (watch.topic(copy.topic)?.id !== id) return wait(`the ${side} has another topic of this name by now`)
  }
  return undefined
}

const wait = (cause: string, code?: number): AnchorResult => ({
  kind: 'wait',
  cause,
  ...(code === undefined ? {} : { code }),
})
const fault = (what: Fault): Stop => ({ kind: 'fault', fault: what })

type Settled = { readonly kind: 'settled'; readonly end: number; readonly sequence: number }

/** Steps 1 and 2. */
async function settle(
  { reads, clock, signal }: LinkContext,
  copy: PartitionCopy,
  settleMs: number,
): Promise<Settled | AnchorResult> {
  const first = await reads.targetEnds(copy)
  if (first.code !== KafkaCode.NONE) return wait(`the target answers ${codeName(first.code)}`, first.code)
  await clock.sleep(settleMs, signal)
  // Cut short: what was under way may still land.
  if (signal.aborted) return wait('the link stops')
  const state = await reads.targetProducers(copy)
  if (state.code !== KafkaCode.NONE) return wait(`the target answers ${codeName(state.code)}`, state.code)
  const second = await reads.targetEnds(copy)
  if (second.code !== KafkaCode.NONE) return wait(`the target answers ${codeName(second.code)}`, second.code)
  if (second.end !== second.highWatermark) {
    return wait(`the target's followers hold up to ${second.highWatermark} of ${second.end}`)
  }
  if (first.end !== second.end || first.leaderEpoch !== second.leaderEpoch)
    return wait('the target is still moving')

  const { identity } = copy
  const own = state.producers.find(producer => producer.producerId === identity.producerId)
  if (own !== undefined && own.producerEpoch > identity.producerEpoch) {
    throw fenced(copy, `producer epoch ${own.producerEpoch}, ours is ${identity.producerEpoch}`)
  }
  const isContinued =
    own !== undefined && own.producerEpoch === identity.producerEpoch && own.lastSequence >= 0
  return {
    kind: 'settled',
    end: second.end,
    sequence: isContinued ? advanceSequence(own.lastSequence, 1) : 0,
  }
}

/**
 * Step 5: asks the source where the epoch of the last copied record ends now. Only records count: the epochs of what was
 * filled are not kept, and an epoch may begin in the middle of a gap.
 */
async function checkLineage(
  { reads }: LinkContext,
  copy: PartitionCopy,
  { end, tail, source }: { end: number; tail: Tail; source: { readonly offset: number } },
): Promise<AnchorResult | undefined> {
  const { last, seenFrom } = tail
  const dataEnd = last === undefined ? 0 : last.header.lastOffset + 1
  // What fills an accepted loss was never at the source, under any epoch.
  const copied = lossAt(copy.ledger, dataEnd - 1)?.from ?? dataEnd
  const epoch = epochBefore(copy.lineage.entries, copied)
  if (epoch < 0) {
    // Nothing copied is left to compare: the end is all that is known, and step 4 looks at what stands below it. Where only
    // markers stand above the source's end they are a surplus, which the source's next offsets will absorb or not.
    const isSurplus = last === undefined && seenFrom <= source.offset
    return source.offset < end && !isSurplus ? fault(shorterSource(copy, end, source.offset)) : undefined
  }
  const answer = await reads.sourceEpochEnd({ topic: copy.topic, partition: copy.partition, epoch })
  if (answer.code !== KafkaCode.NONE) return wait(`the source answers ${codeName(answer.code)}`, answer.code)
  // -1: it knows no epoch so high; it has forgotten a part of its history.
  const endsAt = answer.offset < 0 ? 0 : answer.offset
  // A target that is longer by markers only has a surplus: the copy goes on where the source ends, and finds out.
  if (answer.epoch >= epoch && endsAt >= copied) return undefined
  // A later epoch may begin below the end: then the records from there on are others than those copied.
  return fault(truncated(copy, { epoch, endsAt: Math.min(endsAt, source.offset), end }))
}

export type Tail = {
  readonly kind: 'tail'
  /** The last data batch; none when only markers were seen. */
  readonly last: RawBatch | undefined
  /** What is wrong with the first batch among those seen that does not belong there. */
  readonly stray: Fault | undefined
  /** From here to the end was looked at. */
  readonly seenFrom: number
}

/**
 * Windows in which the last data batch is looked for, backwards from the end; every batch seen on the way must be the
 * link's own. Behind a longer tail of markers it is not looked for: step 4 proves that these are a gap at the source too.
 */
const TAIL_WINDOWS = [64, 4_096, 262_144] as const

/** Looks at the target's log below `end`, as far back as there is a data batch. */
export async function readTail(
  context: LinkContext,
  copy: PartitionCopy,
  end: number,
): Promise<(Tail & { readonly logStart: number }) | Wait> {
  // Asked for: a fetch below it is answered OFFSET_OUT_OF_RANGE, and does not say where the log starts.
  const start = await context.reads.targetStart(copy)
  if (start.code !== KafkaCode.NONE) return targetAnswers(start.code)
  const logStart = start.offset
  let tail: Tail = { kind: 'tail', last: undefined, stray: undefined, seenFrom: end }
  for (const window of TAIL_WINDOWS) {
    const found = await look(context, copy, Math.max(logStart, end - window), end)
    if (found.kind === 'wait') return found
    tail = found
    if (tail.last !== undefined || tail.seenFrom === logStart) break
  }
  return { ...tail, logStart }
}

async function look(
  context: LinkContext,
  copy: PartitionCopy,
  from: number,
  end: number,
): Promise<Tail | Wait> {
  const of = {
    topic: copy.topic,
    topicId: copy.targetTopicId,
    partition: copy.partition,
    isolation: 'uncommitted',
  } as const
  let last: RawBatch | undefined
  let stray: Fault | undefined
  for (let offset = from; offset < end; ) {
    const answer = await context.reads.peek('target', { ...of, offset })
    if (answer.code !== KafkaCode.NONE) return targetAnswers(answer.code)
    const batches = splitBatches(answer.records)
    const data = batches.filter(({ header }) => !header.isControl && header.baseOffset < end)
    last = data.at(-1) ?? last
    for (const { header } of data) stray ??= strayFault(context, copy, header)
    const reached = batches.at(-1)?.header.lastOffset
    if (reached === undefined) break
    offset = reached + 1
  }
  return { kind: 'tail', last, stray, seenFrom: from }
}

const targetAnswers = (code: number): Wait => ({
  kind: 'wait',
  cause: `the target answers ${codeName(code)}`,
  code,
})

function strayFault(context: LinkContext, copy: PartitionCopy, header: BatchHeader): Fault | undefined {
  if (isForeign(context, copy, header)) return foreignWrite(copy, header)
  const from = copy.unanswered.strayFrom(header)
  return from === undefined ? undefined : landedLate(copy, from, header.baseOffset)
}

function isForeign({ slots }: LinkContext, copy: PartitionCopy, header: BatchHeader): boolean {
  // An adopted topic's own batches carry their first producers' ids; kdr has verified them once (kdr link adopt).
  return !slots.producers.has(header.producerId) && header.lastOffset >= copy.adoptedUpTo
}
