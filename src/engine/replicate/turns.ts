// Whose turn it is to be fetched. Those that keep up go together, and never with those that are behind: their answer would
// come behind megabytes. Of those that are behind, only the most urgent: what others wait for is theirs.
import { ROUND_PARTITIONS } from './limits.ts'
import type { PartitionCopy } from './partition.ts'

/** Those that were served longest ago come first. */
export class Turns {
  readonly #current = new Set<PartitionCopy>()
  readonly #behind = new Set<PartitionCopy>()

  add(copy: PartitionCopy): void {
    this.delete(copy)
    const turns = copy.pace.isBehind ? this.#behind : this.#current
    turns.add(copy)
  }

  delete(copy: PartitionCopy): void {
    this.#current.delete(copy)
    this.#behind.delete(copy)
  }

  get isEmpty(): boolean {
    return this.#current.size + this.#behind.size === 0
  }

  /** Their turn is over; whoever still wants more is added anew. `isMeant` is asked once for each, in order. */
  takeCurrent(isMeant: (copy: PartitionCopy) => boolean = () => true): PartitionCopy[] {
    return take(this.#current, isMeant)
  }

  takeBehind(isMeant: (copy: PartitionCopy) => boolean = () => true): PartitionCopy[] {
    let urgency = Number.POSITIVE_INFINITY
    for (const copy of this.#behind) if (isWanting(copy)) urgency = Math.min(urgency, copy.pace.urgency)
    return take(this.#behind, copy => copy.pace.urgency === urgency && isMeant(copy))
  }
}

const isWanting = (copy: PartitionCopy): boolean => copy.wantsData

function take(turns: Set<PartitionCopy>, isMeant: (copy: PartitionCopy) => boolean): PartitionCopy[] {
  const taken: PartitionCopy[] = []
  for (const copy of turns) {
    if (taken.length === ROUND_PARTITIONS) break
    if (isWanting(copy) && !isMeant(copy)) continue
    turns.delete(copy)
    if (isWanting(copy)) taken.push(copy)
  }
  return taken
}
