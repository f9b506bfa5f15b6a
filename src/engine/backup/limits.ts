// Every bound of the backup engine, with its arithmetic.

/** A segment is written when it has so much: one PUT of a bucket, and 64 of them a gigabyte. */
export const SEGMENT_BYTES = 16 * 1024 * 1024
/**
 * Held at once over all partitions. A reader holds a segment and the one before it, which is being written, both as they will be
 * stored, and three answers: one that comes in, in its pieces and joined, and one that is compressed. All of that is given back by
 * hand, so that a backup takes little more than this and what Node needs itself.
 */
export const BUDGET_BYTES = 80 * 1024 * 1024
export const FETCH_BYTES = 2 * 1024 * 1024
const HELD_PER_READER = 2 * SEGMENT_BYTES + 3 * FETCH_BYTES
export const READERS = Math.max(1, Math.floor(BUDGET_BYTES / HELD_PER_READER))

/** How long a partition without a leader, or a broker that does not answer, is asked again before it is left for the next commit. */
export const PATIENCE_MS = 20_000
export const BACKOFF_MS = { first: 100, last: 2_000 } as const
/** A fetch for what is there is answered at once. */
export const FETCH_WAIT_MS = 500
/** So many answers without records, though the log is stable beyond: nothing stands there. */
export const EMPTY_ANSWERS = 3

/** So often is a batch fetched that does not match its checksum: it may have been damaged on the way. */
export const CORRUPT_LOOKS = 3

/** A transaction's commit of offsets is pending for some milliseconds: it is met in between. */
export const PENDING_LOOKS = 8
export const PENDING_LOOK_MS = 60

/** Markers are written within milliseconds of a transaction's end. */
export const ENDING_LOOK_MS = 20
export const ENDING_LOOKS = 250
/** Groups that commit all the time are looked at again for so long, before the commit says that they do. */
export const MOVING_PATIENCE_MS = 2_000
/** What was written before the look is waited for so long, where transactions stand before it. */
export const STABLE_PATIENCE_MS = 2_000

/** A small log that is compacted is not worth reading anew. */
export const RENEWS_BEYOND_BYTES = 64 * 1024 * 1024
