// One partition's coalescing: takes small batches from its queue together, and gives up where the target does not take
// what came of it. The target's last word is always about a batch of the source.
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { RecordCodec } from '../../ports/records.ts'
import { COALESCED_BYTES, coalesce } from '../log/coalesce.ts'
import type { PlannedBatch, PlannedOp } from '../log/plan-append.ts'

/** Below this it would save too little to try. */
const LEAST_BYTES = 32 * 1024

export class Coalescer {
  readonly #codec: RecordCodec
  readonly #made = new WeakSet<PlannedBatch>()
  #limitBytes = COALESCED_BYTES

  constructor(codec: RecordCodec) {
    this.#codec = codec
  }

  /** Removes and returns the head of the queue, together with what can go along; `bytes`: of what was removed. */
  take(queue: PlannedOp[]): { readonly head: PlannedOp | undefined; readonly bytes: number } {
    const coalesced = coalesce(queue, this.#codec, this.#limitBytes)
    const removed = queue.splice(0, coalesced?.taken ?? 1)
    let bytes = 0
    for (const op of removed) if (op.kind === 'batch') bytes += op.bytes.length
    if (coalesced === undefined) return { head: removed[0], bytes }
    this.#made.add(coalesced.batch)
    return { head: coalesced.batch, bytes }
  }

  /** True when the target refuses a batch that was made here, for what it is: its parts must be tried otherwise. */
  isRefused(batch: PlannedBatch, code: number): boolean {
    if (!this.#made.has(batch) || !isAboutTheBatch(code)) return false
    const mayBeSmaller = isTooLarge(code) && this.#limitBytes >= 2 * LEAST_BYTES
    this.#limitBytes = mayBeSmaller ? this.#limitBytes / 2 : 0
    return true
  }
}

function isTooLarge(code: number): boolean {
  return code === KafkaCode.MESSAGE_TOO_LARGE || code === KafkaCode.RECORD_LIST_TOO_LARGE
}

/** What would become a fault of the partition (faults.ts), with the offsets of the batch in it. */
function isAboutTheBatch(code: number): boolean {
  return (
    isTooLarge(code) ||
    code === KafkaCode.CORRUPT_MESSAGE ||
    code === KafkaCode.INVALID_RECORD ||
    code === KafkaCode.INVALID_TIMESTAMP ||
    code === KafkaCode.UNSUPPORTED_COMPRESSION_TYPE ||
    code === KafkaCode.UNSUPPORTED_FOR_MESSAGE_FORMAT ||
    code === KafkaCode.POLICY_VIOLATION
  )
}
