// Everything that kdr writes and reads again carries `v`. An older kdr must not guess at what a newer one wrote.

import { KdrError } from './errors.ts'

export const VERSION = 1

/** Throws KdrError('newer-version') when `record` was written by a newer kdr. A missing `v` counts as the first. */
export function assertVersion(record: { readonly v?: unknown }, what: string): void {
  const version = record.v ?? VERSION
  if (typeof version === 'number' && Number.isInteger(version) && version >= 1 && version <= VERSION) return
  throw new KdrError(
    'newer-version',
    `${what} has version ${JSON.stringify(version)}; this kdr reads versions up to ${VERSION}`,
    {
      facts: { what, version, known: VERSION },
    },
  )
}
