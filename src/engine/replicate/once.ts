// `kdr run --once`: to each partition's last stable offset as of the start, and no further.
import { KdrError } from '../../model/errors.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { FaultReason } from '../../model/link.ts'
import { BACKOFF_MS } from './limits.ts'
import type { PartitionCopy } from './partition.ts'
import { surplusOf } from './report-of.ts'
import type { Replication } from './replication.ts'

const LOOK_EVERY_MS = 200
/** A cluster that has not answered for this long ends the command; a daemon would go on trying. */
const UNREACHABLE_MS = 60_000

export type OnceProgress = {
  readonly records: number
  readonly bytes: number
  /** Offsets still to go, over all partitions. */
  readonly left: number
  readonly elapsedMs: number
}
export type OnceResult = OnceProgress & {
  readonly partitions: number
  /** Partitions that stopped before they reached their end. */
  readonly faulted: readonly {
    readonly name: string
    readonly reason: FaultReason
    readonly sentence: string
  }[]
  /** Partitions that an operator has paused: nothing is known of how far they would get. */
  readonly paused: readonly { readonly name: string; readonly sentence: string }[]
}

export type OnceOptions = {
  readonly signal: AbortSignal
  readonly timeoutMs: number | undefined
  readonly onProgress: (progress: OnceProgress) => void
}

/** Throws KdrError: interrupted, timed-out, unreachable, and whatever ends the link. */
export async function catchUp(replication: Replication, options: OnceOptions): Promise<OnceResult> {
  const { clock, sourceWatch, targetWatch } = replication.context
  const startedAt = clock.monotonic()
  const isInTime = (): boolean => clock.monotonic() - startedAt <= (options.timeoutMs ?? Infinity)
  // A topic that is made anew has no end before it is there again.
  while (replication.willRecopy() && isInTime() && !options.signal.aborted)
    await Promise.race([clock.sleep(LOOK_EVERY_MS, options.signal), replication.failed])
  const ends = await readStableEnds(replication, options.signal)
  for (;;) {
    const copies = replication.copies()
    const progress = measure(copies, ends, clock.monotonic() - startedAt)
    options.onProgress(progress)
    // What came up later has no end of its own: it is none of this command's.
    const open = copies.filter(
      copy =>
        ends.has(copy.name) && !hasReached(copy, ends) && (!isStuck(copy) || replication.willRecopy(copy)),
    )
    if (open.length === 0 && !replication.willRecopy())
      return {
        ...progress,
        partitions: copies.length,
        faulted: faultsOf(replication),
        paused: copies.flatMap(pausedOf),
      }

    if (options.signal.aborted) throw new KdrError('interrupted', 'interrupted')
    if (options.timeoutMs !== undefined && progress.elapsedMs > options.timeoutMs) {
      throw new KdrError(
        'timed-out',
        `${open.length} partition(s) have not reached their end in time; ${progress.left} offsets are left`,
      )
    }
    for (const { cluster, seenAt } of [sourceWatch, targetWatch]) {
      if (clock.now() - seenAt < UNREACHABLE_MS) continue
      throw new KdrError(
        'unreachable',
        `cluster "${cluster.name}" has not answered for ${UNREACHABLE_MS / 1_000} s`,
      )
    }
    await Promise.race([clock.sleep(LOOK_EVERY_MS, options.signal), replication.failed])
  }
}

/** Waits for partitions without a leader: an end that is not known is not an end that is reached. */
async function readStableEnds(
  replication: Replication,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const ends = new Map<string, number>()
  const { context } = replication
  let missing = replication.copies()
  for (
    let waitMs: number = BACKOFF_MS.first;
    missing.length > 0;
    waitMs = Math.min(waitMs * 2, BACKOFF_MS.last)
  ) {
    const answers = await context.source.offsets(missing, 'lastStable')
    missing = missing.filter((copy, index) => {
      const answer = answers[index]
      if (answer?.code !== KafkaCode.NONE) return !isStuck(copy)
      ends.set(copy.name, answer.offset)
      return false
    })
    if (missing.length === 0) break
    await Promise.race([context.clock.sleep(waitMs, signal), replication.failed])
    if (signal.aborted) throw new KdrError('interrupted', 'interrupted')
    await context.sourceWatch.refresh()
  }
  return ends
}

function hasReached(copy: PartitionCopy, ends: ReadonlyMap<string, number>): boolean {
  return copy.appended >= (ends.get(copy.name) ?? 0) && copy.state === 'mirroring'
}

/** Waits for a person, not for time. */
function isStuck(copy: PartitionCopy): boolean {
  return copy.state === 'paused' || (copy.fault !== undefined && copy.fault.reason !== 'unreachable')
}

function pausedOf({ state, name, note = '' }: PartitionCopy): OnceResult['paused'] {
  return state === 'paused' ? [{ name, sentence: note }] : []
}

/** What is wrong now, log starts that could not be moved and mirrors that are longer than their source included. */
export function faultsOf(replication: Replication): OnceResult['faulted'] {
  return replication.copies().flatMap(faultOf)
}

function faultOf(copy: PartitionCopy): OnceResult['faulted'] {
  const fault = copy.fault ?? copy.heldLogStart ?? surplusOf(copy)
  return fault === undefined ? [] : [{ name: copy.name, ...fault }]
}

function measure(
  copies: readonly PartitionCopy[],
  ends: ReadonlyMap<string, number>,
  elapsedMs: number,
): OnceProgress {
  let records = 0
  let bytes = 0
  let left = 0
  for (const copy of copies) {
    records += copy.counter.records
    bytes += copy.bytesCopied
    if (!isStuck(copy)) left += Math.max(0, (ends.get(copy.name) ?? 0) - copy.appended)
  }
  return { records, bytes, left, elapsedMs }
}
