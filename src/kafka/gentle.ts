// A cluster whose brokers are read more slowly while they are slow themselves. What is watched is the time from a request to the first
// byte of its answer, and only of requests for records that are known to be there: whatever waits for news says nothing. The usual time
// is each broker's own, so that a line that is long is none that is slow; and a line that is full, because kdr fills it, brings as
// many bytes as ever. Where both have changed, a connection rests after each answer for as long as that took beyond the usual: kdr
// then takes at most half of a broker's time that it took before. It recovers by itself: the next answers are measured too.
import type { Clock } from '../ports/clock.ts'
import type { Cluster, FetchedPartition, FetchLane, FetchRequest } from '../ports/cluster.ts'

/** One answer that took long is none; of so many the one in the middle counts. */
const RECENT = 9
/** The usual is the least that the middle one has been at the end of a stretch: of so long at least, and of so many of these. */
const STRETCH_MS = 30_000
const STRETCHES = 60
/** Slow: so many times the usual, and so much longer. */
const TIMES = 4
const LONGER_MS = 250
/** Of what it has brought at best: with less than this the line is not full. In so long half of the best is forgotten. */
const SHARE = 0.5
const HALF_LIFE_MS = 600_000
const MOST_MS = 2_000

export type BackedOff = {
  /** Of the newest answers, and of those when it was well. */
  readonly recentMs: number
  readonly usualMs: number
}

export type GentleHooks = {
  readonly clock: Clock
  /** A connection rests for so long. */
  readonly onRest: (ms: number) => void
  /** Kdr begins to back off; undefined: it has ended. */
  readonly onChange: (broker: number, now: BackedOff | undefined) => void
}

export function gentle(cluster: Cluster, hooks: GentleHooks): Cluster {
  const brokers = new Map<number, BrokerTimes>()
  return {
    ...cluster,
    openFetchLane: async broker => {
      const times = brokers.get(broker) ?? new BrokerTimes(broker, hooks)
      brokers.set(broker, times)
      return gentleLane(await cluster.openFetchLane(broker), times, hooks)
    },
  }
}

function gentleLane(lane: FetchLane, times: BrokerTimes, { clock, onRest }: GentleHooks): FetchLane {
  const closing = new AbortController()
  let restMs = 0
  times.opened(lane)
  return {
    broker: lane.broker,
    get firstByteMs() {
      return lane.firstByteMs
    },
    get receivedBytes() {
      return lane.receivedBytes
    },
    fetch: async request => {
      if (restMs > 0) {
        onRest(restMs)
        await clock.sleep(restMs, closing.signal)
      }
      const isKnown = request.partitions.some(asked => times.hasDataAt(asked))
      const before = { at: clock.monotonic(), bytes: times.receivedBytes }
      const answers = await lane.fetch(request)
      times.saw(request, answers)
      restMs = isKnown ? times.restAfter(lane.firstByteMs, before) : 0
      return answers
    },
    close: async () => {
      times.closed(lane)
      closing.abort()
      await lane.close()
    },
  }
}

const keyOf = ({ topic, partition }: { readonly topic: string; readonly partition: number }): string =>
  `${topic}/${partition}`

class BrokerTimes {
  readonly #broker: number
  readonly #hooks: GentleHooks
  readonly #lanes = new Set<FetchLane>()
  /** By connections that are closed. */
  #receivedBytes = 0
  /** Up to where there are records that have not been asked for, by partition. */
  readonly #ends = new Map<string, number>()
  readonly #recent: number[] = []
  /** The middle one of each stretch, the oldest first. */
  readonly #stretches: number[] = []
  #stretch = { answers: 0, from: -Infinity }
  #best = { bytesPerMs: 0, at: 0 }
  #isSlow = false

  constructor(broker: number, hooks: GentleHooks) {
    this.#broker = broker
    this.#hooks = hooks
  }

  opened(lane: FetchLane): void {
    this.#lanes.add(lane)
  }

  closed(lane: FetchLane): void {
    if (this.#lanes.delete(lane)) this.#receivedBytes += lane.receivedBytes
  }

  get receivedBytes(): number {
    let bytes = this.#receivedBytes
    for (const lane of this.#lanes) bytes += lane.receivedBytes
    return bytes
  }

  hasDataAt(asked: FetchRequest['partitions'][number]): boolean {
    return asked.offset < (this.#ends.get(keyOf(asked)) ?? 0)
  }

  saw({ isolation, partitions }: FetchRequest, answers: readonly FetchedPartition[]): void {
    const offsets = new Map(partitions.map(asked => [keyOf(asked), asked.offset]))
    for (const answer of answers) {
      const key = keyOf(answer)
      const end = isolation === 'committed' ? answer.lastStable : answer.highWatermark
      // Most are at their end: of these nothing is kept.
      if (answer.records.length > 0 && end > (offsets.get(key) ?? end)) this.#ends.set(key, end)
      else this.#ends.delete(key)
    }
  }

  /** How long to rest after an answer that took so long. */
  restAfter(
    firstByteMs: number | undefined,
    before: { readonly at: number; readonly bytes: number },
  ): number {
    if (firstByteMs === undefined) return 0
    const now = this.#hooks.clock.monotonic()
    const bytesPerMs = (this.receivedBytes - before.bytes) / Math.max(1, now - before.at)
    const isFull = bytesPerMs >= this.#bestUpTo(now, bytesPerMs) * SHARE
    const recentMs = this.#sample(firstByteMs, now)
    const usualMs = Math.min(...this.#stretches)
    const isLonger = recentMs > usualMs * TIMES && recentMs > usualMs + LONGER_MS
    // Only its times end it: while connections rest, a single answer may bring much.
    const isSlow = isLonger && (this.#isSlow || !isFull)
    if (isSlow !== this.#isSlow) {
      this.#isSlow = isSlow
      this.#hooks.onChange(this.#broker, isSlow ? { recentMs, usualMs } : undefined)
    }
    return isSlow ? Math.min(recentMs - usualMs, MOST_MS) : 0
  }

  #bestUpTo(now: number, bytesPerMs: number): number {
    const faded = this.#best.bytesPerMs * 0.5 ** ((now - this.#best.at) / HALF_LIFE_MS)
    this.#best = { bytesPerMs: Math.max(faded, bytesPerMs), at: now }
    return this.#best.bytesPerMs
  }

  #sample(ms: number, now: number): number {
    this.#recent.push(ms)
    if (this.#recent.length > RECENT) this.#recent.shift()
    const middle = this.#recent.toSorted((a, b) => a - b)[Math.floor(this.#recent.length / 2)] ?? ms
    const { answers, from } = this.#stretch
    this.#stretch = { answers: answers + 1, from }
    if (answers + 1 >= RECENT && now - from >= STRETCH_MS) {
      this.#stretch = { answers: 0, from: now }
      this.#stretches.push(middle)
      if (this.#stretches.length > STRETCHES) this.#stretches.shift()
    }
    return middle
  }
}
