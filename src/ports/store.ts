// Where a vault keeps its objects: a folder, or a bucket. Rules for every implementation (test/store/conformance.ts):
// - Names are parts of letters, digits, `.`, `_` and `-`, joined by `/`. An object is there whole, or not at all, also after a crash.
// - `create` and `put` return when the object is durable.
// - Only a definite "not there" is undefined or false. Everything else throws KdrError: store-unreachable (a retry may help; what
//   was written may be there), not-allowed, store-lacks.
// - Nothing is retried inside an adapter.

export type StoredObject = { readonly name: string; readonly bytes: number }

export type ByteRange = {
  readonly from: number
  /** One behind the last byte. */
  readonly to: number
}

/** An object's content, in pieces, so that nobody has to join them. */
export type Body = readonly Uint8Array[]

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
  /** All whose names begin with `prefix`, in the order of their names. The newest may be missing: listings may be late. */
  list(prefix: string): AsyncIterable<StoredObject>
  /** One that is not there is success. */
  delete(name: string): Promise<void>
}
