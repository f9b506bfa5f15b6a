// What this process has copied of a link: figures that never go down. A copy counts from when it was made, and is made anew whenever its
// partition comes back to this process; a counter that went down with it would look as if all had been copied once more.
import type { PartitionProgress } from '../../../engine/replicate/replication.ts'

export type Copied = { readonly records: number; readonly bytes: number }
const NOTHING: Copied = { records: 0, bytes: 0 }

export class CopiedTotals {
  readonly #seen = new Map<string, Copied>()
  readonly #partitions = new Map<string, Copied>()
  /** Also of partitions that others copy by now. */
  readonly #topics = new Map<string, Copied>()
  #all = NOTHING

  observe(partitions: readonly PartitionProgress[]): void {
    for (const { topic, partition, records, bytes } of partitions) {
      const key = `${topic}/${partition}`
      const before = this.#seen.get(key) ?? NOTHING
      const isAnew = records < before.records || bytes < before.bytes
      const since = isAnew ? NOTHING : before
      const more = { records: records - since.records, bytes: bytes - since.bytes }
      this.#seen.set(key, { records, bytes })
      this.#partitions.set(key, added(this.#partitions.get(key), more))
      this.#topics.set(topic, added(this.#topics.get(topic), more))
      this.#all = added(this.#all, more)
    }
  }

  get all(): Copied {
    return this.#all
  }

  ofTopic(topic: string): Copied {
    return this.#topics.get(topic) ?? NOTHING
  }

  ofPartition(topic: string, partition: number): Copied {
    return this.#partitions.get(`${topic}/${partition}`) ?? NOTHING
  }
}

function added(a: Copied = NOTHING, b: Copied): Copied {
  return { records: a.records + b.records, bytes: a.bytes + b.bytes }
}
