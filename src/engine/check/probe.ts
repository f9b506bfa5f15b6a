// How long followers take: of each leader the median of writes with `acks=all` less that with `acks=1`, in a topic of its own that is
// made and deleted for it. Only on demand (`--probe`): it changes a cluster, if only for a moment.
import { findKdrError, KdrError } from '../../model/errors.ts'
import { codeName, KafkaCode } from '../../model/kafka-codes.ts'
import type { Clock } from '../../ports/clock.ts'
import {
  type BrokerView,
  type Cluster,
  NO_TOPIC_ID,
  type PartitionView,
  type TopicView,
} from '../../ports/cluster.ts'
import type { Acks, ProbeLane, ProbeWriter } from '../../ports/probe.ts'
import { wishFor } from './observation.ts'

export const PROBE_TOPIC = '_kdr.probe'
/** Of each kind, in turn, so that what disturbs hits both. */
export const PROBE_WRITES = 31
/** The first ones pay for what comes into being. */
const WARM_UP = 5
const MADE_WITHIN_MS = 15_000
const LOOK_EVERY_MS = 100

export type ProbedLeader = { readonly broker: number } & (
  | {
      readonly partition: number
      /** Replicas that a write with `acks=all` waits for, the leader included. */
      readonly inSync: number
      /** Medians. */
      readonly acksOneMs: number
      readonly acksAllMs: number
      /** What followers add; below 0 is noise. */
      readonly differenceMs: number
    }
  | { readonly why: string }
)

export type Probe = { readonly cluster: string; readonly leaders: readonly ProbedLeader[] }

export type Probed = Pick<Cluster, 'name' | 'describe' | 'createTopics' | 'deleteTopic'> & {
  readonly probe: ProbeWriter
}

export type ProbeOptions = {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** A new batch of one small record, without a producer. */
  readonly batch: () => Buffer
}

/** Throws KdrError: unreachable, not-allowed, not-ready; the topic is deleted in any case. */
export async function probe(cluster: Probed, options: ProbeOptions): Promise<Probe> {
  const { brokers, topics } = await cluster.describe()
  const wish = wishFor({ brokers, topics })
  const [made] = await cluster.createTopics([
    {
      name: PROBE_TOPIC,
      partitions: brokers.length,
      replicationFactor: Math.min(wish.replicas, brokers.length),
      configs: { 'min.insync.replicas': String(wish.inSync), 'retention.ms': '3600000' },
    },
  ])
  // One that was left by a probe that was killed is as good, and goes away now.
  if (made?.code !== KafkaCode.NONE && made?.code !== KafkaCode.TOPIC_ALREADY_EXISTS)
    throw refused(`topic "${PROBE_TOPIC}" cannot be made at "${cluster.name}"`, made)
  let leaders: readonly ProbedLeader[]
  try {
    leaders = await probeLeaders(cluster, brokers, options)
  } catch (error) {
    // What went wrong is worth more than that the topic is still there.
    await cluster.deleteTopic(PROBE_TOPIC)
    throw error
  }
  const gone = await cluster.deleteTopic(PROBE_TOPIC)
  if (gone.code !== KafkaCode.NONE && gone.code !== KafkaCode.UNKNOWN_TOPIC_OR_PARTITION)
    throw refused(`topic "${PROBE_TOPIC}" of "${cluster.name}" cannot be deleted again`, gone)
  return { cluster: cluster.name, leaders }
}

async function probeLeaders(
  cluster: Probed,
  brokers: readonly BrokerView[],
  options: ProbeOptions,
): Promise<ProbedLeader[]> {
  const topic = await madeTopic(cluster, options)
  const leaders: ProbedLeader[] = []
  for (const { id } of brokers) {
    const partition = topic.partitions.find(({ leader }) => leader === id)
    leaders.push(
      partition === undefined
        ? { broker: id, why: 'it leads no partition of the probe' }
        : await probeLeader(cluster.probe, { topic, partition }, options),
    )
  }
  return leaders
}

function refused(
  what: string,
  outcome: { readonly code: number; readonly message?: string } | undefined,
): KdrError {
  const { code = KafkaCode.UNKNOWN_SERVER_ERROR, message = '' } = outcome ?? {}
  const why = [codeName(code), message].join(' ').trim()
  return new KdrError(message.includes('kdr needs') ? 'not-allowed' : 'not-ready', `${what}: ${why}`)
}

/** With all replicas in sync. */
async function madeTopic(
  cluster: Probed,
  { clock, signal }: Pick<ProbeOptions, 'clock' | 'signal'>,
): Promise<TopicView> {
  const until = clock.monotonic() + MADE_WITHIN_MS
  for (;;) {
    signal.throwIfAborted()
    const topic = (await cluster.describe()).topics.get(PROBE_TOPIC)
    const isWhole = topic?.partitions.every(
      ({ leader, isr, replicas }) => leader >= 0 && isr.length === replicas.length,
    )
    if (topic !== undefined && topic.id !== NO_TOPIC_ID && topic.partitions.length > 0 && isWhole === true)
      return topic
    if (clock.monotonic() > until)
      throw new KdrError('not-ready', `topic "${PROBE_TOPIC}" of "${cluster.name}" does not come up whole`)
    await clock.sleep(LOOK_EVERY_MS, signal)
  }
}

async function probeLeader(
  writer: ProbeWriter,
  at: { readonly topic: TopicView; readonly partition: PartitionView },
  options: ProbeOptions,
): Promise<ProbedLeader> {
  const { leader: broker, partition, isr } = at.partition
  let lane: ProbeLane | undefined
  try {
    lane = await writer.open(broker)
    const times: Record<Acks, number[]> = { leader: [], all: [] }
    for (let round = 0; round < WARM_UP + PROBE_WRITES; round++)
      for (const acks of ['leader', 'all'] as const) {
        const ms = await timed(lane, acks, at, options)
        if (round >= WARM_UP) times[acks].push(ms)
      }
    const [acksOneMs, acksAllMs] = [median(times.leader), median(times.all)]
    const differenceMs = rounded(acksAllMs - acksOneMs)
    return { broker, partition, inSync: isr.length, acksOneMs, acksAllMs, differenceMs }
  } catch (error) {
    const known = findKdrError(error)
    if (known === undefined || known.code === 'interrupted') throw error
    return { broker, why: known.message }
  } finally {
    await lane?.close()
  }
}

async function timed(
  lane: ProbeLane,
  acks: Acks,
  { topic, partition: { partition } }: { readonly topic: TopicView; readonly partition: PartitionView },
  { clock, signal, batch }: ProbeOptions,
): Promise<number> {
  signal.throwIfAborted()
  const entry = { topic: topic.name, topicId: topic.id, partition, batch: batch() }
  const from = clock.monotonic()
  const outcome = await lane.append(entry, acks)
  const ms = clock.monotonic() - from
  if (outcome.code !== KafkaCode.NONE)
    throw refused(`a write to "${topic.name}/${partition}" is refused`, outcome)
  return ms
}

const rounded = (ms: number): number => Math.round(ms * 1_000) / 1_000

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return rounded(sorted[Math.floor(sorted.length / 2)] ?? 0)
}
