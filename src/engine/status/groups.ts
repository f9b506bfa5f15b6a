// Consumer groups as `kdr status` shows them: what the worker has left in `_kdr.state`, and how old that is.
import { type GroupReason, type GroupState, readGroupRound, readGroups } from '../../model/group-records.ts'
import type { StateStore } from '../../ports/state.ts'
import { namingRight } from './missing-right.ts'

export type GroupStatus = {
  readonly group: string
  readonly state: GroupState
  readonly reason?: GroupReason
  readonly sentence?: string
  /** How old what the target holds is: since the source was last read, or since it was last in step (or first seen). */
  readonly ageMs: number
}

export function groupStatuses(
  store: StateStore,
  link: string,
  { now, isWanted }: { readonly now: number; readonly isWanted: (group: string) => boolean },
): GroupStatus[] {
  const roundAt = readGroupRound(store, link)
  return readGroups(store, link)
    .filter(({ group }) => isWanted(group))
    .toSorted((a, b) => (a.group < b.group ? -1 : 1))
    .map(({ group, state, reason, sentence, since }) => ({
      group,
      state,
      ...(reason !== undefined && { reason }),
      ...(sentence !== undefined && {
        sentence: reason === 'no-rights' ? namingRight(sentence) : sentence,
      }),
      ageMs: Math.max(0, now - (state === 'synced' ? Math.max(roundAt, since) : since)),
    }))
}
