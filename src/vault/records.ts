// The records of a topic as a read-committed consumer would see them, out of the vault: partition by partition, through the index
// and ranged reads.
import type { RawBatch } from '../model/batch.ts'
import { KdrError } from '../model/errors.ts'
import type { AbortedTransaction, PartitionState, SetState } from '../model/vault.ts'
import type { DecodedRecord, RecordCodec } from '../ports/records.ts'
import type { ObjectStore } from '../ports/store.ts'
import { SegmentReader } from './reader.ts'
import { firstLater } from './times.ts'

export type VaultRecord = DecodedRecord & { readonly topic: string; readonly partition: number }

/** An offset, or the first record at `time` (ms) or later. */
type Place = { readonly offset: number } | { readonly time: number }

export type RecordRange = {
  readonly topic: string
  /** Undefined: all. */
  readonly partition: number | undefined
  /** [from, to); undefined: from the start, to the end. */
  readonly from: Place | undefined
  readonly to: Place | undefined
  readonly codec: Pick<RecordCodec, 'decode'>
}

/** Throws KdrError: usage for a topic or partition that is not there, damaged, store-unreachable. */
export async function readRecords(
  { store, set, state }: { readonly store: ObjectStore; readonly set: string; readonly state: SetState },
  { topic, partition, from, to, codec }: RecordRange,
  onRecord: (record: VaultRecord) => void,
): Promise<void> {
  const found = state.topics.get(topic)
  if (found === undefined)
    throw new KdrError('usage', `set "${set}" has no topic "${topic}" in commit ${state.number}`)
  const partitions = found.partitions.filter(each => partition === undefined || each.partition === partition)
  if (partitions.length === 0)
    throw new KdrError(
      'usage',
      `topic "${topic}" has ${found.partitions.length} partition(s), and no ${partition ?? 0}`,
    )
  const reader = new SegmentReader(store, set)
  const offsetOf = async (log: PartitionState, at: Place | undefined, otherwise: number): Promise<number> => {
    if (at === undefined) return otherwise
    if ('offset' in at) return at.offset
    const range = { from: log.start, end: log.end, time: at.time - 1, codec }
    return (await firstLater(reader, log.segments, range)) ?? log.end
  }
  for (const log of partitions) {
    const first = Math.max(log.start, await offsetOf(log, from, log.start))
    const end = Math.min(log.end, await offsetOf(log, to, log.end))
    for (let next = first; next < end; ) {
      const run = await reader.read(log.segments, next, end)
      if (run === undefined) break
      for (const batch of run.batches)
        if (!isHidden(batch, run.aborted))
          for (const record of codec.decode(batch))
            if (record.offset >= first && record.offset < end)
              onRecord({ topic, partition: log.partition, ...record })
      next = run.batches.at(-1)!.header.lastOffset + 1
    }
  }
}

/** A marker, or of a transaction that was aborted. */
export function isHidden({ header }: RawBatch, aborted: readonly AbortedTransaction[]): boolean {
  if (header.isControl || !header.isTransactional) return header.isControl
  return aborted.some(
    each =>
      each.producer === String(header.producerId) &&
      each.from <= header.baseOffset &&
      header.baseOffset < (each.to ?? Number.POSITIVE_INFINITY),
  )
}
