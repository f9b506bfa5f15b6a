// The sets that `kdr run` keeps backed up: those of the config with an `every:`.
import type { Config } from '../../config/index.ts'
import { isSameSet, type SetSnapshot, snapshotOfSet } from '../../config/same.ts'
import type { App } from '../app.ts'
import { formatDuration } from '../format.ts'
import type { FollowedSet } from '../app-vault.ts'
import { Followers, type FollowersOptions } from './followers.ts'

/** What is under way then counts for nothing. */
const STOP_WAITS_MS = 8_000

export class RunSets extends Followers<SetSnapshot, FollowedSet> {
  constructor(app: App, options: FollowersOptions) {
    const { log } = options
    super(app, options, {
      noun: 'set',
      wanted: wantedOf,
      nameOf: ({ set }) => set.name,
      isSame: isSameSet,
      start: async ({ config, set }) => await app.services.followSet(config, set, { log }),
      words: {
        started: ({ set }) => `"${set.cluster}" is backed up to "${set.vault}", ${every(set)}${upkeep(set)}`,
        gone: 'is not backed up any more',
        refused: 'cannot be backed up',
      },
      stopWaitsMs: STOP_WAITS_MS,
    })
  }
}

function every({ every: how }: SetSnapshot['set']): string {
  if (how === undefined) return 'by hand'
  const { text, schedule } = how
  return schedule.kind === 'interval' ? `every ${text}` : schedule.kind === 'cron' ? `at ${text} (UTC)` : text
}

function upkeep({ verifyMs, isPruned, keepDays }: SetSnapshot['set']): string {
  const verified = verifyMs === undefined ? '' : `, verified in full every ${formatDuration(verifyMs)}`
  return isPruned === true && keepDays !== undefined ? `${verified}, pruned to ${keepDays} days` : verified
}

function wantedOf(config: Config): SetSnapshot[] {
  const sets = Object.values(config.sets).filter(set => set.every !== undefined)
  return sets.map(set => snapshotOfSet(config, set))
}
