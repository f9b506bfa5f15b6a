// The durable memory of a link: versioned records by key, kept by the cluster itself in `_kdr.state`.

export type StateRecord = { readonly v: 1; readonly kind: string } & Readonly<Record<string, unknown>>

export interface StateStore {
  /** Reads to the end of the topic; afterwards `get` and `entries` show everything written before the call. */
  refresh(): Promise<void>
  /** The offset of the topic up to which has been read. */
  readonly position: number
  get(key: string): StateRecord | undefined
  /** Keys that begin with `prefix`, with their records. */
  entries(prefix: string): readonly (readonly [string, StateRecord])[]
  /**
   * Durable when it resolves (acks=all). `undefined` deletes. Calls made meanwhile travel together. `mayStill` is asked before
   * each attempt: once it says no, the record is given up (KdrError 'unreachable': an earlier attempt may have landed).
   */
  put(key: string, record: StateRecord | undefined, mayStill?: () => boolean): Promise<void>
}
