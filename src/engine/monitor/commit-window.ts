// How a group stands in one partition, by the rules of Burrow (linkedin/Burrow, core/internal/evaluator/caching.go): no threshold of
// records, but how offset and lag have moved over a window. Burrow keeps the last ten commits, which it reads in `__consumer_offsets`.
// kdr only asks for offsets, and needs no right to read that topic: so its window is a time, it keeps since when each thing that a rule
// asks for was seen instead of samples, and whether the group has members tells a consumer that hangs from one that is gone. Pure.
import type { ConsumerState } from '../../model/consumer-state.ts'

const NEVER = Number.NEGATIVE_INFINITY

export class CommitWindow {
  #since = NEVER
  #seenAt = NEVER
  #committed = 0
  #end = 0
  #movedAt = NEVER
  #reachedAt = NEVER
  #rewoundAt = NEVER
  #gainedAt = NEVER

  /** Offsets that wait; 0 also where the commit lies beyond the end. */
  get lag(): number {
    return Math.max(0, this.#end - this.#committed)
  }

  /** `end`: of the log, asked for after the offset. `at`: monotonic ms. */
  observe(committed: number, end: number, at: number): void {
    const lagBefore = this.lag
    // The log was truncated: what was seen before is about another one.
    const isNew = this.#since === NEVER || end < this.#end
    const moved = committed - this.#committed
    this.#committed = committed
    this.#end = end
    this.#seenAt = at
    if (isNew) {
      this.#since = at
      this.#movedAt = at
      this.#reachedAt = NEVER
      this.#rewoundAt = NEVER
      this.#gainedAt = NEVER
    } else {
      if (moved !== 0) this.#movedAt = at
      if (moved < 0) this.#rewoundAt = at
      if (moved > 0 && this.lag < lagBefore) this.#gainedAt = at
    }
    if (this.lag === 0) this.#reachedAt = at
  }

  /** As of the last look: what nobody has looked at since may have moved. */
  state(how: { readonly windowMs: number; readonly hasMembers: boolean }): ConsumerState {
    if (this.lag === 0) return 'ok'
    const from = this.#seenAt - how.windowMs
    const isRewound = this.#rewoundAt >= from
    // Burrow asks for a lag of zero anywhere in the window. But whoever was at the end before it went back has not caught up since.
    if (this.#reachedAt >= from && !(isRewound && this.#reachedAt < this.#rewoundAt)) return 'ok'
    if (isRewound) return 'rewound'
    if (this.#movedAt <= from) return how.hasMembers ? 'stalled' : 'stopped'
    if (this.#gainedAt >= from) return 'ok'
    return this.#since <= from ? 'lagging' : 'unknown'
  }
}
