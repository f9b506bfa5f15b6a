// The backlog of a case: made once, and copied by every contender in every round.

import { logBytes } from './contenders/follower.ts'
import type { BackupCase, CopyCase, Data } from './cases.ts'
import type { Stage } from './stage.ts'

export type Made = {
  readonly topic: string
  readonly partitions: number
  readonly records: number
  /** Of the source's logs, the markers of transactions included. */
  readonly offsets: number
  /** As they lie in the source's logs: compressed. */
  readonly bytes: number
}

/** Where topics lie at the source: the second broker, if there is one, is the follower's. */
const ON_FIRST = [[1]]

export async function makeData(
  stage: Stage,
  { name, data }: CopyCase | BackupCase,
  sizeMb: number,
): Promise<Made> {
  const { judge, sourceAt } = stage
  const topic = `bench-${name}`
  const { partitions } = data
  const perPartition = Math.ceil((sizeMb * 1e6 * data.share) / data.recordBytes / partitions)
  await judge.createTopic({ ...sourceAt, topic, partitions, replicas: ON_FIRST })
  // A producer a partition: their transactions go on side by side and do not mix.
  const writing = Array.from(
    { length: partitions },
    async (_, partition) =>
      await judge.produce({
        ...sourceAt,
        topic,
        partition,
        count: perPartition,
        seed: partition + 1,
        ...sendingOf(data, `${topic}-${partition}`),
      }),
  )
  await Promise.all(writing)
  const ends = await judge.ends({ ...sourceAt, topics: [topic] })
  const offsets = ends.reduce((sum, [, , end]) => sum + end, 0)
  return {
    topic,
    partitions,
    records: perPartition * partitions,
    offsets,
    bytes: logBytes(stage.source, 1, topic),
  }
}

function sendingOf(data: Data, transactionalId: string) {
  const { format, recordBytes: sizeBytes, compression, batchBytes, perTransaction } = data
  const lingerMs = batchBytes > 1 && perTransaction === undefined ? 20 : 0
  // Twenty-four producers share the memory of one program.
  const properties = { 'buffer.memory': '33554432' }
  const sending = { format, sizeBytes, compression, batchBytes, lingerMs, properties }
  return perTransaction === undefined ? sending : { ...sending, perTransaction, transactionalId }
}
