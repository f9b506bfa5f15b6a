// What two sides of a link call the same record. The offset is not looked at: callers pair records by it.
import type { DecodedRecord } from '../../ports/records.ts'

/** Key, value, headers in their order, and timestamp are equal; null and empty are not. */
export function isSameRecord(a: DecodedRecord, b: DecodedRecord): boolean {
  return (
    a.timestamp === b.timestamp &&
    isSameBytes(a.key, b.key) &&
    isSameBytes(a.value, b.value) &&
    a.headers.length === b.headers.length &&
    a.headers.every(
      ([key, value], i) => isSameBytes(key, b.headers[i]![0]) && isSameBytes(value, b.headers[i]![1]),
    )
  )
}

export function isSameBytes(a: Buffer | null, b: Buffer | null): boolean {
  return a === null || b === null ? a === b : a.equals(b)
}
