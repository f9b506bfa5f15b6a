// Reads a part of a log as it stands, whatever isolation a consumer would have.
import { type RawBatch, splitBatches } from '../../model/batch.ts'
import { KdrError } from '../../model/errors.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import type { At } from '../../model/stranded.ts'
import type { LogReader } from '../../ports/cluster.ts'

const FETCH_BYTES = 4 * 1024 * 1024
const FETCH_WAIT_MS = 200
/** An answer without a byte, so often, where followers hold all of it: the cleaner has taken the rest. */
const EMPTY_ANSWERS = 3
/** As long as they do not. */
const BEHIND_ANSWERS = 100

type Place = At & { readonly topicId: string; readonly leader: number }

/**
 * All batches that reach into [from, to), control batches and those of open transactions too. `onBatches` answers whether to go on.
 * Throws KdrError('unreachable') when the leader does not give them.
 */
export async function readLog(
  cluster: Pick<LogReader, 'openFetchLane'>,
  { topic, partition, topicId, leader }: Place,
  { from, to }: { readonly from: number; readonly to: number },
  onBatches: (batches: readonly RawBatch[]) => Promise<boolean>,
): Promise<void> {
  if (leader < 0) throw unread({ topic, partition }, KafkaCode.LEADER_NOT_AVAILABLE)
  const lane = await cluster.openFetchLane(leader)
  try {
    let empty = 0
    let behind = 0
    for (let offset = from; offset < to; ) {
      const [answer] = await lane.fetch({
        isolation: 'uncommitted',
        maxWaitMs: FETCH_WAIT_MS,
        maxBytes: FETCH_BYTES,
        partitions: [
          { topic, partition, topicId, offset, leaderEpoch: -1, lastFetchedEpoch: -1, maxBytes: FETCH_BYTES },
        ],
      })
      if (answer?.code !== KafkaCode.NONE)
        throw unread({ topic, partition }, answer?.code ?? KafkaCode.UNKNOWN_SERVER_ERROR)
      const read = splitBatches(answer.records)
      const batches = read.filter(({ header }) => header.lastOffset >= offset && header.baseOffset < to)
      if (batches.length > 0 && !(await onBatches(batches))) return
      const last = read.at(-1)?.header.lastOffset
      if (last === undefined) {
        const isReadable = answer.highWatermark >= to
        if (isReadable && ++empty === EMPTY_ANSWERS) return
        if (!isReadable && ++behind === BEHIND_ANSWERS)
          throw new KdrError(
            'unreachable',
            `"${topic}/${partition}" cannot be read up to ${to}: followers hold up to ${answer.highWatermark}`,
          )
        continue
      }
      empty = 0
      offset = Math.max(offset, last + 1)
    }
  } finally {
    await lane.close()
  }
}

export function unread({ topic, partition }: At, code: number): KdrError {
  return new KdrError('unreachable', `"${topic}/${partition}" cannot be read: ${codeName(code)}`)
}
