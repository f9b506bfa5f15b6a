// A link that a failover has moved: the standby of before is active, and nothing is copied before the old active was looked at.
import { KafkaCode } from '../../model/kafka-codes.ts'
import type { LinkSettings } from '../../model/link-settings.ts'
import { compilePatterns } from '../../model/patterns.ts'
import { type LinkRecord, readTopics } from '../../model/state-records.ts'
import type { Stranded } from '../../model/stranded.ts'
import type { Clock } from '../../ports/clock.ts'
import type { LogReader, TopicAdmin } from '../../ports/cluster.ts'
import type { StateStore } from '../../ports/state.ts'
import { rightsStatus } from './rights.ts'
import { type LinkStatus, type TopicStatus, withStale } from './status.ts'

export type PromotedInput = {
  /** As it leads now: `source` is the cluster that was promoted. */
  readonly settings: LinkSettings
  readonly isHome: boolean
  readonly stale: readonly string[]
  readonly record: LinkRecord
  readonly active: LogReader & Pick<TopicAdmin, 'describe'>
  /** Of the active. */
  readonly store: StateStore
  /** What the cluster that was left has, if it answers. */
  readonly stranded: Stranded | undefined
  readonly clock: Clock
}

export async function observePromoted(input: PromotedInput): Promise<LinkStatus> {
  const { settings, isHome, record, active, store, stranded, clock } = input
  await store.refresh()
  const filter = compilePatterns(settings.topics, 'topics')
  const view = await active.describe()
  const moved = [...readTopics(store, settings.name).keys()].filter(topic => filter.matches(topic))
  const partitions = moved.flatMap(topic =>
    (view.topics.get(topic)?.partitions ?? []).map(({ partition }) => ({ topic, partition })),
  )
  const ends = await active.offsets(partitions, 'highWatermark')
  const topics = moved.map(
    (name): TopicStatus => ({
      name,
      state: 'promoted',
      partitions: partitions.flatMap(({ topic, partition }, index) => {
        const { code, offset } = ends[index]!
        if (topic !== name) return []
        const end = code === KafkaCode.NONE ? offset : 0
        return [
          { partition, state: 'promoted' as const, cursor: end, sourceEnd: end, lagRecords: 0, lagMs: 0 },
        ]
      }),
    }),
  )
  const now = clock.now()
  return {
    name: settings.name,
    source: settings.source,
    target: settings.target,
    home: isHome,
    generation: record.generation,
    mode: settings.mode,
    ...withStale(input, {
      state: 'promoted',
      sentence: `"${settings.source}" is active since run ${record.run ?? ''}, a failover; nothing is copied to "${settings.target}" before that was looked at: kdr failback ${settings.name}`,
    }),
    lagRecords: 0,
    lagMs: 0,
    // There is no other copy of what was written since.
    rpoMs: Math.max(0, now - (record.movedAt ?? now)),
    sourceSeenAt: new Date(now).toISOString(),
    workers: [],
    topics,
    forgotten: [],
    groups: [],
    ...rightsStatus(store, settings.name),
    ...(stranded !== undefined && { stranded }),
    warnings: [],
  }
}
