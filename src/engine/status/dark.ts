// A link whose standby cannot be reached: its memory lies there, so that nothing is known of what has been copied. What the
// other cluster says of the link, if it answers, is told; the numbers that nobody knows are null.
import type { LinkSettings } from '../../model/link-settings.ts'
import type { LinkRecord } from '../../model/state-records.ts'
import type { Clock } from '../../ports/clock.ts'
import { rightsStatus } from './rights.ts'
import { type LinkStatus, withStale } from './status.ts'

export type DarkInput = {
  /** As it leads now, as far as is known. */
  readonly settings: LinkSettings
  readonly isHome: boolean
  readonly stale: readonly string[]
  /** As the cluster that answers has it; undefined: none answers, or it has none. */
  readonly record: LinkRecord | undefined
  /** The active cluster answers. */
  readonly isSourceThere: boolean
  /** Why the standby cannot be reached. */
  readonly problem: string
  readonly clock: Clock
}

const NOTHING = { get: () => undefined, entries: () => [] }

export function darkStatus(input: DarkInput): LinkStatus {
  const { settings, isHome, record, isSourceThere, clock } = input
  return {
    name: settings.name,
    source: settings.source,
    target: settings.target,
    home: isHome,
    generation: record?.generation ?? 0,
    mode: settings.mode,
    ...withStale(input, { state: 'faulted', sentence: sentenceOf(input) }),
    lagRecords: null,
    lagMs: null,
    rpoMs: null,
    sourceSeenAt: isSourceThere ? new Date(clock.now()).toISOString() : null,
    workers: [],
    topics: [],
    forgotten: [],
    groups: [],
    ...rightsStatus(NOTHING, settings.name),
    warnings: [],
  }
}

function sentenceOf({ settings, record, isSourceThere, problem }: DarkInput): string {
  const { source, target } = settings
  const standby = `the standby cannot be reached (${problem}): nothing is copied to it, and how far it had come is only known there`
  if (!isSourceThere) return `${standby}; nor can "${source}"`
  if (record === undefined) return `${standby}; "${source}" answers, and keeps no record of this link`
  const run = record.run === undefined ? '' : ` since run ${record.run}`
  // Had a failover moved it since, only the cluster that is dark would know.
  return `${standby}; as far as "${source}" knows it is active${run} (generation ${record.generation}), and "${target}" the standby`
}
