// Where the mirrors stand, as the group sync sees them: looked up for each of a hundred thousand offsets.
import type { TopicPartition } from '../../ports/cluster.ts'

/**
 * Where a mirror partition stands. `isAnchored`: the cursor is the target's; before, nothing is known. `isStopped`: it will
 * not go on by itself, so nobody waits for it.
 */
export type MirrorPosition = TopicPartition & {
  /** The mirror's. */
  readonly topicId: string
  readonly cursor: number
  readonly logStart: number
  readonly isAnchored: boolean
  readonly isStopped: boolean
}

export class Mirrors {
  readonly #topics = new Map<string, Map<number, MirrorPosition>>()

  constructor(positions: readonly MirrorPosition[]) {
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
}
