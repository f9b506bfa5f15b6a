// What the controllers of a cluster say of each other. Pure.

/** A leader writes twice a second, if only that nothing has happened. */
const BEHIND_MS = 10_000

/** `caughtUpAt`: when it last had all that the leader has, as the leader says; ms since 1970, -1: not known. */
type Voter = { readonly id: number; readonly caughtUpAt: number }

/** Held against the leader, whose clock the times are of. */
export function votersBehind<V extends Voter>({
  leader,
  voters,
}: {
  readonly leader: number
  readonly voters: readonly V[]
}): readonly V[] {
  const now = voters.find(({ id }) => id === leader)?.caughtUpAt ?? -1
  return voters.filter(({ id, caughtUpAt }) => id !== leader && now - caughtUpAt > BEHIND_MS)
}
