// What a verification and a prune of a set say, before and after.
import type { KdrError } from './errors.ts'
import type { VerifiedRecord } from './vault.ts'

/** What could not be restored. `records`: at most, where a part of the segment does not count any more. */
export type LostRecords = {
  readonly topic: string
  readonly partition: number
  /** [from, to). */
  readonly from: number
  readonly to: number
  readonly records: number
}

export type VaultProblem = {
  readonly object: string
  readonly what: string
  /** None where it costs no records. */
  readonly lost: readonly LostRecords[]
}

type SizedObject = { readonly name: string; readonly bytes: number }

/** Names are below the set. */
export type PruneActs = {
  /** To be named as needed by nothing from now on. */
  readonly doomed: readonly SizedObject[]
  /** To be named by the next prune. */
  readonly rest: number
  /** To be deleted now. */
  readonly due: readonly SizedObject[]
  /** Named before, and to be deleted later; `until` in ms, when the last of it may be. */
  readonly waiting: readonly SizedObject[]
  readonly until: number | undefined
}

export type PrunePlan = PruneActs & {
  readonly set: string
  readonly days: number
  /** The newest commit. */
  readonly last: number
  /** The first that counts, now and then. */
  readonly first: number
  readonly nextFirst: number
  /** ISO 8601: from here on every moment can be restored then. */
  readonly begins: string
  /** That the plan relies on. */
  readonly verified: VerifiedRecord | undefined
  /** Why it must not be carried out. */
  readonly refusal: KdrError | undefined
}

export type PruneReport = {
  /** The prune's own; undefined when there was nothing to drop. */
  readonly commit: number | undefined
  readonly deleted: { readonly objects: number; readonly bytes: number }
  /** What could not be deleted: locked, or not allowed. */
  readonly kept: readonly { readonly object: string; readonly what: string }[]
}
