// JSON objects that carry their own checksum as their last member, over all bytes before it: a changed byte is found out even where
// nothing else names the object's hash (the newest commit, kdr.json).
import { createHash } from 'node:crypto'
import { KdrError } from '../model/errors.ts'
import { assertVersion } from '../model/versioned.ts'
import type { ObjectStore } from '../ports/store.ts'

const SEAL = ',"sha256":"'
const HEX = 64
const END = '"}\n'

export function sha256(...pieces: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const piece of pieces) hash.update(piece)
  return hash.digest('hex')
}

/** `record` has at least one member, and none called sha256. */
export function seal(record: Readonly<Record<string, unknown>>): Buffer {
  const body = Buffer.from(JSON.stringify(record).slice(0, -1))
  return Buffer.concat([body, Buffer.from(`${SEAL}${sha256(body)}${END}`)])
}

/** Throws KdrError: damaged, newer-version. */
export function unseal(bytes: Buffer, name: string): Record<string, unknown> {
  const bodyBytes = bytes.length - SEAL.length - HEX - END.length
  const body = bytes.subarray(0, Math.max(0, bodyBytes))
  const isWhole =
    bodyBytes > 0 && bytes.subarray(bodyBytes).equals(Buffer.from(`${SEAL}${sha256(body)}${END}`))
  if (!isWhole) throw new KdrError('damaged', `object "${name}" is damaged: its checksum does not match`)
  const record = JSON.parse(`${body.toString()}}`) as Record<string, unknown>
  assertVersion(record, `object "${name}"`)
  return record
}

/** Undefined: there is no such object. */
export async function readSealed(
  store: ObjectStore,
  name: string,
): Promise<{ readonly record: Record<string, unknown>; readonly bytes: Buffer } | undefined> {
  const bytes = await store.get(name)
  return bytes === undefined ? undefined : { record: unseal(bytes, name), bytes }
}
