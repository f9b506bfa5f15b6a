// What the source answered, taken into a copy's plan; or what the answer says instead of records.
import { splitBatches } from '../../model/batch.ts'
import { codeName, isAuthorization, isLeaderChange, KafkaCode } from '../../model/kafka-codes.ts'
import { findKdrError } from '../../model/errors.ts'
import type { FetchedPartition } from '../../ports/cluster.ts'
import { planAppend } from '../log/plan-append.ts'
import { withTombstones } from '../log/tombstones.ts'
import type { LinkContext } from './context.ts'
import { lossOf } from './faults.ts'
import type { PartitionCopy } from './partition.ts'
import type { ReadAnswer } from './stripes.ts'

/** `moved`: the metadata must be read again. `failed`: to be asked again a little later. */
export type Taken = 'ok' | 'moved' | 'failed'

const SMALL_BYTES = 64 * 1024

/** Throws KdrError('corrupt') for bytes that cannot be batches. */
export function readAnswer(answer: FetchedPartition): ReadAnswer {
  // A few bytes must not hold the whole answer in memory until they are acknowledged.
  const records = answer.records.length <= SMALL_BYTES ? Buffer.from(answer.records) : answer.records
  return { answer, batches: splitBatches(records) }
}

/** Undefined: no records that can be read, for whatever reason. Only the head's answer says what is wrong. */
export function readStripe(answer: FetchedPartition): ReadAnswer | undefined {
  if (answer.code !== KafkaCode.NONE) return undefined
  try {
    const read = readAnswer(answer)
    return read.batches.length === 0 ? undefined : read
  } catch (error) {
    if (findKdrError(error)?.code !== 'corrupt') throw error
    return undefined
  }
}

/** Bytes that cannot be what they say stop their own partition, and no other. */
export function takeSafely(copy: PartitionCopy, take: () => Taken): Taken {
  try {
    return take()
  } catch (error) {
    const known = findKdrError(error)
    if (known?.code !== 'corrupt') throw error
    // What stands before it is appended first: then the cursor says where it is.
    if (copy.isIdle) {
      const batch = lossOf(known)
      copy.break({
        why: 'anchor',
        cause: known.message,
        code: KafkaCode.CORRUPT_MESSAGE,
        ...(batch === undefined ? {} : { batch }),
      })
    }
    return 'failed'
  }
}

/** Plans what follows the plan's end. Throws KdrError('corrupt') when that cannot be read. */
export function takeRecords(
  { codec, clock }: LinkContext,
  copy: PartitionCopy,
  { answer, batches }: ReadAnswer,
): Taken {
  // Asked for twice: by the session and by a busy connection.
  const last = batches.at(-1)
  if (last !== undefined && last.header.lastOffset < copy.planned) return 'ok'
  copy.fetchBytes = batches.length === 0 ? wholeBatchBytes(answer.records) : 0
  const ops = planAppend(copy.planned, batches, answer.aborted, codec)
  const next = ops.at(-1)?.next ?? copy.planned
  copy.enqueue(
    copy.fillsWithTombstones ? withTombstones(ops, codec, clock.now()) : ops,
    batches.findLast(({ header }) => header.lastOffset < next)?.header.leaderEpoch,
  )
  return 'ok'
}

/** Undefined: the answer has records, or none, and no word about the log. */
export function takeRefusal(copy: PartitionCopy, { code, diverging }: FetchedPartition): Taken | undefined {
  if (code !== KafkaCode.NONE) return takeError(copy, code)
  if (diverging === undefined) return undefined
  const { epoch, endOffset } = diverging
  copy.break({ why: 'anchor', cause: `the source's epoch ${epoch} ends at ${endOffset}` })
  return 'failed'
}

function takeError(copy: PartitionCopy, code: number): Taken {
  const cause = `the source answers ${codeName(code)}`
  if (copy.pinnedEpoch !== undefined && isLeaderChange(code)) {
    copy.break({ why: 'anchor', cause, code })
    return 'moved'
  }
  if (
    isLeaderChange(code) ||
    code === KafkaCode.UNKNOWN_TOPIC_ID ||
    code === KafkaCode.UNKNOWN_TOPIC_OR_PARTITION
  )
    return 'moved'
  if (code === KafkaCode.OFFSET_OUT_OF_RANGE || isAuthorization(code))
    copy.break({ why: 'anchor', cause, code })
  else copy.note = cause
  return 'failed'
}

/** The size of the batch that was cut, so that the next request has room for it; 0 if there was none. */
function wholeBatchBytes(records: Buffer): number {
  return records.length < 12 ? 0 : records.readInt32BE(8) + 12
}
