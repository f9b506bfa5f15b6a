// A partition of a set as Kafka's own log has it: raw batches, decompressed where the vault has compressed them, in order. Only a batch
// that the point goes through is made anew, with the records before the point: it was never part of a transaction, which would have
// moved the point before it.
import { type RawBatch, readBatchHeader } from '../model/batch.ts'
import { KdrError } from '../model/errors.ts'
import type { PartitionState } from '../model/vault.ts'
import type { RecordCodec } from '../ports/records.ts'
import type { SegmentReader } from './reader.ts'

const LEADER_EPOCH_AT = 12

export type PlainLogCodec = Pick<RecordCodec, 'decode' | 'encode' | 'isIntact'>

/**
 * Runs of batches, about 1 MiB each; they belong to the reader's cache, and must not be changed. The first batch may begin below the
 * log start. Throws KdrError: damaged, store-unreachable.
 */
export async function* plainLog(
  reader: SegmentReader,
  { start, end, segments }: PartitionState,
  codec: PlainLogCodec,
): AsyncGenerator<readonly RawBatch[]> {
  for (const segment of segments) {
    const limit = Math.min(segment.to, end)
    if (segment.to <= start || segment.from >= limit) continue
    const { frames } = await reader.index(segment)
    for (const [i, frame] of frames.entries()) {
      if (frame.from >= limit) break
      const next = frames[i + 1]
      if (next !== undefined && next.from <= start) continue
      const batches = (await reader.frame(segment, frame))
        .filter(({ header }) => header.lastOffset >= start && header.baseOffset < limit)
        .flatMap(batch => {
          if (batch.header.magic >= 2 && !codec.isIntact(batch))
            throw new KdrError(
              'damaged',
              `object "${segment.object}" is damaged at offset ${batch.header.baseOffset}: a batch does not match its checksum`,
            )
          return batch.header.lastOffset < limit ? [batch] : beginningOf(batch, limit, codec)
        })
      if (batches.length > 0) yield batches
    }
  }
}

/** Its records before `end`, at their offsets; nothing when there are none. */
function beginningOf(batch: RawBatch, end: number, codec: PlainLogCodec): RawBatch[] {
  const { header } = batch
  const records = codec.decode(batch).filter(({ offset }) => offset < end)
  if (records.length === 0) return []
  const hasProducer = header.producerId >= 0n
  const bytes = codec.encode({
    codec: header.codec,
    baseOffset: header.baseOffset,
    records,
    ...(hasProducer && {
      producer: { producerId: header.producerId, producerEpoch: header.producerEpoch },
      baseSequence: header.baseSequence,
    }),
  })
  bytes.writeInt32BE(header.leaderEpoch, LEADER_EPOCH_AT)
  return [{ bytes, header: readBatchHeader(bytes) }]
}
