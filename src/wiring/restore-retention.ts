// What retention would take from restored records at its first look, minutes after the restore. By default such a topic keeps what it has
// while it is restored, `retention.ms=-1` or `retention.bytes=-1`, and that is said: records that were restored do not vanish.
import type { RestorePlan } from '../cli/app-vault.ts'
import type { PartitionState, TopicState } from '../model/vault.ts'
import type { Cluster } from '../ports/cluster.ts'

export type Retention = RestorePlan['retention'][number]

const BROKER_CONFIGS = [
  'log.cleanup.policy',
  'log.retention.ms',
  'log.retention.minutes',
  'log.retention.hours',
  'log.retention.bytes',
]

export async function planRetention(
  target: Cluster,
  topics: readonly TopicState[],
  now: number,
): Promise<Retention[]> {
  const broker = await target.brokerConfigs(BROKER_CONFIGS)
  return topics.flatMap(topic => retentionOf(topic, defaultsOf(broker), now))
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

/** Pure. What a topic has of its own, else what it will have from the target's brokers. */
export function retentionOf(
  { name, configs, partitions }: TopicState,
  defaults: Defaults,
  now: number,
): Retention[] {
  const own = (config: string): string | undefined =>
    configs[config]?.isOverride === true ? (configs[config].value ?? undefined) : undefined
  const policy = own('cleanup.policy') ?? configs['cleanup.policy']?.value ?? defaults.policy ?? 'delete'
  if (!policy.includes('delete')) return []
  const found: Retention[] = []
  const ms = Number(own('retention.ms') ?? defaults.ms ?? -1)
  const bytes = Number(own('retention.bytes') ?? defaults.bytes ?? -1)
  const old = ms < 0 ? 0 : sumOf(partitions, log => recordsUntil(log, each => each.maxTimestamp < now - ms))
  const over = bytes < 0 ? 0 : sumOf(partitions, log => recordsOver(log, bytes))
  if (old > 0)
    found.push({ topic: name, config: 'retention.ms', value: own('retention.ms') ?? null, records: old })
  if (over > 0)
    found.push({
      topic: name,
      config: 'retention.bytes',
      value: own('retention.bytes') ?? null,
      records: over,
    })
  return found
}

/** Kafka deletes whole segments, from the oldest on; those of the vault are about as good a measure as its own. */
function recordsUntil(
  { segments }: PartitionState,
  isGone: (segment: PartitionState['segments'][number]) => boolean,
): number {
  const kept = segments.findIndex(each => !isGone(each))
  return sumOf(kept < 0 ? segments : segments.slice(0, kept), ({ records }) => records)
}

function recordsOver(log: PartitionState, limit: number): number {
  let bytes = sumOf(log.segments, ({ rawBytes }) => rawBytes)
  return recordsUntil(log, ({ rawBytes }) => {
    const isGone = bytes - rawBytes >= limit
    bytes -= rawBytes
    return isGone
  })
}

function sumOf<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((sum, item) => sum + of(item), 0)
}
