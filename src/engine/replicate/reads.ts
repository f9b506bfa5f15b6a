// The small questions that anchoring asks of both clusters, gathered: a thousand partitions that start together ask in
// a few requests.
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { Cluster, CodeAndOffset, TopicPartition } from '../../ports/cluster.ts'
import { batched } from './batched.ts'
import type { ClusterWatch } from './cluster-watch.ts'
import type { EndsAnswer, Reads } from './context.ts'
import { Peeks } from './peeks.ts'

export type Sides = { readonly source: ClusterWatch; readonly target: ClusterWatch }

export function createReads({ source, target }: Sides): Reads & { close(): Promise<void> } {
  const peeks = { source: new Peeks(source), target: new Peeks(target) }
  return {
    targetEnds: batched(async items => await readEnds(target.cluster, items)),
    targetLogEnd: batched(async items => await target.cluster.offsets(items, 'logEnd')),
    targetProducers: batched(async items => await target.cluster.producers(items)),
    targetStart: batched(async items => await target.cluster.offsets(items, 'logStart')),
    sourceStart: batched(async items => await seen(source, source.cluster.offsets(items, 'logStart'))),
    sourceEnd: batched(async items => await seen(source, source.cluster.offsets(items, 'logEnd'))),
    sourceEpochEnd: batched(async items => await source.cluster.epochEnds(items)),
    peek: async (side, of) => await peeks[side].fetch(of),
    close: async () => {
      await Promise.all([peeks.source.close(), peeks.target.close()])
    },
  }
}

async function seen<T>(watch: ClusterWatch, answer: Promise<T>): Promise<T> {
  const value = await answer
  watch.seen()
  return value
}

/** The high watermark first: whatever lands in between makes the end differ from it, never agree by accident. */
async function readEnds(cluster: Cluster, items: readonly TopicPartition[]): Promise<EndsAnswer[]> {
  const highWatermarks = await cluster.offsets(items, 'highWatermark')
  const ends = await cluster.offsets(items, 'logEnd')
  return ends.map((end, index) => combine(end, highWatermarks[index]!))
}

function combine(
  end: CodeAndOffset & { readonly leaderEpoch: number },
  highWatermark: CodeAndOffset & { readonly leaderEpoch: number },
): EndsAnswer {
  const code = end.code === KafkaCode.NONE ? highWatermark.code : end.code
  return { code, end: end.offset, highWatermark: highWatermark.offset, leaderEpoch: end.leaderEpoch }
}
