// What the parts of the adapter share: the connections, and the metadata that requests are routed by until the next
// `describe`. The helpers here send one request to each leader and put the answers back into the caller's order.
import { KafkaCode } from '../model/kafka-codes.ts'
import type { Clock } from '../ports/clock.ts'
import type { ClusterView, Outcome, PartitionView, TopicPartition } from '../ports/cluster.ts'
import type { BrokerConnection } from './connection.ts'
import type { BrokerPool } from './pool.ts'

export type ClusterContext = {
  readonly name: string
  readonly pool: BrokerPool
  readonly clock: Clock
  readonly requestTimeoutMs: number
  /** The latest answer of `describe`. */
  readonly view: () => ClusterView
  /** The broker to send changes to: the controller, or any one that forwards. */
  readonly controller: () => number
  readonly describe: () => Promise<ClusterView>
}

export function outcome(code: number, message?: string | null): Outcome {
  return message === undefined || message === null || message === '' ? { code } : { code, message }
}

export function partitionKey(at: TopicPartition): string {
  return `${at.topic}/${at.partition}`
}

export type ByTopic<P> = { readonly topic: string; readonly partitions: P[] }

export function byTopic<P extends TopicPartition>(partitions: readonly P[]): ByTopic<P>[] {
  const topics = new Map<string, ByTopic<P>>()
  for (const partition of partitions) {
    const same = topics.get(partition.topic)
    if (same === undefined) topics.set(partition.topic, { topic: partition.topic, partitions: [partition] })
    else same.partitions.push(partition)
  }
  return [...topics.values()]
}

export function viewOf(context: ClusterContext, at: TopicPartition): PartitionView | undefined {
  return context.view().topics.get(at.topic)?.partitions[at.partition]
}

export function leaderEpochOf(context: ClusterContext, at: TopicPartition): number {
  return viewOf(context, at)?.leaderEpoch ?? -1
}

type Ask<P, R> = (connection: BrokerConnection, mine: readonly P[]) => Promise<Map<string, R>>

/**
 * One request per leader, in parallel, answered in the order of `partitions`. `refused` makes the answer of a partition
 * that has no leader, is unknown, or was left out by the broker. A partition that is named twice goes out in two requests.
 */
export async function askLeaders<P extends TopicPartition, R>(
  context: ClusterContext,
  partitions: readonly P[],
  refused: (code: number) => R,
  ask: Ask<P, R>,
): Promise<R[]> {
  const answers = partitions.map(() => refused(KafkaCode.UNKNOWN_SERVER_ERROR))
  const requests = new Map<string, { broker: number; indexes: number[] }>()
  const seen = new Map<string, number>()
  for (const [index, partition] of partitions.entries()) {
    const broker = viewOf(context, partition)?.leader
    if (broker === undefined || broker < 0 || !context.pool.knows(broker)) {
      answers[index] = refused(
        broker === undefined ? KafkaCode.UNKNOWN_TOPIC_OR_PARTITION : KafkaCode.LEADER_NOT_AVAILABLE,
      )
      continue
    }
    const key = partitionKey(partition)
    const round = seen.get(key) ?? 0
    seen.set(key, round + 1)
    const request = requests.get(`${broker}/${round}`)
    if (request === undefined) requests.set(`${broker}/${round}`, { broker, indexes: [index] })
    else request.indexes.push(index)
  }
  await allDone(
    [...requests.values()].map(async ({ broker, indexes }) => {
      const connection = await context.pool.control(broker)
      const got = await ask(
        connection,
        indexes.map(index => partitions[index]!),
      )
      for (const index of indexes) {
        const answer = got.get(partitionKey(partitions[index]!))
        if (answer !== undefined) answers[index] = answer
      }
    }),
  )
  return answers
}

/** Waits for all, then throws the first failure: nothing goes on behind the caller's back. */
export async function allDone<R>(work: readonly Promise<R>[]): Promise<R[]> {
  const settled = await Promise.allSettled(work)
  return settled.map(one => {
    if (one.status === 'rejected') throw one.reason
    return one.value
  })
}
