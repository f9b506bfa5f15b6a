// Program: sends a topic that it holds in memory to the target as fast as the target's brokers take it. It reads nothing
// meanwhile, decides nothing and keeps no state: whoever writes by Produce, as every copier must that is not a broker, cannot be faster.
// `node bench/contenders/produce-alone.ts '{"source":"localhost:1","target":"localhost:2","topic":"t","replicationFactor":1}'`

import { setTimeout as sleep } from 'node:timers/promises'
import { connectCluster } from '../../src/kafka/cluster.ts'
import { type RawBatch, splitBatches } from '../../src/model/batch.ts'
import { KafkaCode } from '../../src/model/kafka-codes.ts'
import type { Cluster } from '../../src/ports/cluster.ts'
import { systemClock } from '../../src/wiring/system.ts'

export type ProduceAloneJob = {
  readonly source: string
  readonly target: string
  readonly topic: string
  readonly replicationFactor: number
}

const FETCH_BYTES = 16 * 1024 * 1024
/** A Java producer's `max.in.flight.requests.per.connection`. */
const IN_FLIGHT = 5
const TIMEOUT_MS = 60_000

const job = JSON.parse(process.argv[2] ?? '') as ProduceAloneJob
const connect = async (name: string, bootstrap: string): Promise<Cluster> =>
  await connectCluster({
    name,
    bootstrap,
    clientId: 'bench',
    clock: systemClock,
    requestTimeoutMs: TIMEOUT_MS,
  })

async function main(): Promise<void> {
  const source = await connect('source', job.source)
  const target = await connect('target', job.target)
  const { topics } = await source.describe()
  const found = topics.get(job.topic)
  if (found === undefined) throw new Error(`the source has no topic "${job.topic}"`)
  const logs: RawBatch[][] = []
  for (const { partition, leader } of found.partitions)
    logs.push(await readLog(source, { topicId: found.id, partition, leader }))
  const [made] = await target.createTopics([
    {
      name: job.topic,
      partitions: logs.length,
      replicationFactor: job.replicationFactor,
      configs: { 'compression.type': 'producer' },
    },
  ])
  if (made === undefined || made.code !== 0)
    throw new Error(`the mirror was not created: ${made?.message ?? 'no answer'}`)
  const leaders = await leadersOf(target, logs.length)
  await Promise.all(
    logs.map(
      async (log, partition) =>
        await send(target, { log, partition, leader: leaders[partition] ?? -1, id: made.id }),
    ),
  )
  await Promise.all([source.close(), target.close()])
}

type Reading = { readonly topicId: string; readonly partition: number; readonly leader: number }

async function readLog(source: Cluster, { topicId, partition, leader }: Reading): Promise<RawBatch[]> {
  const at = { topic: job.topic, partition }
  const [end] = await source.offsets([at], 'logEnd')
  const lane = await source.openFetchLane(leader)
  const log: RawBatch[] = []
  const next = (): number => (log.at(-1)?.header.lastOffset ?? -1) + 1
  while (next() < (end?.offset ?? 0)) {
    const ask = {
      ...at,
      topicId,
      offset: next(),
      leaderEpoch: -1,
      lastFetchedEpoch: -1,
      maxBytes: FETCH_BYTES,
    }
    const [answer] = await lane.fetch({
      isolation: 'uncommitted',
      maxWaitMs: 500,
      maxBytes: FETCH_BYTES,
      partitions: [ask],
    })
    if (answer === undefined) continue
    if (answer.code !== 0) throw new Error(`partition ${partition} cannot be read: code ${answer.code}`)
    const batches = splitBatches(answer.records).filter(({ header }) => header.lastOffset >= ask.offset)
    // As a producer writes it; the checksum does not cover it.
    for (const { bytes } of batches) bytes.writeBigInt64BE(0n)
    log.push(...batches)
  }
  await lane.close()
  return log
}

/** Until each partition has one. */
async function leadersOf(target: Cluster, partitions: number): Promise<number[]> {
  for (;;) {
    const { topics } = await target.describe()
    const leaders = topics.get(job.topic)?.partitions.map(({ leader }) => leader) ?? []
    if (leaders.length === partitions && leaders.every(leader => leader >= 0)) return leaders
  }
}

type Sending = {
  readonly log: readonly RawBatch[]
  readonly partition: number
  readonly leader: number
  readonly id: string
}

/** A connection for each partition, several requests under way in it; a batch a request, as the protocol wants it. */
async function send(target: Cluster, { log, partition, leader, id }: Sending): Promise<void> {
  const lane = await target.openAppendLane(leader)
  const append = async ({ bytes }: RawBatch): Promise<number> => {
    const entry = { topic: job.topic, topicId: id, partition, batch: bytes }
    const [answer] = await lane.append([entry], TIMEOUT_MS)
    return answer?.code ?? KafkaCode.UNKNOWN_SERVER_ERROR
  }
  const [first, ...others] = log
  // Until its leader knows that it leads.
  if (first !== undefined) while ((await append(first)) === KafkaCode.NOT_LEADER_OR_FOLLOWER) await sleep(10)
  const underWay: Promise<void>[] = []
  for (const batch of others) {
    if (underWay.length >= IN_FLIGHT) await underWay.shift()
    underWay.push(
      append(batch).then(code => {
        if (code !== KafkaCode.NONE) throw new Error(`partition ${partition} was refused: code ${code}`)
      }),
    )
  }
  await Promise.all(underWay)
  await lane.close()
}

await main()
