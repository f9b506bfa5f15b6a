// The partitions of one source broker that have nothing new at the moment: one fetch session watches over all of them, so that
// a thousand of them cost no more than one. A partition with news leaves it, and is fetched by the busy connections until
// it is quiet again. While it changes over both may ask for it: planning passes by what it has planned before.
import type { FetchedPartition, FetchPartition, FetchSession } from '../../ports/cluster.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { LinkContext } from './context.ts'
import { BACKOFF_MS, FETCH_BYTES, QUIET_WAITS_MS } from './limits.ts'
import type { PartitionCopy } from './partition.ts'
import { Wake } from './wake.ts'

/** An answer, and whom it is for: a copy that was opened anew meanwhile has another plan. */
export type Fetched = {
  readonly copy: PartitionCopy
  readonly incarnation: number
  readonly answer: FetchedPartition
}

export type QuietHooks = {
  readonly request: (copy: PartitionCopy) => FetchPartition
  readonly mayFetch: () => boolean
  /** Waits until more bytes may be fetched. */
  readonly throttled: () => Promise<void>
  readonly digest: (fetched: readonly Fetched[]) => Promise<void>
  /** The session watches over it from now on. */
  readonly onTaken: (copy: PartitionCopy) => void
  /** The session no longer watches over it. */
  readonly onReleased: (copy: PartitionCopy) => void
  /** A round failed: its connection is closed. */
  readonly recover: (error: unknown, backoffMs: number) => Promise<void>
}

type Watched = { readonly incarnation: number; readonly asked: FetchPartition }

export class QuietSession {
  readonly #context: LinkContext
  readonly #broker: number
  readonly #hooks: QuietHooks
  readonly #watched = new Map<PartitionCopy, Watched>()
  readonly #byName = new Map<string, PartitionCopy>()
  readonly #arriving = new Set<PartitionCopy>()
  readonly #wake = new Wake()
  #session: FetchSession | undefined
  #isClosed = false

  constructor(context: LinkContext, broker: number, hooks: QuietHooks) {
    this.#context = context
    this.#broker = broker
    this.#hooks = hooks
  }

  watches(copy: PartitionCopy): boolean {
    return this.#watched.has(copy)
  }

  /** From the next round on. */
  take(copy: PartitionCopy): void {
    if (this.#watched.has(copy)) return
    this.#arriving.add(copy)
    this.#wake.up()
  }

  release(copy: PartitionCopy): void {
    this.#arriving.delete(copy)
    const watched = this.#watched.get(copy)
    if (watched === undefined) return
    this.#session?.forget(watched.asked)
    this.#watched.delete(copy)
    this.#byName.delete(copy.name)
    this.#hooks.onReleased(copy)
  }

  wake(): void {
    this.#wake.up()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#wake.up()
    await this.#session?.close()
  }

  async run(): Promise<void> {
    let backoffMs: number = BACKOFF_MS.first
    while (!this.#isClosed) {
      try {
        const hasArrivals = this.#arriving.size > 0
        if (hasArrivals) await this.#takeArrivals()
        if (this.#watched.size === 0 || !this.#hooks.mayFetch()) {
          await this.#wake.wait()
          continue
        }
        await this.#round(hasArrivals ? QUIET_WAITS_MS.arrivals : QUIET_WAITS_MS.others)
        backoffMs = BACKOFF_MS.first
      } catch (error) {
        await this.#giveUp()
        if (!this.#isClosed) await this.#hooks.recover(error, backoffMs)
        backoffMs = Math.min(backoffMs * 2, BACKOFF_MS.last)
      }
    }
  }

  async #takeArrivals(): Promise<void> {
    this.#session ??= await this.#context.source.openFetchSession(this.#broker)
    for (const copy of this.#arriving) {
      // Whether or not a busy connection asks for it at this moment: of thousands, most are asked for at any moment.
      if (!copy.isOpen) continue
      const asked = this.#hooks.request(copy)
      this.#session.ask(asked)
      this.#watched.set(copy, { incarnation: copy.incarnation, asked })
      this.#byName.set(copy.name, copy)
      this.#hooks.onTaken(copy)
    }
    this.#arriving.clear()
  }

  async #round(maxWaitMs: number): Promise<void> {
    await this.#hooks.throttled()
    const answers = await this.#session!.next({
      isolation: 'committed',
      maxWaitMs,
      maxBytes: FETCH_BYTES,
    })
    this.#context.sourceWatch.seen()
    const fetched: Fetched[] = []
    for (const answer of answers) {
      const copy = this.#byName.get(`${answer.topic}/${answer.partition}`)
      const watched = copy === undefined ? undefined : this.#watched.get(copy)
      if (copy === undefined || watched === undefined) continue
      fetched.push({ copy, incarnation: watched.incarnation, answer })
      if (isNews(answer)) this.release(copy)
    }
    await this.#hooks.digest(fetched)
  }

  async #giveUp(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    for (const copy of [...this.#watched.keys(), ...this.#arriving]) {
      this.#watched.delete(copy)
      this.#byName.delete(copy.name)
      this.#hooks.onReleased(copy)
    }
    this.#arriving.clear()
    await session?.close()
  }
}

/** Anything but a high watermark or a log start that moved. */
export function isNews(answer: FetchedPartition): boolean {
  return answer.code !== KafkaCode.NONE || answer.records.length > 0 || answer.diverging !== undefined
}
