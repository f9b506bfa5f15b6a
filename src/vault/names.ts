// The names of a vault's objects. Those of data are below their set.

export const VAULT_OBJECT = 'kdr.json'

const OFFSET_DIGITS = 20
const COMMIT_DIGITS = 12

export const commitsPrefix = (set: string): string => `${set}/commits/`

export function commitName(set: string, number: number): string {
  return `${commitsPrefix(set)}${String(number).padStart(COMMIT_DIGITS, '0')}.json`
}

/** Undefined: the name of something else. */
export function commitNumber(set: string, name: string): number | undefined {
  const digits = new RegExp(`^(\\d{${COMMIT_DIGITS}})\\.json$`).exec(
    name.startsWith(commitsPrefix(set)) ? name.slice(commitsPrefix(set).length) : '',
  )?.[1]
  return digits === undefined ? undefined : Number(digits)
}

export const verifiedPrefix = (set: string): string => `${set}/verified/`

export function verifiedName(set: string, number: number, id: string): string {
  return `${verifiedPrefix(set)}${String(number).padStart(COMMIT_DIGITS, '0')}.${id}.json`
}

/** The commit that a record of a verification is about. `name`: below the set. */
export function verifiedNumber(name: string): number | undefined {
  const digits = /^verified\/(\d+)\./.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** Unique, and says which commit its writer was about to make when it began: once another one has that number, it is garbage. */
export const writerId = (number: number, unique: string): string => `c${number}_${unique}`

/** The commit for which an object of data was written. `name`: below the set. Undefined: the name of something else. */
export function writtenFor(name: string): number | undefined {
  const digits = /^(?:data\/[^/]+\/\d+\/\d+\.|packs\/)c(\d+)_[A-Za-z0-9]+\./.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** Without its ending. What stands before the first dot is the offset, as kafka-dump-log wants it. */
export function segmentStem(topicId: string, partition: number, from: number, id: string): string {
  return `data/${topicId}/${partition}/${String(from).padStart(OFFSET_DIGITS, '0')}.${id}`
}

export const packStem = (id: string): string => `packs/${id}`

export const alertsName = (set: string): string => `${set}/alerts.json`

/** What daemons are at with a set just now: backing it up, or verifying it. */
export type TurnOf = 'running' | 'verifying'
export const turnPrefix = (set: string, of: TurnOf): string => `${set}/${of}/`
export const turnName = (set: string, of: TurnOf, id: string): string => `${turnPrefix(set, of)}${id}.json`
