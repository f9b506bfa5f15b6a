// A log that the source compacts is read anew from time to time, so that what a restore writes of it stays bounded. What a vault remembers
// of that, by partition.

export type Renewal = {
  /** Bytes of the segments when it was last read whole: what a compacted log has grown by since tells when to do that again. */
  readonly wholeBytes?: number
  /** Bytes that the vault held when it could not be read whole, since that was last done: it is tried again when it has grown. */
  readonly triedBytes?: number
}

/** Pure. */
export function renewalOf(before: Renewal, { wholeBytes, triedBytes }: Renewal): Renewal {
  if (wholeBytes !== undefined) return { wholeBytes }
  const tried = triedBytes ?? before.triedBytes
  return {
    ...(before.wholeBytes !== undefined && { wholeBytes: before.wholeBytes }),
    ...(tried !== undefined && { triedBytes: tried }),
  }
}
