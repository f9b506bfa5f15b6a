// Pure: what a commit has to take of one partition, from what the vault has and what the source says. What cannot be taken any
// more is stated, never passed over.
import { epochsOf, type Note, type PartitionState } from '../../model/vault.ts'

export type Sight = {
  readonly topic: string
  /** Undefined: the vault has nothing of this topic id and partition. */
  readonly before: PartitionState | undefined
  /** The source's log start and last stable offset. */
  readonly start: number
  readonly lastStable: number
  /** Where the source's history leaves the vault's; undefined when it does not. */
  readonly divergesAt: number | undefined
  /** Of a log that the source compacts: it is read anew when it has grown by so much at least. Undefined: it does not. */
  readonly renewsBeyondBytes?: number | undefined
}

export type PartitionPlan = {
  /** [from, end) is to be read. */
  readonly from: number
  readonly end: number
  readonly start: number
  readonly clip: number | undefined
  /** Of the last batch that the vault has below `from`; -1 when it has none. */
  readonly lastEpoch: number
  /** From the log's start on, so that nothing read before counts. */
  readonly isWhole: boolean
  /** It was to be read anew, and could not be: what the vault held then. */
  readonly triedBytes?: number
  readonly notes: readonly Note[]
}

export function planPartition(partition: number, sight: Sight): PartitionPlan {
  const { topic, before, start, lastStable, divergesAt } = sight
  if (before === undefined)
    return {
      from: start,
      end: Math.max(start, lastStable),
      start,
      clip: undefined,
      lastEpoch: -1,
      isWhole: true,
      notes: [],
    }
  const notes: Note[] = []
  const of = { topic, partition }
  // Only where nothing else is the matter.
  if (divergesAt === undefined && start <= before.end && lastStable >= before.end && hasOutgrown(sight)) {
    const what = `the source compacts this log, and the vault held ${GROWTH} times what it did when it was last read whole: it was read anew. What had been superseded by then is in earlier commits only`
    notes.push({ kind: 'renewed', ...of, what })
    return {
      from: start,
      end: Math.max(start, lastStable),
      start,
      clip: 0,
      lastEpoch: -1,
      isWhole: true,
      notes,
    }
  }
  const clip = divergesAt !== undefined && divergesAt < before.end ? divergesAt : undefined
  if (clip !== undefined)
    notes.push({
      kind: 'truncated',
      ...of,
      from: clip,
      to: before.end,
      what: `the source's log was truncated to ${clip} (an unclean leader election): what it had at ${clip} to ${before.end - 1} is in earlier commits only`,
    })
  const known = clip ?? before.end
  if (start > known) notes.push(lostNote(of, known, start))
  const from = Math.max(known, start)
  // A high watermark that lags behind after a change of leaders takes nothing back.
  const end = Math.max(from, lastStable)
  return { from, end, start, clip, lastEpoch: epochBelow(before, from), isWhole: false, notes }
}

/**
 * A restore writes what the vault holds, superseded records too: so that is bounded. Each time, as much is read again as two thirds of
 * what came in since.
 */
const GROWTH = 3

function hasOutgrown({ before, renewsBeyondBytes }: Sight): boolean {
  if (before === undefined || renewsBeyondBytes === undefined) return false
  const bytes = bytesOf(before)
  const { wholeBytes: whole = 0, triedBytes: tried } = before
  // What failed once is not read in vain by every commit.
  if (tried !== undefined && bytes - tried < Math.max(renewsBeyondBytes, tried / GROWTH)) return false
  return bytes >= GROWTH * whole && bytes - whole >= renewsBeyondBytes
}

const bytesOf = ({ segments }: PartitionState): number =>
  segments.reduce((sum, { rawBytes }) => sum + rawBytes, 0)

/** Instead of one that was to read it anew, and could not: it goes on as it was. `why`: what was said of that. */
export function planWithoutRenewal(partition: number, sight: Sight, why: string): PartitionPlan {
  const plan = planPartition(partition, { ...sight, renewsBeyondBytes: undefined })
  const what = `the log could not be read anew, and goes on as it was: ${why}`
  return {
    ...plan,
    ...(sight.before !== undefined && { triedBytes: bytesOf(sight.before) }),
    notes: [...plan.notes, { kind: 'unread', topic: sight.topic, partition, what }],
  }
}

export function lostNote(
  of: { readonly topic: string; readonly partition: number },
  from: number,
  to: number,
): Note {
  return {
    kind: 'lost',
    ...of,
    from,
    to,
    what: `the source deleted offsets ${from} to ${to - 1} (retention, or DeleteRecords) before they were backed up`,
  }
}

/** Of the last offset below `at` that the vault has; -1 when it has none. */
export function epochBelow(of: Pick<PartitionState, 'segments'>, at: number): number {
  return epochsOf(of).findLast(([, from]) => from < at)?.[0] ?? -1
}

/** What the source answers to "where does this epoch end": the largest epoch that it knows up to it. */
export type EpochAnswer = { readonly epoch: number; readonly offset: number }

/**
 * One step of finding where two histories part (KIP-320): up to `at` they may agree, whose last epoch here is `epoch`. Returns where they
 * may agree after the answer; the same when they do.
 */
export function agreesUpTo(
  of: Pick<PartitionState, 'segments'>,
  { epoch, at }: { readonly epoch: number; readonly at: number },
  answer: EpochAnswer,
): number {
  // It knows no epoch so high, or has forgotten: its end decides, and that is known anyway.
  if (answer.offset < 0) return at
  if (answer.epoch === epoch) return Math.min(at, answer.offset)
  // It has nothing of this epoch.
  const begins = epochsOf(of).find(([each]) => each === epoch)?.[1] ?? at
  return Math.min(begins, answer.offset)
}
