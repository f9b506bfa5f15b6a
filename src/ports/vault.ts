// What the backup engine asks of a vault. Written objects count for nothing before the commit that names them: whoever is
// stopped in between leaves the vault as it was, and some objects that nobody needs.
import type { RawBatch } from '../model/batch.ts'
import type { Commit, Segment, SetState } from '../model/vault.ts'

export type PartOf = { readonly topic: string; readonly topicId: string; readonly partition: number }

/** As brokers name them; those without records in the part too, and more than once. */
export type NamedAborted = { readonly producerId: bigint; readonly firstOffset: number }

/** Batches of one partition that follow on each other, and become a segment. */
export interface PartWriter {
  /** Resolves when the batches are the caller's again. */
  add(batches: readonly RawBatch[], aborted: readonly NamedAborted[]): Promise<void>
  /** At least one batch has been added. Small parts wait for others, and are durable only after the commit. */
  close(): Promise<Segment>
}

export type CommitDraft = Pick<
  Commit,
  | 'groupsAt'
  | 'endsAt'
  | 'cluster'
  | 'topics'
  | 'topicsGone'
  | 'groups'
  | 'groupsGone'
  | 'rights'
  | 'transactions'
  | 'notes'
>

export type Committed = { readonly number: number; readonly objects: number; readonly bytes: number }

/** One run's writing to one set. */
export interface SetWriter {
  /** As of the newest commit when it was opened; undefined when there is none. */
  readonly state: SetState | undefined
  /** Several may be open at once. */
  open(of: PartOf): PartWriter
  /**
   * The first offset of a transaction that has no marker below `at` in these segments; `at` when there is none. Reads all of them: for
   * a source that has taken back markers.
   */
  firstOpen(segments: readonly Segment[], at: number): Promise<number>
  /**
   * Makes all of it count, in one step. Throws KdrError: other-writer when another one has committed since the writer was
   * opened; then nothing of this run counts.
   */
  commit(draft: CommitDraft): Promise<Committed>
}
