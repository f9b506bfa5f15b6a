// Who writes without a producer id, and where nearly every batch has another one: read from the headers of the last batches of each
// partition. Only on demand (`--producers`): it reads data, where all else of a check reads what brokers know anyway.
import { splitBatches } from '../../model/batch.ts'
import { findKdrError } from '../../model/errors.ts'
import { codeName, KafkaCode, lackingRight } from '../../model/kafka-codes.ts'
import type { Cluster, FetchPartition, TopicPartition, TopicView } from '../../ports/cluster.ts'
import type { NotSeen } from './observation.ts'

export type TopicProducers = {
  readonly topic: string
  /** Data batches that were looked at, and how many of them carry no producer id. */
  readonly batches: number
  readonly without: number
  /** Partitions whose producers hardly ever write twice. */
  readonly crowded: readonly CrowdedPartition[]
}

export type CrowdedPartition = {
  readonly partition: number
  /** Batches with a producer id, and how many ids they have. */
  readonly batches: number
  readonly ids: number
  /** Producers that its leader remembers; undefined: it did not say. */
  readonly remembered: number | undefined
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

/** Fewer batches may be from many applications that write rarely. */
const CROWD_BATCHES = 100
/** Of them that have an id of their own. */
const CROWD_SHARE = 0.5
/** A leader that is asked answers with all that it remembers: only so many are. */
const CROWDED_ASKED = 20

type Side = Pick<Cluster, 'offsets' | 'openFetchLane' | 'producers'>
type Tail = TopicPartition & { readonly batches: number; readonly without: number; readonly ids: number }

/** One fetch a partition; what does not come with it is not looked at. */
export async function observeProducers(cluster: Side, topics: readonly TopicView[]): Promise<ProducersSight> {
  const partitions = topics.flatMap(({ name, partitions: all }) =>
    all.filter(({ leader }) => leader >= 0).map(({ partition }) => ({ topic: name, partition })),
  )
  const byName = new Map(topics.map(topic => [topic.name, topic]))
  const seen: Tail[] = []
  let crowded: Crowd = []
  const notSeen: NotSeen[] = []
  const fail = (what: string, why: string): void => {
    if (!notSeen.some(each => each.what === what)) notSeen.push({ what, why })
  }
  try {
    const tails = (await tailsOf(cluster, partitions)).flatMap(({ code, from, ...at }) => {
      if (code !== KafkaCode.NONE)
        fail(
          `producers of "${at.topic}"`,
          `${codeName(code)} for the ends of its logs${lackingRight(code, 'DESCRIBE on the topic')}`,
        )
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
        { seen, fail },
      )
    crowded = await crowdsAmong(cluster, seen)
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined) throw error
    fail('producers', known.message)
  }
  const byTopic = [...Map.groupBy(seen, ({ topic }) => topic)]
  return {
    topics: byTopic.map(([topic, tails]) => ({
      topic,
      batches: tails.reduce((sum, { batches }) => sum + batches, 0),
      without: tails.reduce((sum, { without }) => sum + without, 0),
      crowded: crowded.flatMap(({ topic: of, ...each }) => (of === topic ? [each] : [])),
    })),
    notSeen,
  }
}

type Crowd = readonly (CrowdedPartition & { readonly topic: string })[]

async function crowdsAmong(cluster: Side, seen: readonly Tail[]): Promise<Crowd> {
  const crowds = seen
    .map(({ topic, partition, batches, without, ids }) => ({
      topic,
      partition,
      batches: batches - without,
      ids,
    }))
    .filter(({ batches, ids }) => batches >= CROWD_BATCHES && ids >= batches * CROWD_SHARE)
    .toSorted((a, b) => b.ids - a.ids)
  const answers = crowds.length === 0 ? [] : await cluster.producers(crowds.slice(0, CROWDED_ASKED))
  return crowds.map((each, index) => {
    const answer = answers[index]
    return { ...each, remembered: answer?.code === KafkaCode.NONE ? answer.producers.length : undefined }
  })
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
  readonly seen: Tail[]
  readonly fail: (what: string, why: string) => void
}

async function readTails(
  cluster: Side,
  leader: number,
  requests: readonly FetchPartition[],
  { seen, fail }: Sink,
): Promise<void> {
  const lane = await cluster.openFetchLane(leader)
  try {
    for (let at = 0; at < requests.length; at += PARTITIONS_AT_ONCE) {
      const partitions = requests.slice(at, at + PARTITIONS_AT_ONCE)
      const maxBytes = PARTITION_BYTES * partitions.length
      const answers = await lane.fetch({ isolation: 'uncommitted', maxWaitMs: 0, maxBytes, partitions })
      for (const { topic, partition, code, records } of answers) {
        if (code !== KafkaCode.NONE) {
          fail(
            `producers of "${topic}"`,
            `${codeName(code)} for its records${lackingRight(code, 'READ on the topic')}`,
          )
          continue
        }
        const data = splitBatches(records).filter(({ header }) => !header.isControl)
        const ids = data.map(({ header }) => header.producerId).filter(id => id >= 0n)
        const without = data.length - ids.length
        seen.push({ topic, partition, batches: data.length, without, ids: new Set(ids).size })
      }
    }
  } finally {
    await lane.close()
  }
}
