// Pure: whether two batches hold the same records, from their bytes, and how two records differ, in words.
import { BATCH_HEADER_BYTES, type RawBatch, stampedCrc } from '../../model/batch.ts'
import type { DecodedRecord, RecordHeader } from '../../ports/records.ts'
import { isSameBytes } from '../log/records.ts'

/**
 * True: a mirror's batch is its source's, byte for byte, but for the fields that copying rewrites. False says nothing.
 * The payloads are compared, not only their checksums: a disk that changes bytes does not mend the checksum.
 */
export function isSameBatch(source: RawBatch, target: RawBatch): boolean {
  const a = source.header
  const b = target.header
  return (
    a.magic === 2 &&
    b.magic === 2 &&
    a.baseOffset === b.baseOffset &&
    a.lastOffset === b.lastOffset &&
    a.sizeBytes === b.sizeBytes &&
    a.recordCount === b.recordCount &&
    stampedCrc(source.bytes, b) === b.crc &&
    source.bytes.compare(target.bytes, BATCH_HEADER_BYTES, undefined, BATCH_HEADER_BYTES) === 0
  )
}

/** `value differs`, `timestamp 1 at the source, 2 at the target`, ...; undefined when nothing differs. */
export function describeDifference(source: DecodedRecord, target: DecodedRecord): string | undefined {
  const parts = [
    isSameBytes(source.key, target.key) ? undefined : 'key differs',
    isSameBytes(source.value, target.value) ? undefined : 'value differs',
    isSameHeaders(source.headers, target.headers) ? undefined : 'headers differ',
    source.timestamp === target.timestamp
      ? undefined
      : `timestamp ${source.timestamp} at the source, ${target.timestamp} at the target`,
  ].filter(part => part !== undefined)
  return parts.length === 0 ? undefined : parts.join(', ')
}

function isSameHeaders(a: readonly RecordHeader[], b: readonly RecordHeader[]): boolean {
  return (
    a.length === b.length &&
    a.every(([key, value], i) => isSameBytes(key, b[i]![0]) && isSameBytes(value, b[i]![1]))
  )
}
