// The record of a run that begins, and what a person accepts only when it is resumed.
import type { OpenRunOptions } from '../cli/app.ts'
import type { RunRecord } from '../model/runs.ts'
import type { Direction } from './direction.ts'
import type { Sides } from './run-context.ts'
import { systemClock, systemEntropy, whoAmI } from './system.ts'
import { kdrVersion } from './version.ts'

/** Where the link waits since a failover. */
export function afterOf(direction: Direction | undefined): Pick<RunRecord, 'after' | 'isHome'> {
  const { record, isHome } = direction ?? {}
  if (record?.isWaiting !== true) return {}
  return { after: record.run ?? '', ...(isHome === true && { isHome }) }
}

/** What was not accepted when it began may be accepted now. */
export function acceptedNow(
  { acceptSplitBrain, exportTo, recopy: before = [] }: RunRecord,
  asked: OpenRunOptions,
): Pick<RunRecord, 'acceptSplitBrain' | 'exportTo' | 'recopy'> {
  const place = asked.exportTo ?? exportTo
  const recopy = [...new Set([...before, ...(asked.recopy ?? [])])]
  return {
    acceptSplitBrain: acceptSplitBrain || asked.acceptSplitBrain,
    ...(place !== undefined && { exportTo: place }),
    ...(recopy.length > 0 && { recopy }),
  }
}

export function newRecord(
  sides: Sides,
  {
    kind,
    topics,
    acceptSplitBrain,
    reason,
    exportTo,
    recopy = [],
    together = [],
  }: OpenRunOptions & { readonly together?: readonly string[] | undefined },
): RunRecord {
  const { link, activeClusterId, standbyClusterId, generation } = sides
  return {
    run: runId(link.name),
    kind,
    link: link.name,
    active: link.source,
    standby: link.target,
    activeClusterId,
    standbyClusterId,
    generation,
    state: 'planned',
    startedAt: systemClock.now(),
    acceptSplitBrain,
    by: whoAmI(),
    ...(reason !== undefined && { reason }),
    ...(exportTo !== undefined && { exportTo }),
    ...(recopy.length > 0 && { recopy }),
    ...(topics.length > 0 && { topics }),
    ...(together.length > 0 && { together }),
    versions: { kdr: kdrVersion(), node: process.versions.node },
  }
}

/** Sorts by time, and is short enough to be typed. */
function runId(link: string): string {
  const at = new Date(systemClock.now()).toISOString().replaceAll(/[-:]/g, '').replace('T', '-').slice(0, 15)
  return `${link}-${at}-${systemEntropy.uuid().slice(0, 4)}`
}
