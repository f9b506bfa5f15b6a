// Which Kafka the lab can run, and what the names that people type stand for. Only the known versions are promised; any
// other of the range is tried with Maven.

import { KdrError } from '../model/errors.ts'

/** Each of these has been resolved by Maven and booted as a KRaft node, oldest first. */
export const KNOWN_VERSIONS: readonly string[] = [
  '3.3.2',
  '3.4.1',
  '3.5.2',
  '3.6.2',
  '3.7.0',
  '3.7.2',
  '3.8.0',
  '3.8.1',
  '3.9.0',
  '3.9.1',
  '3.9.2',
  '4.0.0',
  '4.0.2',
  '4.1.1',
  '4.1.2',
  '4.2.0',
  '4.2.1',
  '4.2.2',
  '4.3.0',
  '4.3.1',
  '4.4.0',
]

export const DEFAULT_VERSION = '4.4.0'

const OLDEST = [3, 3] as const
const NEWEST = [4, 4] as const

/** `3.9` is the newest known 3.9.x; `3.9.1` is itself. Throws KdrError('usage') that names the known ones. */
export function resolveVersion(name: string): string {
  const match = /^v?(\d+)\.(\d+)(?:\.(\d+))?$/.exec(name.trim())
  if (match === null) throw unknownVersion(name)
  const major = Number(match[1])
  const minor = Number(match[2])
  if (isBefore(major, minor, OLDEST) || isBefore(NEWEST[0], NEWEST[1], [major, minor]))
    throw unknownVersion(name)
  if (match[3] !== undefined) return `${major}.${minor}.${Number(match[3])}`
  const known = KNOWN_VERSIONS.findLast(version => version.startsWith(`${major}.${minor}.`))
  if (known === undefined) throw unknownVersion(name)
  return known
}

export function unknownVersion(name: string, cause?: unknown): KdrError {
  return new KdrError('usage', `the lab cannot run Kafka "${name}"`, {
    hint: `Name one of these: ${KNOWN_VERSIONS.join(', ')}.`,
    facts: { version: name, known: KNOWN_VERSIONS },
    cause,
  })
}

/** True when `version` is `than` or a later one; both are `x.y.z` or `x.y`. */
export function isAtLeast(version: string, than: string): boolean {
  const a = version.split('.').map(Number)
  const b = than.split('.').map(Number)
  for (let i = 0; i < b.length; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference > 0
  }
  return true
}

function isBefore(major: number, minor: number, than: readonly [number, number]): boolean {
  return major < than[0] || (major === than[0] && minor < than[1])
}
