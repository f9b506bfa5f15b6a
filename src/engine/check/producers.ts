// Who writes without a producer id: read from the headers of the last batches of each partition. Only on demand (`--producers`): it
// reads data, where all else of a check reads what brokers know anyway.
import { splitBatches } from '../../model/batch.ts'
import { findKdrError } from '../../model/errors.ts'
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { Cluster, FetchPartition, TopicPartition, TopicView } from '../../ports/cluster.ts'
import type { NotSeen } from './observation.ts'

export type TopicProducers = {
  readonly topic: string
  /** Data batches that were looked at, and how many of them carry no producer id. */
  readonly batches: number
  readonly without: number
}

export type ProducersSight = {
  readonly topics: readonly TopicProducers[]
  readonly notSeen: readonly NotSeen[]
}

/** A batch has one record at least: so many offsets hold so many batches at most. */
const OFFSETS = 1_000
const PARTITION_BYTES = 128 * 1024
/** Of one answer: 16 MB. */
const PARTITIONS_AT_ONCE = 128

type Side = Pick<Cluster, 'offsets' | 'openFetchLane'>

/** One fetch a partition; what does not come with it is not looked at. */
export async function observeProducers(cluster: Side, topics: readonly TopicView[]): Promise<ProducersSight> {
  const partitions = topics.flatMap(({ name, partitions: all }) =>
    all.filter(({ leader }) => leader >= 0).map(({ partition }) => ({ topic: name, partition })),
  )
  const byName = new Map(topics.map(topic => [topic.name, topic]))
  const counts = new Map<string, { batches: number; without: number }>()
  const notSeen: NotSeen[] = []
  const fail = (what: string, why: string): void => {
    if (!notSeen.some(each => each.what === what)) notSeen.push({ what, why })
  }
  try {
    const tails = (await tailsOf(cluster, partitions)).flatMap(({ code, from, ...at }) => {
      if (code !== KafkaCode.NONE)
        fail(`producers of "${at.topic}"`, `error ${code} for the ends of its logs`)
      const topic = byName.get(at.topic)
      const leader = topic?.partitions[at.partition]?.leader ?? -1
      return topic === undefined || code !== KafkaCode.NONE || from === undefined
        ? []
        : [{ leader, request: requestOf(topic, at.partition, from) }]
    })
    for (const [leader, mine] of Map.groupBy(tails, each => each.leader))
      await readTails(
        cluster,
        leader,
        mine.map(({ request }) => request),
        { counts, fail },
      )
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined) throw error
    fail('producers', known.message)
  }
  return { topics: [...counts].map(([topic, count]) => ({ topic, ...count })), notSeen }
}

/** `from`: undefined where there is nothing to read. */
async function tailsOf(
  cluster: Side,
  partitions: readonly TopicPartition[],
): Promise<(TopicPartition & { readonly code: number; readonly from: number | undefined })[]> {
  const [starts, ends] = await Promise.all([
    cluster.offsets(partitions, 'logStart'),
    cluster.offsets(partitions, 'highWatermark'),
  ])
  return partitions.map((at, index) => {
    const start = starts[index]
    const end = ends[index]
    const code = [start, end].map(each => each?.code ?? -1).find(each => each !== KafkaCode.NONE)
    const from = Math.max(start?.offset ?? 0, (end?.offset ?? 0) - OFFSETS)
    return { ...at, code: code ?? KafkaCode.NONE, from: from < (end?.offset ?? 0) ? from : undefined }
  })
}

function requestOf({ name, id, partitions }: TopicView, partition: number, offset: number): FetchPartition {
  const leaderEpoch = partitions[partition]?.leaderEpoch ?? -1
  const of = { topic: name, partition, topicId: id, offset, leaderEpoch }
  return { ...of, lastFetchedEpoch: -1, maxBytes: PARTITION_BYTES }
}

type Sink = {
  readonly counts: Map<string, { batches: number; without: number }>
  readonly fail: (what: string, why: string) => void
}

async function readTails(
  cluster: Side,
  leader: number,
  requests: readonly FetchPartition[],
  { counts, fail }: Sink,
): Promise<void> {
  const lane = await cluster.openFetchLane(leader)
  try {
    for (let at = 0; at < requests.length; at += PARTITIONS_AT_ONCE) {
      const partitions = requests.slice(at, at + PARTITIONS_AT_ONCE)
      const maxBytes = PARTITION_BYTES * partitions.length
      const answers = await lane.fetch({ isolation: 'uncommitted', maxWaitMs: 0, maxBytes, partitions })
      for (const { topic, code, records } of answers) {
        if (code !== KafkaCode.NONE) {
          fail(`producers of "${topic}"`, `error ${code} for its records`)
          continue
        }
        const data = splitBatches(records).filter(({ header }) => !header.isControl)
        const count = counts.get(topic) ?? { batches: 0, without: 0 }
        count.batches += data.length
        count.without += data.filter(({ header }) => header.producerId < 0n).length
        counts.set(topic, count)
      }
    }
  } finally {
    await lane.close()
  }
}
