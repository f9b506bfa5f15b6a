// Where a vault keeps its objects: a folder, or a bucket. Rules for every implementation (test/store/conformance.ts):
// - Names are parts of letters, digits, `.`, `_` and `-`, joined by `/`. An object is there whole, or not at all, also after a crash.
// - `create` and `put` return when the object is durable.
// - Only a definite "not there" is undefined or false. Everything else throws KdrError: store-unreachable (a retry may help; what
//   was written may be there), not-allowed, store-lacks.
// - Nothing is retried inside an adapter.
// Everything here can be done with S3 (If-None-Match), Azure Blob (If-None-Match) and GCS (ifGenerationMatch=0).

export type StoredObject = { readonly name: string; readonly bytes: number }

export type ByteRange = {
  readonly from: number
  /** One behind the last byte. */
  readonly to: number
}

/** An object's content, in pieces, so that nobody has to join them. */
export type Body = readonly Uint8Array[]

/** What a vault is held against before it is made (vault probe). */
export type Ability = {
  readonly ability: string
  readonly has: boolean
  readonly why: string
  /** A vault can do without it. */
  readonly isOptional?: boolean
}

/**
 * Of a store that is to keep what it holds from being deleted: S3 object lock, immutability of Azure, retention of GCS. What is
 * created is locked from the first moment on, for `keepMs` and `slackMs`; what is put is not.
 */
export interface ObjectLocks {
  /** How long what a commit needs is to be locked, from the commit on. */
  readonly keepMs: number
  /** So much longer it is locked, so that not every commit has to extend every lock. */
  readonly slackMs: number
  /** ms since 1970; undefined: it is not locked. Throws KdrError('damaged') when it is not there. */
  lockedUntil(name: string): Promise<number | undefined>
  /** Never shortens. Throws KdrError('damaged') when it is not there. */
  lock(name: string, until: number): Promise<void>
}

export interface ObjectStore {
  /** Its URL, without secrets. */
  readonly name: string
  /** Only if there is none of this name; of several that create it at once one succeeds. What is there stays as it is. */
  create(name: string, body: Body): Promise<'created' | 'exists'>
  /** For names that nobody else uses: what was there is replaced. */
  put(name: string, body: Body): Promise<void>
  /** A range that reaches beyond the end gives what there is. Undefined: there is no such object. */
  get(name: string, range?: ByteRange): Promise<Buffer | undefined>
  head(name: string): Promise<StoredObject | undefined>
  /**
   * All whose names begin with `prefix`, in the order of their names. The newest may be missing: listings may be late. Those up to `after`
   * need not come: a set may have hundreds of thousands of commits.
   */
  list(prefix: string, after?: string): AsyncIterable<StoredObject>
  /** One that is not there is success. Throws KdrError('not-allowed'), with `facts.lockedUntil`, for one that is locked. */
  delete(name: string): Promise<void>
  readonly locks?: ObjectLocks | undefined
  /** What only its kind has, tried out with objects below `prefix` that are deleted again. */
  probe?(prefix: string): Promise<Ability[]>
}
