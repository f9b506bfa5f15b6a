// What retention would take from restored records at its first look, minutes after the restore. By default such a topic keeps what it has
// while it is restored, `retention.ms=-1` or `retention.bytes=-1`, and that is said: records that were restored do not vanish. Kafka deletes
// whole segments, from the oldest on, and its own may be as short as a batch: a segment of the vault, which may span years, tells nothing.
import type { RestorePlan } from '../cli/app-vault.ts'
import type { PartitionState, TopicState } from '../model/vault.ts'
import type { Cluster } from '../ports/cluster.ts'
import { ahead } from '../vault/ahead.ts'
import type { SegmentReader } from '../vault/reader.ts'

export type Retention = RestorePlan['retention'][number]

const BROKER_CONFIGS = [
  'log.cleanup.policy',
  'log.retention.ms',
  'log.retention.minutes',
  'log.retention.hours',
  'log.retention.bytes',
]

/** Partitions looked into at once. */
const LOOKS_AT_ONCE = 16

/** Reads headers of what is old, and one frame of each partition that is not. Throws KdrError: damaged, store-unreachable. */
export async function planRetention(
  target: Cluster,
  topics: readonly TopicState[],
  { now, reader }: { readonly now: number; readonly reader: SegmentReader },
): Promise<Retention[]> {
  const defaults = defaultsOf(await target.brokerConfigs(BROKER_CONFIGS))
  const found: Retention[] = []
  for (const topic of topics) {
    const { ms, bytes } = limitsOf(topic, defaults)
    let [old, over] = [0, 0]
    const each = async (log: PartitionState): Promise<number> =>
      ms.limit < 0 ? 0 : await recordsBefore(reader, log, now - ms.limit)
    for await (const records of ahead(topic.partitions, LOOKS_AT_ONCE, each)) old += records
    if (bytes.limit >= 0) over = sumOf(topic.partitions, log => recordsOver(log, bytes.limit))
    if (old > 0)
      found.push({ topic: topic.name, config: 'retention.ms', value: ms.own ?? null, records: old })
    if (over > 0)
      found.push({ topic: topic.name, config: 'retention.bytes', value: bytes.own ?? null, records: over })
  }
  return found
}

type Defaults = {
  readonly policy: string | undefined
  readonly ms: number | undefined
  readonly bytes: number | undefined
}

/** The first of them that is set counts (KafkaConfig.scala, logRetentionTimeMillis). */
function defaultsOf(broker: ReadonlyMap<string, string>): Defaults {
  const number = (name: string, factor = 1): number | undefined => {
    const value = broker.get(name)
    return value === undefined || value === '' || Number.isNaN(Number(value))
      ? undefined
      : Number(value) * factor
  }
  return {
    policy: broker.get('log.cleanup.policy'),
    ms:
      number('log.retention.ms') ??
      number('log.retention.minutes', 60_000) ??
      number('log.retention.hours', 3_600_000),
    bytes: number('log.retention.bytes'),
  }
}

type Limit = { readonly own: string | undefined; readonly limit: number }

/** What a topic has of its own, else what it will have from the target's brokers. Below 0: no limit. */
function limitsOf(
  { configs }: TopicState,
  defaults: Defaults,
): { readonly ms: Limit; readonly bytes: Limit } {
  const own = (config: string): string | undefined =>
    configs[config]?.isOverride === true ? (configs[config].value ?? undefined) : undefined
  const policy = own('cleanup.policy') ?? configs['cleanup.policy']?.value ?? defaults.policy ?? 'delete'
  const isDeleted = policy.includes('delete')
  const limitOf = (config: string, fallback: number | undefined): Limit => ({
    own: own(config),
    limit: isDeleted ? Number(own(config) ?? fallback ?? -1) : -1,
  })
  return { ms: limitOf('retention.ms', defaults.ms), bytes: limitOf('retention.bytes', defaults.bytes) }
}

/** Of the batches from the first one on that are older, without any that stands behind a younger one. */
async function recordsBefore(
  reader: SegmentReader,
  { segments, start, end }: PartitionState,
  time: number,
): Promise<number> {
  let records = 0
  for (const segment of segments) {
    if (segment.from >= end) break
    if (segment.maxTimestamp < time) {
      records += segment.records
      continue
    }
    for (let offset = Math.max(start, segment.from); ; ) {
      const run = await reader.read([segment], offset, end)
      if (run === undefined) break
      for (const { header } of run.batches) {
        if (header.maxTimestamp >= time) return records
        records += header.recordCount
      }
      offset = run.batches.at(-1)!.header.lastOffset + 1
    }
  }
  return records
}

/** As if segments were as short as records. */
function recordsOver({ segments }: PartitionState, limit: number): number {
  let excess = sumOf(segments, ({ rawBytes }) => rawBytes) - limit
  let over = 0
  for (const { rawBytes, records } of segments) {
    if (excess <= 0) break
    over += Math.ceil(records * Math.min(1, excess / rawBytes))
    excess -= rawBytes
  }
  return over
}

function sumOf<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0)
}
