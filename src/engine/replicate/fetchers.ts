// Reads the source: one BrokerFetcher for each broker that leads partitions, what they hold in memory together, and how fast
// they may go together.
import { BrokerFetcher, type FetchBudget } from './broker-fetcher.ts'
import type { LinkContext } from './context.ts'
import { LINK_BUFFER_BYTES } from './limits.ts'
import type { PartitionCopy } from './partition.ts'
import { Throttle } from './throttle.ts'

export class Fetchers {
  readonly #context: LinkContext
  readonly #brokers = new Map<number, BrokerFetcher>()
  readonly #assigned = new Map<PartitionCopy, BrokerFetcher>()
  readonly #budget: FetchBudget = { buffered: 0, ahead: 0 }
  readonly #throttle: Throttle

  constructor(context: LinkContext) {
    this.#context = context
    this.#throttle = new Throttle(context.settings.maxBytesPerSecond, context.clock)
  }

  /** Fetches for the copy from its leader now; false when it has none. */
  attach(copy: PartitionCopy): boolean {
    const leader = this.#context.sourceWatch.partition(copy)?.leader ?? -1
    if (leader < 0) return false
    let fetcher = this.#brokers.get(leader)
    if (fetcher === undefined) {
      fetcher = new BrokerFetcher(this.#context, leader, {
        budget: this.#budget,
        throttle: this.#throttle,
        onMoved: () => this.followLeaders(),
        onFree: copy => this.onRoom(copy),
      })
      this.#brokers.set(leader, fetcher)
    }
    this.#assigned.get(copy)?.remove(copy)
    this.#assigned.set(copy, fetcher)
    fetcher.add(copy)
    return true
  }

  detach(copy: PartitionCopy): void {
    this.#assigned.get(copy)?.remove(copy)
    this.#assigned.delete(copy)
  }

  onRoom(copy: PartitionCopy): void {
    this.#assigned.get(copy)?.offer(copy)
  }

  onBuffered(bytes: number): void {
    const before = this.#budget.buffered
    this.#budget.buffered += bytes
    const hasRoom = (limit: number): boolean => before >= limit && this.#budget.buffered < limit
    if (Object.values(LINK_BUFFER_BYTES).some(hasRoom))
      for (const fetcher of this.#brokers.values()) fetcher.wake()
  }

  /** After a refresh of the metadata: moves the copies whose leader is another broker now. */
  followLeaders(): void {
    for (const [copy, fetcher] of this.#assigned) {
      const leader = this.#context.sourceWatch.partition(copy)?.leader ?? -1
      if (leader >= 0 && leader !== fetcher.broker) this.attach(copy)
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#brokers.values()].map(async fetcher => await fetcher.close()))
  }
}
