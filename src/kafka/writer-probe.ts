// Could an application still write? A batch with a wrong checksum under its own credentials: a broker looks at the rights
// first (TOPIC_AUTHORIZATION_FAILED), then at the batch (CORRUPT_MESSAGE), and appends nothing either way. The connections are
// new each time, so that credentials that were taken away are noticed too.
import { spoilChecksum } from '../model/batch.ts'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { Cluster, Outcome } from '../ports/cluster.ts'
import type { WriterProbe } from '../ports/outside.ts'
import { recordCodec } from './records.ts'
import { type ClusterOptions, connectCluster } from './cluster.ts'
import { allDone, partitionKey } from './context.ts'

const TIMEOUT_MS = 5_000

type Probed = Parameters<WriterProbe['probe']>[0][number]

/** Nothing is connected before the first probe. */
export function writerProbe(principal: string, options: ClusterOptions): WriterProbe {
  const doProbe = async (partitions: readonly Probed[]): Promise<Outcome[]> => {
    const cluster = await connectCluster(options)
    try {
      return await probeAll(cluster, partitions)
    } finally {
      await cluster.close()
    }
  }
  return { principal, probe: doProbe, close: () => Promise.resolve() }
}

async function probeAll(cluster: Cluster, partitions: readonly Probed[]): Promise<Outcome[]> {
  const answers = new Map<string, Outcome>()
  const byLeader = Map.groupBy(partitions, ({ leader }) => leader)
  await allDone(
    [...byLeader].map(async ([leader, mine]) => {
      if (leader < 0) return
      const lane = await cluster.openAppendLane(leader)
      const entries = mine.map(({ topic, partition, topicId }) => ({
        topic,
        partition,
        topicId,
        batch: spoiltBatch(),
      }))
      for (const answer of await lane.append(entries, TIMEOUT_MS)) answers.set(partitionKey(answer), answer)
    }),
  )
  return partitions.map(at => answers.get(partitionKey(at)) ?? { code: KafkaCode.LEADER_NOT_AVAILABLE })
}

function spoiltBatch(): Buffer {
  const batch = recordCodec.encode({
    codec: 'none',
    records: [{ offset: 0, timestamp: 0, key: null, value: null, headers: [] }],
  })
  spoilChecksum(batch)
  return batch
}
