// What a link keeps in `_kdr.state` of the consumer groups that it carries: what the target holds of each, for `kdr status`,
// and what a later worker must know before it deletes anything. Cut into pieces, as a record holds 64 KB.
import { hashOf } from './slots.ts'
import type { StateRecords } from './state-records.ts'

export const GROUP_STATES = ['synced', 'clamped', 'skipped'] as const
export type GroupState = (typeof GROUP_STATES)[number]

/** Why the target does not hold all that the source has. */
export const GROUP_REASONS = [
  // Beyond the end of a mirror, which has stopped or has lost its end.
  'beyond-mirror',
  // Below the log start of a mirror: what stood there is gone on both sides.
  'below-log-start',
  // The mirrors have not yet what the offsets imply.
  'behind',
  'pending-transaction',
  'members-at-target',
  'no-rights',
  // A coordinator is away, or refuses.
  'refused',
  'share-group',
  'streams-group',
  'not-mirrored',
  'nothing-committed',
  'deleted-at-source',
] as const
export type GroupReason = (typeof GROUP_REASONS)[number]

export type GroupStanding = {
  readonly state: GroupState
  readonly reason?: GroupReason
  readonly sentence?: string
}

export type GroupEntry = GroupStanding & {
  readonly group: string
  /** When the target last held all that the source had, or else when the group was first seen: ms since 1970. */
  readonly since: number
  /** kdr has committed it at the target. No other group is ever deleted there. */
  readonly isOwn: boolean
  /** When it was first seen to be gone at the source. */
  readonly goneAt?: number
  /** Offsets that kdr has committed, and the source has no more. */
  readonly gone?: readonly GoneOffset[]
}
export type GoneOffset = { readonly topic: string; readonly partition: number; readonly goneAt: number }

export type GroupsRecord = { readonly groups: readonly GroupEntry[] }
/** The last round: all that stood at the source at `at` was looked at. */
export type GroupRoundRecord = { readonly at: number }

/** Of 10,000 groups each has 80, some 10 KB. */
export const GROUP_BUCKETS = 128
/** Of one piece, before what the record has around it. */
const PIECE_BYTES = 48 * 1024

export const bucketOf = (group: string): number => hashOf(group) % GROUP_BUCKETS

export const groupsKey = (link: string, bucket: number, piece: number): string =>
  `groups/${link}/${bucket}.${piece}`
export const groupRoundKey = (link: string): string => `groups-round/${link}`

/** In the order of their names, so that the same groups make the same pieces. */
export function cutGroups(entries: Iterable<GroupEntry>): GroupEntry[][] {
  const pieces: GroupEntry[][] = []
  let left = 0
  for (const entry of [...entries].toSorted((a, b) => (a.group < b.group ? -1 : 1))) {
    const bytes = Buffer.byteLength(JSON.stringify(entry)) + 1
    if (pieces.length === 0 || bytes > left) {
      pieces.push([])
      left = PIECE_BYTES
    }
    pieces.at(-1)!.push(entry)
    left -= bytes
  }
  return pieces
}

/** By their keys. */
export function readGroupPieces(store: StateRecords, link: string): Map<string, readonly GroupEntry[]> {
  const prefix = `groups/${link}/`
  return new Map(store.entries(prefix).map(([key, record]) => [key, (record as GroupsRecord).groups]))
}

/** In no order. */
export function readGroups(store: StateRecords, link: string): GroupEntry[] {
  return [...readGroupPieces(store, link).values()].flat()
}

/** When a round was over last; 0 for never. */
export function readGroupRound(store: StateRecords, link: string): number {
  return (store.get(groupRoundKey(link)) as GroupRoundRecord | undefined)?.at ?? 0
}
