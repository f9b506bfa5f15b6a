// A link in step as `kdr status` sees it, for tests that change one thing.
import type { LinkStatus } from '../../src/engine/status/status.ts'
import type { RunSummary } from '../../src/model/runs.ts'
import type { SetStatus } from '../../src/model/set-status.ts'

export const NOW = Date.parse('2026-03-01T10:00:00Z')
const iso = (ago: number): string => new Date(NOW - ago).toISOString()

export function linkStatusOf(name: string, more: Partial<LinkStatus> = {}): LinkStatus {
  const lagMs = more.lagMs === undefined ? 1_200 : more.lagMs
  const partition = {
    partition: 0,
    state: 'mirroring',
    cursor: 100,
    sourceEnd: 104,
    lagRecords: 4,
    lagMs: lagMs ?? 0,
  }
  return {
    name,
    source: 'east',
    target: 'west',
    home: true,
    generation: 0,
    mode: 'exact',
    state: 'mirroring',
    sentence: '1 topic(s), 1 partition(s), 4 record(s) behind',
    lagRecords: 4,
    lagMs,
    rpoMs: lagMs,
    sourceSeenAt: iso(0),
    workers: [{ id: 'w', slots: [0] }],
    topics: [
      {
        name: 'orders',
        state: 'mirroring',
        partitions: [partition as LinkStatus['topics'][number]['partitions'][number]],
      },
    ],
    forgotten: [],
    groups: [],
    acls: { synced: 0, heldBack: [] },
    quotas: { synced: 0, different: [] },
    users: { present: 0, missing: [], missingCount: 0, configured: [] },
    warnings: [],
    ...more,
  } as LinkStatus
}

/** As the status says it when the standby does not answer. */
export const darkLink = (name: string): LinkStatus =>
  linkStatusOf(name, {
    state: 'faulted',
    sentence:
      'the standby cannot be reached (no broker answers at "west:9092"): nothing is copied to it, and how far it had come is only known there',
    lagRecords: null,
    lagMs: null,
    rpoMs: null,
    topics: [],
  })

export function setStatusOf(name: string, more: Partial<SetStatus> = {}): SetStatus {
  return {
    name,
    cluster: 'east',
    vault: 'main',
    state: 'current',
    sentence: 'the newest commit is 12',
    every: '15m',
    lastCommit: 12,
    at: iso(600_000),
    ageMs: 600_000,
    objectiveMs: 1_800_000,
    verifiedAt: iso(86_400_000),
    verifyEveryMs: null,
    prune: null,
    bytes: 1_000_000,
    objects: 5,
    ...more,
  }
}

export function runSummaryOf(run: string, more: Partial<RunSummary> = {}): RunSummary {
  return {
    run,
    kind: 'switchover',
    link: 'east-west',
    active: 'east',
    standby: 'west',
    state: 'running',
    startedAt: iso(42_000),
    ...more,
  }
}
