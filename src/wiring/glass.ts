// `--break-glass`, before anything is read: where too few replicas are in sync, brokers do not only refuse writes; a leader that is new
// does not even say up to where its log may be read (OFFSET_NOT_AVAILABLE, KIP-966), so nobody could tell where the link stands.
import type { LinkConfig } from '../config/index.ts'
import type { Journal } from '../engine/runs/journal.ts'
import { breakGlass, putBack, weakSentence, weakTopics } from '../engine/runs/break-glass.ts'
import { KdrError } from '../model/errors.ts'
import { KafkaCode } from '../model/kafka-codes.ts'
import type { Lowered, RunKind, RunRecord } from '../model/runs.ts'
import type { Clock } from '../ports/clock.ts'
import type { Cluster } from '../ports/cluster.ts'
import type { BothClusters } from './both-clusters.ts'
import type { Sides } from './run-context.ts'

const READABLE_WITHIN_MS = 20_000
const LOOK_EVERY_MS = 200

type Asked = { readonly kind: RunKind; readonly isBroken: boolean; readonly clock: Clock }

/** What was lowered, at those of the two clusters that answer. Throws KdrError('not-ready') where that is needed and not asked for. */
export async function assertKept(
  clusters: Pick<BothClusters, 'ifThere'>,
  { name, source, target }: Pick<LinkConfig, 'name' | 'source' | 'target'>,
  { kind, isBroken, clock }: Asked,
): Promise<Lowered[]> {
  const lowered: Lowered[] = []
  for (const side of [source, target]) {
    const cluster = clusters.ifThere(side)
    const weak = cluster === undefined ? [] : await weakTopics(cluster)
    if (cluster === undefined || weak.length === 0) continue
    if (!isBroken)
      throw new KdrError('not-ready', weakSentence(weak, side), {
        hint:
          kind === 'failover'
            ? `Bring its brokers back; if that takes too long: kdr failover ${name} --break-glass`
            : 'Bring its brokers back.',
      })
    lowered.push(...(await breakGlass(cluster, side)))
    await untilReadable(cluster, { topics: weak.map(({ topic }) => topic), clock })
  }
  return lowered
}

/** A leader learns of a changed setting a moment later. What it does not tell in time, whoever reads then is told. */
async function untilReadable(
  cluster: Cluster,
  { topics, clock }: { readonly topics: readonly string[]; readonly clock: Clock },
): Promise<void> {
  const until = clock.monotonic() + READABLE_WITHIN_MS
  const partitions = topics.map(topic => ({ topic, partition: 0 }))
  for (;;) {
    const answers = await cluster.offsets(partitions, 'highWatermark')
    if (answers.every(({ code }) => code === KafkaCode.NONE) || clock.monotonic() > until) return
    await clock.sleep(LOOK_EVERY_MS)
  }
}

/** Where brokers have come back meanwhile. What is left is for a person: the report says so. */
export async function glassMended(
  { target, link }: Sides,
  journal: Journal,
  ended: RunRecord,
): Promise<RunRecord> {
  const { lowered = [], state } = ended
  if (lowered.length === 0 || state !== 'done') return ended
  const left = await putBack(target, link.target, lowered)
  if (left.length === lowered.length) return ended
  const record = { ...ended, lowered: left }
  await journal.writeRun(record)
  return record
}
