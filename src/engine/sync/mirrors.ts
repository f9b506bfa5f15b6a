// Where the mirrors stand, as the group sync sees them: looked up for each of a hundred thousand offsets.
import type { TopicPartition } from '../../ports/cluster.ts'

/**
 * Where a mirror partition stands. `isAnchored`: the cursor is the target's; before, nothing is known. `isStopped`: it will
 * not go on by itself, so nobody waits for it.
 */
export type MirrorPosition = TopicPartition & {
  /** The mirror's; NO_TOPIC_ID when there is none, or it is not known. */
  readonly topicId: string
  readonly cursor: number
  readonly logStart: number
  readonly isAnchored: boolean
  readonly isStopped: boolean
}

export class Mirrors {
  readonly #topics = new Map<string, Map<number, MirrorPosition>>()
  readonly #count: number

  constructor(positions: readonly MirrorPosition[]) {
    this.#count = positions.length
    for (const position of positions) {
      const partitions = this.#topics.get(position.topic) ?? new Map<number, MirrorPosition>()
      this.#topics.set(position.topic, partitions.set(position.partition, position))
    }
  }

  at({ topic, partition }: TopicPartition): MirrorPosition | undefined {
    return this.#topics.get(topic)?.get(partition)
  }

  hasTopic(topic: string): boolean {
    return this.#topics.has(topic)
  }

  /** It follows its source now: what is gone there is gone. */
  isLive(of: TopicPartition): boolean {
    const at = this.at(of)
    return at?.isAnchored === true && !at.isStopped
  }

  /** What could be committed in `before` as it was can be committed here alike. */
  areAsGoodAs(before: Mirrors): boolean {
    if (before.#count !== this.#count) return false
    for (const partitions of this.#topics.values())
      for (const at of partitions.values()) if (!isAsGoodAs(at, before.at(at))) return false
    return true
  }
}

function isAsGoodAs(now: MirrorPosition, before: MirrorPosition | undefined): boolean {
  return (
    before !== undefined &&
    now.topicId === before.topicId &&
    now.isAnchored === before.isAnchored &&
    now.isStopped === before.isStopped &&
    now.logStart === before.logStart &&
    now.cursor >= before.cursor
  )
}
