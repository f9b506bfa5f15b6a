// What `kdr run` says of its own process.
import type { Samples } from '../../../api/metrics/table.ts'
import { type DurationCounts, Durations } from '../../../model/durations.ts'

const LOOK_EVERY_MS = 100

/** How long anything that is due has to wait for its turn. A timer is due every so often, and says how late it comes. */
export class EventLoopDelay {
  readonly #late = new Durations()
  #timer: NodeJS.Timeout | undefined

  start(): void {
    let due = performance.now() + LOOK_EVERY_MS
    this.#timer = setInterval(() => {
      const now = performance.now()
      this.#late.observe(Math.max(0, now - due))
      due = now + LOOK_EVERY_MS
    }, LOOK_EVERY_MS)
    // It keeps no process alive.
    this.#timer.unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  counts(): DurationCounts {
    return this.#late.counts()
  }
}

export function processSamples(version: string, delay: DurationCounts): Samples {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  const one = (value: number | DurationCounts) => [{ labels: {}, value }]
  return {
    kdr_build_info: [{ labels: { version }, value: 1 }],
    process_start_time_seconds: one(performance.timeOrigin / 1_000),
    process_cpu_seconds_total: one((user + system) / 1e6),
    process_resident_memory_bytes: one(rss),
    kdr_heap_used_bytes: one(heapUsed),
    kdr_event_loop_delay_seconds: one(delay),
  }
}
