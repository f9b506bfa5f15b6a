// A cluster whose fetches and appends are timed and counted, and that is otherwise the same. Requests leave in the same order:
// nothing is awaited before the call.
import { Durations } from '../model/durations.ts'
import type { ConnectionKind, Traffic } from '../model/link-facts.ts'
import type { Clock } from '../ports/clock.ts'
import type { AppendLane, Cluster, FetchedPartition, FetchLane, FetchSession } from '../ports/cluster.ts'

type Fetched = Pick<FetchedPartition, 'records' | 'replica'>

export class TrafficMeter {
  readonly #cluster: string
  readonly #clock: Clock
  readonly #fetches = new Durations()
  readonly #appends = new Durations()
  readonly #connections = { fetch: 0, watch: 0, append: 0 }
  #fetchedBytes = 0
  #closestBytes = 0
  #restMs = 0
  #batches = 0
  #failures = 0

  constructor(cluster: string, clock: Clock) {
    this.#cluster = cluster
    this.#clock = clock
  }

  now(): Traffic {
    return {
      cluster: this.#cluster,
      connections: { ...this.#connections },
      fetches: this.#fetches.counts(),
      appends: this.#appends.counts(),
      fetchedBytes: this.#fetchedBytes,
      closestBytes: this.#closestBytes,
      restMs: this.#restMs,
      batches: this.#batches,
      failures: this.#failures,
    }
  }

  /** Until the function that it returns is called; again does nothing. */
  opened(kind: ConnectionKind): () => void {
    this.#connections[kind]++
    let isOpen = true
    return () => {
      if (isOpen) this.#connections[kind]--
      isOpen = false
    }
  }

  async time<T>(act: () => Promise<T>, onDone: (answer: T, ms: number) => void): Promise<T> {
    const from = this.#clock.monotonic()
    try {
      const answer = await act()
      onDone(answer, this.#clock.monotonic() - from)
      return answer
    } catch (error) {
      this.#failures++
      throw error
    }
  }

  /** `ms`: undefined where the broker waited for news: that says when there was some, not how fast it is. */
  fetched(answers: readonly Fetched[], ms: number | undefined): void {
    const bytes = bytesOf(answers)
    this.#fetchedBytes += bytes
    this.#closestBytes += bytesOf(answers.filter(({ replica }) => replica !== undefined))
    if (bytes > 0 && ms !== undefined) this.#fetches.observe(ms)
  }

  /** Before a fetch, for the sake of a broker that is slow. */
  rested(ms: number): void {
    this.#restMs += ms
  }

  appended(batches: number, ms: number): void {
    this.#batches += batches
    this.#appends.observe(ms)
  }
}

export function measured(cluster: Cluster, meter: TrafficMeter): Cluster {
  return {
    ...cluster,
    openFetchLane: async broker => fetchLane(await cluster.openFetchLane(broker), meter),
    openFetchSession: async broker => fetchSession(await cluster.openFetchSession(broker), meter),
    openAppendLane: async broker => appendLane(await cluster.openAppendLane(broker), meter),
  }
}

const bytesOf = (fetched: readonly Fetched[]): number =>
  fetched.reduce((sum, { records }) => sum + records.length, 0)

function fetchLane(lane: FetchLane, meter: TrafficMeter): FetchLane {
  const closed = meter.opened('fetch')
  return {
    broker: lane.broker,
    get firstByteMs() {
      return lane.firstByteMs
    },
    get receivedBytes() {
      return lane.receivedBytes
    },
    fetch: async request =>
      await meter.time(
        async () => await lane.fetch(request),
        (fetched, ms) => meter.fetched(fetched, ms),
      ),
    close: async () => {
      closed()
      await lane.close()
    },
  }
}

function fetchSession(session: FetchSession, meter: TrafficMeter): FetchSession {
  const closed = meter.opened('watch')
  return {
    broker: session.broker,
    ask: partition => session.ask(partition),
    forget: partition => session.forget(partition),
    next: async request =>
      await meter.time(
        async () => await session.next(request),
        fetched => meter.fetched(fetched, undefined),
      ),
    close: async () => {
      closed()
      await session.close()
    },
  }
}

function appendLane(lane: AppendLane, meter: TrafficMeter): AppendLane {
  const closed = meter.opened('append')
  return {
    broker: lane.broker,
    get isClosed() {
      return lane.isClosed
    },
    append: async (entries, timeoutMs) =>
      await meter.time(
        async () => await lane.append(entries, timeoutMs),
        (answers, ms) => meter.appended(answers.filter(({ code }) => code === 0).length, ms),
      ),
    close: async () => {
      closed()
      await lane.close()
    },
  }
}
