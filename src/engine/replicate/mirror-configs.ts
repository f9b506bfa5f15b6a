// Pure: which configs a mirror topic has while it mirrors, and what to change when the source's changed.
// A mirror must not delete or refuse by itself (DESIGN 2.5): kdr moves its log start, and takes what the source took.
import type { ConfigEntry } from '../../ports/cluster.ts'

/** Held on a mirror until it is promoted, whatever the source says; docs/reference/not-copied.md shows them too. */
export const HELD: Readonly<Record<string, string>> = {
  'retention.ms': '-1',
  'retention.bytes': '-1',
  'compression.type': 'producer',
  'message.timestamp.type': 'CreateTime',
  'message.timestamp.before.max.ms': '9223372036854775807',
  'message.timestamp.after.max.ms': '9223372036854775807',
  'message.timestamp.difference.max.ms': '9223372036854775807',
}

/** What a broker can receive in one request (socket.request.max.bytes); the source had its own limit, kept by its producers. */
const MAX_MESSAGE_BYTES = 104_857_600

/** Never copied; docs/reference/not-copied.md is made from this. `*` stands for any ending. */
export const NOT_COPIED: readonly (readonly [name: string, why: string])[] = [
  ['remote.*', "tiered storage is the source cluster's own; a mirror holds its data itself"],
  ['local.retention.*', 'belongs to tiered storage'],
  ['leader.replication.throttled.replicas', 'throttles belong to a reassignment of the source cluster'],
  ['follower.replication.throttled.replicas', 'throttles belong to a reassignment of the source cluster'],
  ['message.format.version', 'gone in Kafka 4; records are written in format v2'],
  ['message.downconversion.enable', 'gone in Kafka 4; says how the source serves clients older than 0.11'],
  ['confluent.*', "another distribution's"],
]

export type MirrorConfigInput = {
  /** The source topic's entries, defaults included. */
  readonly source: ReadonlyMap<string, ConfigEntry>
  /** Topic configs that the target knows by name. */
  readonly knownAtTarget: ReadonlySet<string>
  readonly replicationFactor: number
  readonly overrides: Readonly<Record<string, string>>
  /** A compacted topic takes no null keys: it is `delete` while it is seeded. */
  readonly isSeeding: boolean
}

export function isCopied(name: string): boolean {
  return !NOT_COPIED.some(([pattern]) =>
    pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern,
  )
}

export function mirrorConfigs(input: MirrorConfigInput): Record<string, string> {
  const { source, knownAtTarget, replicationFactor, overrides, isSeeding } = input
  const configs: Record<string, string> = {}
  for (const [name, { value, isOverride, isSensitive }] of source) {
    if (isOverride && !isSensitive && value !== null && isCopied(name)) configs[name] = value
  }
  // A source broker's own default decides too what its log looks like; the target's must not: compaction would take records.
  const policy = source.get('cleanup.policy')?.value
  if (policy !== undefined && policy !== null) configs['cleanup.policy'] = policy
  Object.assign(configs, HELD)
  configs['max.message.bytes'] = String(
    Math.max(MAX_MESSAGE_BYTES, Number(source.get('max.message.bytes')?.value ?? 0)),
  )
  Object.assign(configs, overrides)
  const minInSync = Number(configs['min.insync.replicas'] ?? 1)
  if (minInSync > replicationFactor) configs['min.insync.replicas'] = String(replicationFactor)
  if (isSeeding && configs['cleanup.policy']?.includes('compact')) configs['cleanup.policy'] = 'delete'
  return Object.fromEntries(Object.entries(configs).filter(([name]) => knownAtTarget.has(name)))
}

/** What the source has where the mirror is otherwise; null: nothing of its own. A promotion puts that in force. */
export function heldBackConfigs({
  source,
  knownAtTarget,
  overrides,
}: Pick<MirrorConfigInput, 'source' | 'knownAtTarget' | 'overrides'>): Record<string, string | null> {
  const names = [...Object.keys(HELD), 'max.message.bytes'].filter(
    name => knownAtTarget.has(name) && !(name in overrides),
  )
  const held: Record<string, string | null> = Object.fromEntries(
    names.map(name => {
      const entry = source.get(name)
      return [name, entry?.isOverride === true ? entry.value : null] as const
    }),
  )
  // `delete` while it is seeded, whatever it will be: a promotion must not let that stand.
  const policy = source.get('cleanup.policy')?.value
  if (policy !== undefined && knownAtTarget.has('cleanup.policy') && !('cleanup.policy' in overrides))
    held['cleanup.policy'] = policy
  return held
}

/** What to change: against what kdr last applied, so that what somebody else changed at the target is not fought. */
export function configChanges(
  applied: Readonly<Record<string, string>>,
  desired: Readonly<Record<string, string>>,
): Record<string, string | null> {
  const changes: Record<string, string | null> = {}
  for (const [name, value] of Object.entries(desired)) if (applied[name] !== value) changes[name] = value
  for (const name of Object.keys(applied)) if (!(name in desired)) changes[name] = null
  return changes
}

/** Configs that somebody changed at the target since kdr applied them. */
export function configDrift(
  applied: Readonly<Record<string, string>>,
  target: ReadonlyMap<string, ConfigEntry>,
): { readonly name: string; readonly applied: string; readonly found: string }[] {
  return Object.entries(applied).flatMap(([name, value]) => {
    const found = target.get(name)?.value ?? ''
    return found === value ? [] : [{ name, applied: value, found }]
  })
}
