// What a link is told to do, in plain values: durations in ms, sizes in bytes, patterns as written. The config makes it;
// engines take it, and know nothing of files.

import { compilePatterns } from './patterns.ts'

export type LinkMode = 'exact' | 'shared'
export type LargeGapPolicy = 'stop' | 'markers' | 'tombstones'
export type OverfilledPolicy = 'stop' | 'recopy'
/** `keep`, or delete the mirror this long after its source was deleted. */
export type SourceDeletePolicy = 'keep' | { readonly deleteAfterMs: number }

export type TopicOverride = {
  /** Patterns among the topics that the link mirrors. */
  readonly topics: readonly string[]
  readonly replicationFactor?: number | undefined
  readonly configs: Readonly<Record<string, string>>
}

export const PRIORITIES = ['high', 'normal', 'low'] as const
export type Priority = (typeof PRIORITIES)[number]

export type TopicPriority = {
  /** Patterns among the topics that the link mirrors. */
  readonly topics: readonly string[]
  readonly priority: Priority
}

/** How often each kind of thing is carried over, in ms. */
export type SyncIntervals = {
  readonly configsMs: number
  readonly aclsMs: number
  readonly quotasMs: number
  readonly groupsMs: number
}

export type LinkSettings = {
  readonly name: string
  /** Names of clusters in the config: the home direction. */
  readonly source: string
  readonly target: string
  readonly mode: LinkMode
  /** Patterns; compile with compilePatterns(topics, 'topics'). */
  readonly topics: readonly string[]
  /** Patterns; compile with compilePatterns(groups, 'groups'). */
  readonly groups: readonly string[]
  readonly overrides: readonly TopicOverride[]
  readonly priorities: readonly TopicPriority[]
  readonly onSourceDelete: SourceDeletePolicy
  readonly largeGap: LargeGapPolicy
  readonly onOverfilled: OverfilledPolicy
  /** undefined: no limit. */
  readonly maxBytesPerSecond: number | undefined
  /** To one source broker, for data, at most. */
  readonly connectionsPerBroker: number
  readonly sync: SyncIntervals
}

export type TopicSettings = {
  /** undefined: as at the source, as far as the target has brokers. */
  readonly replicationFactor: number | undefined
  readonly configs: Readonly<Record<string, string>>
}

/** What the overrides say about one topic: of several that match, a later one wins, key by key. */
export function overridesFor(topic: string, overrides: readonly TopicOverride[]): TopicSettings {
  let replicationFactor: number | undefined
  const configs: Record<string, string> = {}
  for (const override of overrides) {
    if (!compilePatterns(override.topics, 'any').matches(topic)) continue
    replicationFactor = override.replicationFactor ?? replicationFactor
    Object.assign(configs, override.configs)
  }
  return { replicationFactor, configs }
}

/** Of several that match, the last one counts. */
export function priorityOf(topic: string, priorities: readonly TopicPriority[]): Priority {
  const found = priorities.findLast(({ topics }) => compilePatterns(topics, 'any').matches(topic))
  return found?.priority ?? 'normal'
}

const HELD_AT_A_MIRROR = 'kdr holds it on a mirror until the mirror is promoted'

/** Topic configs that an override must not set, each with the reason. A trailing `*` stands for any ending. */
const NOT_OVERRIDABLE: readonly (readonly [name: string, reason: string])[] = [
  ['retention.ms', `${HELD_AT_A_MIRROR}: the mirror's log start follows the source`],
  ['retention.bytes', `${HELD_AT_A_MIRROR}: the mirror's log start follows the source`],
  ['compression.type', `${HELD_AT_A_MIRROR}: batches must keep their bytes`],
  ['message.timestamp.*', `${HELD_AT_A_MIRROR}: records must keep their timestamps`],
  ['remote.storage.*', 'tiered storage at a mirror would answer for offsets that kdr cannot check'],
  ['remote.log.*', 'tiered storage at a mirror would answer for offsets that kdr cannot check'],
  ['local.retention.*', 'tiered storage at a mirror would answer for offsets that kdr cannot check'],
  ['leader.replication.throttled.replicas', 'throttles belong to the cluster that sets them'],
  ['follower.replication.throttled.replicas', 'throttles belong to the cluster that sets them'],
]

/** Why a topic config must not be overridden at the target; undefined when it may. */
export function whyNotOverridable(config: string): string | undefined {
  return NOT_OVERRIDABLE.find(([name]) =>
    name.endsWith('*') ? config.startsWith(name.slice(0, -1)) : config === name,
  )?.[1]
}
