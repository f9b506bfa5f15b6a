// A source broker that gives nothing while its cluster answers: its path to kdr is cut, its listener hangs, or it lets kdr sign in no
// more. Its partitions then say what they wait for, and count how long nobody has seen what is written to them. A cluster that keeps
// silent as a whole is seen by when it was seen last.
import type { Fault } from '../../model/link.ts'
import { findKdrError } from '../../model/errors.ts'
import type { LinkContext } from './context.ts'
import type { PartitionCopy } from './partition.ts'

/** A broker that is being restarted comes back, or its partitions get another leader. */
const PATIENCE_MS = 10_000
/** Its cluster answers: it was seen so lately (wall clock). */
const SEEN_MS = 10_000

/** `since`: monotonic ms. */
export type Unread = { readonly since: number; readonly fault: Fault }

export class BrokerSilence {
  readonly #context: Pick<LinkContext, 'clock' | 'log' | 'source' | 'sourceWatch' | 'link'>
  readonly #broker: number
  #since: number | undefined
  #unread: Unread | undefined

  constructor(
    context: Pick<LinkContext, 'clock' | 'log' | 'source' | 'sourceWatch' | 'link'>,
    broker: number,
  ) {
    this.#context = context
    this.#broker = broker
  }

  /** For a copy that comes to this broker. */
  mark(copy: PartitionCopy): void {
    copy.lag.unread = this.#unread
  }

  /** `copies`: that this broker leads. */
  failed(error: unknown, copies: Iterable<PartitionCopy>): void {
    const { clock, log, source, sourceWatch, link } = this.#context
    const now = clock.monotonic()
    this.#since ??= now
    const isPatient = now - this.#since < PATIENCE_MS || clock.now() - sourceWatch.seenAt > SEEN_MS
    if (isPatient || this.#unread !== undefined) return
    const why = findKdrError(error)
    const reason = why?.code === 'not-allowed' ? 'no-rights' : 'unreachable'
    const sentence = `broker ${this.#broker} of "${source.name}" gives nothing: ${why?.message ?? String(error)}; trying again`
    this.#unread = { since: this.#since, fault: { reason, sentence } }
    log.event('warn', sentence, { link, broker: this.#broker, reason })
    for (const copy of copies) this.mark(copy)
  }

  answered(copies: Iterable<PartitionCopy>): void {
    this.#since = undefined
    if (this.#unread === undefined) return
    this.#unread = undefined
    const { log, source, link } = this.#context
    log.event('info', `broker ${this.#broker} of "${source.name}" answers again`, {
      link,
      broker: this.#broker,
    })
    for (const copy of copies) this.mark(copy)
  }
}
